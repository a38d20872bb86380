"""Navigation to picks and micrographs, and through the queue. No Qt."""

from __future__ import annotations

from typing import Any  # viewers and layers, which are not imported here

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin import transforms
from napari_pickeroptimizer.plugin.layer_state import (
    SUGGESTED,
    LayerState,
    Queue,
    layer_state,
    picks_state,
    unwrap,
)
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.targets import selected

# Ring diameter in screen pixels at which a pick can be judged in its surroundings.
RING_SCREEN_PX = 110
LEAST_RING_SCREEN_PX, MOST_RING_SCREEN_PX = 48, 400


def go_to_pick(viewer: Any, layer: Any, row: int, *, zoom: bool = False) -> None:
    """Show a pick: its micrograph, in the middle of the window, selected for the label keys.

    Parameters
    ----------
    viewer : napari.Viewer
        Where it is shown.
    layer : napari.layers.Points
        A picks layer.
    row : int
        Which pick.
    zoom : bool
        Zoom in or out where the pick would be too small or too large to judge.

    Raises
    ------
    LabelError
        The layer has no such pick.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    state = picks_state(layer)
    if not 0 <= row < len(state.picks):
        raise LabelError(f"layer {layer.name!r} has no pick {row}: it has {len(state.picks)}.")
    index, y, x = transforms.world_position(layer, row)
    transforms.show_slice(viewer, index)
    camera = _camera(viewer)
    camera.center = (y, x)
    if zoom:
        _zoom_to_ring(camera, transforms.ring_diameter_world(layer, state.diameter_px))
    layer.visible = True
    viewer.layers.selection.active = layer
    if layer.mode == "pan_zoom":
        # else a key would apply to the pick under the mouse
        layer.mode = "select"
    layer.selected_data = {int(row)}
    state.visited.emit(int(row))


def go_to_micrograph(viewer: Any, layer: Any, step: int) -> str | None:
    """Show the next (+1) or previous (-1) micrograph that has picks; return its name.

    None, and nothing happens, where there is no further one.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    now = transforms.slice_shown(viewer)
    slices = np.unique(list(picks_state(layer).slice_of.values()))
    further = slices[slices > now] if step > 0 else slices[slices < now][::-1]
    if not len(further):
        end = "last" if step > 0 else "first"
        viewer.status = f"This is the {end} micrograph with picks."
        return None
    transforms.show_slice(viewer, int(further[0]))
    return current_micrograph(viewer, layer)


def go_to_named(viewer: Any, layer: Any, micrograph: str) -> None:
    """Show a micrograph by its name, as the picks of a layer spell it.

    Raises
    ------
    LabelError
        No pick of the layer is on this micrograph.
    """
    index = picks_state(layer).slice_of.get(micrograph)
    if index is None:
        raise LabelError(f"no picks of {layer.name!r} are on a micrograph {micrograph!r}.")
    transforms.show_slice(unwrap(viewer), index)


def show_micrograph_of(viewer: Any, layer: Any, row: int) -> None:
    """Show the micrograph that a pick is on."""
    index, _, _ = transforms.world_position(layer, row)
    transforms.show_slice(unwrap(viewer), index)


def current_micrograph(viewer: Any, layer: Any) -> str | None:
    """Return the micrograph that is shown, as the picks of a layer spell it."""
    state, index = layer_state(layer), transforms.slice_shown(unwrap(viewer))
    if state is None or not 0 <= index < len(state.slice_names):
        return None
    return state.slice_names[index]


def show_some(viewer: Any, state: LayerState) -> None:
    """Go to a micrograph with picks, if the current one has none."""
    slices = set(state.slice_of.values())
    if slices and viewer.dims.ndim == 3 and transforms.slice_shown(viewer) not in slices:
        transforms.show_slice(viewer, min(slices))


