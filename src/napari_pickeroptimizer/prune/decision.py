"""`Decision`: class, kept or rejected, and reason of each pick, from scores, labels and places.

It is the only rule: kept and rejected files, counts, tables, layers and galleries all read it.
A threshold is dragged over a million picks: the scores are sorted once, each step is a binary
search and a few sums, and labels and places update it incrementally.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CONTAMINANT, MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.counts import ByMicrograph, Counts, Histogram
from napari_pickeroptimizer.prune.place_rules import Frame, near_edge, too_close
from napari_pickeroptimizer.schema import (
    BY_DISTANCE,
    BY_EDGE,
    BY_LABEL,
    BY_NOTHING,
    BY_SCORE,
    PROBABILITY_PREFIX,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.reading import MicrographRows
    from napari_pickeroptimizer.trust import PerformanceForecast
    from napari_pickeroptimizer.trust.forecast import Expectation

N_HISTOGRAM_BINS = 100
# Arrays of reasons hold positions in this tuple.
REASONS = (BY_NOTHING, BY_SCORE, BY_LABEL, BY_DISTANCE, BY_EDGE)
_NOTHING, _SCORE, _LABEL, _DISTANCE, _EDGE = (np.int8(i) for i in range(len(REASONS)))
_Rows = NDArray[np.intp] | slice
# Centres of all picks, the frames, and the frame of each pick, -1 for none.
_Places = tuple[NDArray[np.float64], Sequence[Frame], NDArray[np.int32]]
ALL = slice(None)


class Decision:
    """The decision on picks at any threshold, from their scores, labels and places.

    A labelled pick has the class of its label, whatever its score and place. One without a
    score has class 0. P(particle) at or above the threshold makes a particle, unless the
    pick's place rejects it; all others are of the likeliest other class. Scores and thresholds
    are compared in double precision: float32's 0.7 is below 0.7.

    `scored_class`, `predicted` and `reason` return values of picks, `counts` and
    `by_micrograph` numbers, `decided` a table. `set_labels` and `set_places` change it in
    place; the arrays passed are not written to (labels are copied).

    Parameters
    ----------
    p_particle : (n,) float
        P(particle), NaN where a pick was not scored.
    other_class : (n,) int8
        The likeliest of the other classes, see `likeliest_other`.
    labels : (n,) int8
        The user's labels; they take precedence.
    codes : (n,) int
        Micrograph of each pick, a position in `names`.
    names : sequence of str
        Micrographs.
    blocked_by : (n,) int8, optional
        Position in `REASONS` of the place rule that rejects a pick whatever its score, 0 for
        none; `set_places` finds it.
    forecast : PerformanceForecast, optional
        Expected precision and recall of all thresholds.
    order : (n,) int, optional
        ``np.argsort(p_particle)``, if already computed.
    """

    def __init__(
        self,
        p_particle: NDArray[np.floating],
        other_class: NDArray[np.int8],
        labels: NDArray[np.int8],
        codes: NDArray[np.integer],
        names: Sequence[str],
        *,
        blocked_by: NDArray[np.int8] | None = None,
        forecast: PerformanceForecast | None = None,
        order: NDArray[np.intp] | None = None,
    ) -> None:
        # a float32 would be compared with the threshold as such: 0.7 is above float32's 0.7
        self.p_particle = np.asarray(p_particle, dtype=np.float64)
        self.other_class, self.codes = np.asarray(other_class, dtype=np.int8), codes
        self.names, self.forecast = tuple(names), forecast
        self.labels = np.array(labels, dtype=np.int8)
        n = len(self.p_particle)
        self.blocked_by = np.zeros(n, dtype=np.int8) if blocked_by is None else blocked_by
        self._places: _Places | None = None
        order = np.argsort(self.p_particle) if order is None else order  # NaN last
        self._n_scored = n - int(np.count_nonzero(np.isnan(self.p_particle)))
        self._order = order[: self._n_scored]
        self._rank = np.full(n, -1, dtype=np.int32)  # position in the order, -1 unscored
        self._rank[self._order] = np.arange(self._n_scored, dtype=np.int32)
        self._sorted = self.p_particle[self._order]
        self._codes = codes[self._order]
        self._n_picks_of = self._count(codes)
        self._n_scored_of = self._count(self._codes)
        self._mean_of = self._means()
        self._set_sorted(ALL)
        labelled = np.flatnonzero(self.labels)
        self._n_labelled = np.zeros(MAX_CLASS + 1, dtype=np.intp)
        self._n_true_of = np.zeros(len(self.names), dtype=np.intp)
        self._n_decided_of = self._n_scored_of.copy()
        self._add_labelled(labelled, 1)

    @classmethod
    def of_picks(
        cls,
        picks: Picks,
        groups: Sequence[MicrographRows] | None = None,
        *,
        frames: Sequence[Frame] = (),
        forecast: PerformanceForecast | None = None,
    ) -> Self:
        """Return the decision on scored picks.

        Parameters
        ----------
        picks : Picks
            With a column of P(particle); ``label`` are the user's labels.
        groups : sequence of MicrographRows, optional
            The picks by micrograph; by default grouped by their micrograph names.
        frames : sequence of Frame
            For distances, see `frames_of`; none by default.
        forecast : PerformanceForecast, optional
            Expected precision and recall of all thresholds.

        Raises
        ------
        SettingsError
            The picks were not scored for particles.
        """
        class_ids = picks.class_ids
        if PARTICLE not in class_ids:
            raise SettingsError(
                "the picks have no P(particle): score them with a model whose labels included "
                "class 1, particle."
            )
        if groups is None:
            codes, uniques = pd.factorize(picks.table["micrograph"])
            names = [str(name) for name in uniques]
        else:
            names = [group.name for group in groups]
            codes = np.zeros(len(picks), dtype=np.intp)
            for i, group in enumerate(groups):
                codes[group.rows] = i
        columns = [f"{PROBABILITY_PREFIX}{c}" for c in class_ids]
        probabilities = picks.table[columns].to_numpy(dtype=np.float64)
        decision = cls(
            picks.particle_probability,
            likeliest_other(probabilities, class_ids),
            picks.labels,
            codes,
            names,
            forecast=forecast,
        )
        if frames:
            decision.set_places(picks.coords_yx_px(), frames)
        return decision

    def __len__(self) -> int:
        return len(self.p_particle)

    # ------------------------------------------------------------------ updates

    def set_labels(self, rows: NDArray[np.intp], labels: NDArray[np.int8]) -> NDArray[np.intp]:
        """Change the labels of some picks.

        Returns
        -------
        (m,) int
            Other picks that a place rule rejects now or no longer: neighbours of labelled
            ones.
        """
        rows, last = np.unique(np.asarray(rows)[::-1], return_index=True)
        labels = np.asarray(labels, dtype=np.int8)[::-1][last]
        self._add_labelled(rows[self.labels[rows] != UNLABELLED], -1)
        self.labels[rows] = labels
        self._add_labelled(rows[self.labels[rows] != UNLABELLED], 1)
        self._set_sorted(rows)
        if self._places is None:
            return np.zeros(0, dtype=np.intp)
        coords_yx_px, all_frames, frame_of = self._places
        touched = np.unique(frame_of[rows])
        frames = [all_frames[i] for i in touched[touched >= 0]]
        frame_rows = np.concatenate([np.zeros(0, np.intp), *(f.rows for f in frames)])
        before = self.blocked_by[frame_rows]
        self.blocked_by[frame_rows] = _NOTHING
        self._find_blocked(coords_yx_px, frames)
        changed: NDArray[np.intp] = frame_rows[self.blocked_by[frame_rows] != before]
        self._set_sorted(changed)
        return changed

    def set_places(self, coords_yx_px: NDArray[np.float64], frames: Sequence[Frame]) -> None:
        """Apply place rules; without frames there are none.

        Parameters
        ----------
        coords_yx_px : (n, 2) float64
            Centres, (row, column), in micrograph pixels.
        frames : sequence of Frame
            See `frames_of`.
        """
        self._places = None
        if frames:
            frame_of = np.full(len(self), -1, dtype=np.int32)
            for i, frame in enumerate(frames):
                frame_of[frame.rows] = i
            self._places = (coords_yx_px, frames, frame_of)
        self.blocked_by = np.zeros(len(self), dtype=np.int8)
        self._find_blocked(coords_yx_px, frames)
        self._set_sorted(ALL)

    # ------------------------------------------------------------------ by pick

    def scored_class(self, threshold: float, rows: _Rows = ALL) -> NDArray[np.int8]:
        """Return the class of picks by score and place without labels, 0 where not scored."""
        p = self.p_particle[rows]
        is_particle = (p >= threshold) & (self.blocked_by[rows] == _NOTHING)
        classes = np.where(is_particle, np.int8(PARTICLE), self.other_class[rows])
        classes[np.isnan(p)] = UNLABELLED
        return classes

    def predicted(self, threshold: float, rows: _Rows = ALL) -> NDArray[np.int8]:
        """Return the class of picks: by label, else by score and place."""
        labels = self.labels[rows]
        return np.where(labels != UNLABELLED, labels, self.scored_class(threshold, rows))

    def reason(self, threshold: float, rows: _Rows = ALL) -> NDArray[np.object_]:
        """Return the reason of each pick's decision, one of `REASONS`."""
        p, blocked_by = self.p_particle[rows], self.blocked_by[rows]
        reasons = np.where((p >= threshold) & (blocked_by != _NOTHING), blocked_by, _SCORE)
        reasons[np.isnan(p)] = _NOTHING
        reasons[self.labels[rows] != UNLABELLED] = _LABEL
        return np.asarray(np.array(REASONS, dtype=object)[reasons])

    def decided_columns(self, threshold: float) -> dict[str, NDArray[np.generic]]:
        """Return the columns ``predicted`` and ``decided_by`` of all picks."""
        return {"predicted": self.predicted(threshold), "decided_by": self.reason(threshold)}

    def decided(self, picks: Picks, threshold: float) -> Picks:
        """Return these picks with `decided_columns`."""
        return picks.with_columns(**self.decided_columns(threshold))

    # ------------------------------------------------------------------ counts

    def counts(self, threshold: float) -> Counts:
        """Return how many picks are kept, rejected and not scored."""
        start = self._start(threshold)
        kept = int(np.count_nonzero(self._free[start:]))
        of_class = np.bincount(self._other[:start], minlength=MAX_CLASS + 1)
        placed = np.bincount(self._placed_by[start:], minlength=len(REASONS))
        of_reason = placed.astype(np.intp)
        of_reason[_NOTHING] = 0
        of_reason[_SCORE] = of_class[PARTICLE + 1 :].sum()
        of_reason[_LABEL] = self._n_labelled[PARTICLE + 1 :].sum()
        of_class = of_class + self._n_labelled
        of_class[[UNLABELLED, PARTICLE]] = 0
        n_kept, rejected = kept + int(self._n_labelled[PARTICLE]), int(of_reason.sum())
        return Counts(
            n_picks=len(self),
            kept=n_kept,
            rejected=rejected,
            unscored=len(self) - n_kept - rejected,
            kept_by_label=int(self._n_labelled[PARTICLE]),
            rejected_by_class={int(c): int(of_class[c]) for c in np.flatnonzero(of_class)},
            rejected_by_reason={
                reason: int(n) for reason, n in zip(REASONS, of_reason, strict=True) if n
            },
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

    def histogram(self) -> Histogram:
        """Return the scores in bins, and those of the labelled picks."""
        edges = np.linspace(0, 1, N_HISTOGRAM_BINS + 1)
        below = np.searchsorted(self._sorted, edges[:-1], side="left")
        counts = np.diff(np.append(below, self._n_scored))
        labelled = np.flatnonzero((self.labels != UNLABELLED) & (self._rank >= 0))
        ids = self.labels[labelled]
        return Histogram(
            edges,
            counts,
            {int(c): self.p_particle[labelled[ids == c]] for c in np.unique(ids)},
        )

    def expectation(self, threshold: float) -> Expectation | None:
        """Return the expected precision and recall at a threshold; None without a forecast."""
        return None if self.forecast is None else self.forecast.at(threshold)

    # ------------------------------------------------------------------ internal

    def _start(self, threshold: float) -> int:
        """Return the position of the first score at or above a threshold."""
        return int(np.searchsorted(self._sorted, threshold, side="left"))

    def _set_sorted(self, rows: _Rows) -> None:
        """Store labels and places in the order of the scores, where a threshold is a slice."""
        if isinstance(rows, slice):
            self._other = np.zeros(self._n_scored, dtype=np.int8)
            self._placed_by = np.zeros(self._n_scored, dtype=np.int8)
            self._free = np.zeros(self._n_scored, dtype=bool)
            rows = self._order
        at = self._rank[rows]
        rows, at = rows[at >= 0], at[at >= 0]
        unlabelled, blocked_by = self.labels[rows] == UNLABELLED, self.blocked_by[rows]
        self._free[at] = unlabelled & (blocked_by == _NOTHING)
        self._other[at] = np.where(unlabelled, self.other_class[rows], np.int8(UNLABELLED))
        self._placed_by[at] = np.where(unlabelled, blocked_by, _NOTHING)

    def _add_labelled(self, rows: NDArray[np.intp], sign: int) -> None:
        """Add labelled picks to the counts, or subtract them."""
        labels, codes = self.labels[rows], self.codes[rows]
        np.add.at(self._n_labelled, labels, sign)
        np.add.at(self._n_true_of, codes[labels == PARTICLE], sign)
        np.add.at(self._n_decided_of, codes[self._rank[rows] < 0], sign)

    def _find_blocked(
        self, coords_yx_px: NDArray[np.float64], frames: Sequence[Frame]
    ) -> None:
        """Compute which picks of some frames a place rule rejects, at any threshold.

        Whether a pick is too near to a better one does not depend on worse ones: those that
        are rejected at a threshold of 0 are rejected at any that their score reaches.
        """
        if not frames:
            return
        frame_rows = np.concatenate([f.rows for f in frames])
        local, start = [], 0
        for frame in frames:
            rows = np.arange(start, start + len(frame.rows))
            local.append(replace(frame, rows=rows))
            start += len(rows)
        coords = coords_yx_px[frame_rows]
        p = self.p_particle[frame_rows]
        labels = self.labels[frame_rows]
        takes_part = (labels == UNLABELLED) & (p >= 0)  # NaN is never at or above
        at_edge = takes_part & near_edge(coords, local)
        takes_part &= ~at_edge
        is_true = labels == PARTICLE
        groups = ((f.rows[(takes_part | is_true)[f.rows]], f.min_distance_px) for f in local)
        blocked_by = np.where(at_edge, _EDGE, _NOTHING)
        blocked_by[takes_part & too_close(coords, np.nan_to_num(p), is_true, groups)] = (
            _DISTANCE
        )
        self.blocked_by[frame_rows] = blocked_by

    def _count(self, codes: NDArray[np.integer]) -> NDArray[np.intp]:
        return np.bincount(codes, minlength=len(self.names))

    def _means(self) -> NDArray[np.float64]:
        sums = np.bincount(self._codes, self._sorted, len(self.names))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(sums / self._n_scored_of)


def likeliest_other(
    probabilities: NDArray[np.floating], class_ids: Sequence[int]
) -> NDArray[np.int8]:
    """Return the (n,) most probable class other than the particle, of (n, k) probabilities.

    Contaminant where there is no other, as in files, which hold P(particle) alone.
    """
    others = [i for i, c in enumerate(class_ids) if c != PARTICLE]
    if not others:
        return np.full(len(probabilities), CONTAMINANT, dtype=np.int8)
    ids = np.array([class_ids[i] for i in others], dtype=np.int8)
    return np.asarray(ids[np.nan_to_num(probabilities[:, others]).argmax(axis=1)])
