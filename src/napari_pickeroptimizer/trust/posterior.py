"""What the labels leave open: the many calibrations that fit them, by Bayes' rule.

The densities of the logit among particles and among all else are taken to differ by the
exponential of a line, f1(z) = f0(z) exp(intercept + slope z), as in logistic regression. Labels
come in whatever numbers the user gave of each class, not as picks come; their likelihood is
therefore the one of case-control studies (R. Prentice and R. Pyke, Biometrika 66 (1979)
403-411), in which the numbers of each class are given. Two parameters: a grid holds all of
their posterior, with no sampler to trust.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.evidence import Evidence

SLOPES = np.exp(np.linspace(-2.0, 1.5, 71))
INTERCEPTS = np.linspace(-6.0, 6.0, 97)
N_SAMPLES = 600
LEAST_SHARE = 0.01
N_BISECTIONS = 16


@dataclass(frozen=True)
class Prior:
    """What is believed of the line before any label: slope 1, give or take, and an intercept.

    Parameters
    ----------
    slope_spread : float
        Standard deviation of the slope's logarithm.
    intercept_spread : float
        Standard deviation of the intercept.
    intercept : float
        Mean of the intercept.
    """

    slope_spread: float
    intercept_spread: float
    intercept: float = 0.0


# Promises shall hold even where the network is far from what it should be, so they take next to
# nothing for granted. Chosen on simulated sessions, none of them among those that
# benchmarks/coverage.py reports.
OPEN = Prior(slope_spread=1.0, intercept_spread=2.0)
# A single line shall be near the truth on average. Networks taught as ours are nearly
# calibrated by themselves, and forty labels know it less well: this keeps close to the network
# until labels are many. What else than particles the network learned was half background, which
# is easily told; among picks that are not, a particle is therefore a little less likely than the
# network says: between 0 and log 3 in the logit. Chosen on development draws and simulations.
CLOSE = Prior(slope_spread=0.2, intercept_spread=0.5, intercept=-0.4)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of the line, as likely as the labels make them.

    Parameters
    ----------
    slope, intercept : (s,) float64
        log f1(z) / f0(z) = intercept + slope z, where z is the network's logit.
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]


def posterior(evidence: Evidence, prior: Prior, seed: int = 0) -> Posterior:
    """Return draws of slope and intercept given the labels.

    Parameters
    ----------
    evidence : Evidence
        Out-of-fold logits of labels of both classes.
    prior : Prior
        What is believed without them.
    seed : int
        Seed of the draws.
    """
    log_posterior = -0.5 * (
        (np.log(SLOPES) / prior.slope_spread)[:, None] ** 2
        + ((INTERCEPTS - prior.intercept) / prior.intercept_spread)[None] ** 2
    )
    odds = np.log(evidence.n_particles / evidence.n_others)
    for z, is_particle in zip(evidence.logits, evidence.is_particle, strict=True):
        line = INTERCEPTS[None] + SLOPES[:, None] * z + odds
        log_posterior += log_expit(line if is_particle else -line)
    weights = np.exp(log_posterior - log_posterior.max()).ravel()
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(weights), N_SAMPLES, p=weights / weights.sum())
    rows, columns = np.divmod(drawn, len(INTERCEPTS))
    # spread over the grid's cells, so that no two draws are the same
    u, v = rng.uniform(-0.5, 0.5, (2, N_SAMPLES))
    slope_step = np.log(SLOPES[1] / SLOPES[0])
    return Posterior(
        SLOPES[rows] * np.exp(u * slope_step),
        INTERCEPTS[columns] + v * (INTERCEPTS[1] - INTERCEPTS[0]),
    )


def particle_share(
    log_ratio: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the most likely share of particles in a mixture of known densities.

    It maximises the likelihood of the scores, as the rounds of M. Saerens, P. Latinne and
    C. Decaestecker, Neural Computation 14 (2002) 21-41, do; where its slope changes sign is
    found by bisection.

    Parameters
    ----------
    log_ratio : (s, b) float64
        log f1 / f0 at b scores, for s lines.
    weights : (b,) float64
        How many picks have each score.

    Returns
    -------
    (s,) float64
        Shares, 0.01 to 0.99.
    """
    excess = np.expm1(np.clip(log_ratio, -30, 30))  # f1 / f0 - 1
    low, high = np.full((2, len(excess), 1), LEAST_SHARE)
    high = 1 - high
    term = np.empty_like(excess)
    for _ in range(N_BISECTIONS):
        share = (low + high) / 2
        np.multiply(excess, share, out=term)
        term += 1
        np.divide(excess, term, out=term)
        rising = term @ weights[:, None] > 0
        low, high = np.where(rising, share, low), np.where(rising, high, share)
    return np.asarray((low + high)[:, 0] / 2)


def binned(
    logits: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return mean and number of ascending logits in bins of (about) as many each.

    Returns
    -------
    centres, counts : (b,) float64
        Means and numbers.
    first : (b + 1,) int
        Position of each bin's first logit; at the end their number.
    """
    n = min(n_bins, len(logits))
    first = np.rint(np.linspace(0, len(logits), n + 1)).astype(np.intp)
    counts = np.diff(first).astype(np.float64)
    return np.add.reduceat(logits, first[:-1]) / counts, counts, first
