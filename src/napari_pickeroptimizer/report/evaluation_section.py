"""The parts of the evaluation report: figures, charts, promise, micrographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.report.charts import (
    Bars,
    Curve,
    plane_curve,
    reliability_diagram,
    score_histogram,
    threshold_curves,
)
from napari_pickeroptimizer.report.measured import Measured, measure, roc
from napari_pickeroptimizer.report.micrograph_charts import Estimate, promised_and_measured
from napari_pickeroptimizer.report.page import figure, percent
from napari_pickeroptimizer.report.sections import (
    Cell,
    count_cell,
    figure_cell,
    name_cell,
    shown_micrographs,
)
from napari_pickeroptimizer.trust import reliability
from napari_pickeroptimizer.trust.reliability import jeffreys_interval

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import Evaluation
    from napari_pickeroptimizer.evaluate.matches import MicrographMatches
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.report.pictures import Pictures

COLUMNS = [
    ("micrograph", "text"),
    ("picks", "number"),
    ("kept", "number"),
    ("of them true", "number"),
    ("true centres", "number"),
    ("missed", "number"),
    ("precision", "number"),
    ("recall", "number"),
    ("F1", "number"),
]
MARKS = [("hit", "kept and true"), ("false", "kept, but false"), ("missed", "centre missed")]


def quality_part(evaluation: Evaluation) -> dict[str, Any]:
    """Return the table of figures before and after pruning."""
    return {
        "columns": ["picks", "true", "precision", "recall", "F1"],
        "rows": [
            (
                name,
                [f"{q.n_picks:,}", f"{q.n_true:,}", figure(q.precision, 3), figure(q.recall, 3),
                 figure(q.f1, 3)],
            )
            for name, q in (("before", evaluation.before), ("after", evaluation.after))
        ],
        "words": "Precision: share of the picks that are true. Recall: share of the true centres "
        "with a pick; before pruning it is what the picker found.",
    }  # fmt: skip


def promised_part(
    matches: Sequence[MicrographMatches],
    p_particle: NDArray[np.float64],
    record: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return what the run promised beside what truth says, or why there is nothing to compare.

    A promise is for scores at the run's threshold, so that is what truth is asked for, whatever
    labels and distances decided besides. What a run calls recall is the share of the particles
    *among its picks* that it keeps; so it is here.

    Parameters
    ----------
    matches : sequence of MicrographMatches
        Picks and truth.
    p_particle : (n,) float64
        Scores of all picks.
    record : mapping or None
        The run's record.
    """
    nothing: dict[str, Any] = {"chart": None, "lines": [], "state": "good"}
    if record is None:
        why = "No run.json lies beside the picks: what the run promised is not known."
        return {**nothing, "why_not": why}
    forecast = expectation_of(record)
    if forecast is None:
        why = "The run promised nothing: its model was not cross-validated (--folds 3)."
        return {**nothing, "why_not": why}
    rows = np.concatenate([m.rows for m in matches])
    is_true = np.concatenate([m.is_true for m in matches])
    if np.isnan(p_particle[rows]).all():
        why = "The picks hold no probabilities to hold the promise against."
        return {**nothing, "why_not": why}
    threshold, intervals = forecast
    keeps = p_particle[rows] >= threshold
    hits = int((is_true & keeps).sum())
    measured = {
        "precision": _share(hits, int(keeps.sum())),
        "recall": _share(hits, int((is_true & np.isfinite(p_particle[rows])).sum())),
    }
    lines = [_verdict(name, intervals[name], measured[name]) for name in measured]
    held = all(_held(intervals[name], measured[name]) for name in measured)
    compared = [(name, intervals[name], measured[name]) for name in measured]
    return {
        "chart": {
            "svg": promised_and_measured(compared),
            "legend": [("promised", "promised, 90 % interval"), ("measured", "measured")],
            "words": f"By score alone, at the run's threshold of {threshold:.2f}. Recall here is "
            "among the picks, which are all the run knew of: the share of the true ones that is "
            "kept. Intervals of what was measured are for the chance of so many picks.",
        },
        "lines": [" ".join(lines)],
        "state": "good" if held else "weak",
        "why_not": "",
    }


def expectation_of(record: Mapping[str, Any]) -> tuple[float, dict[str, Estimate]] | None:
    """Return threshold and promised intervals of a run's record; None where it has none.

    The record is a file that anybody may have edited: what is not as expected is not there.
    """
    told: Any = record.get("expectation")  # from a file
    try:
        intervals = {
            name: Estimate(*(float(told[name][key]) for key in ("mean", "low", "high")))
            for name in ("precision", "recall")
        }
        return float(told["threshold"]), intervals
    except (KeyError, TypeError, ValueError):
        return None


def _share(k: int, n: int) -> Estimate:
    if not n:
        return Estimate(float("nan"))
    low, high = jeffreys_interval(k, n)
    return Estimate(k / n, float(low), float(high))


def _held(forecast: Estimate, measured: Estimate) -> bool:
    assert forecast.low is not None
    assert forecast.high is not None
    # rounded as they are told
    return round(forecast.low, 3) <= round(measured.mean, 3) <= round(forecast.high, 3)


def _verdict(name: str, forecast: Estimate, measured: Estimate) -> str:
    if not np.isfinite(measured.mean):
        return f"There is no {name} to measure."
    assert forecast.low is not None
    assert forecast.high is not None
    where = "within it"
    if not _held(forecast, measured):
        where = "below it" if measured.mean < forecast.low else "above it"
    what = "precision" if name == "precision" else "recall among the picks"
    return (
        f"Promised {what}: {forecast.mean:.3f} ({forecast.low:.3f}–{forecast.high:.3f}); "
        f"measured {measured.mean:.3f}, {where}."
    )


