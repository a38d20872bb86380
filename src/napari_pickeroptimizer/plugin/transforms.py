"""Layer data, world and micrograph pixels: their conversion. No Qt.

A micrograph stack and the picks on it share one world: axis 0 is the slice, axes 1 and 2 are y
and x, in Å where the pixel size is known and else in micrograph pixels. World 0 is the *centre*
of a micrograph's first pixel, as long as nobody moves the stack. A picks layer holds (slice, y,
x) in micrograph pixels, and is kept where its stack is; a stack layer holds displayed pixels,
each the mean of ``binning`` x ``binning`` micrograph pixels. The points of any other layer are
where napari shows them: they go through the world to the pixels of the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any  # layers and viewers: napari is not imported here

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks

AXIS_LABELS = ("micrograph", "y", "x")
PIXEL, ANGSTROM = "pixel", "angstrom"
FALLBACK_DIAMETER_PX = 100.0
# What places a layer in the world: attributes of a layer, and the names of their events.
TRANSFORM = ("scale", "translate", "rotate", "shear", "affine", "units")
# Pixels are rounded to this many decimals: else 11 becomes 11.000000000000002 on its way.
DECIMALS = 9


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


def picks_transform(stack_layer: Any, binning: int) -> dict[str, Any]:
    """Return the transform with which micrograph pixels lie on a stack, wherever it was moved."""
    first_pixel = stack_layer.data_to_world(_displayed(np.zeros(3), binning))
    return {
        "scale": np.asarray(stack_layer.scale) / (1, binning, binning),
        "translate": np.round(stack_layer.affine.inverse(first_pixel), DECIMALS),
        "rotate": np.asarray(stack_layer.rotate),
        "shear": np.asarray(stack_layer.shear),
        "affine": stack_layer.affine.affine_matrix,
        "units": stack_layer.units,
    }


def transform_of(layer: Any) -> dict[str, Any]:
    """Return what places a layer in the world."""
    return {**{name: getattr(layer, name) for name in TRANSFORM}, "affine": _affine(layer)}


def set_transform(layer: Any, transform: Mapping[str, Any]) -> bool:
    """Give a layer of points the transform of picks; return whether it was another one."""
    old, n = transform_of(layer), layer.ndim
    changed = False
    for name, value in transform.items():
        new: Any
        if name == "units":
            new = tuple(map(str, value))[-n:]
            is_same = new == tuple(map(str, old[name]))
        else:
            new = _of_last_axes(name, np.asarray(value, dtype=np.float64), n)
            is_same = np.allclose(new, old[name], rtol=1e-9, atol=1e-9)
        if not is_same:
            setattr(layer, name, new)
            changed = True
    return changed


def is_unscaled(layer: Any) -> bool:
    """Whether a layer has no scale, place or unit of its own: its points are plain pixels."""
    matrix = _matrix(layer.data_to_world, layer.ndim)
    return bool(np.array_equal(matrix, np.eye(layer.ndim + 1))) and _is_pixel(layer)


def is_plain_beside(layer: Any, stack_layer: Any) -> bool:
    """Whether a layer is in plain pixels, and the micrographs are in Å."""
    return is_unscaled(layer) and not _is_pixel(stack_layer)


def on_micrographs(
    layer: Any, stack_layer: Any, n_slices: int, binning: int, places: Any = None
) -> NDArray[Any]:
    """Return (n, 3) places of any layer as slice, y and x in micrograph pixels.

    They are where they are shown. Those of a layer without scale and unit, beside a stack in Å,
    are pixels of the micrographs.

    Parameters
    ----------
    layer : napari.layers.Points or napari.layers.Shapes
        A layer with the axes (micrograph, y, x), or (y, x) on a stack of a single micrograph.
    stack_layer : napari.layers.Image
        The micrographs.
    n_slices : int
        Their number.
    binning : int
        Micrograph pixels in a displayed one.
    places : (n, ndim) array, optional
        Places in the layer's data, by default its points.

    Raises
    ------
    LabelError
        The axes, the units, or a place cannot be reconciled with the micrographs.
    """
    data = layer.data if places is None else places
    points = np.asarray(data, dtype=np.float64).reshape(-1, layer.ndim)
    if layer.ndim != 3 and not (layer.ndim == 2 and n_slices == 1):
        raise LabelError(
            f"the points of {layer.name!r} have {layer.ndim} coordinates: expected 3 (micrograph, "
            "y, x), or 2 (y, x) on a single micrograph. Add the points on the micrograph stack."
        )
    unplaced = np.flatnonzero(~np.isfinite(points).all(axis=1))
    if len(unplaced):
        raise LabelError(
            f"point {unplaced[0]} of {layer.name!r} is at {points[unplaced[0]].tolist()}: expected "
            "numbers. Remove it."
        )
    if is_plain_beside(layer, stack_layer):
        return _with_slice(points)
    of_layer = _world_factors(layer, stack_layer) @ _matrix(layer.data_to_world, layer.ndim)
    of_pixels = _matrix(lambda p: stack_layer.data_to_world(_displayed(p, binning)), 3)
    if layer.ndim == 2:
        world = _times(of_layer, points)
        slice_0 = np.full((len(points), 1), of_pixels[0, 3])
        pixels = _times(np.linalg.inv(of_pixels), np.hstack([slice_0, world]))
    else:
        pixels = _times(np.linalg.solve(of_pixels, of_layer), points)
    return np.round(pixels, DECIMALS)


def diameter_scale(layer: Any, stack_layer: Any, binning: int) -> float:
    """Return how many micrograph pixels a unit of a layer's data is long, in its plane."""
    if is_plain_beside(layer, stack_layer):
        return 1.0
    of_layer = _world_factors(layer, stack_layer) @ _matrix(layer.data_to_world, layer.ndim)
    of_pixels = _matrix(lambda p: stack_layer.data_to_world(_displayed(p, binning)), 3)
    areas = [abs(np.linalg.det(m[-3:-1, -3:-1])) for m in (of_layer, of_pixels)]
    return float(np.sqrt(areas[0] / areas[1]))


