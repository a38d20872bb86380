"""The posterior of the calibration given the labels: its uncertainty with few of them.

The densities of the logit among particles and among all other picks are assumed to differ by
the exponential of a line, f1(z) = f0(z) exp(intercept + slope z), as in logistic regression.
The numbers of labels of each class are the user's choice and do not reflect the picks; the
likelihood is therefore that of case-control studies (R. Prentice and R. Pyke, Biometrika 66
(1979) 403-411), in which the number of each class is given; labels of one micrograph count less
than as many of different ones (`label_weights`).

A line alone is too sure of what lies far from the boundary: a few per cent of the particles may
score like false picks, or the other way round, and twenty labels need not hold one of them. So a
share of each class, small and unknown, may be distributed like the other class, as in robust
logistic regression (J. Copas, J. R. Stat. Soc. B 50 (1988) 225-265). There are four parameters
at most, so a grid covers the posterior, and no MCMC is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit

from napari_pickeroptimizer.trust.design_effect import label_weights

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

SLOPES = np.exp(np.linspace(-2.0, 1.5, 71))
INTERCEPTS = np.linspace(-6.0, 6.0, 97)
N_SAMPLES = 600
# More labels of a class are taken together by their scores, so that thousands cost no more.
MOST_SCORES = 100


@dataclass(frozen=True)
class LinePrior:
    """Prior of the line: a slope around 1 (log-normal) and a normal intercept.

    Parameters
    ----------
    slope_spread : float
        Standard deviation of the slope's logarithm.
    intercept_spread : float
        Standard deviation of the intercept.
    intercept : float
        Mean of the intercept.
    alike : tuple of float
        Equally likely shares of a class that score like the other class.
    """

    slope_spread: float
    intercept_spread: float
    intercept: float = 0.0
    alike: tuple[float, ...] = (0.0,)


# For the forecast, which has to hold even for a badly calibrated network: weakly informative.
# The shares stand for Beta(0.5, 25), whose mean is 2 %: quantiles at 1, 3, 5 and 7 eighths.
WEAK_PRIOR = LinePrior(1.0, 2.0, alike=(0.0005, 0.005, 0.016, 0.046))
# For the calibration, a single line that should be right on average. The networks are nearly
# calibrated, and forty labels determine the line less well, so it stays closer to the identity
# until there are many labels. Its intercept is as open to the labels as the targets differ.
INFORMATIVE_PRIOR = LinePrior(slope_spread=0.4, intercept_spread=1.0)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of what tells the classes apart, from its posterior.

    Parameters
    ----------
    slope, intercept : (s,) float64
        log f1(z) / f0(z) = intercept + slope z, where z is the network's logit, of particles and
        others that are not like the other class.
    particles_alike, others_alike : (s,) float64
        Share of the particles that score like others, and of others that score like particles.
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]
    particles_alike: NDArray[np.float64]
    others_alike: NDArray[np.float64]

    def log_ratio(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (s, n) log f1 / f0 at n logits."""
        line = self.intercept[:, None] + self.slope[:, None] * logits
        return _bounded(line, self.particles_alike[:, None], self.others_alike[:, None])


def _bounded(
    line: NDArray[np.float64], particles: NDArray[np.float64], others: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the log ratio of the classes where a share of each is like the other one."""
    with np.errstate(divide="ignore"):  # no share, no bound
        return np.asarray(
            np.logaddexp(np.log1p(-particles) + line, np.log(particles))
            - np.logaddexp(np.log1p(-others), np.log(others) + line)
        )


def posterior(held_out: HeldOutScores, prior: LinePrior, seed: int = 0) -> Posterior:
    """Draw samples of what tells the classes apart, given the labels.

    Parameters
    ----------
    held_out : HeldOutScores
        Scores of labels of both classes.
    prior : LinePrior
        Prior of the line, and of the shares that are like the other class.
    seed : int
        Seed of the samples.
    """
    alike = np.array(prior.alike)
    every = 1 if len(alike) == 1 else 2  # with four parameters each may be coarser
    values = alike, alike, SLOPES[::every], INTERCEPTS[::every]
    particles, others, slopes, intercepts = np.ix_(*values)
    log_prior = -0.5 * (
        (np.log(slopes) / prior.slope_spread) ** 2
        + ((intercepts - prior.intercept) / prior.intercept_spread) ** 2
    )
    log_posterior = np.tile(log_prior, (len(alike), len(alike), 1, 1))
    log_odds = np.log(held_out.n_particles / held_out.n_others)
    label_weight = label_weights(held_out)
    for of_class, sign in ((held_out.is_particle, 1), (~held_out.is_particle, -1)):
        weight = label_weight[of_class][0]  # the same for all of them
        scores, counts, _ = binned(np.sort(held_out.logits[of_class]), MOST_SCORES)
        for z, count in zip(scores, counts, strict=True):
            log_ratio = _bounded(intercepts + slopes * z, particles, others)
            log_posterior += weight * count * log_expit(sign * (log_ratio + log_odds))
    weights = np.exp(log_posterior - log_posterior.max()).ravel()
    rng = np.random.default_rng(seed)
    cells = rng.choice(len(weights), N_SAMPLES, p=weights / weights.sum())
    drawn = [
        v[at]
        for v, at in zip(values, np.unravel_index(cells, log_posterior.shape), strict=True)
    ]
    # jittered within the grid's cells, so that no two samples are the same
    u, v = every * rng.uniform(-0.5, 0.5, (2, N_SAMPLES))
    return Posterior(
        slope=drawn[2] * np.exp(u * np.log(SLOPES[1] / SLOPES[0])),
        intercept=drawn[3] + v * (INTERCEPTS[1] - INTERCEPTS[0]),
        particles_alike=drawn[0],
        others_alike=drawn[1],
    )


def binned(
    logits: NDArray[np.float64], n_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return mean and number of ascending logits in bins of about equal number.

    Returns
    -------
    centres, counts : (b,) float64
        Means and numbers.
    first : (b + 1,) int
        Position of each bin's first logit, and their number at the end.
    """
    n = min(n_bins, len(logits))
    first = np.rint(np.linspace(0, len(logits), n + 1)).astype(np.intp)
    counts = np.diff(first).astype(np.float64)
    return np.add.reduceat(logits, first[:-1]) / counts, counts, first
