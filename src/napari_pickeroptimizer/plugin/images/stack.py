"""`Micrographs` as one lazy (T, y, x) stack for display in napari. No Qt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import dask
import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.plugin import transforms
from napari_pickeroptimizer.plugin.images.display import (
    MAX_DISPLAY_PX,
    Display,
    SliceSource,
    choose_binning,
    low_pass_sigma_px,
    read_shapes,
)
from napari_pickeroptimizer.plugin.images.locate import folders_of
from napari_pickeroptimizer.plugin.layer_state import METADATA_KEY
from napari_pickeroptimizer.plugin.preferences import preferences

N_CONTRAST_SAMPLES = 3
N_REASONS = 3
CONTRAST_PERCENTILES = (0.5, 99.5)
FULL_RESOLUTION = 1 << 30

Preferred = Literal["preferred"]
PREFERRED: Preferred = "preferred"


@dataclass(frozen=True)
class StackView:
    """The view of a micrograph layer.

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
    low_pass_ang : float or None
        Resolution of the low-pass in Å; None if it is off.
    max_display_px : int
        Longest side that is displayed.
    contrast : (float, float)
        The grey levels between which a few of the micrographs lie, as they are displayed.
    source : SliceSource or None
        What computes the slices.
    """

    micrographs: Micrographs
    binning: int
    shapes_px: tuple[tuple[int, int] | None, ...]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    pixel_size_ang: float | None = None
    low_pass_ang: float | None = None
    max_display_px: int = MAX_DISPLAY_PX
    contrast: tuple[float, float] = (0.0, 1.0)
    source: SliceSource | None = field(default=None, repr=False, compare=False)

    @property
    def canvas_px(self) -> tuple[int, int]:
        """(ny, nx) in micrograph pixels that hold every micrograph."""
        known = [s for s in self.shapes_px if s is not None] or [(1, 1)]
        return (max(s[0] for s in known), max(s[1] for s in known))

    @property
    def display(self) -> Display:
        """Size and filter of the slices."""
        ny, nx = self.canvas_px
        sigma_px = 0.0
        if self.low_pass_ang and self.pixel_size_ang:
            sigma_px = low_pass_sigma_px(self.low_pass_ang, self.pixel_size_ang * self.binning)
        return Display(
            (-(-ny // self.binning), -(-nx // self.binning)), self.binning, sigma_px
        )


def off_micrographs(
    stack: StackView, slices: NDArray[Any], coords_yx_px: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which places lie beside their micrograph, or on no slice.

    A micrograph that cannot be read has no known size, and so nothing beside it.

    Parameters
    ----------
    stack : StackView
        The micrographs.
    slices : (n,) array
        The slice of each place.
    coords_yx_px : (n, 2) float64
        Row and column in micrograph pixels.
    """
    off = ~np.isin(slices, np.arange(len(stack.shapes_px)))
    for index in np.unique(slices[~off]).astype(int):
        shape_px = stack.shapes_px[index]
        if shape_px is not None:
            here = np.flatnonzero(slices == index)
            off[here] = outside(coords_yx_px[here], shape_px)
    return off


def stack_of(metadata: Mapping[str, Any]) -> StackView | None:
    """Return the view in the metadata of a layer, None for a layer of another origin."""
    view = metadata.get(METADATA_KEY)
    return view if isinstance(view, StackView) else None


def checked_stack(layer: Any) -> StackView:
    """Return the view of a micrograph layer.

    Raises
    ------
    SettingsError
        It is none.
    """
    view = stack_of(layer.metadata)
    if view is None:
        raise SettingsError(f"layer {layer.name!r} is no micrograph stack of this plugin.")
    return view


