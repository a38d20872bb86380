"""The charts of scores: all picks, the labels, what every threshold may be expected to give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
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
from napari_pickeroptimizer.report.page import percent
from napari_pickeroptimizer.report.words import why_no_forecast
from napari_pickeroptimizer.trust import Calibration, reliability

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.trust import PerformanceForecast

ROUND_THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def score_part(
    decided: Picks, card: ModelCard, forecast: PerformanceForecast | None, threshold: float
) -> dict[str, Any]:
    """Return the charts of the scores."""
    p = decided.particle_probability
    predicted = decided.table["predicted"].to_numpy()
    groups = [
        Bars("kept", "kept", p[predicted == PARTICLE]),
        Bars("rejected", "rejected", p[predicted > PARTICLE]),
    ]
    legend = [("bar-kept", "kept"), ("bar-rejected", "rejected")]
    rugs, rug_words = label_rugs(decided, card)
    legend += [(f"rug-{rug.kind}", rug.name) for rug in rugs]
    return {
        "calibrated": card.calibration != Calibration(),
        "histogram": {
            "svg": score_histogram(groups, threshold=threshold, rugs=rugs),
            "legend": legend,
            "words": "A good model leaves few picks in the middle. " + rug_words,
        },
        **_reliability_part(card, p),
        **_curve_part(forecast, threshold),
    }


def label_rugs(decided: Picks, card: ModelCard) -> tuple[list[Bars], str]:
    """Return the user's labels by their scores, out of fold where these are known."""
    held_out = card.held_out_scores
    if held_out is not None:
        p = card.calibration.apply(expit(held_out.logits))
        is_particle = held_out.is_particle
        told = "Strokes are your labels, scored by models that had not seen them."
    elif "label" in decided.table and (decided.labels != UNLABELLED).any():
        labelled = (decided.labels != UNLABELLED) & np.isfinite(decided.particle_probability)
        p = decided.particle_probability[labelled]
        is_particle = decided.labels[labelled] == PARTICLE
        told = "Strokes are the labels among these picks; the model may have learnt from them."
    else:
        return [], "Your labels are not drawn: the model holds no scores of them."
    return [
        Bars("labelled particles", "kept", p[is_particle]),
        Bars("labelled others", "rejected", p[~is_particle]),
    ], told


def _reliability_part(card: ModelCard, p_picks: NDArray[np.float64]) -> dict[str, Any]:
    held_out = card.held_out_scores
    if held_out is None:
        return {"reliability": None, "no_reliability": "Not known. " + why_no_forecast(card)}
    p = card.calibration.apply(expit(held_out.logits))
    told = ""
    scored = p_picks[np.isfinite(p_picks)]
    if len(scored):
        share, of_picks = held_out.n_particles / len(p), float(scored.mean())
        p = with_share(p, of_picks, share)
        told = (
            f" Of your labels {percent(share)} are particles, of all picks about "
            f"{percent(of_picks)}: the scores are brought to the labels' share."
        )
    measured = reliability(p, held_out.is_particle, n_bins=8)
    return {
        "reliability": {
            "svg": reliability_diagram(measured),
            "legend": [("point", "observed, 90 % interval"), ("diagonal", "ideal"),
                       ("bar-count", "number of labels")],
            "words": f"Your {len(p):,} labels, each scored by a model that had not seen it: how "
            "many of those predicted at 0.8, say, were particles. ECE is the mean distance from "
            f"the diagonal.{told}",
        },
        "no_reliability": "",
    }  # fmt: skip


def with_share(
    p_particle: NDArray[np.float64], share: float, other_share: float
) -> NDArray[np.float64]:
    """Return P(particle) as it would be if particles were as frequent as `other_share`.

    Parameters
    ----------
    p_particle : (n,) float64
        Probabilities among picks of which `share` are particles.
    share, other_share : float
        Shares of particles, 0 to 1.
    """
    ends = np.clip([share, other_share], 1e-3, 1 - 1e-3)
    bounded = np.clip(p_particle, 1e-7, 1 - 1e-7)
    return np.asarray(expit(logit(bounded) + logit(ends[1]) - logit(ends[0])))


def _curve_part(forecast: PerformanceForecast | None, threshold: float) -> dict[str, Any]:
    if forecast is None:
        return {"curves": None, "choices": []}
    n = max(forecast.n_picks, 1)
    curves = [
        Curve("share of picks kept", "yield", forecast.n_kept / n),
        Curve.of("recall", "recall", forecast.recall),
        Curve.of("precision", "precision", forecast.precision),
    ]
    others = (t for t in ROUND_THRESHOLDS if abs(t - threshold) > 0.02)
    chosen = sorted([*others, threshold])
    return {
        "curves": {
            "svg": threshold_curves(forecast.thresholds, curves, threshold),
            "legend": [("line-precision", "precision"), ("line-recall", "recall"),
                       ("line-yield", "share of picks kept")],
            "words": "Expected precision and recall of these picks, with 90 % bands.",
        },
        "choices": [
            {
                "threshold": t,
                "chosen": t == threshold,
                "n_kept": expected.n_kept,
                "precision": expected.precision,
                "recall": expected.recall,
            }
            for t, expected in ((t, forecast.at(t)) for t in chosen)
        ],
    }  # fmt: skip
