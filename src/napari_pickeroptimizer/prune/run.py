"""`score_picks` into a journal, `decide_picks` from it, `prune_picks` for both in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.model.checkpoint import ModelCard
from napari_pickeroptimizer.prune.decided_run import (
    Further,
    Plan,
    Pruned,
    check_run_is_possible,
    finish,
    prepare,
)
from napari_pickeroptimizer.prune.journal import (
    FOLDER,
    Journal,
    Record,
    Scores,
    Shard,
    file_name,
    group_key,
    match_records,
    model_digest,
    read_scores,
    record_of,
)
from napari_pickeroptimizer.prune.label_matching import match_labels
from napari_pickeroptimizer.prune.place_rules import frames_of
from napari_pickeroptimizer.prune.score import (
    BatchScored,
    MicrographScored,
    PicksScored,
    ScoreEvent,
    checked_for_picks,
    picks_scored,
    score_groups,
)
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.staging import check_space, check_writable, locked
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    check_any_found,
    group_by_micrograph,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks

__all__ = ["PruneSettings", "Pruned", "decide_picks", "prune_picks", "score_picks"]
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
    yield from _score_into_journal(
        groups, picks, classifier, Path(output), settings or PruneSettings(), shard or Shard(),
        inputs or {},
    )  # fmt: skip


def _score_into_journal(
    groups: list[MicrographRows],
    picks: Picks,
    classifier: Classifier,
    output: Path,
    settings: PruneSettings,
    shard: Shard,
    inputs: Mapping[str, Any],
) -> Iterator[ScoreEvent | ScoresReused]:
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


def prune_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    labels: Picks | None = None,
    inputs: Mapping[str, Any] | None = None,
    further: Further | None = None,
) -> Iterator[Any]:
    """Score, decide and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    It is `score_picks` and `decide_picks` in a row: scores that the folder holds already are
    used, and stay if the decision is refused. A pick file gives ``kept.star`` and its like, a
    tree of per-micrograph files the folders ``kept/`` and so on, each the same tree with its
    ``autopick.star``. Picks of micrographs that cannot be read, and picks outside their
    micrograph, go to ``unscored``, unless they have a label.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of a picker. Their own labels take precedence over the scores.
    classifier : Classifier
        The fine-tuned model; one of its classes must be 1, particle.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        Threshold, device, ...
    labels : Picks, optional
        More labels, matched to picks by position (see `match_labels`).
    inputs : mapping, optional
        The user's inputs, for the record.
    further : callable, optional
        Writes more files of the run, see `finish`.

    Yields
    ------
    ScoresReused, BatchScored, MicrographScored, MicrographFailed, PicksScored
        As `score_picks` does.
    Pruned
        Last, once all files are in place.

    Raises
    ------
    CheckpointError
        The model is a pretrained one, a base for fine-tuning.
    SettingsError
        The folder holds an earlier run, another run is writing into it, the model has no
        particle class, or the requested precision or recall is out of reach.
    LabelError
        `labels` holds no label.
    OutputError
        The results cannot be written.
    """
    settings, output = settings or PruneSettings(), Path(output)
    plan = prepare(
        micrographs, picks, classifier, output, settings, labels=labels, inputs=inputs
    )
    check_any_found(plan.groups)
    choose_device(settings.device)
    started = datetime.now(UTC)
    with locked(output):
        scored: PicksScored | None = None
        for event in _score_into_journal(
            plan.groups, plan.picks, classifier, output, settings, Shard(), plan.inputs
        ):
            yield event
            if isinstance(event, PicksScored):
                scored = event
        assert scored is not None  # the last event of scoring
        yield from finish(plan, scored, started=started, further=further)


def decide_picks(
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    scores: str | Path | None = None,
    picks: Picks | None = None,
    model: Classifier | None = None,
    labels: Picks | None = None,
    inputs: Mapping[str, Any] | None = None,
    allow_unscored: bool = False,
    further: Further | None = None,
) -> Iterator[Any]:
    """Decide on scores in a journal; write what `prune_picks` does. No micrograph is read.

    Parameters
    ----------
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        Threshold, distances, ...
    scores : str or Path, optional
        A folder that `score_picks` wrote to; by default `output`.
    picks : Picks, optional
        The picks; by default those files that were scored, without their labels.
    model : Classifier, optional
        Model to use the scores of, if the folder holds scores of several.
    labels : Picks, optional
        Labels, matched to picks by position.
    inputs : mapping, optional
        The user's inputs, for the record, in addition to those of the scoring.
    allow_unscored : bool
        Leave picks without scores unscored if a shard is missing or picks have changed.
    further : callable, optional
        Writes more files of the run, see `finish`.

    Yields
    ------
    Pruned
        Last.

    Raises
    ------
    SettingsError
        There are no scores, or of several models, or not of all picks; else as `prune_picks`.
    LabelError, OutputError
        As `prune_picks`.
    """
    settings, output = settings or PruneSettings(), Path(output)
    started = datetime.now(UTC)
    journal_scores = _scores_of(Path(output if scores is None else scores), model)
    card = ModelCard.from_json(journal_scores.header["card"])
    settings = replace(settings, n_views=journal_scores.header["n_views"])
    if picks is None:
        picks = read_picks(journal_scores.inputs.get("picks") or [])
        picks = picks.with_labels(np.zeros(len(picks), dtype=np.int8))
    check_run_is_possible(card, picks, output, settings)
    matched, unscored, changed, n_repeated = match_records(journal_scores.records, picks)
    if (unscored or changed) and not allow_unscored:
        raise SettingsError(_incomplete(journal_scores, unscored, changed))
    groups = sorted(
        [*(group for group, _ in matched), *unscored, *changed], key=lambda g: int(g.rows[0])
    )
    label_match = None
    if labels is not None:
        scored_micrographs = _micrographs_of(groups)
        label_match = match_labels(groups, picks, labels, scored_micrographs, card.boxes)
        picks = label_match.picks
    shapes_px = {group.name: record.shape_px for group, record in matched}
    plan = Plan(
        groups, picks, card, output, settings, label_match,
        frames_of(groups, card.boxes, settings.place_rules, shapes_px),
        {**{k: v for k, v in journal_scores.inputs.items() if k != "kind"}, **(inputs or {})},
    )  # fmt: skip
    events = (
        record.event(group, len(card.class_ids), (i, len(matched)))
        for i, (group, record) in enumerate(matched, start=1)
    )
    scored = picks_scored(picks, card.class_ids, events)
    notes = _notes(journal_scores, unscored, changed, n_repeated)
    with locked(output):
        yield from finish(
            plan, scored, started=started, further=further, command="decide", notes=notes
        )


def _scores_of(folder: Path, model: Classifier | None) -> Scores:
    """Return the scores of one model in an output folder."""
    scores_by_model = read_scores(folder / FOLDER)
    if model is not None:
        digest = model_digest(model)
        scores_by_model = [
            scores for scores in scores_by_model if scores.header["model"] == digest
        ]
    if not scores_by_model:
        of_model = "" if model is None else " of this model"
        raise SettingsError(
            f"{folder} holds no scores{of_model}: score the picks first (`pickeroptimizer score`)."
        )
    if len(scores_by_model) > 1:
        raise SettingsError(
            f"{folder / FOLDER} holds scores of {len(scores_by_model)} models or numbers of "
            "views: name the model (--model), or move away the files that are not meant."
        )
    return scores_by_model[0]


def _micrographs_of(groups: Iterable[MicrographRows]) -> Micrographs:
    """Return the micrographs as they were resolved at scoring."""
    return Micrographs(
        tuple(group.micrograph or Micrograph(group.name, Path(group.name)) for group in groups)
    )


def _incomplete(
    scores: Scores, unscored: list[MicrographRows], changed: list[MicrographRows]
) -> str:
    parts = []
    if unscored:
        n = sum(len(group.rows) for group in unscored)
        parts.append(f"{n:,} picks on {len(unscored):,} micrographs have no scores")
    if changed:
        n = sum(len(group.rows) for group in changed)
        parts.append(
            f"the picks on {len(changed):,} micrographs ({n:,}) have changed since they were scored"
        )
    return (
        f"{' and '.join(parts)}{_shards_text(scores)}: score them (`pickeroptimizer score` "
        "resumes), or leave them unscored with --allow-unscored."
    )


def _shards_text(scores: Scores) -> str:
    """Return which shards there are and which are missing; empty without shards."""
    present = set(scores.shards)
    missing = [
        str(shard)
        for count in sorted({shard.count for shard in present} - {1})
        for index in range(1, count + 1)
        if (shard := Shard(index, count)) not in present
    ]
    if {shard.count for shard in present} == {1}:
        return ""
    present_text = ", ".join(map(str, sorted(present, key=lambda s: (s.count, s.index))))
    missing_text = f"; missing: {', '.join(missing[:10])}" if missing else ""
    return f" (shards {present_text}{missing_text})"


def _notes(
    scores: Scores,
    unscored: list[MicrographRows],
    changed: list[MicrographRows],
    n_repeated: int,
) -> list[str]:
    notes = []
    if n_repeated:
        notes.append(
            f"{n_repeated:,} micrographs were scored by more than one shard{_shards_text(scores)}: "
            "the newest scores count."
        )
    for groups, problem in (
        (unscored, "have no scores"),
        (changed, "changed after the scoring"),
    ):
        if groups:
            n = sum(len(group.rows) for group in groups)
            notes.append(
                f"{n:,} picks on {len(groups):,} micrographs {problem}: left unscored."
            )
    return notes
