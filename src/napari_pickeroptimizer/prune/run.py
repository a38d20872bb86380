"""`score_picks` into a journal, `decide_picks` from it, `prune_picks` for both in a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
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
    Scores,
    match_records,
    model_digest,
    read_scores,
)
from napari_pickeroptimizer.prune.label_matching import match_labels
from napari_pickeroptimizer.prune.place_rules import frames_of
from napari_pickeroptimizer.prune.score import (
    PicksScored,
    picks_scored,
)
from napari_pickeroptimizer.prune.scoring_run import score_into_journal, score_picks
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.shards import Shard
from napari_pickeroptimizer.prune.staging import locked
from napari_pickeroptimizer.reading import (
    MicrographRows,
    check_any_found,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks

__all__ = ["PruneSettings", "Pruned", "decide_picks", "prune_picks", "score_picks"]


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
        for event in score_into_journal(
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
