"""Which picks are true and which true centres are found, by distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import PickFormatError, SettingsError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.reading import group_by_micrograph

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True, eq=False)
class MicrographMatches:
    """Picks and true centres of one micrograph.

    Parameters
    ----------
    name : str
        The micrograph, as the picks spell it.
    rows : (k,) int
        Its picks, positions in the table.
    is_true : (k,) bool
        Whether a true centre lies within the radius of each.
    centres_yx_px : (c, 2) float64
        The true centres.
    near : tuple of (j,) int
        For each centre the positions, among `rows`, of the picks within the radius.
    """

    name: str
    rows: NDArray[np.intp]
    is_true: NDArray[np.bool_]
    centres_yx_px: NDArray[np.float64]
    near: tuple[NDArray[np.intp], ...]

    def found(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return (c,) whether one of the chosen picks, a mask of `rows`, is at each centre."""
        return np.array([bool(chosen[near].any()) for near in self.near], dtype=bool)

    def best_scores(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (c,) the highest of the picks' scores at each centre, -inf where none is."""
        best = [scores[near].max(initial=-np.inf) for near in self.near]
        return np.array(best, dtype=np.float64)


def match(picks: Picks, truth: Picks, radius_px: float) -> list[MicrographMatches]:
    """Compare picks with true centres, micrograph by micrograph, in the order of the picks.

    A pick is true if a true centre lies within `radius_px`; a centre is found if a pick does.
    Micrographs that only one side knows are left out.

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
    check_radius(radius_px)
    truth = true_centres(truth)
    common, _, _ = paired(picks, truth)
    coords, true_coords = picks.coords_yx_px(), truth.coords_yx_px()
    return [
        _matched(name, rows, coords[rows], true_coords[true_rows], radius_px)
        for name, (rows, true_rows) in common.items()
    ]


def check_radius(radius_px: float) -> None:
    """Refuse a radius that is not positive.

    Raises
    ------
    SettingsError
        It is not.
    """
    if not radius_px > 0:
        raise SettingsError(f"the radius must be positive, got {radius_px} pixels.")


def is_particle(picks: Picks) -> NDArray[np.bool_]:
    """Return which picks are particles by label, else by decision; all where none has either."""
    classes = picks.labels
    if "predicted" in picks.table:
        predicted = picks.table["predicted"].to_numpy(dtype=np.int8)
        classes = np.where(classes != UNLABELLED, classes, predicted)
    if (classes != UNLABELLED).any():
        return np.asarray(classes == PARTICLE)
    return np.ones(len(picks), dtype=bool)


def true_centres(truth: Picks) -> Picks:
    """Return the particles of a truth; of one without classes, all."""
    return truth.select(is_particle(truth))


_Rows = NDArray[np.intp]


def paired(
    picks: Picks, truth: Picks
) -> tuple[dict[str, tuple[_Rows, _Rows]], list[str], list[str]]:
    """Return the rows of picks and of truth by micrograph, and what only one side knows.

    Returns
    -------
    common : dict
        Rows of both by name, as the picks spell it, in the order of the picks.
    without_truth, without_picks : list of str
        Names that only the picks, that only the truth know.

    Raises
    ------
    PickFormatError
        Picks and truth have no micrograph in common.
    """
    known = Micrographs.distinct(picks.rows_by_micrograph())
    pick_rows = {group.micrograph: group.rows for group in group_by_micrograph(known, picks)}
    true_groups = group_by_micrograph(known, truth)
    true_rows = {group.micrograph: group.rows for group in true_groups if group.micrograph}
    without_picks = [group.name for group in true_groups if group.micrograph is None]
    common = {
        m.name: (rows, true_rows[m]) for m, rows in pick_rows.items() if m and m in true_rows
    }
    if not common:
        raise PickFormatError(
            "picks and truth have no micrograph in common: the picks name "
            f"{next(iter(picks.rows_by_micrograph()), 'none')!r}, the truth "
            f"{next(iter(truth.rows_by_micrograph()), 'none')!r}."
        )
    without_truth = [m.name for m in pick_rows if m and m not in true_rows]
    return common, without_truth, without_picks


def _matched(
    name: str,
    rows: NDArray[np.intp],
    coords: NDArray[np.float64],
    centres: NDArray[np.float64],
    radius_px: float,
) -> MicrographMatches:
    # a pick exactly at the radius counts, whatever the last digit says
    near = KDTree(coords).query_ball_point(centres, radius_px * (1 + 1e-9))
    positions = tuple(np.asarray(sorted(n), dtype=np.intp) for n in near)
    is_true = np.zeros(len(rows), dtype=bool)
    if positions:
        is_true[np.concatenate(positions)] = True
    return MicrographMatches(name, rows, is_true, centres, positions)
