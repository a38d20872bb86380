"""Calibration of P(particle): Platt scaling, fitted to labels and unlabelled picks.

A line in the logit (J. Platt, "Probabilistic outputs for support vector machines", 1999). Its
slope corrects over- or underconfidence of the network; its intercept corrects for the share of
particles among the picks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.trust.class_shares import LIMITS, particle_share
from napari_pickeroptimizer.trust.posterior import INFORMATIVE_PRIOR, binned, posterior

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

# Beyond this float32 probabilities are 0 or 1.
MAX_LOGIT = 16.0
# A slope outside these would come from an accident of few labels.
SLOPE_LIMITS = (0.2, 5.0)
N_BINS = 200


def bounded_logit(probability: ArrayLike) -> NDArray[np.float64]:
    """Return the logit of probabilities, within `MAX_LOGIT` of 0; NaN stays NaN."""
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.clip(logit(np.asarray(probability, np.float64)), -MAX_LOGIT, MAX_LOGIT)
        )


@dataclass(frozen=True)
class Calibration:
    """The line from the logit of the network's P(particle) to that of the calibrated one.

    Parameters
    ----------
    slope : float
        Factor, positive.
    intercept : float
        Summand.

    Examples
    --------
    >>> Calibration(slope=0.5, intercept=1.0).apply([0.5, 0.99]).round(3).tolist()
    [0.731, 0.964]
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (self.slope > 0 and math.isfinite(self.slope + self.intercept)):
            raise ValueError(f"{self} is no calibration: the slope must be positive.")

    def apply(self, p_particle: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated probabilities from those of the network."""
        return np.asarray(expit(self.slope * bounded_logit(p_particle) + self.intercept))

    def undo(self, p_particle: ArrayLike) -> NDArray[np.float64]:
        """Return the network's probabilities from calibrated ones."""
        return np.asarray(expit((bounded_logit(p_particle) - self.intercept) / self.slope))

    def apply_to_classes(
        self, probabilities: NDArray[np.float32], particle: int
    ) -> NDArray[np.float32]:
        """Return (n, c) class probabilities with the column `particle` calibrated.

        The other classes keep their proportions.
        """
        if self == Calibration():
            return probabilities
        calibrated = self.apply(probabilities[:, particle])
        rest = np.delete(probabilities, particle, axis=1).astype(np.float64)
        total = rest.sum(axis=1, keepdims=True)
        share = np.where(total > 0, rest / np.where(total > 0, total, 1), 1 / rest.shape[1])
        others = (1 - calibrated)[:, None] * share
        return np.insert(others, particle, calibrated, axis=1).astype(np.float32)


def fit_calibration(
    held_out: HeldOutScores, p_picks: NDArray[np.floating], *, even: bool = False
) -> Calibration:
    """Fit a calibration to held-out labels and to the scores of unlabelled picks.

    Every line that is compatible with the labels gives each pick a probability. The posterior
    mean of these is closer to one half than the probability of the most likely line where
    labels are few. The calibration is the line through the posterior means, fitted in the
    logit with weights p (1 - p).

    Parameters
    ----------
    held_out : HeldOutScores
        Scores of labels of both classes.
    p_picks : (n,) float
        The network's P(particle) of unlabelled picks, not calibrated; may be empty.
    even : bool
        Assume that half of the picks are particles instead of estimating their share. Without
        picks this is always so.
    """
    lines = posterior(held_out.representative(), INFORMATIVE_PRIOR)
    pick_logits = bounded_logit(p_picks) if len(p_picks) else held_out.logits
    logits, counts, _ = binned(np.sort(pick_logits), N_BINS)
    log_ratio = lines.log_ratio(logits)
    offset = np.zeros(len(log_ratio))
    if len(p_picks) and not even:
        # within the limits of `class_shares`: nearly pure lists are rare, and false picks that
        # resemble particles more than the labelled ones do look like a pure list
        offset = logit(particle_share(log_ratio, counts, least=LIMITS[0]))
    p = expit(log_ratio + offset[:, None]).mean(axis=0)
    weights = counts * p * (1 - p)
    slope, intercept = np.polyfit(logits, logit(p), 1, w=np.sqrt(weights))
    if not SLOPE_LIMITS[0] <= slope <= SLOPE_LIMITS[1]:
        slope = float(np.clip(slope, *SLOPE_LIMITS))
        intercept = float(np.average(logit(p) - slope * logits, weights=weights))
    return Calibration(float(slope), float(intercept))