def set_queue(viewer: Any, layer: Any, rows: ArrayLike, reason: str = SUGGESTED) -> Queue:
    """Put picks into the layer's queue, in place of those before, and go to the first one.

    From then on the keys N and B go to the next one and back, and a label to the next one
    without a label (where the preferences say so).

    Parameters
    ----------
    viewer : napari.Viewer
        Where they are shown.
    layer : napari.layers.Points
        A picks layer.
    rows : (n,) int
        The picks, in order.
    reason : str
        Why these, for the user.

    Raises
    ------
    LabelError
        There is no such pick.
    """
    state, at = picks_state(layer), np.asarray(rows, dtype=np.intp).ravel()
    n = len(state.picks)
    if len(at) and not (at.min() >= 0 and at.max() < n):
        raise LabelError(f"layer {layer.name!r} has {n} picks: there is no pick {at.max()}.")
    queue = Queue(at, reason)
    state.set_queue(queue)
    if len(at):
        _visit(viewer, layer, queue)
    return queue


def queue_of(layer: Any) -> Queue | None:
    """Return a layer's queue, None where there is none or it is empty."""
    state = None if layer is None else layer_state(layer)
    return None if state is None or not state.queue else state.queue


def step_queue(viewer: Any, layer: Any, step: int) -> int | None:
    """Go on (+1) or back (-1) in the queue, labelled picks too; return the pick's row.

    Without a queue it is the next or previous pick of the layer. None at the end.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    queue = queue_of(layer)
    if queue is None:
        return _step_rows(viewer, layer, step)
    position = queue.position + step
    if not 0 <= position < len(queue):
        end = "last" if step > 0 else "first"
        viewer.status = f"This is the {end} one of {len(queue)} {queue.reason}."
        return None
    return _go_in_queue(viewer, layer, queue, position)


def advance_after_label(viewer: Any, layer: Any, rows: NDArray[Any]) -> int | None:
    """Go on in the queue after `rows` were labelled; return the row that was gone to.

    Only if the current pick is among them. Labelled picks are skipped, except where labels are
    to be checked. After an undo the queue returns to the pick.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    state, queue = picks_state(layer), queue_of(layer)
    if queue is None or not preferences().auto_advance:
        return None
    labels = state.picks.labels
    if len(rows) == 1 and labels[rows[0]] == UNLABELLED:  # undone, or cleared
        positions = np.flatnonzero(queue.rows == rows[0])
        if len(positions) and int(rows[0]) != queue.row:
            return _go_in_queue(viewer, layer, queue, int(positions[0]))
        return None
    if queue.row not in rows or labels[queue.row] == UNLABELLED:
        return None
    next_positions = queue.to_label_next(labels)
    if not len(next_positions):
        viewer.status = f"All {len(queue)} {queue.reason} are done."
        return None
    return _go_in_queue(viewer, layer, queue, int(next_positions[0]))


def _go_in_queue(viewer: Any, layer: Any, queue: Queue, position: int) -> int:
    queue.position = position
    picks_state(layer).queue_changed.emit()
    _visit(viewer, layer, queue)
    return queue.row


def _visit(viewer: Any, layer: Any, queue: Queue) -> None:
    go_to_pick(viewer, layer, queue.row, zoom=True)
    unwrap(viewer).status = queue.text


def _step_rows(viewer: Any, layer: Any, step: int) -> int | None:
    """Go to the pick after or before the selected one here, else to one of this micrograph."""
    n = len(picks_state(layer).picks)
    here, _ = selected(viewer, layer)
    if len(here):
        row = int(here[-1 if step > 0 else 0]) + step
    else:
        shown = transforms.rows_on_slice(layer, transforms.slice_shown(viewer))
        row = int(shown[0 if step > 0 else -1]) if len(shown) else 0
    if not 0 <= row < n:
        viewer.status = f"This is the {'last' if step > 0 else 'first'} pick."
        return None
    go_to_pick(viewer, layer, row)
    return row


def _camera(viewer: Any) -> Any:
    """Return the camera, which napari 0.9 moved."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def _zoom_to_ring(camera: Any, diameter: float) -> None:
    """Zoom such that a ring of `diameter` in world units can be judged; else leave it."""
    on_screen = diameter * camera.zoom
    if diameter > 0 and not LEAST_RING_SCREEN_PX <= on_screen <= MOST_RING_SCREEN_PX:
        camera.zoom = RING_SCREEN_PX / diameter
