"""How many labels are wrong, and the held-out scores without them.

Labels that come from a 2D classification are wrong at any score: among picks that are particles
beyond doubt, a share is labelled as false. So the share of labels of particles as a function of
the score does not run from 0 to 1, but from one error rate to one minus the other. Both can be
read off where there are many labels; a model's own errors are near the middle instead.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

# Of particles and of others; fewer do not tell wrong labels from difficult picks.
LEAST_LABELS = 100
# Lower rates could as well be errors of the model at high scores.
LEAST_RATE = 0.03
LARGEST_RATE = 0.4
# Twice the gain in log likelihood by the two rates: chance exceeds it once in 150 times.
LEAST_EVIDENCE = 10.0
# Where other labels contradict more than this share of them, which they do for 2 % of right ones
# and about all wrong ones, less evidence is enough.
MANY_CONTRADICTED = 0.05
LEAST_IF_CONTRADICTED = 2.0
STARTS = (0.02, 0.15)


@dataclass(frozen=True)
class LabelNoise:
    """The curve of labels against scores, and its ends.

    Parameters
    ----------
    of_particles, of_others : float
        Share of the particles that are labelled as others, and the reverse.
    slope, intercept : float
        Of the logit of P(particle) in the score.
    """

    of_particles: float
    of_others: float
    slope: float
    intercept: float

    def p_particle(
        self, logits: NDArray[np.float64], is_particle: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """Return P(truly a particle) of picks with these scores and labels."""
        p = expit(self.slope * logits + self.intercept)
        if_particle = np.where(is_particle, 1 - self.of_particles, self.of_particles)
        if_other = np.where(is_particle, self.of_others, 1 - self.of_others)
        return np.asarray(p * if_particle / (p * if_particle + (1 - p) * if_other))

    def to_dict(self) -> dict[str, float]:
        """Return the two rates for the card."""
        return {
            "of_particles": round(self.of_particles, 3),
            "of_others": round(self.of_others, 3),
        }


def estimate_noise(
    scores: HeldOutScores, contradicted_share: float = 0.0
) -> LabelNoise | None:
    """Return the error rates of labels; None where they are few, or seem right.

    Suggested picks are difficult ones, and do not count.

    Parameters
    ----------
    scores : HeldOutScores
        Out-of-fold scores and labels.
    contradicted_share : float
        Share of the labels that the others contradict (`fewshot.doubtful_labels`).
    """
    counts = ~scores.suggested
    logits, labels = scores.logits[counts], scores.is_particle[counts]
    if min(labels.sum(), (~labels).sum()) < LEAST_LABELS:
        return None
    spread = logits.std() + 1e-9
    x, y = (logits - logits.mean()) / spread, labels.astype(np.float64)

    def loss(values: NDArray[np.float64]) -> float:
        slope, intercept, of_particles, of_others = values
        p = of_others + (1 - of_particles - of_others) * expit(slope * x + intercept)
        p = np.clip(p, 1e-6, 1 - 1e-6)
        return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).sum())

    def fit(rate: float, most: float) -> tuple[float, NDArray[np.float64]]:
        start = np.array([2.0, logit(y.mean()), rate, rate])
        limits = [(1e-3, 100), (-50, 50), (0, most), (0, most)]
        found = minimize(loss, start, bounds=limits, method="L-BFGS-B")
        return float(found.fun), np.asarray(found.x)

    plain, _ = fit(0.0, 0.0)
    noisy, best = min((fit(rate, LARGEST_RATE) for rate in STARTS), key=lambda f: f[0])
    slope, intercept, of_particles, of_others = best.tolist()
    is_likely = contradicted_share > MANY_CONTRADICTED
    least = LEAST_IF_CONTRADICTED if is_likely else LEAST_EVIDENCE
    if 2 * (plain - noisy) < least or max(of_particles, of_others) < LEAST_RATE:
        return None
    slope, intercept = slope / spread, intercept - slope * logits.mean() / spread
    return LabelNoise(of_particles, of_others, slope, intercept)


def without_noise(
    scores: HeldOutScores, noise: LabelNoise | None, rng: np.random.Generator
) -> HeldOutScores:
    """Return the scores with labels as they probably are.

    Each label is drawn from what its score and the error rates make of it. The most likely
    ones instead would leave no pick of a class on the other class's side, and so promise too
    much.
    """
    if noise is None:
        return scores
    p = noise.p_particle(scores.logits, scores.is_particle)
    drawn = np.where(scores.suggested, scores.is_particle, rng.random(len(p)) < p)
    if drawn.all() or not drawn.any():
        return scores
    return dataclasses.replace(scores, is_particle=drawn)
