"""Reliability of probabilities: the predicted against the observed share of particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

# Of each bin's observed share: 90 % between its ends.
INTERVAL = 0.90


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted against observed shares of particles, by bins of P(particle).

    Parameters
    ----------
    edges : (b + 1,) float64
        Bounds of the bins, 0 to 1.
    counts : (b,) int
        Picks in each bin.
    mean_predicted : (b,) float64
        Mean P(particle); NaN in an empty bin.
    observed : (b,) float64
        Share of true particles; NaN in an empty bin.
    low, high : (b,) float64
        Ends of the 90 % interval of the observed share (Jeffreys); NaN in an empty bin.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.intp]
    mean_predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Expected calibration error: mean distance of observed from predicted; NaN for none."""
        filled = self.counts > 0
        if not filled.any():
            return float("nan")
        distance = np.abs(self.observed - self.mean_predicted)[filled]
        return float(np.average(distance, weights=self.counts[filled]))


def reliability(
    p_particle: ArrayLike, is_particle: ArrayLike, n_bins: int = 10
) -> Reliability:
    """Return how often picks of each predicted probability are particles.

    Parameters
    ----------
    p_particle : (n,) float
        P(particle); NaN (unscored) is left out.
    is_particle : (n,) bool
        The truth.
    n_bins : int
        Bins of equal width.

    Examples
    --------
    >>> result = reliability([0.9, 0.9, 0.9, 0.9, 0.1], [True, True, True, False, False], 2)
    >>> result.observed.tolist(), round(result.ece, 3)
    ([0.0, 0.75], 0.14)
    """
    p = np.asarray(p_particle, dtype=np.float64)
    truth = np.asarray(is_particle, dtype=bool)
    scored = np.isfinite(p)
    p, truth = p[scored], truth[scored]
    edges = np.linspace(0, 1, n_bins + 1)
    bin_index = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, n_bins - 1)
    counts = np.bincount(bin_index, minlength=n_bins)
    n_true = np.bincount(bin_index, weights=truth, minlength=n_bins)
    sums = np.bincount(bin_index, weights=p, minlength=n_bins)
    empty = counts == 0
    divisor = np.where(empty, 1, counts)
    low, high = jeffreys_interval(n_true, counts)
    return Reliability(
        edges=edges,
        counts=counts,
        mean_predicted=np.where(empty, np.nan, sums / divisor),
        observed=np.where(empty, np.nan, n_true / divisor),
        low=np.where(empty, np.nan, low),
        high=np.where(empty, np.nan, high),
    )


def jeffreys_interval(
    n_true: ArrayLike, n: ArrayLike, level: float = INTERVAL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the equal-tailed interval of a share, from Beta(k + 1/2, n - k + 1/2).

    L. Brown, T. Cai and A. DasGupta, Statistical Science 16 (2001) 101-133; as they advise, the
    low end is 0 where none is true, and the high end 1 where all are.
    """
    k, total = np.asarray(n_true, np.float64), np.asarray(n, np.float64)
    tail = (1 - level) / 2
    low = np.where(k > 0, betaincinv(k + 0.5, total - k + 0.5, tail), 0.0)
    high = np.where(k < total, betaincinv(k + 0.5, total - k + 0.5, 1 - tail), 1.0)
    return low, high