def to_points(slices: NDArray[Any], coords_yx_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (n, 3) layer data of picks: slice, y, x."""
    return np.column_stack([np.asarray(slices, dtype=np.float64), coords_yx_px])


def from_points(points: Any) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the (n,) slices and the (n, 2) y and x in micrograph pixels of layer data."""
    points = _with_slice(np.asarray(points, dtype=np.float64))
    return np.rint(points[:, 0]).astype(np.intp), points[:, 1:]


def layer_points(layer: Any) -> NDArray[np.float64]:
    """Return the (n, 3) points of a picks layer: slice, y and x in micrograph pixels."""
    return _with_slice(np.asarray(layer.data, dtype=np.float64).reshape(-1, layer.ndim))


def world_position(layer: Any, row: int) -> tuple[int, float, float]:
    """Return the slice of a point, and its y and x in the world."""
    y, x = (float(v) for v in layer.data_to_world(layer.data[row])[-2:])
    return round(float(layer_points(layer)[row, 0])), y, x


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
    return np.flatnonzero(np.rint(layer_points(layer)[:, 0]) == index)


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


def _displayed(pixel: Any, binning: int) -> NDArray[np.float64]:
    """Return the place in the data of a stack layer of (slice, y, x) in micrograph pixels."""
    index, y, x = (float(v) for v in pixel)
    shift = (binning - 1) / 2  # a displayed pixel is centred on the pixels it stands for
    return np.array([index, (y - shift) / binning, (x - shift) / binning])


def _matrix(to_world: Callable[[Any], Any], ndim: int) -> NDArray[np.float64]:
    """Return the (ndim + 1, ndim + 1) matrix of an affine function."""
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = to_world(np.zeros(ndim))
    for axis, unit in enumerate(np.eye(ndim)):
        matrix[:-1, axis] = np.subtract(to_world(unit), matrix[:-1, -1])
    return matrix


def _times(matrix: NDArray[Any], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]


def _with_slice(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n, 3) points: those without a micrograph axis lie on the first micrograph."""
    if points.shape[1] == 3:
        return points
    return np.column_stack([np.zeros(len(points)), points])


def _is_pixel(layer: Any) -> bool:
    return str(layer.units[-1]) == str(layer.units[-2]) == PIXEL


def _world_factors(layer: Any, stack_layer: Any) -> NDArray[np.float64]:
    """Return the matrix from a layer's world to that of the micrographs: their units.

    A layer in pixels beside micrographs in Å lies where napari shows it: pixel is what a layer
    is in that nobody gave a unit.

    Raises
    ------
    LabelError
        One is a length, and the other has none; or they are mixed such that napari shows the
        points elsewhere than the lengths say.
    """
    units, wanted = layer.units, stack_layer.units[-layer.ndim :]
    factors = np.ones(layer.ndim + 1)
    if [str(u) for u in units[-2:]] == [str(u) for u in wanted[-2:]] or _is_pixel(layer):
        return np.diag(factors)
    if not all(unit.is_compatible_with(to) for unit, to in zip(units, wanted, strict=True)):
        has, expected = (", ".join(str(u) for u in x) for x in (units, wanted))
        raise LabelError(
            f"layer {layer.name!r} is in {has}, and the micrographs are in {expected}: the places "
            "of its points are not known. Give it their units, or open the micrographs with "
            "their pixel size."
        )
    for axis, (unit, to) in enumerate(zip(units, wanted, strict=True)):
        factors[axis] = (1 * unit).to(to).magnitude
    return np.diag(factors)


def _affine(layer: Any) -> NDArray[np.float64]:
    return np.asarray(layer.affine.affine_matrix)


def _of_last_axes(name: str, value: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the part of a transform of (micrograph, y, x) for a layer with the last n axes."""
    if name in ("scale", "translate"):
        return value[-n:]
    if name == "shear" and value.ndim == 1:  # the upper triangle, row by row
        return value if n == 3 else value[-1:]
    n_kept = n + 1 if name == "affine" else n
    return value[-n_kept:, -n_kept:]
