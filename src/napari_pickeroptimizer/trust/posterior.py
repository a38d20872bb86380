"""The posterior of the calibration given the labels: its uncertainty with few of them.

The densities of the logit among particles and among all other picks are assumed to differ by
the exponential of a line, f1(z) = f0(z) exp(intercept + slope z), as in logistic regression.
The numbers of labels of each class are the user's choice and do not reflect the picks; the
likelihood is therefore that of case-control studies (R. Prentice and R. Pyke, Biometrika 66
(1979) 403-411), in which the number of each class is given; labels of one micrograph count less
than as many of different ones (`label_weights`). There are two parameters, so a grid
covers the posterior, and no MCMC is needed.
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
    """

    slope_spread: float
    intercept_spread: float
    intercept: float = 0.0


# For the forecast, which has to hold even for a badly calibrated network: weakly informative.
WEAK_PRIOR = LinePrior(slope_spread=1.0, intercept_spread=2.0)
# For the calibration, a single line that should be right on average. The networks are nearly
# calibrated, and forty labels determine the line less well, so it stays closer to the identity
# until there are many labels. Its intercept is as open to the labels as the targets differ.
INFORMATIVE_PRIOR = LinePrior(slope_spread=0.4, intercept_spread=1.0)


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of the line from its posterior.

    Parameters
    ----------
    slope, intercept : (s,) float64
        log f1(z) / f0(z) = intercept + slope z, where z is the network's logit.
    """

    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def log_ratio(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (s, n) log f1 / f0 at n logits."""
        return self.intercept[:, None] + self.slope[:, None] * logits


def posterior(held_out: HeldOutScores, prior: LinePrior, seed: int = 0) -> Posterior:
    """Draw samples of slope and intercept given the labels.

    Parameters
    ----------
    held_out : HeldOutScores
        Scores of labels of both classes.
    prior : LinePrior
        Prior of the line.
    seed : int
        Seed of the samples.
    """
    log_posterior = -0.5 * (
        (np.log(SLOPES) / prior.slope_spread)[:, None] ** 2
        + ((INTERCEPTS - prior.intercept) / prior.intercept_spread)[None] ** 2
    )
    log_odds = np.log(held_out.n_particles / held_out.n_others)
    for z, is_particle, weight in zip(
        held_out.logits, held_out.is_particle, label_weights(held_out), strict=True
    ):
        line = INTERCEPTS[None] + SLOPES[:, None] * z + log_odds
        log_posterior += weight * log_expit(line if is_particle else -line)
    weights = np.exp(log_posterior - log_posterior.max()).ravel()
    rng = np.random.default_rng(seed)
    cells = rng.choice(len(weights), N_SAMPLES, p=weights / weights.sum())
    rows, columns = np.divmod(cells, len(INTERCEPTS))
    # jittered within the grid's cells, so that no two samples are the same
    u, v = rng.uniform(-0.5, 0.5, (2, N_SAMPLES))
    slope_step = np.log(SLOPES[1] / SLOPES[0])
    return Posterior(
        SLOPES[rows] * np.exp(u * slope_step),
        INTERCEPTS[columns] + v * (INTERCEPTS[1] - INTERCEPTS[0]),
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
