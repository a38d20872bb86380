"""`Micrographs` as one lazy (T, y, x) stack for napari, binned for the screen. No Qt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
from napari_pickeroptimizer.plugin.layers import METADATA_KEY

MAX_DISPLAY_PX = 2048
N_CONTRAST_SAMPLES = 3
CONTRAST_PERCENTILES = (0.5, 99.5)
PIXEL, ANGSTROM = "pixel", "angstrom"
AXIS_LABELS = ("micrograph", "y", "x")


@dataclass(frozen=True)
class StackView:
    """What a micrograph layer shows.

    Parameters
    ----------
    micrographs : Micrographs
        One a slice, in order.
    binning : int
        Micrograph pixels per displayed pixel, along each axis.
    shapes_px : tuple
        (ny, nx) of each micrograph, None where it cannot be read.
    unreadable : mapping
        Reason by name of the micrographs that cannot be read.
    pixel_size_ang : float or None
        Their common pixel size; None where it is unknown, or not the same for all.
    """

    micrographs: Micrographs
    binning: int
    shapes_px: tuple[tuple[int, int] | None, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    pixel_size_ang: float | None = None

    @property
    def points_scale(self) -> tuple[float, float, float]:
        """World size of (slice, y pixel, x pixel): Å where the pixel size is known."""
        size = self.pixel_size_ang or 1.0
        return (1.0, size, size)

    @property
    def units(self) -> tuple[str, str, str]:
        """Units of the world's axes."""
        unit = ANGSTROM if self.pixel_size_ang else PIXEL
        return (PIXEL, unit, unit)


def stack_of(metadata: Mapping[str, Any]) -> StackView | None:
    """Return the view that a layer's metadata hold, None for a layer that is not ours."""
    view = metadata.get(METADATA_KEY)
    return view if isinstance(view, StackView) else None


def make_stack(
    micrographs: Micrographs,
    *,
    name: str = "micrographs",
    max_display_px: int = MAX_DISPLAY_PX,
) -> tuple[da.Array, dict[str, Any], str]:
    """Return the layer data tuple of an Image layer that reads micrographs when shown.

    Each displayed pixel is the mean of ``binning`` x ``binning`` micrograph pixels, such
    that the longer side is at most `max_display_px`; scale and translation keep the layer in
    the micrographs' own frame. Micrographs of several shapes share the largest one's canvas.
    One that cannot be read becomes a black slice, and a warning.

    Parameters
    ----------
    micrographs : Micrographs
        At least one.
    name : str
        Name of the layer.
    max_display_px : int
        Longest side to display.
    """
    shapes, unreadable = _shapes(micrographs)
    for reason in unreadable.values():
        warnings.warn(f"{reason} It is shown as a black slice.", UserWarning, stacklevel=2)
    known = [s for s in shapes if s is not None] or [(1, 1)]
    canvas_px = (max(s[0] for s in known), max(s[1] for s in known))
    binning = max(1, -(-max(canvas_px) // max_display_px))
    view = StackView(
        micrographs, binning, shapes, unreadable, common_pixel_size_ang(micrographs)
    )
    display = (-(-canvas_px[0] // binning), -(-canvas_px[1] // binning))
    slices = [
        da.from_delayed(
            dask.delayed(display_slice, pure=True)(m, binning, display), display, np.float32
        )
        for m in micrographs
    ]
    scale = view.points_scale
    # the first displayed pixel's centre is the mean of the pixels it stands for
    shift = (binning - 1) / 2
    attributes = {
        "name": name,
        "scale": (1.0, scale[1] * binning, scale[2] * binning),
        "translate": (0.0, scale[1] * shift, scale[2] * shift),
        "units": view.units,
        "axis_labels": AXIS_LABELS,
        "contrast_limits": contrast_limits(view),
        "colormap": "gray",
        "multiscale": False,
        "metadata": {METADATA_KEY: view},
    }
    return da.stack(slices), attributes, "image"


def display_slice(
    micrograph: Micrograph, binning: int, display: tuple[int, int]
) -> NDArray[np.float32]:
    """Return a micrograph binned, and padded to the (h, w) of the canvas.

    Padding is as dark as the darkest pixel, so that the true edge is seen.
    """
    try:
        image = bin_image(micrograph.read(), binning)
    except PickerOptimizerError as error:
        warnings.warn(f"{error} It is shown as a black slice.", UserWarning, stacklevel=2)
        return np.zeros(display, dtype=np.float32)
    canvas = np.full(display, np.nanmin(image), dtype=np.float32)
    h, w = min(display[0], image.shape[0]), min(display[1], image.shape[1])
    canvas[:h, :w] = image[:h, :w]
    return canvas


def bin_image(image: NDArray[np.float32], binning: int) -> NDArray[np.float32]:
    """Return the means of `binning` x `binning` pixels; a partial last block as well."""
    if binning == 1:
        return image
    ny, nx = image.shape
    pad = ((0, -ny % binning), (0, -nx % binning))
    whole = np.pad(image, pad, mode="edge") if any(p[1] for p in pad) else image
    total = np.zeros((whole.shape[0] // binning, whole.shape[1] // binning), dtype=np.float32)
    for i in range(binning):  # strided sums: several times faster than a mean over axes
        for j in range(binning):
            total += whole[i::binning, j::binning]
    total /= binning**2
    return total


def contrast_limits(view: StackView) -> tuple[float, float]:
    """Return grey levels between which a few of the micrographs lie, as they are displayed."""
    readable = [
        m
        for m, shape in zip(view.micrographs, view.shapes_px, strict=True)
        if shape is not None
    ]
    if not readable:
        return (0.0, 1.0)
    chosen = np.unique(np.linspace(0, len(readable) - 1, N_CONTRAST_SAMPLES).astype(int))
    values = []
    for i in chosen:
        try:
            values.append(bin_image(readable[i].read(), view.binning)[::4, ::4].ravel())
        except PickerOptimizerError:
            continue  # its slice says why, when it is shown
    if not values:
        return (0.0, 1.0)
    low, high = np.nanpercentile(np.concatenate(values), CONTRAST_PERCENTILES)
    return (float(low), float(high) if high > low else float(low) + 1.0)


def common_pixel_size_ang(micrographs: Micrographs) -> float | None:
    """Return the pixel size in Å that all micrographs share, else None."""
    sizes = {m.pixel_size_ang for m in micrographs}
    if len(sizes) != 1:
        first = next(iter(micrographs)).pixel_size_ang
        close = first is not None and all(
            m.pixel_size_ang is not None and abs(m.pixel_size_ang / first - 1) < 1e-3
            for m in micrographs
        )
        return first if close else None
    return sizes.pop()


def _shapes(
    micrographs: Micrographs,
) -> tuple[tuple[tuple[int, int] | None, ...], dict[str, str]]:
    shapes: list[tuple[int, int] | None] = []
    unreadable: dict[str, str] = {}
    for micrograph in micrographs:
        try:
            shapes.append(micrograph.shape_px())
        except PickerOptimizerError as error:
            shapes.append(None)
            unreadable[micrograph.name] = str(error)
    return tuple(shapes), unreadable