def make_stack(
    micrographs: Micrographs,
    *,
    name: str = "micrographs",
    low_pass_ang: float | Preferred | None = PREFERRED,
    max_display_px: int = MAX_DISPLAY_PX,
) -> tuple[da.Array, dict[str, Any], str]:
    """Return the layer data tuple of an Image layer that reads micrographs when shown.

    Each displayed pixel is the mean of ``binning`` x ``binning`` micrograph pixels; scale and
    translation keep the layer in the micrographs' own frame. Micrographs of several shapes
    share the largest one's canvas. One that cannot be read becomes a black slice, and all of
    these together a warning.

    Parameters
    ----------
    micrographs : Micrographs
        At least one.
    name : str
        Name of the layer.
    low_pass_ang : float, None or "preferred"
        Resolution of the Gaussian low-pass in Å (amplitudes are halved there), None for none;
        by default that of the preferences. Without a pixel size there is none.
    max_display_px : int
        Longest side to display.
    """
    shapes, unreadable = read_shapes(micrographs)
    _warn_of(unreadable, len(micrographs))
    view = StackView(
        micrographs,
        1,
        shapes,
        unreadable,
        common_pixel_size_ang(micrographs),
        max_display_px=max_display_px,
    )
    low_pass = preferred_low_pass_ang() if low_pass_ang == PREFERRED else low_pass_ang
    view = _prepared(_with_low_pass(view, low_pass))
    attributes = {
        "name": name,
        **transforms.stack_transform(view.pixel_size_ang, view.binning),
        "axis_labels": transforms.AXIS_LABELS,
        "contrast_limits": view.contrast,
        "colormap": "gray",
        "interpolation2d": "linear",
        "multiscale": False,
        "metadata": {METADATA_KEY: view},
    }
    return _as_dask(view), attributes, "image"


def set_low_pass(stack_layer: Any, low_pass_ang: float | None) -> None:
    """Show a micrograph layer with another low-pass, or with none; nothing else changes.

    Contrast keeps its place relative to the grey levels; picks, scores and files are not
    concerned, since only what is displayed is filtered.

    Parameters
    ----------
    stack_layer : napari.layers.Image
        A micrograph stack of this plugin.
    low_pass_ang : float or None
        Resolution in Å, None to switch the low-pass off.

    Raises
    ------
    SettingsError
        It is no micrograph stack, the pixel size is unknown, or the resolution is not positive.
    """
    view = checked_stack(stack_layer)
    if low_pass_ang is not None and not low_pass_ang > 0:
        raise SettingsError(f"the low-pass must be more than 0 Å, got {low_pass_ang}.")
    if low_pass_ang is not None and view.pixel_size_ang is None:
        raise SettingsError(
            "the pixel size of these micrographs is unknown, so there is no low-pass in Å: "
            "open them with a pixel size."
        )
    if low_pass_ang != view.low_pass_ang:
        _show(stack_layer, _with_low_pass(view, low_pass_ang))


def set_full_resolution(stack_layer: Any, on: bool) -> None:
    """Show micrographs at full resolution (without a low-pass), or at that of a screen.

    Raises
    ------
    SettingsError
        It is no micrograph stack.
    """
    view = checked_stack(stack_layer)
    wanted = FULL_RESOLUTION if on else MAX_DISPLAY_PX
    if wanted != view.max_display_px:
        view = replace(view, max_display_px=wanted)
        _show(stack_layer, _with_low_pass(view, view.low_pass_ang))


def extend_stack(stack_layer: Any, more: Micrographs) -> bool:
    """Append micrographs to those of a layer; return whether that was possible.

    It is not possible if their pixel size differs: the layer has one scale. Micrographs that the
    layer already has are skipped.
    """
    view = checked_stack(stack_layer)
    place = {(m.path.absolute(), m.section) for m in view.micrographs}
    new = [m for m in more if (m.path.absolute(), m.section) not in place]
    if not new:
        return True
    paths = more.search_paths
    pixel_size_ang = None if paths is None else paths.pixel_size_ang
    items = (*view.micrographs, *new)
    joined = Micrographs(items, folders_of(items, pixel_size_ang))
    if common_pixel_size_ang(joined) != view.pixel_size_ang:
        return False
    shapes, unreadable = read_shapes(new)
    _warn_of(unreadable, len(new))
    view = replace(
        view,
        micrographs=joined,
        shapes_px=(*view.shapes_px, *shapes),
        unreadable={**view.unreadable, **unreadable},
    )
    _show(stack_layer, _with_low_pass(view, view.low_pass_ang), sample=False)
    return True


def widen_contrast_range(stack_layer: Any) -> None:
    """Extend the range of a layer's contrast sliders well beyond the chosen limits."""
    limits = tuple(stack_layer.contrast_limits)
    stack_layer.contrast_limits_range = _wide(checked_stack(stack_layer).contrast, limits)
    stack_layer.contrast_limits = limits


def preferred_low_pass_ang() -> float | None:
    """Return the low-pass in the user's preferences, None if it is off."""
    low_pass_ang = preferences().low_pass_ang
    return low_pass_ang if low_pass_ang > 0 else None


