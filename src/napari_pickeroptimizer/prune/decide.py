"""Decisions on scored picks: `decide` of a table, `decide_picks` of the scores in a journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.journal import (
    Record,
    Shard,
    StoredScores,
    model_digest,
    picks_digest,
    read_scores,
)
from napari_pickeroptimizer.prune.label_matching import match_labels
from napari_pickeroptimizer.prune.place_rules import frames_of
from napari_pickeroptimizer.prune.run import Further, Plan, check_run_is_possible, finish
from napari_pickeroptimizer.prune.score import FRAME_DOUBT, picks_scored
from napari_pickeroptimizer.prune.score_folder import FOLDER, no_scores
from napari_pickeroptimizer.prune.settings import PruneSettings, check_probability
from napari_pickeroptimizer.prune.watch import WATCHED, watched_picks
from napari_pickeroptimizer.reading import MicrographRows
from napari_pickeroptimizer.staging import locked

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.place_rules import Frame


def decide(picks: Picks, threshold: float = 0.5, frames: Sequence[Frame] = ()) -> Picks:
    """Return the picks with the columns ``predicted`` and ``decided_by``, see `Decision`.

    Parameters
    ----------
    picks : Picks
        Scored picks; ``label`` are the user's labels.
    threshold : float
        Least P(particle) of a kept pick, 0 to 1.
    frames : sequence of Frame
        For distances, see `frames_of`; none by default.

    Raises
    ------
    SettingsError
        The threshold is no probability, or the picks were not scored for particles.
    """
    check_probability("the threshold", threshold)
    return Decision.of_picks(picks, frames=frames).decided(picks, threshold)


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
        Leave picks without scores unscored if a shard is missing or picks have changed; always
        so with the scores of a watch, whose micrographs still come.
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
        places, not_yet = journal_scores.inputs.get("picks") or [], set[Path]()
        if journal_scores.inputs.get(WATCHED):  # what is there now is decided on
            allow_unscored = True
            not_yet = watched_picks(Path(scores or output) / FOLDER, places)
        picks = read_picks(places, leave_out=not_yet).with_labels(UNLABELLED)
    check_run_is_possible(card, picks, output, settings, labels, journal_scores.inputs)
    matched, unscored, changed, n_repeated = match_records(journal_scores.records, picks)
    if (unscored or changed) and not allow_unscored:
        raise SettingsError(_incomplete(journal_scores, unscored, changed))
    groups = sorted(
        [*(group for group, _ in matched), *unscored, *changed], key=lambda g: int(g.rows[0])
    )
    label_match = None
    if labels is not None:
        as_scored = tuple(g.micrograph or Micrograph(g.name, Path(g.name)) for g in groups)
        label_match = match_labels(groups, picks, labels, Micrographs(as_scored), card.boxes)
        picks = label_match.picks
    shapes_px = {group.name: record.shape_px for group, record in matched}
    plan = Plan(
        groups, picks, card, output, settings, label_match,
        frames_of(groups, card.boxes, settings, shapes_px),
        {**journal_scores.inputs, **(inputs or {})},
    )  # fmt: skip
    events = (
        record.event(group, len(card.class_ids), (i, len(matched)))
        for i, (group, record) in enumerate(matched, start=1)
    )
    scored = picks_scored(picks, card.class_ids, events)
    notes = _notes(journal_scores, unscored, changed, n_repeated)
    if FRAME_DOUBT in journal_scores.inputs:
        notes.insert(0, journal_scores.inputs[FRAME_DOUBT])
    with locked(output):
        yield from finish(
            plan, scored, started=started, further=further, command="decide", notes=notes
        )


def _scores_of(folder: Path, model: Classifier | None) -> StoredScores:
    """Return the scores of one model in an output folder."""
    digest = None if model is None else model_digest(model)
    scores_by_model = [
        scores
        for scores in read_scores(folder / FOLDER)
        if digest in (None, scores.header["model"])
    ]
    if not scores_by_model:
        raise no_scores(folder, "" if model is None else " of this model")
    if len(scores_by_model) > 1:
        raise SettingsError(
            f"{folder / FOLDER} holds scores of {len(scores_by_model)} models or numbers of "
            "views: name the model (--model), or move away the files that are not meant."
        )
    return scores_by_model[0]


def _incomplete(
    scores: StoredScores, unscored: list[MicrographRows], changed: list[MicrographRows]
) -> str:
    parts = []
    if unscored:
        parts.append(
            f"{_n_picks(unscored):,} picks on {len(unscored):,} micrographs have no scores"
        )
    if changed:
        parts.append(
            f"the picks on {len(changed):,} micrographs ({_n_picks(changed):,}) have changed since "
            "they were scored"
        )
    return (
        f"{' and '.join(parts)}{_shards_text(scores)}: score them (`pickeroptimizer score` "
        "resumes), or leave them unscored with --allow-unscored."
    )


def _notes(
    scores: StoredScores,
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
            notes.append(
                f"{_n_picks(groups):,} picks on {len(groups):,} micrographs {problem}: left "
                "unscored."
            )
    return notes


def _n_picks(groups: Iterable[MicrographRows]) -> int:
    return sum(len(group.rows) for group in groups)


def _shards_text(scores: StoredScores) -> str:
    """Return which shards there are and which are missing; empty without shards."""
    present = set(scores.shards)
    counts = {shard.count for shard in present}
    if counts == {1}:
        return ""
    every = (Shard(i, count) for count in sorted(counts - {1}) for i in range(1, count + 1))
    missing = [str(shard) for shard in every if shard not in present]
    present_text = ", ".join(map(str, sorted(present, key=lambda s: (s.count, s.index))))
    missing_text = f"; missing: {', '.join(missing[:10])}" if missing else ""
    return f" (shards {present_text}{missing_text})"


def match_records(
    records: Iterable[Record], picks: Picks
) -> tuple[
    list[tuple[MicrographRows, Record]], list[MicrographRows], list[MicrographRows], int
]:
    """Match records to picks by micrograph name, without reading images.

    Returns
    -------
    matched : list of (MicrographRows, Record)
        Micrographs with scores of exactly these picks, or with the reason of a failure, in the
        order of the picks.
    unscored, changed : list of MicrographRows
        Micrographs without a record; those whose picks have changed since.
    n_repeated : int
        Micrographs that several shards scored.
    """
    rows_of_name = picks.rows_by_micrograph()
    coords_yx_px = picks.coords_yx_px()
    matched: dict[tuple[str, ...], tuple[MicrographRows, Record]] = {}
    shards_of: dict[tuple[str, ...], set[Shard]] = {}
    free = set(rows_of_name)
    recorded: set[str] = set()
    newest_first = [*records][::-1]
    for record in sorted(newest_first, key=lambda r: not r.is_scored):  # scores, then failures
        names = record.names
        recorded.update(names)
        if names not in matched and not free.issuperset(names):
            continue
        if names not in matched:
            rows = np.sort(np.concatenate([rows_of_name[name] for name in names]))
            first = str(picks.table["micrograph"].iloc[rows[0]])
            group = MicrographRows(
                first, record.micrograph, rows, record.values.get("reason", "")
            )
            if picks_digest(coords_yx_px[rows]) != record.values["picks"]:
                continue
            matched[names] = (group, record)
            free.difference_update(names)
        if record.values["picks"] == matched[names][1].values["picks"] and record.is_scored:
            shards_of.setdefault(names, set()).add(record.shard)
    unmatched = [MicrographRows(n, None, rows_of_name[n]) for n in rows_of_name if n in free]
    return (
        sorted(matched.values(), key=lambda pair: int(pair[0].rows[0])),
        [group for group in unmatched if group.name not in recorded],
        [group for group in unmatched if group.name in recorded],
        sum(len(shards) > 1 for shards in shards_of.values()),
    )
