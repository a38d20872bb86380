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
        True centres. Where it has labels, only its particles count.
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
    if (truth.labels != UNLABELLED).any():
        truth = truth.select(truth.labels == PARTICLE)
    rows_by_name = picks.rows_by_micrograph()
    truth_rows = truth.rows_by_micrograph()
    found, _ = Micrographs.named(rows_by_name).resolve_all(truth_rows)
    truth_of = {found[name].name: rows for name, rows in truth_rows.items() if name in found}
    common = [name for name in rows_by_name if name in truth_of]
    if not common:
        raise PickFormatError(
            "picks and truth have no micrograph in common: the picks name "
            f"{next(iter(rows_by_name), 'none')!r}, the truth "
            f"{next(iter(truth_rows), 'none')!r}."
        )
    coords, true_coords = picks.coords_yx_px(), truth.coords_yx_px()
    return [
        _matched(
            name,
            rows_by_name[name],
            coords[rows_by_name[name]],
            true_coords[truth_of[name]],
            radius_px,
        )
        for name in common
    ]


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
