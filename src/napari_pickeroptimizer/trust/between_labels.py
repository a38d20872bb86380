"""Picks that are harder than the labels: more of them lie between the labels of both classes.

Whoever labels takes clear cases. If labels were like the picks of their class, about a tenth of
the particles would score below the lowest tenth of the labels of particles, and a tenth of the
others above the highest tenth of theirs, whatever the distributions. Where these two ends leave
a gap, it should hold no more picks than that. Those it holds beyond are like no label: above some
score in the gap they are particles, and where in it that is, is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.trust.design_effect import label_weights

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust.held_out import HeldOutScores

# Share of a class's labels that lie beyond its end of the gap.
BEYOND = 0.1
# More picks than expected in the gap are told of if they are so in this share of the samples.
SURE = 0.95
SEED = 1


@dataclass(frozen=True, eq=False)
class PicksBetween:
    """Picks between the labels of both classes.

    Parameters
    ----------
    bins : (b,) bool
        Bins of picks that lie there.
    rank : (k,) float64
        Of those bins, the share of the picks there that score lower, 0 to 1.
    share_of_picks : float
        Share of all picks that lie there.
    excess : (s,) float64
        Share of them that labels do not explain, for each sample of the posterior.
    """

    bins: NDArray[np.bool_]
    rank: NDArray[np.float64]
    share_of_picks: float
    excess: NDArray[np.float64]

    def widened(self, p_particle: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (s, b) P(particle) where the excess begins to be particles at any score."""
        unknown = np.random.default_rng(SEED).uniform(size=(len(self.excess), 1))
        result = p_particle.copy()
        result[:, self.bins] += self.excess[:, None] * (
            (self.rank > unknown) - p_particle[:, self.bins]
        )
        return result

    def warnings(self) -> list[str]:
        """Return a sentence where it is nearly sure that the picks are harder."""
        if np.mean(self.excess > 0) < SURE:
            return []
        expected = self.share_of_picks * (1 - float(self.excess.mean()))
        return [
            f"{percent(self.share_of_picks)} of the picks score between your labels of particles "
            f"and those of others, where {percent(expected)} would be expected. The labels are "
            "easier cases than the picks: what the others are is not known, which is why the "
            "intervals are wide. Also label some picks at random, ten at least."
        ]


def picks_between_labels(
    held_out: HeldOutScores,
    logits: NDArray[np.float64],
    counts: NDArray[np.float64],
    share: NDArray[np.float64],
) -> PicksBetween:
    """Compare how many picks lie between the labels of both classes with how many should.

    The share of a class beyond the k-th of its n labels is Beta(k, n + 1 - k) distributed,
    whatever the distribution of its scores.

    Parameters
    ----------
    held_out : HeldOutScores
        Labels of both classes.
    logits, counts : (b,) float64
        The picks' logits, and how many picks have each.
    share : (s,) float64
        Share of particles among the picks, for each sample of the posterior.
    """
    weights = label_weights(held_out)
    rng = np.random.default_rng(SEED)
    ends, explained = [], np.zeros(len(share))
    for of_class, sign, weight in (
        (held_out.is_particle, 1, share),
        (~held_out.is_particle, -1, 1 - share),
    ):
        labels = np.sort(sign * held_out.logits[of_class])
        k = max(1, round(BEYOND * len(labels)))
        counting = float(weights[of_class].mean())
        a, b = k * counting, (len(labels) + 1 - k) * counting
        ends.append(sign * labels[k - 1])
        explained += weight * rng.beta(a, b, len(share))
    bins = (logits > ends[1]) & (logits < ends[0])
    between = counts[bins]
    share_of_picks = float(between.sum() / counts.sum())
    if not share_of_picks:
        return PicksBetween(bins, between, 0.0, np.zeros(len(share)))
    rank = (np.cumsum(between) - between / 2) / between.sum()
    excess = np.clip(1 - explained / share_of_picks, 0, 1)
    return PicksBetween(bins, rank, share_of_picks, excess)
