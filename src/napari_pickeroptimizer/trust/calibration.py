"""From a network's P(particle) to one that can be taken at its word.

A line in the logit (Platt scaling): J. Platt, "Probabilistic outputs for support vector
machines", 1999. Its slope takes back what the network is too sure or too shy of, its intercept
brings in how many of the picks are particles at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

# Beyond this float32 probabilities are 0 or 1.
MAX_LOGIT = 16.0


def bounded_logit(probability: ArrayLike) -> NDArray[np.float64]:
    """Return the logit of probabilities, within `MAX_LOGIT` of 0; NaN stays NaN."""
    with np.errstate(divide="ignore"):
        return np.asarray(
            np.clip(logit(np.asarray(probability, np.float64)), -MAX_LOGIT, MAX_LOGIT)
        )


@dataclass(frozen=True)
class Calibration:
    """The line that takes the logit of a network's P(particle) to the calibrated one.

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
        """Return calibrated probabilities of what the network says."""
        return np.asarray(expit(self.slope * bounded_logit(p_particle) + self.intercept))

    def undo(self, p_particle: ArrayLike) -> NDArray[np.float64]:
        """Return what the network had said."""
        return np.asarray(expit((bounded_logit(p_particle) - self.intercept) / self.slope))

    def apply_to_classes(
        self, probabilities: NDArray[np.float32], particle: int
    ) -> NDArray[np.float32]:
        """Return (n, c) class probabilities with the column `particle` calibrated.

        The other classes share the rest as before.
        """
        if self == Calibration():
            return probabilities
        calibrated = self.apply(probabilities[:, particle])
        rest = np.delete(probabilities, particle, axis=1).astype(np.float64)
        total = rest.sum(axis=1, keepdims=True)
        share = np.where(total > 0, rest / np.where(total > 0, total, 1), 1 / rest.shape[1])
        others = (1 - calibrated)[:, None] * share
        return np.insert(others, particle, calibrated, axis=1).astype(np.float32)
