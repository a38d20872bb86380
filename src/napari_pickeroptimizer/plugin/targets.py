"""Which picks a key acts on: those that are seen on the canvas, and no others. No Qt.

napari keeps points selected when another micrograph is shown, and the place of the pointer when
it leaves the canvas. Neither is seen, so neither is what a key means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any  # viewers and layers, which are not imported here
from weakref import WeakSet, ref

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import plural
from napari_pickeroptimizer.plugin import transforms
from napari_pickeroptimizer.plugin.labels.changes import Rows, no_rows
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_state,
    unwrap,
)

SELECTING_MODES = ("select", "add")
NONE_SELECTED = "No pick is selected: click one, or drag a box in selection mode (S)."
NONE_POINTED_AT = "No pick is selected here or under the pointer: nothing was labelled."


@dataclass(frozen=True)
class Targets:
    """The picks that a key acts on.

    Parameters
    ----------
    rows : (n,) int
        Their rows in the layer that the key was pressed on.
    left : str
        Which selected picks are left out, since they are not seen; empty for none.
    why_none : str
        Why there are no rows, and what to do; empty where there are.
    """

    rows: Rows
    left: str = ""
    why_none: str = ""


def targets(viewer: Any, layer: Any, *, pointing: bool = True) -> Targets:
    """Return the picks that a label key applies to.

    While selecting, the selection on the micrograph that is shown, else the pick under the
    pointer; in the other modes the other way round, so that one can point and press a key
    without a click. A button, which is not `pointing`, applies to the selection.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    if why := hidden_text(layer):
        return Targets(no_rows(), why_none=why)
    here, elsewhere = selected(viewer, layer)
    pointing = pointing and _can_point(viewer)
    pointed = _pointed(viewer, layer) if pointing else no_rows()
    first, second = (pointed, here)
    if layer.mode in SELECTING_MODES:
        first, second = here, pointed
    rows = first if len(first) else second
    other = _other_pointed_at(viewer, layer) if pointing and not len(pointed) else ""
    if other and layer.mode not in SELECTING_MODES:
        return Targets(no_rows(), why_none=other)  # not the ones selected here
    if not len(rows):
        return Targets(rows, why_none=other or _why_none(layer, elsewhere, pointing))
    if rows is pointed or not len(elsewhere):
        return Targets(rows)
    return Targets(rows, left=f"{len(elsewhere):,} selected elsewhere left as they are")


def selected(viewer: Any, layer: Any) -> tuple[Rows, Rows]:
    """Return the selected picks that are shown, and those that are not; both ascending."""
    chosen = unwrap(layer).selected_data
    rows = np.sort(np.fromiter(chosen, np.intp, len(chosen)))
    seen = are_shown(viewer, layer, rows)
    return rows[seen], rows[~seen]


def are_shown(viewer: Any, layer: Any, rows: Rows) -> NDArray[np.bool_]:
    """Return for each pick whether its micrograph is shown, and it on this."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    shown = np.asarray(layer.shown)[rows]
    if _is_flat(viewer) and layer.ndim == 3:
        slices = np.rint(np.asarray(layer.data)[rows, 0])
        return np.asarray(shown & (slices == transforms.slice_shown(viewer)), dtype=bool)
    return np.asarray(shown, dtype=bool)


def hidden_text(layer: Any) -> str:
    """Return that a layer is hidden, and what to do; empty where it is not."""
    if layer.visible:
        return ""
    return f"{layer.name} is hidden: nothing was done. Show the layer by its eye in the list."


def place_text(state: LayerState, rows: Rows) -> str:
    """Return where picks are: ``on m4.mrc``, or ``on 3 micrographs``."""
    names = state.picks.table["micrograph"].iloc[rows].unique()
    slices = {state.slice_of[name] for name in names}
    if len(slices) == 1:
        return f"on {PurePosixPath(names[0]).name}"
    return f"on {plural(len(slices), 'micrograph')}"


def acting_layer(viewer: Any, layer: Any) -> Any:
    """Return the layer that a key of the panels acts on, as one of the canvas does.

    That is the active one, where it is the picks layer or one of its outputs.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    active = viewer.layers.selection.active
    state = None if active is None else layer_state(active)
    if state is not None and state.origin is picks_state(layer):
        return active
    return layer


# -------------------------------------------------------------------------- pointer

# Viewers whose pointer has left the canvas: napari remembers where it was last.
_left: WeakSet[Any] = WeakSet()


def follow_pointer(viewer: Any, on_canvas: Callable[[], None]) -> None:
    """Follow whether the pointer is on the canvas; `on_canvas` is called as it moves there."""
    viewer_ref = ref(viewer)

    def crossed(_event: Any = None) -> None:
        if (existing := viewer_ref()) is None:
            return
        if existing.mouse_over_canvas:
            moved(existing)
        else:
            _left.add(existing)

    def moved(moved_in: Any, _event: Any = None) -> None:
        _left.discard(moved_in)
        on_canvas()

    viewer.events.mouse_over_canvas.connect(crossed)
    viewer.mouse_move_callbacks.append(moved)


def is_on_canvas(viewer: Any) -> bool:
    """Whether the pointer is, as far as is known, on the canvas."""
    return unwrap(viewer) not in _left


def _pointed(viewer: Any, layer: Any) -> Rows:
    """Return the pick under the pointer."""
    if not is_on_canvas(viewer):
        return no_rows()
    value = layer.get_value(
        viewer.cursor.position, dims_displayed=list(viewer.dims.displayed), world=True
    )
    return no_rows() if value is None else np.array([value], dtype=np.intp)


def _other_pointed_at(viewer: Any, layer: Any) -> str:
    """Return that the pick under the pointer is another layer's; empty where there is none."""
    for other in reversed(viewer.layers):
        state = None if other is layer or not other.visible else layer_state(other)
        if state is not None and len(_pointed(viewer, other)):
            return (
                f"The pick under the pointer is of {other.name!r}: nothing was labelled. Select "
                f"that layer in the list, or as Picks in the panel."
            )
    return ""


def _can_point(viewer: Any) -> bool:
    """Whether one place of the pointer is one place on one micrograph."""
    return bool(viewer.dims.ndisplay == 2 and not grid_of(viewer).enabled)


def grid_of(viewer: Any) -> Any:
    """Return the grid of a viewer, which napari 0.9 moved."""
    return (viewer.canvas if hasattr(viewer, "canvas") else viewer).grid


def _is_flat(viewer: Any) -> bool:
    """Whether one micrograph is shown, and not the stack as a volume or from the side."""
    axis = viewer.dims.ndim - 3
    return axis >= 0 and axis not in viewer.dims.displayed


def _why_none(layer: Any, elsewhere: Rows, pointing: bool) -> str:
    if not len(elsewhere):
        return NONE_POINTED_AT if pointing else NONE_SELECTED
    is_one = len(elsewhere) == 1
    what = f"{plural(len(elsewhere), 'selected pick')} {'is' if is_one else 'are'}"
    where = place_text(picks_state(layer), elsewhere)
    return (
        f"{what} {where}, not on the one shown: nothing was labelled. "
        f"Go back to {'it' if is_one else 'them'}, or select picks here."
    )
