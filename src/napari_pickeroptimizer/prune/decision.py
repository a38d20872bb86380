"""What any threshold makes of scored picks: counts, micrographs, expectations. Pure numpy.

A threshold is dragged over a million picks: the scores are sorted once, and each step is a
search and a few sums. The outcome is that of `prune.decide`, which the outputs are made by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.trust.sanity import ShareCheck, check_shares

if TYPE_CHECKING:
    from napari_pickeroptimizer.trust import PerformanceForecast
    from napari_pickeroptimizer.trust.forecast import Expectation

N_BINS = 100


@dataclass(frozen=True)
class Counts:
    """How many picks a threshold keeps and rejects.

    Parameters
    ----------
    n_picks : int
        All of them.
    kept, rejected, unscored : int
        They sum to `n_picks`; a labelled pick counts by its label.
    kept_by_label, rejected_by_label : int
        Those of them that a label decided on.
    rejected_by_place : int
        Those whose score is high enough, but that are too near to a better one or the edge.
    rejected_by_class : mapping of int to int
        Number by class, classes that occur only.
    """

    n_picks: int
    kept: int
    rejected: int
    unscored: int
    kept_by_label: int
    rejected_by_label: int
    rejected_by_place: int
    rejected_by_class: Mapping[int, int]


@dataclass(frozen=True, eq=False)
class ByMicrograph:
    """One entry a micrograph, in the order of the picks.

    Parameters
    ----------
    names : tuple of str
        As the picks spell them.
    n_picks, n_scored, n_kept, n_rejected : (m,) int
        Picks; those with a score; those kept and rejected.
    mean_score : (m,) float64
        Mean P(particle) of the scored ones, NaN where there are none.
    """

    names: tuple[str, ...]
    n_picks: NDArray[np.intp]
    n_scored: NDArray[np.intp]
    n_kept: NDArray[np.intp]
    n_rejected: NDArray[np.intp]
    mean_score: NDArray[np.float64]

    @property
    def share_kept(self) -> NDArray[np.float64]:
        """(m,) share of the decided picks that is kept, NaN where none is decided."""
        decided = self.n_kept + self.n_rejected
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.n_kept / decided

    def check(self) -> ShareCheck:
        """Return which micrographs stand out (see `check_shares`)."""
        return check_shares(self.names, self.n_kept + self.n_rejected, self.n_kept)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Scores in bins from 0 to 1, and where the labelled picks are.

    Parameters
    ----------
    edges : (b + 1,) float64
        Of the bins.
    counts : (b,) int
        Scored picks.
    label_scores : mapping of int to (k,) float64
        P(particle) of the picks that carry each label.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.intp]
    label_scores: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)


class Decision:
    """Scores, labels and places of picks, ready for any threshold.

    Parameters
    ----------
    p_particle : (n,) float
        P(particle), NaN where a pick was not scored.
    other_class : (n,) int8
        The most probable of the other classes.
    labels : (n,) int8
        The user's labels; they win.
    codes : (n,) int
        Micrograph of each pick, a position in `names`.
    names : sequence of str
        Micrographs.
    blocked : (n,) bool, optional
        Picks that their place rejects, whatever their score.
    forecast : PerformanceForecast, optional
        What thresholds are expected to give.
    order : (n,) int, optional
        ``np.argsort(p_particle)``, where it is known already.
    """

    def __init__(
        self,
        p_particle: NDArray[np.floating],
        other_class: NDArray[np.int8],
        labels: NDArray[np.int8],
        codes: NDArray[np.integer],
        names: Sequence[str],
        *,
        blocked: NDArray[np.bool_] | None = None,
        forecast: PerformanceForecast | None = None,
        order: NDArray[np.intp] | None = None,
    ) -> None:
        # a float32 would be compared with the threshold as such: 0.7 is above float32's 0.7
        self.p_particle = np.asarray(p_particle, dtype=np.float64)
        self.other_class, self.codes = other_class, codes
        self.names, self.forecast = tuple(names), forecast
        self.labels = np.array(labels, dtype=np.int8)
        n = len(self.p_particle)
        self.blocked = np.zeros(n, dtype=bool) if blocked is None else blocked
        self._order = np.argsort(self.p_particle) if order is None else order  # NaN last
        self._n_scored = int(np.isfinite(self.p_particle).sum())
        self._order = self._order[: self._n_scored]
        self._sorted = self.p_particle[self._order]
        self._codes = codes[self._order]
        self._other = other_class[self._order]
        self._n_picks_of = self._count(codes)
        self._n_scored_of = self._count(self._codes)
        self._mean_of = self._means()
        self._set_free()

    def __len__(self) -> int:
        return len(self.p_particle)

    def set_labels(self, rows: NDArray[np.intp], labels: NDArray[np.int8]) -> None:
        """Take other labels of some picks over."""
        self.labels[rows] = labels
        self._set_free()

    def set_blocked(self, blocked: NDArray[np.bool_]) -> None:
        """Take over which picks their place rejects."""
        self.blocked = blocked
        self._set_free()

    def scored_class(
        self, threshold: float, rows: NDArray[np.intp] | slice = slice(None)
    ) -> NDArray[np.int8]:
        """Return the class that score and place alone give picks, 0 where not scored."""
        p = self.p_particle[rows]
        said = np.where(
            (p >= threshold) & ~self.blocked[rows], np.int8(PARTICLE), self.other_class[rows]
        )
        said[np.isnan(p)] = UNLABELLED
        return said

    def predicted(
        self, threshold: float, rows: NDArray[np.intp] | slice = slice(None)
    ) -> NDArray[np.int8]:
        """Return the class of picks: the label, else what score and place give."""
        labels = self.labels[rows]
        return np.where(labels != UNLABELLED, labels, self.scored_class(threshold, rows))

    def counts(self, threshold: float) -> Counts:
        """Return how many picks are kept, rejected and not scored."""
        start = self._start(threshold)
        kept = int(np.count_nonzero(self._free[start:]))
        by_label = self._n_labelled
        below = np.bincount(self._other[:start], self._unlabelled[:start], MAX_CLASS + 1)
        placed = self._placed[start:]
        by_place = np.bincount(self._other[start:], placed, MAX_CLASS + 1)
        of_class = (below + by_place).astype(np.intp) + by_label
        of_class[[UNLABELLED, PARTICLE]] = 0
        n_kept, rejected = kept + int(by_label[PARTICLE]), int(of_class.sum())
        return Counts(
            n_picks=len(self),
            kept=n_kept,
            rejected=rejected,
            unscored=len(self) - n_kept - rejected,
            kept_by_label=int(by_label[PARTICLE]),
            rejected_by_label=int(by_label[PARTICLE + 1 :].sum()),
            rejected_by_place=int(np.count_nonzero(placed)),
            rejected_by_class={int(c): int(of_class[c]) for c in np.flatnonzero(of_class)},
        )

    def by_micrograph(self, threshold: float) -> ByMicrograph:
        """Return the counts of each micrograph."""
        start = self._start(threshold)
        kept = self._count(self._codes[start:][self._free[start:]]) + self._n_true_of
        return ByMicrograph(
            self.names,
            self._n_picks_of,
            self._n_scored_of,
            kept,
            self._n_decided_of - kept,
            self._mean_of,
        )

    def histogram(self, n_bins: int = N_BINS) -> Histogram:
        """Return the scores in bins, and those of the labelled picks."""
        edges = np.linspace(0, 1, n_bins + 1)
        below = np.searchsorted(self._sorted, edges[:-1], side="left")
        counts = np.diff(np.append(below, self._n_scored))
        labelled = np.flatnonzero((self.labels != UNLABELLED) & np.isfinite(self.p_particle))
        ids = self.labels[labelled]
        return Histogram(
            edges,
            counts,
            {int(c): self.p_particle[labelled[ids == c]] for c in np.unique(ids)},
        )

    def expectation(self, threshold: float) -> Expectation | None:
        """Return what a threshold is expected to give; None without a promise."""
        return None if self.forecast is None else self.forecast.at(threshold)

    def _start(self, threshold: float) -> int:
        return int(np.searchsorted(self._sorted, threshold, side="left"))

    def _set_free(self) -> None:
        """Note what depends on labels and places; in the order of the scores, for slices."""
        self._unlabelled = self.labels[self._order] == UNLABELLED
        blocked = self.blocked[self._order]
        self._free = self._unlabelled & ~blocked
        self._placed = self._unlabelled & blocked
        labelled = np.flatnonzero(self.labels)
        self._n_labelled = np.bincount(self.labels[labelled], minlength=MAX_CLASS + 1)
        is_true = self.labels[labelled] == PARTICLE
        self._n_true_of = self._count(self.codes[labelled[is_true]])
        unscored = np.isnan(self.p_particle[labelled])
        self._n_decided_of = self._n_scored_of + self._count(self.codes[labelled[unscored]])

    def _count(self, codes: NDArray[np.integer]) -> NDArray[np.intp]:
        return np.bincount(codes, minlength=len(self.names))

    def _means(self) -> NDArray[np.float64]:
        sums = np.bincount(self._codes, self._sorted, len(self.names))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / self._n_scored_of)