def charts_part(
    evaluation: Evaluation,
    matches: Sequence[MicrographMatches],
    picks: Picks,
    threshold: float | None,
) -> list[dict[str, Any]]:
    """Return the charts of scores against truth; none where there are no scores."""
    rows = np.concatenate([m.rows for m in matches])
    is_true = np.concatenate([m.is_true for m in matches])
    p = picks.particle_probability[rows]
    scored = np.isfinite(p)
    p_scored, true_scored = p[scored], is_true[scored]
    if not len(p_scored):
        return []
    measured = measure(matches, picks.particle_probability)
    calibration = reliability(p_scored, true_scored)
    charts = [
        {
            "title": "True and false picks by score",
            "svg": score_histogram(
                [Bars("true picks", "hit", p_scored[true_scored])],
                [Bars("false picks", "false", p_scored[~true_scored])],
                threshold=threshold,
            ),
            "legend": [("bar-hit", "true, upwards"), ("bar-false", "false, downwards")],
            "words": "A perfect model has all true picks on the right and all false ones on the "
            "left.",
        },
        _curves(measured, threshold),
        {
            "title": "Do the scores mean what they say?",
            "svg": reliability_diagram(calibration, "picks"),
            "legend": [("point", "observed, 90 % interval"), ("diagonal", "ideal"),
                       ("bar-count", "number of picks")],
            "words": f"Of the picks predicted at 0.8, say, how many are true. ECE, the mean "
            f"distance from the diagonal, is {calibration.ece:.3f}.",
        },
    ]  # fmt: skip
    if 0 < true_scored.sum() < len(true_scored):
        charts += _planes(evaluation, measured, p_scored, true_scored, threshold)
    return charts


def _curves(measured: Measured, threshold: float | None) -> dict[str, Any]:
    words = f"90 % bands from drawing the {measured.n_micrographs} micrographs again."
    if not measured.has_bands:
        words = f"No bands: {measured.n_micrographs} micrographs are too few to tell."
    curves = [
        Curve.of("true picks kept", "yield", measured.kept_true),
        Curve.of("recall", "recall", measured.recall),
        Curve.of("precision", "precision", measured.precision),
    ]
    return {
        "title": "What a threshold gives",
        "svg": threshold_curves(measured.thresholds, curves, threshold),
        "legend": [("line-precision", "precision"), ("line-recall", "recall of true centres"),
                   ("line-yield", "share of true picks kept")],
        "words": "Measured. " + words,
    }  # fmt: skip


def _planes(
    evaluation: Evaluation,
    measured: Measured,
    p: NDArray[np.float64],
    is_true: NDArray[np.bool_],
    threshold: float | None,
) -> list[dict[str, Any]]:
    false_rate, true_rate = roc(p, is_true)
    at_roc = at_plane = None
    label = ""
    if threshold is not None:
        label = f"at {threshold:.2f}"
        at_roc = (
            float((p[~is_true] >= threshold).mean()),
            float((p[is_true] >= threshold).mean()),
        )
        i = int(np.abs(measured.thresholds - threshold).argmin())
        at_plane = (float(measured.recall.mean[i]), float(measured.precision.mean[i]))
    auc = f"AUC {evaluation.roc_auc:.4f}"
    return [
        {
            "title": "ROC",
            "svg": plane_curve(
                false_rate, true_rate, ("false picks kept", "true picks kept"),
                f"ROC curve, {auc}.", at=at_roc, at_label=label, note=auc, diagonal=True,
            ),
            "legend": [],
            "words": "Share of the true picks against share of the false ones that is kept, at "
            "every threshold.",
        },
        {
            "title": "Precision against recall",
            "svg": plane_curve(
                measured.recall.mean, measured.precision.mean,
                ("recall of true centres", "precision"),
                "Precision against recall at every threshold.", at=at_plane, at_label=label,
            ),
            "legend": [],
            "words": "Its right end is what the picker found; no threshold gets beyond.",
        },
    ]  # fmt: skip


def micrograph_part(
    matches: Sequence[MicrographMatches],
    is_kept: NDArray[np.bool_],
    order: Sequence[int],
    figures: Sequence[Mapping[str, float]],
    links: Mapping[int, str],
    pictures: Pictures,
) -> dict[str, Any]:
    """Return table and pictures, the lowest F1 first."""
    rows: list[list[Cell]] = []
    for i in order:
        f = figures[i]
        counts = [
            count_cell(int(f[k])) for k in ("picks", "kept", "hits", "centres", "missed")
        ]
        shares = [figure_cell(f[k], 3) for k in ("precision", "recall", "f1")]
        rows.append([name_cell(matches[i].name, links.get(i)), *counts, *shares])
    told = {
        i: f"precision {figure(figures[i]['precision'])}, recall {figure(figures[i]['recall'])}; "
        f"{figures[i]['kept'] - figures[i]['hits']:,} false kept, {figures[i]['missed']:,} missed"
        for i in links
    }
    names = [m.name for m in matches]
    f1 = np.array([f["f1"] for f in figures])
    words = f"{len(matches):,} micrographs have picks and truth"
    if np.isfinite(f1).any():
        words += f"; the median F1 is {figure(float(np.nanmedian(f1)), 3)}"
    return {
        "words": words + f". {percent(float(is_kept.mean()))} of all picks are kept.",
        "columns": COLUMNS,
        "rows": rows,
        "shown": shown_micrographs(links, names, told, links, pictures),
        "marks_legend": MARKS,
    }
