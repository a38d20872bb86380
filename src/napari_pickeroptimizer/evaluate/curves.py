"""Precision and recall against the truth at every threshold, with bootstrap intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.trust import Band
from napari_pickeroptimizer.trust.forecast import LEVEL, THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pickeroptimizer.evaluate.matches import MicrographMatches

# Resampling fewer micrographs does not show how much they differ.
LEAST_FOR_BANDS = 5
N_RESAMPLES = 400
MAX_ROC_POINTS = 400


@dataclass(frozen=True, eq=False)
class MeasuredCurves:
    """Precision and recall at every threshold, measured against truth.

    Parameters
    ----------
    thresholds : (m,) float64
        0 to 1, ascending.
    precision : Band
        Share of the kept picks that are true.
    recall : Band
        Share of the true centres with a kept pick.
    kept_true : Band
        Share of the true picks that is kept: the recall among the picks.
    n_micrographs : int
        Micrographs with picks and truth.
    """

    thresholds: NDArray[np.float64]
    precision: Band
    recall: Band
    kept_true: Band
    n_micrographs: int

    @property
    def has_bands(self) -> bool:
        """Whether there are enough micrographs for intervals."""
        return self.n_micrographs >= LEAST_FOR_BANDS


def measure_curves(
    matches: Sequence[MicrographMatches], p_particle: NDArray[np.float64], seed: int = 0
) -> MeasuredCurves:
    """Measure precision and recall at every threshold.

    The 90 % intervals are a bootstrap over micrographs, not over picks: picks of one
    micrograph are not independent.

    Parameters
    ----------
    matches : sequence of MicrographMatches
        Picks and truth.
    p_particle : (n,) float64
        Scores of all picks. A pick without one is never kept and does not count as lost.
    seed : int
        Seed of the bootstrap.
    """
    kept, kept_true, n_found = (np.zeros((len(matches), len(THRESHOLDS))) for _ in range(3))
    n_centres = np.array([len(m.centres_yx_px) for m in matches], dtype=float)
    n_true = np.zeros(len(matches))
    for i, m in enumerate(matches):
        scored = np.isfinite(p_particle[m.rows])
        p = np.where(scored, p_particle[m.rows], -np.inf)
        kept[i] = _n_at_or_above(p)
        kept_true[i] = _n_at_or_above(p[m.is_true])
        n_found[i] = _n_at_or_above(m.best_scores(p))
        n_true[i] = (m.is_true & scored).sum()
    weights = np.ones((1, len(matches)))  # the figures themselves; then those of each resample
    if len(matches) >= LEAST_FOR_BANDS:
        equal = np.full(len(matches), 1 / len(matches))
        drawn = np.random.default_rng(seed).multinomial(len(matches), equal, size=N_RESAMPLES)
        weights = np.concatenate([weights, drawn])
    with np.errstate(invalid="ignore", divide="ignore"):
        return MeasuredCurves(
            THRESHOLDS,
            _band(weights @ kept_true / (weights @ kept)),
            _band(weights @ n_found / (weights @ n_centres)[:, None]),
            _band(weights @ kept_true / (weights @ n_true)[:, None]),
            len(matches),
        )


def _n_at_or_above(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (m,) how many scores are at or above each threshold."""
    ordered = np.sort(scores)
    return np.asarray(len(scores) - np.searchsorted(ordered, THRESHOLDS, side="left"), float)


def _band(shares: NDArray[np.float64]) -> Band:
    """Return row 0 of (1 + s, m) shares with the interval of the other rows."""
    resampled = shares[1:]
    empty = ~np.isfinite(resampled).any(axis=0)
    if empty.all():
        undefined = np.full(shares.shape[1], np.nan)
        return Band(shares[0], undefined, undefined)
    tail = (1 - LEVEL) / 2
    resampled = np.where(empty, 0.0, resampled)  # numpy warns of all-NaN columns
    low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    return Band(shares[0], np.where(empty, np.nan, low), np.where(empty, np.nan, high))


def roc(
    p_particle: NDArray[np.float64],
    is_true: NDArray[np.bool_],
    max_points: int = MAX_ROC_POINTS,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return false and true positive rates of all thresholds, thinned for drawing.

    Parameters
    ----------
    p_particle : (n,) float64
        Scores, finite.
    is_true : (n,) bool
        The truth, of both kinds.
    max_points : int
        Largest number of points to return.
    """
    from sklearn.metrics import roc_curve  # a report without truth does not wait for it

    false_rate, true_rate, _ = roc_curve(is_true, p_particle)
    if len(false_rate) > max_points:
        # evenly along the curve, which is steep first and flat then
        length = np.append(0, np.cumsum(np.diff(true_rate) + np.diff(false_rate)))
        chosen = np.unique(np.searchsorted(length, np.linspace(0, length[-1], max_points)))
        false_rate, true_rate = false_rate[chosen], true_rate[chosen]
    return false_rate, true_rate
