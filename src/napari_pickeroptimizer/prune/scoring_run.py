"""Scoring into a journal: a killed run resumes where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.prune.journal import (
    FOLDER,
    Journal,
    Record,
    file_name,
    group_key,
    model_digest,
    read_scores,
    record_of,
)
from napari_pickeroptimizer.prune.score import (
    BatchScored,
    MicrographScored,
    ScoreEvent,
    checked_for_picks,
    picks_scored,
    score_groups,
)
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.shards import Shard
from napari_pickeroptimizer.prune.staging import check_space, check_writable
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    check_any_found,
    group_by_micrograph,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks

# Upper bound of the bytes of a micrograph's record, besides its picks.
BYTES_A_MICROGRAPH = 12_000


@dataclass(frozen=True)
class ScoresReused:
    """Micrographs whose earlier scores are reused.

    Parameters
    ----------
    n_micrographs, n_picks : int
        Their number, and that of their picks.
    n_done, n_total : int
        Micrographs so far, and in all.
    """

    n_micrographs: int
    n_picks: int
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Part of the micrographs that is done, 0..1."""
        return self.n_done / self.n_total


def score_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    shard: Shard | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Iterator[ScoreEvent | ScoresReused]:
    """Score picks, and write the scores into ``scores/`` as they come, a micrograph at a time.

    Micrographs that were scored before, with this model, these picks and as many views, are
    not scored again: a killed run resumes where it stopped. Those that could not be read
    are tried again.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of a picker.
    classifier : Classifier
        The fine-tuned model.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        ``device``, ``batch_size`` and ``n_views`` are used.
    shard : Shard, optional
        Score only this part of the micrographs; `decide_picks` puts the parts together.
    inputs : mapping, optional
        The user's inputs, for `decide_picks`: ``picks`` are paths or patterns.

    Yields
    ------
    ScoresReused
        First, if there are any.
    BatchScored, MicrographScored, MicrographFailed, PicksScored
        As `score` does.

    Raises
    ------
    CheckpointError, SettingsError, MicrographNotFoundError
        As `score` does; or another process scores the same shard.
    OutputError
        The scores cannot be written.
    """
    checked_for_picks(classifier)
    groups = group_by_micrograph(micrographs, picks)
    yield from score_into_journal(
        groups, picks, classifier, Path(output), settings or PruneSettings(), shard or Shard(),
        inputs or {},
    )  # fmt: skip


def score_into_journal(
    groups: list[MicrographRows],
    picks: Picks,
    classifier: Classifier,
    output: Path,
    settings: PruneSettings,
    shard: Shard,
    inputs: Mapping[str, Any],
) -> Iterator[ScoreEvent | ScoresReused]:
    """Score picks into a journal, as `score_picks` does after its checks."""
    check_any_found(groups)
    device = choose_device(settings.device)
    check_writable(output)
    shard_groups = shard.of(groups)
    class_ids = classifier.card.class_ids
    header = {
        "model": model_digest(classifier),
        "card": classifier.card.to_json(),
        "n_views": settings.n_views,
    }
    coords_yx_px = picks.coords_yx_px()
    records = _known_records(output / FOLDER, header)
    events_done: list[MicrographScored | MicrographFailed] = []
    to_do: list[MicrographRows] = []
    for group in shard_groups:
        record = records.get(group_key(group, coords_yx_px))
        if record is not None and record.is_scored:
            events_done.append(
                record.event(group, len(class_ids), (len(events_done) + 1, len(shard_groups)))
            )
        else:
            to_do.append(group)
    n_to_do = sum(len(group.rows) for group in to_do)
    check_space(output, 6 * len(class_ids) * n_to_do + BYTES_A_MICROGRAPH * len(to_do))
    n_before = len(events_done)
    with Journal(output / FOLDER, header, shard) as journal:
        journal.set_inputs(inputs)
        if events_done:
            n_picks = sum(len(event.group.rows) for event in events_done)
            yield ScoresReused(n_before, n_picks, n_before, len(shard_groups))
        classifier = classifier.to(device)
        for event in score_groups(
            to_do, coords_yx_px, classifier, batch_size=settings.batch_size,
            n_views=settings.n_views,
        ):  # fmt: skip
            event = replace(event, n_done=event.n_done + n_before, n_total=len(shard_groups))
            if not isinstance(event, BatchScored):
                values = record_of(event, picks, coords_yx_px)
                record = records.get(group_key(event.group, coords_yx_px))
                # the same failure is not recorded twice
                if record is None or dict(record.values) != values:
                    journal.append(values)
                events_done.append(
                    replace(event, features=None)
                    if isinstance(event, MicrographScored)
                    else event
                )
            yield event
    yield picks_scored(picks, class_ids, events_done)


def _known_records(folder: Path, header: Mapping[str, Any]) -> dict[str, Record]:
    """Return the records of a model and number of views by key, scores before failures."""
    records = [
        record
        for scores in read_scores(folder)
        if file_name(scores.header, Shard()) == file_name(header, Shard())
        for record in scores.records
    ]
    return {record.key: record for record in sorted(records, key=lambda r: r.is_scored)}
