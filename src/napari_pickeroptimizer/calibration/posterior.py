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
    from napari_pickeroptimizer.calibration.evidence import Evidence

# Before any label: the network is as sure as it should be (slope 1), give or take; and holds
# both classes for as likely as it was taught to (intercept 0), give or take. The spreads were
# chosen on simulated sessions (benchmarks/coverage.py), none of them among those reported.
SLOPE_SPREAD = 1.0  # of the slope's logarithm
INTERCEPT_SPREAD = 2.0
SLOPES = np.exp(np.linspace(-2.0, 1.5, 71))
INTERCEPTS = np.linspace(-6.0, 6.0, 97)
N_SAMPLES = 600
N_ROUNDS = 60  # of the expectation maximisation


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


def posterior(evidence: Evidence, seed: int = 0) -> Posterior:
    """Return draws of slope and intercept given the labels.

    Parameters
    ----------
    evidence : Evidence
        Out-of-fold logits of labels of both classes.
    seed : int
        Seed of the draws.
    """
    log_posterior = -0.5 * (np.log(SLOPES) / SLOPE_SPREAD)[:, None] ** 2
    log_posterior = log_posterior - 0.5 * (INTERCEPTS / INTERCEPT_SPREAD)[None] ** 2
    odds = np.log(evidence.n_particles / evidence.n_others)
    sign = np.where(evidence.is_particle, 1.0, -1.0)
    line = (
        INTERCEPTS[None, :, None]
        + SLOPES[:, None, None] * evidence.logits[None, None, :]
        + odds
    )
    log_posterior = log_posterior + log_expit(sign * line).sum(axis=2)
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
    """Return the most likely shares of particles in a mixture, by expectation maximisation.

    M. Saerens, P. Latinne and C. Decaestecker, Neural Computation 14 (2002) 21-41.

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
    ratio = np.exp(np.clip(log_ratio, -30, 30))
    frequency = weights / weights.sum()
    share = np.full((len(ratio), 1), 0.5)
    for _ in range(N_ROUNDS):
        odds = (share / (1 - share)) * ratio
        share = np.clip((odds / (1 + odds)) @ frequency[:, None], 0.01, 0.99)
    return share[:, 0]
