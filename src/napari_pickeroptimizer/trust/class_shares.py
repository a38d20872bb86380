"""How often each class occurs among unlabelled picks: the maximum-likelihood class prior.

A classifier that was trained on balanced classes gives each pick a likelihood ratio between
classes. The shares of the classes are those under which the scores of all picks are most
likely: what expectation maximisation converges to in M. Saerens, P. Latinne and C. Decaestecker,
Neural Computation 14 (2002) 21-41. The likelihood is concave in each share, so bisection on the
sign of its slope finds the maximum faster than expectation maximisation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SHARE = 0.01
N_BISECTIONS = 16
# Of several classes: precise enough to be converged, and never so certain of a class that the
# scores of single picks would no longer count.
PRECISION = 1e-10
N_BISECTIONS_PRECISE = 48
MAX_SWEEPS = 200
FLAT = 1e-9  # log likelihood ratios that do not distinguish a class from the others
LIMITS = (0.1, 0.9)


def class_shares(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Estimate the shares of several classes, each in turn against the mixture of the others.

    Parameters
    ----------
    probabilities : (n, c) float
        Of unlabelled picks, by a classifier for which all classes are equally likely a priori.

    Returns
    -------
    (c,) float64
        Shares, each clipped to `LIMITS` and then normalised to add up to one.

    Examples
    --------
    >>> confident = np.array([[0.98, 0.02]] * 8 + [[0.02, 0.98]] * 2)
    >>> class_shares(confident).round(1).tolist()
    [0.8, 0.2]
    """
    likelihoods = np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-12)
    n, n_classes = likelihoods.shape
    shares, weights = np.full(n_classes, 1 / n_classes), np.ones(n)
    for _ in range(MAX_SWEEPS):
        before = shares.copy()
        for i in range(n_classes):
            others = np.arange(n_classes) != i
            mixture = shares[others] / shares[others].sum()
            log_ratio = np.log(likelihoods[:, i] / (likelihoods[:, others] @ mixture))
            if np.abs(log_ratio).max() < FLAT:
                continue  # all shares are equally likely
            shares[i] = particle_share(
                log_ratio[None], weights, least=1e-9, n_bisections=N_BISECTIONS_PRECISE
            )[0]
            shares[others] = mixture * (1 - shares[i])
        if np.abs(shares - before).max() < PRECISION:
            break
    shares = np.clip(shares, *LIMITS)
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def particle_share(
    log_ratio: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    least: float = LEAST_SHARE,
    n_bisections: int = N_BISECTIONS,
) -> NDArray[np.float64]:
    """Estimate the share of one class in a mixture of two, for many likelihood ratios at once.

    Parameters
    ----------
    log_ratio : (s, b) float64
        log f1 / f0 at b scores, for s pairs of densities.
    weights : (b,) float64
        How many picks have each score.
    least : float
        Shares are within `least` and 1 - `least`.
    n_bisections : int
        Each halves the error.

    Returns
    -------
    (s,) float64
        Share of the class with density f1.

    Examples
    --------
    >>> log_ratio = np.log([[0.9 / 0.1, 0.1 / 0.9]])
    >>> particle_share(log_ratio, np.array([7.0, 3.0])).round(2).tolist()
    [0.75]
    """
    excess = np.expm1(np.clip(log_ratio, -30, 30))  # f1 / f0 - 1
    low, high = np.full((2, len(excess), 1), least)
    high = 1 - high
    slope_terms = np.empty_like(excess)
    for _ in range(n_bisections):
        share = (low + high) / 2
        np.multiply(excess, share, out=slope_terms)
        slope_terms += 1
        np.divide(excess, slope_terms, out=slope_terms)
        rising = slope_terms @ weights[:, None] > 0
        low, high = np.where(rising, share, low), np.where(rising, high, share)
    return np.asarray((low + high)[:, 0] / 2)