def contrast_limits(source: SliceSource, readable: NDArray[np.intp]) -> tuple[float, float]:
    """Return contrast limits from a few of the readable slices.

    The first one is read last, so that it is at hand: it is shown next.
    """
    if not len(readable):
        return (0.0, 1.0)
    chosen = np.unique(np.linspace(0, len(readable) - 1, N_CONTRAST_SAMPLES).astype(int))
    values = [source.slice(int(readable[i]))[::2, ::2].ravel() for i in chosen[::-1]]
    low, high = np.nanpercentile(np.concatenate(values), CONTRAST_PERCENTILES)
    return (float(low), float(high) if high > low else float(low) + 1.0)


def common_pixel_size_ang(micrographs: Micrographs) -> float | None:
    """Return the pixel size in Å that all micrographs share, else None."""
    first, *others = (m.pixel_size_ang for m in micrographs)
    is_common = first is not None and all(
        size is not None and abs(size / first - 1) < 1e-3 for size in others
    )
    return first if is_common else None


def _with_low_pass(view: StackView, low_pass_ang: float | None) -> StackView:
    """Return the view with a low-pass, if possible, and the binning that it allows."""
    low_pass_ang = low_pass_ang if view.pixel_size_ang else None
    binning = choose_binning(
        view.canvas_px,
        pixel_size_ang=view.pixel_size_ang,
        low_pass_ang=low_pass_ang,
        max_display_px=view.max_display_px,
    )
    return replace(view, low_pass_ang=low_pass_ang, binning=binning)


def _prepared(view: StackView) -> StackView:
    """Return the view with the source of its slices, and their contrast."""
    source = _source(view)
    readable = np.flatnonzero([shape is not None for shape in view.shapes_px])
    contrast = contrast_limits(source, readable)
    source.dark = contrast[0]
    return replace(view, source=source, contrast=contrast)


def _source(view: StackView, kept: SliceSource | None = None) -> SliceSource:
    return SliceSource(view.micrographs.items, view.display, kept)


def _as_dask(view: StackView) -> da.Array:
    assert view.source is not None  # prepared by all who call
    # one layer of the graph however many slices there are, unlike a stack of delayed ones
    return da.from_array(view.source, chunks=(1, *view.display.shape_px), name=False)


def _show(layer: Any, view: StackView, *, sample: bool = True) -> None:
    """Show another view of the same micrographs, or of more, in a layer."""
    old = checked_stack(layer)
    # of more of the same, what was computed stays
    view = _prepared(view) if sample else replace(view, source=_source(view, old.source))
    limits = _carried(layer.contrast_limits, old.contrast, view.contrast)
    layer.metadata = {**layer.metadata, METADATA_KEY: view}
    with dask.config.set(scheduler="synchronous"):  # most of the time threads wait here
        layer.data = _as_dask(view)
    if view.binning != old.binning or view.pixel_size_ang != old.pixel_size_ang:
        transform = transforms.stack_transform(view.pixel_size_ang, view.binning)
        layer.scale, layer.translate = transform["scale"], transform["translate"]
    if view.contrast != old.contrast:
        layer.contrast_limits_range = _wide(view.contrast, limits)
        layer.contrast_limits = limits


def _carried(
    limits: Sequence[float], old: tuple[float, float], new: tuple[float, float]
) -> tuple[float, float]:
    """Return contrast limits that relate to `new` as `limits` to `old`."""
    factor = (new[1] - new[0]) / (old[1] - old[0])
    low, high = (new[0] + (value - old[0]) * factor for value in limits)
    return (float(low), float(high))


def _wide(contrast: tuple[float, float], limits: Sequence[float]) -> tuple[float, float]:
    """Return the range of the contrast sliders, well beyond the chosen limits."""
    low, high = contrast
    return (min(2 * low - high, limits[0]), max(2 * high - low, limits[1]))


def _warn_of(unreadable: Mapping[str, str], n_micrographs: int) -> None:
    """Warn once instead of once a micrograph: each warning opens a box."""
    if not unreadable:
        return
    shown = " ".join(list(unreadable.values())[:N_REASONS])
    rest = len(unreadable) - N_REASONS
    more = f" ... and {rest} more." if rest > 0 else ""
    warnings.warn(
        f"{len(unreadable)} of {n_micrographs} micrographs cannot be read, and are black "
        f"slices: {shown}{more}",
        UserWarning,
        stacklevel=3,
    )
