"""Layer data, world and micrograph pixels: their conversion. No Qt.

A micrograph stack and the picks on it share one world: axis 0 is the slice, axes 1 and 2 are y
and x, in Å where the pixel size is known and else in micrograph pixels. World 0 is the *centre*
of a micrograph's first pixel. A picks layer holds (slice, y, x) in micrograph pixels; a stack
layer holds displayed pixels, each the mean of ``binning`` x ``binning`` micrograph pixels.
"""

from __future__ import annotations

from typing import Any  # layers and viewers: napari is not imported here

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.picks import Picks

AXIS_LABELS = ("micrograph", "y", "x")
PIXEL, ANGSTROM = "pixel", "angstrom"
FALLBACK_DIAMETER_PX = 100.0


def points_transform(pixel_size_ang: float | None) -> dict[str, Any]:
    """Return ``scale`` and ``units`` of a layer of picks on micrographs of a pixel size."""
    size = pixel_size_ang or 1.0
    return {"scale": (1.0, size, size), "units": world_units(pixel_size_ang)}


def stack_transform(pixel_size_ang: float | None, binning: int) -> dict[str, Any]:
    """Return ``scale``, ``translate`` and ``units`` of a stack of binned micrographs."""
    size = pixel_size_ang or 1.0
    # the centre of the first displayed pixel is the mean of the pixels it stands for
    shift = size * (binning - 1) / 2
    return {
        "scale": (1.0, size * binning, size * binning),
        "translate": (0.0, shift, shift),
        "units": world_units(pixel_size_ang),
    }


def world_units(pixel_size_ang: float | None) -> tuple[str, str, str]:
    """Return the units of the world's axes."""
    unit = ANGSTROM if pixel_size_ang else PIXEL
    return (PIXEL, unit, unit)


def set_transform(layer: Any, pixel_size_ang: float | None) -> None:
    """Put a layer of picks into the world of micrographs of a pixel size."""
    for name, value in points_transform(pixel_size_ang).items():
        setattr(layer, name, value)


def to_points(slices: NDArray[Any], coords_yx_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n, 3) layer data of picks: slice, y, x."""
    return np.column_stack([np.asarray(slices, dtype=np.float64), coords_yx_px])


def from_points(points: Any) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the (n,) slices and the (n, 2) y and x in micrograph pixels of layer data."""
    points = np.asarray(points, dtype=np.float64)
    return np.rint(points[:, 0]).astype(np.intp), points[:, 1:]


def world_position(layer: Any, row: int) -> tuple[int, float, float]:
    """Return the slice of a point, and its y and x in the world."""
    index, y, x = (float(v) for v in layer.data_to_world(layer.data[row]))
    return round(index), y, x


def ring_diameter_world(layer: Any, diameter_px: float) -> float:
    """Return a diameter in micrograph pixels as a length in the world."""
    return diameter_px * float(layer.scale[-1])


def slice_shown(viewer: Any) -> int:
    """Return the index of the slice that is shown."""
    axis = viewer.dims.ndim - 3
    return round(float(viewer.dims.point[axis])) if axis >= 0 else 0


def show_slice(viewer: Any, index: int) -> None:
    """Show the micrograph of a slice."""
    if viewer.dims.ndim >= 3 and slice_shown(viewer) != index:
        viewer.dims.set_point(viewer.dims.ndim - 3, index)


def rows_on_slice(layer: Any, index: int) -> NDArray[np.intp]:
    """Return the points of a layer that lie on a slice."""
    return np.flatnonzero(np.rint(np.asarray(layer.data)[:, 0]) == index)


def guess_diameter_px(picks: Picks, n_micrographs: int = 5) -> float:
    """Return a ring diameter to begin with: the usual distance of a pick to its neighbour.

    It is for display only (pickers hardly place two picks closer than one diameter), until the
    user sets the diameter.
    """
    distances = []
    for rows in list(picks.rows_by_micrograph().values())[:n_micrographs]:
        coords = picks.coords_yx_px()[rows]
        if len(coords) > 1:
            distances.append(KDTree(coords).query(coords, k=2)[0][:, 1])
    if not distances:
        return FALLBACK_DIAMETER_PX
    guess = float(np.median(np.concatenate(distances)))
    return round(guess) if guess >= 1 else FALLBACK_DIAMETER_PX
