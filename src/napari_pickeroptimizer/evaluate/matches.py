"""Which picks are true and which true centres are found, by distance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import PickFormatError, SettingsError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.reading import group_by_micrograph

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True)
class Quality:
    """Precision and recall of one set of picks.

    Parameters
    ----------
    n_picks : int
        Picks.
    n_true : int
        Picks within the radius of a true centre.
    n_truth : int
        True centres.
    n_found : int
        True centres within the radius of a pick.
    """

    n_picks: int
    n_true: int
    n_truth: int
    n_found: int

    @property
    def precision(self) -> float:
        """Share of the picks that are true; NaN without picks."""
        return self.n_true / self.n_picks if self.n_picks else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true centres that have a pick; NaN without truth."""
        return self.n_found / self.n_truth if self.n_truth else float("nan")

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if nothing true is picked."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total > 0 else 0.0

    @classmethod
    def total(cls, parts: Iterable[Quality]) -> Self:
        """Return the quality of several micrographs together."""
        return cls(*map(sum, zip(*map(astuple, parts), strict=True)))

    def summary(self) -> dict[str, Any]:
        """Return counts and figures for JSON."""
        figures = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {**asdict(self), **{k: None if v != v else v for k, v in figures.items()}}


@dataclass(frozen=True, eq=False)
class MicrographMatches:
    """Picks and true centres of one micrograph.

    Parameters
    ----------
    name : str
        The micrograph, as the picks spell it.
    rows : (k,) int
        Its picks, positions in the table.
    coords_yx_px : (k, 2) float64
        Their centres.
    is_true : (k,) bool
        Whether a true centre lies within the radius of each.
    centres_yx_px : (c, 2) float64
        The true centres.
    near : tuple of (j,) int
        For each true centre the positions, among `rows`, of the picks within the radius.
    """

    name: str
    rows: NDArray[np.intp]
    coords_yx_px: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    centres_yx_px: NDArray[np.float64]
    near: tuple[NDArray[np.intp], ...]

    def is_found(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (c,) whether each true centre has one of the `chosen` picks, a mask of `rows`."""
        return np.array([bool(chosen[near].any()) for near in self.near], dtype=bool)

    def best_scores(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (c,) the highest score of the picks at each true centre, -inf without any."""
        best = [scores[near].max(initial=-np.inf) for near in self.near]
        return np.array(best, dtype=np.float64)

    def quality(self, chosen: NDArray[np.bool_]) -> Quality:
        """Return precision and recall of the `chosen` picks, a mask of `rows`."""
        return Quality(
            int(chosen.sum()),
            int((chosen & self.is_true).sum()),
            len(self.centres_yx_px),
            int(self.is_found(chosen).sum()),
        )


@dataclass(frozen=True, eq=False)
class TruthMatches:
    """Picks and true centres of all micrographs.

    Parameters
    ----------
    micrographs : list of MicrographMatches
        Those with both picks and truth, in the order of the picks.
    without_truth, without_picks : list of str
        Those with picks but no truth, and with truth but no picks.
    """

    micrographs: list[MicrographMatches]
    without_truth: list[str]
    without_picks: list[str]

    @cached_property
    def rows(self) -> NDArray[np.intp]:
        """(n,) positions of the picks of all micrographs, one micrograph after the other."""
        return np.concatenate([m.rows for m in self.micrographs])

    @cached_property
    def is_true(self) -> NDArray[np.bool_]:
        """(n,) whether each of these picks is true."""
        return np.concatenate([m.is_true for m in self.micrographs])

    def qualities(self, chosen: NDArray[np.bool_]) -> list[Quality]:
        """Return the quality of the `chosen` picks, a mask of the table, by micrograph."""
        return [m.quality(chosen[m.rows]) for m in self.micrographs]


def match_to_truth(picks: Picks, truth: Picks, radius_px: float) -> TruthMatches:
    """Compare picks with true centres, micrograph by micrograph.

    A pick is true if a true centre lies within `radius_px`; a centre is found if a pick does.

    Parameters
    ----------
    picks : Picks
        Picks of any number of micrographs.
    truth : Picks
        True centres. Where it has classes, only its particles count.
    radius_px : float
        Largest distance in micrograph pixels; half a particle diameter is usual.

    Raises
    ------
    SettingsError
        The radius is not positive.
    PickFormatError
        Picks and truth have no micrograph in common.
    """
    if not radius_px > 0:
        raise SettingsError(f"the radius must be positive, got {radius_px} pixels.")
    truth = truth.select(particle_mask(truth))
    picked_micrographs = Micrographs.distinct(picks.rows_by_micrograph())
    pick_groups = group_by_micrograph(picked_micrographs, picks)
    true_groups = group_by_micrograph(picked_micrographs, truth)
    true_rows = {g.micrograph: g.rows for g in true_groups if g.micrograph is not None}
    coords, true_coords = picks.coords_yx_px(), truth.coords_yx_px()
    matched = [
        _matched(
            g.name, g.rows, coords[g.rows], true_coords[true_rows[g.micrograph]], radius_px
        )
        for g in pick_groups
        if g.micrograph in true_rows
    ]
    if not matched:
        raise PickFormatError(
            "picks and truth have no micrograph in common: the picks name "
            f"{next(iter(picks.rows_by_micrograph()), 'none')!r}, the truth "
            f"{next(iter(truth.rows_by_micrograph()), 'none')!r}."
        )
    without_truth = [g.name for g in pick_groups if g.micrograph not in true_rows]
    without_picks = [g.name for g in true_groups if g.micrograph is None]
    return TruthMatches(matched, without_truth, without_picks)


def particle_mask(picks: Picks) -> NDArray[np.bool_]:
    """Return (n,) which picks are particles: by label, else as decided, else all of them."""
    classes = picks.labels
    if "predicted" in picks.table:
        predicted = picks.table["predicted"].to_numpy(dtype=np.int8)
        classes = np.where(classes != UNLABELLED, classes, predicted)
    if (classes != UNLABELLED).any():
        return np.asarray(classes == PARTICLE)
    return np.ones(len(picks), dtype=bool)


def _matched(
    name: str,
    rows: NDArray[np.intp],
    coords_yx_px: NDArray[np.float64],
    centres_yx_px: NDArray[np.float64],
    radius_px: float,
) -> MicrographMatches:
    # a pick at exactly the radius counts, whatever the rounding of the distance
    near = KDTree(coords_yx_px).query_ball_point(centres_yx_px, radius_px * (1 + 1e-9))
    positions = tuple(np.asarray(sorted(n), dtype=np.intp) for n in near)
    is_true = np.zeros(len(rows), dtype=bool)
    if positions:
        is_true[np.concatenate(positions)] = True
    return MicrographMatches(name, rows, coords_yx_px, is_true, centres_yx_px, positions)
