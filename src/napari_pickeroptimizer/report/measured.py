"""What truth says of every threshold: numbers for the evaluation report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.trust import Band

if TYPE_CHECKING:
    from napari_pickeroptimizer.evaluate.matches import MicrographMatches

THRESHOLDS = np.linspace(0, 1, 201)
# Of fewer micrographs the differences between them cannot be told.
LEAST_MICROGRAPHS = 5
N_RESAMPLES = 400
LEVEL = 0.90


@dataclass(frozen=True, eq=False)
class Measured:
    """Precision and recall at every threshold, against truth.

    Parameters
    ----------
    thresholds : (m,) float64
        0 to 1, ascending.
    precision : Band
        Share of the kept picks that are true.
    recall : Band
        Share of the true centres with a kept pick.
    kept_true : Band
        Share of the true picks that is kept: what is called recall where nothing is known but
        the picks.
    removed_false : (m,) float64
        Share of the false picks that is removed.
    n_micrographs : int
        Judged.
    has_bands : bool
        Whether there were enough of them for intervals.
    """

    thresholds: NDArray[np.float64]
    precision: Band
    recall: Band
    kept_true: Band
    removed_false: NDArray[np.float64]
    n_micrographs: int
    has_bands: bool


def measure(
    matches: Sequence[MicrographMatches], p_particle: NDArray[np.float64], seed: int = 0
) -> Measured:
    """Measure every threshold; 90 % intervals come from drawing the micrographs again.

    Micrographs, not picks, are drawn: picks of one micrograph fail together.

    Parameters
    ----------
    matches : sequence of MicrographMatches
        Picks and truth.
    p_particle : (n,) float64
        Scores of all picks; a pick without one is never kept, nor missed from the true ones.
    seed : int
        Seed of the draws.
    """
    kept, kept_true, found = (np.zeros((len(matches), len(THRESHOLDS))) for _ in range(3))
    n_true, n_false = np.zeros((2, len(matches)))
    n_centres = np.array([len(m.centres_yx_px) for m in matches], dtype=float)
    for i, m in enumerate(matches):
        scored = np.isfinite(p_particle[m.rows])
        p = np.where(scored, p_particle[m.rows], -np.inf)
        kept[i] = _at_or_above(p)
        kept_true[i] = _at_or_above(p[m.is_true])
        found[i] = _at_or_above(m.best_scores(p))
        n_true[i], n_false[i] = (m.is_true & scored).sum(), (~m.is_true & scored).sum()
    weights = np.ones((1, len(matches)))
    has_bands = len(matches) >= LEAST_MICROGRAPHS
    if has_bands:
        rng = np.random.default_rng(seed)
        equal = np.full(len(matches), 1 / len(matches))
        drawn = rng.multinomial(len(matches), equal, size=N_RESAMPLES)
        weights = np.concatenate([weights, drawn])
    false_kept = (kept - kept_true).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return Measured(
            THRESHOLDS,
            _band(weights @ kept_true, weights @ kept),
            _band(weights @ found, (weights @ n_centres)[:, None]),
            _band(weights @ kept_true, (weights @ n_true)[:, None]),
            np.asarray(1 - false_kept / n_false.sum()),
            len(matches),
            has_bands,
        )


def _at_or_above(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (m,) how many scores are at or above each threshold."""
    ordered = np.sort(scores)
    return np.asarray(len(scores) - np.searchsorted(ordered, THRESHOLDS, side="left"), float)


def _band(part: NDArray[np.float64], whole: NDArray[np.float64]) -> Band:
    """Return shares: row 0 as they are, the others for the interval."""
    shares = part / whole
    if len(shares) == 1:
        return Band(
            shares[0], np.full(shares.shape[1], np.nan), np.full(shares.shape[1], np.nan)
        )
    tail = (1 - LEVEL) / 2
    drawn = shares[1:]
    empty = ~np.isfinite(drawn).any(axis=0)
    drawn = np.where(empty, 0.0, drawn)  # a quantile of nothing would warn
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    return Band(shares[0], np.where(empty, np.nan, low), np.where(empty, np.nan, high))


def roc(
    p_particle: NDArray[np.float64], is_true: NDArray[np.bool_], most: int = 400
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return false and true positive rates of all thresholds, thinned to `most` points.

    Parameters
    ----------
    p_particle : (n,) float64
        Scores, finite.
    is_true : (n,) bool
        The truth; both kinds must be there.
    most : int
        Points to return at most.
    """
    order = np.argsort(-p_particle, kind="stable")
    truth, p = is_true[order], p_particle[order]
    last = np.flatnonzero(np.append(np.diff(p) != 0, True))  # of equal scores
    true_rate = np.append(0, np.cumsum(truth)[last]) / truth.sum()
    false_rate = np.append(0, np.cumsum(~truth)[last]) / (~truth).sum()
    if len(last) > most:
        # evenly along the curve, which is steep first and flat then
        along = np.append(0, np.cumsum(np.abs(np.diff(true_rate)) + np.diff(false_rate)))
        chosen = np.unique(np.searchsorted(along, np.linspace(0, along[-1], most)))
        true_rate, false_rate = true_rate[chosen], false_rate[chosen]
    return false_rate, true_rate
