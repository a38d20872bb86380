"""The whole pruning job: score, decide, write the twins and a record of what was done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS, MAX_VIEWS
from napari_pickeroptimizer.prune.decide import PlaceRules, decide, frames_of
from napari_pickeroptimizer.prune.drift import check_drift
from napari_pickeroptimizer.prune.labels import match_labels
from napari_pickeroptimizer.prune.lengths import NO_LENGTH, Length
from napari_pickeroptimizer.prune.output import (
    RUN_RECORD,
    counts,
    counts_by_micrograph,
    earlier_files,
    write_record,
    write_twins,
)
from napari_pickeroptimizer.prune.sanity import check_run
from napari_pickeroptimizer.prune.score import (
    PicksScored,
    ScoreEvent,
    checked_for_picks,
    score,
)
from napari_pickeroptimizer.prune.threshold import NO_EVIDENCE, Wish, promise_for
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_pickeroptimizer.calibration import Promise
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True)
class PruneSettings:
    """How picks are pruned and written.

    Parameters
    ----------
    threshold : float or "auto" or None
        Least P(particle) of a kept pick; ``auto`` for the best expected F1. None, the
        default, is 0.5 unless `precision` or `recall` is given.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes a forward pass.
    n_views : int
        Looks at each box that are averaged, 1 to 8 (see `score`).
    write_fom : bool
        Replace the picker's ``rlnAutopickFigureOfMerit`` by P(particle).
    overwrite : bool
        Replace the files of an earlier run in the same output folder.
    precision, recall : float, optional
        In place of a threshold: the one that is expected to give this share of particles
        among the kept picks, or to keep this share of the particles.
    min_distance, edge_distance : Length
        See `PlaceRules`; 0 for off.
    """

    threshold: float | Literal["auto"] | None = None
    device: str = "auto"
    batch_size: int = 256
    n_views: int = DEFAULT_VIEWS
    write_fom: bool = False
    overwrite: bool = False
    precision: float | None = None
    recall: float | None = None
    min_distance: Length = NO_LENGTH
    edge_distance: Length = NO_LENGTH

    def __post_init__(self) -> None:
        _ = self.wish  # checks it
        if self.batch_size < 1:
            raise SettingsError(f"batch_size must be at least 1, got {self.batch_size}.")
        if not 1 <= self.n_views <= MAX_VIEWS:
            raise SettingsError(f"n_views must be 1 to {MAX_VIEWS}, got {self.n_views}.")

    @property
    def wish(self) -> Wish:
        """What sets the threshold."""
        return Wish(self.threshold, self.precision, self.recall)

    @property
    def place_rules(self) -> PlaceRules:
        """The distances."""
        return PlaceRules(self.min_distance, self.edge_distance)

    def summary(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        distances = {k: str(getattr(self, k)) for k in ("min_distance", "edge_distance")}
        return {**asdict(self), **distances}


@dataclass(frozen=True)
class Pruned:
    """The last event: the decided picks, the files written and the record of the run.

    Parameters
    ----------
    picks : Picks
        All picks with their probabilities, ``predicted`` and ``decided_by``.
    files : list of Path
        What was written, the record last.
    record : dict
        What ``run.json`` holds.
    promise : Promise or None
        What other thresholds are expected to give; None for a model without evidence.
    """

    picks: Picks
    files: list[Path]
    record: dict[str, Any] = field(repr=False)
    promise: Promise | None = field(default=None, repr=False)
    progress: float = 1.0


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
    output = Path(output)
    card = checked_for_picks(classifier).card
    if PARTICLE not in card.class_ids:
        raise SettingsError(
            "the model knows no class 1, particle, so nothing could be kept: it was trained on "
            f"{', '.join(card.class_names)}."
        )
    settings.wish.check(card)
    earlier = earlier_files(output)
    if earlier and not settings.overwrite:
        raise SettingsError(
            f"{output} already holds a run ({RUN_RECORD}): choose another folder, or replace "
            "that run with --overwrite."
        )
    warnings: list[str] = []
    matched = None
    if labels is not None:
        matched = match_labels(picks, labels, micrographs, card.boxes)
        picks = matched.picks
        warnings += matched.warnings
    frames = frames_of(picks, micrographs, card.boxes, settings.place_rules)
    started = datetime.now(UTC)
    scored: PicksScored | None = None
    for event in score(
        micrographs,
        picks,
        classifier,
        device=settings.device,
        batch_size=settings.batch_size,
        n_views=settings.n_views,
    ):
        yield event
        if isinstance(event, PicksScored):
            scored = event
    assert scored is not None  # the last event of score
    p_particle = scored.picks.particle_probability
    promised = promise_for(card, p_particle)
    threshold = settings.wish.choose(promised)
    decided = decide(scored.picks, threshold, frames)
    used = micrographs.rows_of(picks)[0]
    drift = check_drift(card, scored.figures, [m.pixel_size_ang for m in used])
    entries, check = counts_by_micrograph(decided, micrographs)
    totals = counts(decided)
    warnings += _outside_warnings(scored.outside)
    warnings += [NO_EVIDENCE] if card.evidence is None else []
    warnings += promised.warnings if promised is not None else ()
    warnings += check_run(int(np.isfinite(p_particle).sum()), totals["kept"])
    warnings += check.warnings
    warnings += drift.warnings

    for path in earlier:
        path.unlink(missing_ok=True)
    files = write_twins(decided, output, settings.write_fom)
    record = {
        "command": "prune",
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "inputs": dict(inputs or {}),
        "settings": settings.summary(),
        "threshold": threshold,
        "expectation": None if promised is None else promised.at(threshold).to_dict(),
        "promise": None if promised is None else promised.summary(),
        "model": json.loads(card.to_json()),
        "versions": software_versions(),
        "counts": totals,
        "labels": None
        if matched is None
        else {"given": matched.n_labels, "matched": matched.n_matched},
        "drift": drift.record,
        "warnings": warnings,
        "outside": scored.outside,
        "unreadable": scored.failures,
        "micrographs": entries,
    }
    files.append(write_record(output, record, files))
    yield Pruned(decided, files, record, promised)


def _outside_warnings(outside: Mapping[str, int]) -> list[str]:
    n = sum(outside.values())
    if not n:
        return []
    return [
        f"{n} picks lie outside their micrograph and stay unscored: were they picked on binned "
        "or other micrographs?"
    ]
