"""Moving picks to another frame: from corners to centres, upside down, to another binning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.schema import MICROGRAPH, X, Y

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks

Anchor = Literal["centre", "corner"]


@dataclass(frozen=True)
class Moves:
    """What is done to the places of picks, in this order.

    Parameters
    ----------
    shift_px : float
        Added to x and y, in pixels of the micrographs that the picks are of.
    flip_y : bool
        Reverse the rows: row becomes (number of rows - 1 - row), so that twice is nothing.
    scale : float
        Factor of x and y, as RELION and Topaz scale: 2 for micrographs of half the pixel size.
    """

    shift_px: float = 0.0
    flip_y: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.scale < np.inf:
            raise SettingsError(f"the scale must be a positive number, got {self.scale}.")

    def __bool__(self) -> bool:
        """Whether anything moves."""
        return self != Moves()


def shift_between(said: Anchor, read_as: Anchor, box_px: float | None) -> float:
    """Return what has to be added to coordinates that were read as another place of the box.

    Parameters
    ----------
    said : {"centre", "corner"}
        What the coordinates in the file are.
    read_as : {"centre", "corner"}
        What the format says that they are.
    box_px : float or None
        Side of the boxes in the file, in its pixels.

    Raises
    ------
    SettingsError
        It is needed and not known.
    """
    if said == read_as:
        return 0.0
    if box_px is None:
        raise SettingsError(
            f"coordinates that are of the {said} of boxes need the size of these boxes: give "
            "--box-size."
        )
    return box_px / 2 if said == "corner" else -box_px / 2


def picks_outside(
    picks: Picks, shapes_yx_px: Mapping[str, tuple[int, int]]
) -> NDArray[np.intp]:
    """Return the positions of the picks whose centre is not on their micrograph.

    Parameters
    ----------
    picks : Picks
        In the frame of the micrographs.
    shapes_yx_px : mapping of str to (int, int)
        Rows and columns of each micrograph, by its name in the picks; others are not looked at.
    """
    coords_yx_px = picks.coords_yx_px()
    of_micrographs = [
        rows[outside(coords_yx_px[rows], shapes_yx_px[name])]
        for name, rows in picks.rows_by_micrograph().items()
        if name in shapes_yx_px
    ]
    return np.sort(np.concatenate([np.empty(0, np.intp), *of_micrographs]))


def moved(picks: Picks, moves: Moves, n_rows: Mapping[str, int]) -> Picks:
    """Return picks at their places in another frame.

    Parameters
    ----------
    picks : Picks
        In the frame of the file.
    moves : Moves
        What is done.
    n_rows : mapping of str to int
        Height of each micrograph in pixels, by its name in the picks; only for `flip_y`.

    Raises
    ------
    SettingsError
        A height is not known, or a pick is not on a micrograph of that height.
    """
    if not moves:
        return picks
    y_px, x_px = picks.coords_yx_px().T + moves.shift_px
    if moves.flip_y:
        names = picks.table[MICROGRAPH.name]
        unknown = next((name for name in names if name not in n_rows), None)
        if unknown is not None:
            raise SettingsError(
                f"the rows of {unknown!r} cannot be reversed, because their number is not known: "
                "give --micrographs or --height."
            )
        height = names.map(dict(n_rows)).to_numpy(dtype=np.float64)
        outside = np.flatnonzero((y_px < -0.5) | (y_px > height - 0.5))
        if len(outside):
            i = int(outside[0])
            raise SettingsError(
                f"pick {i + 1} is at y = {y_px[i]:g} on {names.iloc[i]!r}, which has "
                f"{height[i]:g} rows ({len(outside)} such picks): give the micrographs, or the "
                "height of those, that these picks were made on."
            )
        y_px = height - 1 - y_px
    return picks.with_columns(**{X.name: x_px * moves.scale, Y.name: y_px * moves.scale})
