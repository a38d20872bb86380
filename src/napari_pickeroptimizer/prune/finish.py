"""From scored picks to files: what comes before and after the network.

`prune_picks` is `prepare`, the scoring, and `finish`. Whoever has scores already (a session
that shows them) calls the two alone, and writes the very same files.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.label_matching import LabelMatch, match_labels
from napari_pickeroptimizer.prune.output import (
    RUN_RECORD,
    earlier_files,
    write_outputs,
    write_record,
)
from napari_pickeroptimizer.prune.place_rules import Frame, frames_of
from napari_pickeroptimizer.prune.score import PicksScored, checked_for_picks
from napari_pickeroptimizer.prune.threshold import NO_EVIDENCE, forecast_for
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.trust.drift import check_drift
from napari_pickeroptimizer.trust.sanity import check_run
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.settings import PruneSettings
    from napari_pickeroptimizer.trust import PerformanceForecast

T = TypeVar("T")


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
    forecast : PerformanceForecast or None
        What other thresholds are expected to give; None for a model without evidence.
    """

    picks: Picks
    files: list[Path]
    record: dict[str, Any] = field(repr=False)
    forecast: PerformanceForecast | None = field(default=None, repr=False)
    progress: float = 1.0


@dataclass(frozen=True)
class Plan:
    """A run that may begin: everything is checked that can be before any pick is scored.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        What is to be scored, labels given.
    card : ModelCard
        Of the model.
    output : Path
        Folder of the results.
    settings : PruneSettings
        Threshold, device, ...
    matched : LabelMatch or None
        How the labels found their picks; None where none were given.
    frames : list of Frame
        For distances.
    earlier : list of Path
        Files of an earlier run that this one replaces.
    inputs : dict
        What the user passed, for the record.
    """

    micrographs: Micrographs
    picks: Picks
    card: ModelCard
    output: Path
    settings: PruneSettings
    matched: LabelMatch | None
    frames: list[Frame]
    earlier: list[Path]
    inputs: dict[str, Any]


def prepare(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings,
    *,
    labels: Picks | LabelMatch | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Plan:
    """Check what a run is asked for; nothing is written yet.

    Parameters are those of `prune_picks`; labels may be matched already.

    Raises
    ------
    CheckpointError, SettingsError, LabelError
        As `prune_picks` does.
    """
    output = Path(output)
    card = checked_for_picks(classifier).card
    if PARTICLE not in card.class_ids:
        raise SettingsError(
            "the model knows no class 1, particle, so nothing could be kept: it was trained on "
            f"{', '.join(card.class_names)}."
        )
    settings.threshold_rule.check(card)
    earlier = earlier_files(output)
    if earlier and not settings.overwrite:
        raise SettingsError(
            f"{output} already holds a run ({RUN_RECORD}): choose another folder, or replace "
            "that run with --overwrite."
        )
    matched = labels if isinstance(labels, LabelMatch) else None
    if labels is not None and matched is None:
        matched = match_labels(picks, labels, micrographs, card.boxes)  # type: ignore[arg-type]
    picks = picks if matched is None else matched.picks
    frames = frames_of(picks, micrographs, card.boxes, settings.place_rules)
    return Plan(
        micrographs, picks, card, output, settings, matched, frames, earlier,
        dict(inputs or {}),
    )  # fmt: skip


def finish(plan: Plan, scored: PicksScored, *, started: datetime | None = None) -> Pruned:
    """Decide on scored picks and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    Parameters
    ----------
    plan : Plan
        What `prepare` returned.
    scored : PicksScored
        The picks of the plan with their probabilities.
    started : datetime, optional
        When the run began; by default now.

    Raises
    ------
    SettingsError
        The precision or recall that is wished for cannot be had.
    """
    started = started or datetime.now(UTC)
    settings, card = plan.settings, plan.card
    p_particle = scored.picks.particle_probability
    forecast = forecast_for(card, p_particle)
    threshold = settings.threshold_rule.choose(forecast)
    groups = group_by_micrograph(plan.micrographs, scored.picks)
    decision = Decision.of_picks(scored.picks, groups, frames=plan.frames, forecast=forecast)
    decided = decision.decided(scored.picks, threshold)
    used = [group.micrograph for group in groups if group.micrograph is not None]
    # micrographs may have been scored in any order; the record is in that of the picks
    place = {name: i for i, name in enumerate(scored.picks.table["micrograph"].unique())}
    drift = check_drift(
        card, _in_order(scored.figures, place), [m.pixel_size_ang for m in used]
    )
    by_micrograph = decision.by_micrograph(threshold)
    totals = decision.counts(threshold)
    outside = _in_order(scored.outside, place)
    warnings = [] if plan.matched is None else list(plan.matched.warnings)
    warnings += _outside_warnings(outside)
    warnings += [NO_EVIDENCE] if card.held_out_scores is None else []
    warnings += forecast.warnings if forecast is not None else ()
    warnings += check_run(int(np.isfinite(p_particle).sum()), totals.kept)
    warnings += by_micrograph.check().warnings
    warnings += drift.warnings

    for path in plan.earlier:
        path.unlink(missing_ok=True)
    files = write_outputs(decided, plan.output, settings.write_fom)
    record = {
        "command": "prune",
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "inputs": plan.inputs,
        "settings": settings.summary(),
        "threshold": threshold,
        "expectation": None if forecast is None else forecast.at(threshold).to_dict(),
        "forecast": None if forecast is None else forecast.summary(),
        "model": json.loads(card.to_json()),
        "versions": software_versions(),
        "counts": totals.to_dict(card.names),
        "labels": None
        if plan.matched is None
        else {"given": plan.matched.n_labels, "matched": plan.matched.n_matched},
        "drift": drift.record,
        "warnings": warnings,
        "outside": outside,
        "unreadable": _in_order(scored.failures, place),
        "micrographs": by_micrograph.to_dicts(),
    }
    files.append(write_record(plan.output, record, files))
    return Pruned(decided, files, record, forecast)


def _in_order(by_name: Mapping[str, T], place: Mapping[str, int]) -> dict[str, T]:
    """Return what is told by micrograph in the order of the picks."""
    last = len(place)
    return dict(sorted(by_name.items(), key=lambda item: place.get(item[0], last)))


def _outside_warnings(outside: Mapping[str, int]) -> list[str]:
    n = sum(outside.values())
    if not n:
        return []
    return [
        f"{n} picks lie outside their micrograph and stay unscored: were they picked on binned "
        "or other micrographs?"
    ]
