"""The figures of a run's scores: histogram, expected precision and recall, reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.report.charts import (
    Bars,
    Curve,
    reliability_diagram,
    score_histogram,
    threshold_curves,
)
from napari_pickeroptimizer.report.formatting import percent
from napari_pickeroptimizer.report.page import Figure, FigureSection
from napari_pickeroptimizer.report.svg import element
from napari_pickeroptimizer.report.tables import Cell, Table, count_cell
from napari_pickeroptimizer.trust import Calibration, Interval, reliability
from napari_pickeroptimizer.trust.forecast import no_forecast_reason

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.trust import PerformanceForecast

ROUND_THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
RELIABILITY = "Reliability of the scores"


def score_section(
    decided: Picks, card: ModelCard, forecast: PerformanceForecast | None, threshold: float
) -> FigureSection:
    """Return the charts of the scores of a run."""
    calibrated = ", calibrated on your labels" if card.calibration != Calibration() else ""
    intro = f"Scores are P(particle), the probability that a pick is a particle{calibrated}."
    if card.is_before_labels:
        intro = (
            "Scores are what a pretrained network, which has seen no label of these data, takes "
            "for P(particle): use their order, not their values."
        )
    figures = [_histogram(decided, card, threshold)]
    if forecast is not None:
        figures.append(_curves(forecast, threshold))
    figures.append(_reliability(card, decided.particle_probability))
    if forecast is not None:
        figures.append(_other_thresholds(forecast, threshold))
    return FigureSection("scores", "Scores", intro, figures)


def _histogram(decided: Picks, card: ModelCard, threshold: float) -> Figure:
    p, predicted = decided.particle_probability, decided.table["predicted"].to_numpy()
    groups = [
        Bars("kept", "kept", p[predicted == PARTICLE]),
        Bars("rejected", "rejected", p[predicted > PARTICLE]),
    ]
    rugs, rug_sentence = label_rugs(decided, card)
    return Figure(
        "All picks by score",
        f"A good model leaves few picks in the middle. {rug_sentence}",
        score_histogram(groups, threshold=threshold, rugs=rugs),
        [("bar-kept", "kept"), ("bar-rejected", "rejected"),
         *((f"rug-{rug.kind}", rug.name) for rug in rugs)],
    )  # fmt: skip


def label_rugs(decided: Picks, card: ModelCard) -> tuple[list[Bars], str]:
    """Return the scores of the user's labels, out-of-fold where known, and a sentence on them."""
    held_out = card.held_out_scores
    if held_out is not None:
        p = card.calibration.apply(expit(held_out.logits))
        is_particle = held_out.is_particle
        sentence = "Strokes under the axis are your labels with their out-of-fold scores."
    elif "label" in decided.table and (decided.labels != UNLABELLED).any():
        labelled = (decided.labels != UNLABELLED) & np.isfinite(decided.particle_probability)
        p = decided.particle_probability[labelled]
        is_particle = decided.labels[labelled] == PARTICLE
        trained = "; the model may have been trained on them"
        sentence = (
            "Strokes under the axis are the labels of these picks"
            f"{'' if card.is_before_labels else trained}."
        )
    else:
        if card.is_before_labels:
            return [], "There are no labels yet."
        return [], "Labels are not drawn: the model holds no out-of-fold scores."
    return [
        Bars("labelled particles", "kept", p[is_particle]),
        Bars("labelled others", "rejected", p[~is_particle]),
    ], sentence


def _curves(forecast: PerformanceForecast, threshold: float) -> Figure:
    curves = [
        Curve("share of picks kept", "yield", forecast.n_kept / max(forecast.n_picks, 1)),
        Curve.of("recall", "recall", forecast.recall),
        Curve.of("precision", "precision", forecast.precision),
    ]
    return Figure(
        "Expected precision and recall",
        "What each threshold is expected to give for these picks, with 90 % bands.",
        threshold_curves(forecast.thresholds, curves, threshold),
        [("line-precision", "precision"), ("line-recall", "recall"),
         ("line-yield", "share of picks kept")],
    )  # fmt: skip


def _other_thresholds(forecast: PerformanceForecast, threshold: float) -> Figure:
    others = (t for t in ROUND_THRESHOLDS if abs(t - threshold) > 0.02)
    thresholds = sorted([*others, threshold])
    rows = []
    for expected in map(forecast.at, thresholds):
        name = f"{expected.threshold:.2f}"
        note = "this run" if expected.threshold == threshold else ""
        cells = (_interval_cell(v) for v in (expected.precision, expected.recall))
        rows.append([_noted(name, note), count_cell(expected.n_kept), *cells])
    columns = ["threshold", "kept", "precision", "recall"]
    table = Table(columns, rows, chosen=thresholds.index(threshold))
    return Figure(
        "Other thresholds",
        "Expected values with 90 % intervals. --threshold sets another one.",
        table=table,
    )


def _interval_cell(value: Interval) -> Cell:
    return _noted(f"{value.mean:.2f}", f"{value.low:.2f}–{value.high:.2f}")


def _noted(value: str, note: str) -> Cell:
    """Return a cell with a note, which a phone shows below the value."""
    if not note:
        return Cell(value)
    return Cell(Markup("{} {}").format(value, element("span", note, class_="quiet")))


def _reliability(card: ModelCard, p_picks: NDArray[np.float64]) -> Figure:
    held_out = card.held_out_scores
    if held_out is None:
        return Figure(RELIABILITY, no_forecast_reason(card))
    p, adjusted = card.calibration.apply(expit(held_out.logits)), ""
    scored = p_picks[np.isfinite(p_picks)]
    if len(scored):
        share, share_of_picks = held_out.n_particles / len(p), float(scored.mean())
        p = with_particle_share(p, share_of_picks, share)
        adjusted = (
            f" {percent(share)} of your labels are particles, but about "
            f"{percent(share_of_picks)} of all picks: the scores are adjusted to the share among "
            "the labels."
        )
    return Figure(
        RELIABILITY,
        f"Your {len(p):,} labels by out-of-fold score: of those scored 0.8, four in five should "
        f"be particles. ECE is the mean distance from the diagonal.{adjusted}",
        reliability_diagram(reliability(p, held_out.is_particle, n_bins=8)),
        [("point", "observed, 90 % interval"), ("diagonal", "ideal"),
         ("bar-count", "number of labels")],
    )  # fmt: skip


def with_particle_share(
    p_particle: NDArray[np.float64], share: float, new_share: float
) -> NDArray[np.float64]:
    """Return P(particle) by Bayes' rule if particles were as frequent as `new_share`.

    Parameters
    ----------
    p_particle : (n,) float64
        Probabilities among picks of which `share` are particles.
    share, new_share : float
        Shares of particles, 0 to 1.
    """
    before, after = logit(np.clip([share, new_share], 1e-3, 1 - 1e-3))
    bounded = np.clip(p_particle, 1e-7, 1 - 1e-7)
    return np.asarray(expit(logit(bounded) + after - before))
