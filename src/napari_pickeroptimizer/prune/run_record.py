"""The contents of ``run.json``: what a run was given, what came out, and its warnings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.trust.drift import check_drift
from napari_pickeroptimizer.trust.forecast import no_forecast_reason
from napari_pickeroptimizer.trust.sanity import check_run
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.prune.decision import Decision
    from napari_pickeroptimizer.prune.events import PicksScored
    from napari_pickeroptimizer.prune.run import Plan


def run_record(
    plan: Plan,
    scored: PicksScored,
    decision: Decision,
    threshold: float,
    started: datetime,
    seconds_before: float = 0.0,
) -> dict[str, Any]:
    """Return the contents of ``run.json``, in the order of the picks.

    Its seconds are those since `started`, and `seconds_before`.
    """
    seconds = (datetime.now(UTC) - started).total_seconds() + seconds_before
    card, forecast = plan.card, decision.forecast
    place = {group.name: i for i, group in enumerate(plan.groups)}
    used = [group.micrograph for group in plan.groups if group.micrograph is not None]
    drift = check_drift(
        card, _in_order(scored.figures, place), [m.pixel_size_ang for m in used]
    )
    by_micrograph, counts = decision.by_micrograph(threshold), decision.counts(threshold)
    outside = _in_order(scored.outside, place)
    warnings = _warnings(plan, scored)
    warnings += [no_forecast_reason(card)] if card.held_out_scores is None else []
    warnings += forecast.warnings if forecast is not None else ()
    warnings += check_run(int((~np.isnan(decision.p_particle)).sum()), counts.kept)
    warnings += by_micrograph.check().warnings
    warnings += drift.warnings
    return {
        "command": "prune",
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "inputs": plan.inputs,
        "settings": plan.settings.summary(),
        "threshold": threshold,
        "expectation": None if forecast is None else forecast.at(threshold).to_dict(),
        "forecast": None if forecast is None else forecast.summary(),
        "model": json.loads(card.to_json()),
        "versions": software_versions(),
        "counts": counts.to_dict(card.names),
        "labels": None
        if plan.matched is None
        else {"given": plan.matched.n_labels, "matched": plan.matched.n_matched},
        "drift": drift.record,
        "warnings": warnings,
        "outside": outside,
        "unreadable": _in_order(scored.failures, place),
        "micrographs": by_micrograph.to_dicts(),
    }


def _warnings(plan: Plan, scored: PicksScored) -> list[str]:
    """Return what the user should know of the inputs."""
    advice = (source.advice for source in plan.picks.sources)
    notes = dict.fromkeys([plan.clash_note, scored.picks.unreadable_by, *advice])
    warnings = [note for note in notes if note]
    warnings += [] if plan.matched is None else plan.matched.warnings
    if n_outside := sum(scored.outside.values()):
        warnings.append(
            f"{n_outside} picks lie outside their micrograph and stay unscored: were they picked "
            "on binned or other micrographs?"
        )
    n_unknown = sum(
        group.micrograph is not None and group.micrograph.pixel_size_ang is None
        for group in plan.groups
        if group.name not in scored.failures
    )
    if n_unknown and plan.card.pixel_size_ang is not None:
        warnings.append(
            f"the pixel size of {n_unknown} micrographs is unknown: that of the model, "
            f"{plan.card.pixel_size_ang:.3g} Å, was taken. If it is another, give it "
            "(--pixel-size)."
        )
    return warnings


def _in_order(by_name: Mapping[str, Any], place: Mapping[str, int]) -> dict[str, Any]:
    """Return the values by micrograph in the order of the picks."""
    return dict(sorted(by_name.items(), key=lambda item: place.get(item[0], len(place))))
