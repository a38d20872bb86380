"""The whole pruning job: score, decide, write the twins and a record of what was done."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.prune.finish import Pruned, finish, prepare
from napari_pickeroptimizer.prune.score import PicksScored, ScoreEvent, score
from napari_pickeroptimizer.prune.settings import PruneSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks

__all__ = ["PruneSettings", "Pruned", "prune_picks"]


def prune_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    labels: Picks | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Iterator[ScoreEvent | Pruned]:
    """Score, decide and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    A pick file gives ``kept.star`` and its twins, a tree of per-micrograph files the folders
    ``kept/`` and so on, each the same tree with its ``autopick.star``. Picks of micrographs
    that cannot be read, and picks outside their micrograph, go to ``unscored``, unless they
    have a label.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        What a picker found. Their own labels win over the scores.
    classifier : Classifier
        The fine-tuned model; one of its classes must be 1, particle.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        Threshold, device, ...
    labels : Picks, optional
        More labels, given to the picks they lie on (see `match_labels`).
    inputs : mapping, optional
        What the user passed, for the record.

    Yields
    ------
    MicrographScored, MicrographFailed, PicksScored
        As `score` does.
    Pruned
        Last, once all files are written.

    Raises
    ------
    CheckpointError
        The model is a pretrained one, a base for fine-tuning.
    SettingsError
        The folder holds an earlier run, the model knows no particles, or the precision or
        recall that is wished for cannot be had.
    LabelError
        `labels` holds no label.
    """
    settings = settings or PruneSettings()
    plan = prepare(
        micrographs, picks, classifier, output, settings, labels=labels, inputs=inputs
    )
    started = datetime.now(UTC)
    scored: PicksScored | None = None
    for event in score(
        micrographs,
        plan.picks,
        classifier,
        device=settings.device,
        batch_size=settings.batch_size,
        n_views=settings.n_views,
    ):
        yield event
        if isinstance(event, PicksScored):
            scored = event
    assert scored is not None  # the last event of score
    yield finish(plan, scored, started=started)
