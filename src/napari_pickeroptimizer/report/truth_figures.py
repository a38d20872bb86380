"""The figures of an evaluation: precision and recall, expected and measured, scores by truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.evaluate.curves import MeasuredCurves, measure_curves, roc
from napari_pickeroptimizer.report.charts import (
    Bars,
    Curve,
    expected_and_measured,
    plane_curve,
    reliability_diagram,
    score_histogram,
    threshold_curves,
)
from napari_pickeroptimizer.report.page import Figure, FigureSection
from napari_pickeroptimizer.report.score_figures import RELIABILITY
from napari_pickeroptimizer.report.tables import (
    Cell,
    Table,
    count_cell,
    figure_cell,
)
from napari_pickeroptimizer.trust import Interval, reliability
from napari_pickeroptimizer.trust.reliability import jeffreys_interval

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.evaluation import Evaluation

COMPARISON = "Expected and measured"


@dataclass(frozen=True)
class ForecastComparison:
    """Expected precision and recall of a run beside the measured ones.

    Parameters
    ----------
    figure : Figure
        A chart, or the reason why there is none.
    sentences : sequence of str
        The comparison in words.
    is_within : bool
        Whether all measured values lie in their expected intervals.
    """

    figure: Figure
    sentences: Sequence[str] = ()
    is_within: bool = True


def quality_section(evaluation: Evaluation, comparison: ForecastComparison) -> FigureSection:
    """Return precision and recall before and after pruning, and the comparison."""
    rows = [
        [Cell(name), count_cell(q.n_picks), count_cell(q.n_true),
         *map(figure_cell, (q.precision, q.recall, q.f1))]
        for name, q in (("before", evaluation.before), ("after", evaluation.after))
    ]  # fmt: skip
    columns = ["pruning", "picks", "true", "precision", "recall", "F1"]
    table = Figure(
        "Precision and recall",
        "Precision is the share of the picks that are true, recall the share of the true centres "
        "with a pick; no pruning can raise the recall of the picker.",
        table=Table(columns, rows, texts=["pruning"]),
    )
    return FigureSection("quality", "Before and after", "", [table, comparison.figure])


def compare_forecast(
    evaluation: Evaluation, record: Mapping[str, Any] | None
) -> ForecastComparison:
    """Compare the expected precision and recall of a run with the truth.

    A forecast is for the scores at the run's threshold, so these are measured, whatever labels
    and distances decided. Its recall is the share of the particles *among the picks* that is
    kept; that is what is measured, too.

    Parameters
    ----------
    evaluation : Evaluation
        Picks and truth.
    record : mapping or None
        The run's record.
    """
    rows, is_true = evaluation.matches.rows, evaluation.matches.is_true
    p = evaluation.picks.particle_probability[rows]
    expectation = None if record is None else expectation_of(record)
    reason = ""
    if record is None:
        reason = "No run.json lies beside the picks, so the expected precision is not known."
    elif expectation is None:
        reason = "The run has no expected precision: its model was not cross-validated."
    elif np.isnan(p).all():
        reason = "The picks hold no probabilities to compare the expected precision with."
    if expectation is None or reason:
        return ForecastComparison(Figure(COMPARISON, reason))
    threshold, expected = expectation
    is_kept = p >= threshold
    n_hits = int((is_true & is_kept).sum())
    measured = {
        "precision": _measured(n_hits, int(is_kept.sum())),
        "recall": _measured(n_hits, int((is_true & np.isfinite(p)).sum())),
    }
    figure = Figure(
        COMPARISON,
        f"By score alone, at the run's threshold of {threshold:.2f}. Recall is that among the "
        "picks, which are all the run had: the share of the true ones that is kept. The "
        "intervals of the measured values are those of chance with so many picks.",
        expected_and_measured([(name, expected[name], measured[name]) for name in measured]),
        [("expected", "expected, 90 % interval"), ("measured", "measured")],
    )
    sentence = " ".join(_comparison_sentence(k, expected[k], measured[k]) for k in measured)
    is_within = all(_position(expected[k], measured[k]) == "within" for k in measured)
    return ForecastComparison(figure, [sentence], is_within)


def expectation_of(record: Mapping[str, Any]) -> tuple[float, dict[str, Interval]] | None:
    """Return threshold and expected intervals of a run's record; None where it has none.

    The record is a file that may have been edited by hand: what is damaged counts as missing.
    """
    expectation: Any = record.get("expectation")  # from a file
    try:
        intervals = {
            name: Interval(*(float(expectation[name][k]) for k in ("mean", "low", "high")))
            for name in ("precision", "recall")
        }
        return float(expectation["threshold"]), intervals
    except (KeyError, TypeError, ValueError):
        return None


def _measured(k: int, n: int) -> Interval:
    low, high = jeffreys_interval(k, n) if n else (np.nan, np.nan)
    return Interval(k / n if n else float("nan"), float(low), float(high))


def _position(expected: Interval, measured: Interval) -> str:
    """Return whether a measured value lies within, below or above the expected interval."""
    value = round(measured.mean, 3)  # as they are written
    if value < round(expected.low, 3):
        return "below"
    return "above" if value > round(expected.high, 3) else "within"


def _comparison_sentence(name: str, expected: Interval, measured: Interval) -> str:
    if not np.isfinite(measured.mean):
        return f"There is no {name} to measure."
    what = "precision" if name == "precision" else "recall among the picks"
    return (
        f"Expected {what}: {expected.mean:.3f} ({expected.low:.3f}–{expected.high:.3f}); "
        f"measured {measured.mean:.3f}, {_position(expected, measured)} the interval."
    )


def scores_by_truth_section(evaluation: Evaluation, threshold: float | None) -> FigureSection:
    """Return the charts of scores by truth; none where the picks have no scores."""
    p = evaluation.picks.particle_probability[evaluation.matches.rows]
    scored = np.isfinite(p)
    p, is_true = p[scored], evaluation.matches.is_true[scored]
    title = "Scores against truth"
    if not len(p):
        return FigureSection(
            "scores", title,
            "The picks hold no probabilities (poParticleProbability), so there is nothing to "
            "draw against a threshold. Evaluate scored.star, or the folder scored, of a run.",
            [],
        )  # fmt: skip
    measured = measure_curves(
        evaluation.matches.micrographs, evaluation.picks.particle_probability
    )
    calibration = reliability(p, is_true)
    figures = [
        Figure(
            "True and false picks by score",
            "A perfect model has all true picks on the right and all false ones on the left.",
            score_histogram(
                [Bars("true picks", "hit", p[is_true])],
                [Bars("false picks", "false", p[~is_true])],
                threshold=threshold,
            ),
            [("bar-hit", "true, upwards"), ("bar-false", "false, downwards")],
        ),
        _curves(measured, threshold),
        Figure(
            RELIABILITY,
            "Of the picks scored 0.8, four in five should be true. ECE is the mean distance from "
            "the diagonal.",
            reliability_diagram(calibration, "picks"),
            [("point", "observed, 90 % interval"), ("diagonal", "ideal"),
             ("bar-count", "number of picks")],
        ),
    ]  # fmt: skip
    if 0 < is_true.sum() < len(is_true):
        figures += _planes(evaluation, measured, p, is_true, threshold)
    intro = (
        "Scores are P(particle). A pick is true if a true centre lies within "
        f"{evaluation.radius_px:g} pixels."
    )
    return FigureSection("scores", title, intro, figures)


def _curves(measured: MeasuredCurves, threshold: float | None) -> Figure:
    bands = f"90 % bands are a bootstrap over the {measured.n_micrographs} micrographs."
    if not measured.has_bands:
        bands = f"No bands: {measured.n_micrographs} micrographs are too few for them."
    curves = [
        Curve.of("true picks kept", "yield", measured.kept_true),
        Curve.of("recall", "recall", measured.recall),
        Curve.of("precision", "precision", measured.precision),
    ]
    return Figure(
        "Measured precision and recall",
        f"What each threshold gives. {bands}",
        threshold_curves(measured.thresholds, curves, threshold),
        [("line-precision", "precision"), ("line-recall", "recall of true centres"),
         ("line-yield", "share of true picks kept")],
    )  # fmt: skip


def _planes(
    evaluation: Evaluation,
    measured: MeasuredCurves,
    p: NDArray[np.float64],
    is_true: NDArray[np.bool_],
    threshold: float | None,
) -> list[Figure]:
    """Return ROC, and precision against recall, with the point of the threshold."""
    at_roc = at_recall = None
    label = ""
    if threshold is not None:
        label = f"at {threshold:.2f}"
        at_roc = (
            float((p[~is_true] >= threshold).mean()),
            float((p[is_true] >= threshold).mean()),
        )
        i = int(np.abs(measured.thresholds - threshold).argmin())
        at_recall = float(measured.recall.mean[i]), float(measured.precision.mean[i])
    false_rate, true_rate = roc(p, is_true)
    auc = f"AUC {evaluation.roc_auc:.4f}"
    return [
        Figure(
            "ROC",
            "Share of the true picks kept against share of the false ones kept, at every "
            "threshold.",
            plane_curve(
                false_rate, true_rate, ("false picks kept", "true picks kept"),
                f"ROC curve, {auc}.", at=at_roc, at_label=label, note=auc, diagonal=True,
            ),
        ),
        Figure(
            "Precision against recall",
            "The right end is the recall of the picker; no threshold gets beyond it.",
            plane_curve(
                measured.recall.mean, measured.precision.mean,
                ("recall of true centres", "precision"),
                "Precision against recall at every threshold.", at=at_recall, at_label=label,
            ),
        ),
    ]  # fmt: skip
