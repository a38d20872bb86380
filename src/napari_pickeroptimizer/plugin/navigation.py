"""Going to picks and micrographs, and the queue of picks to look at. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from weakref import WeakSet

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin.layer_state import PicksView, view_of
from napari_pickeroptimizer.plugin.session import Session, session_of, unwrap

SUGGESTED, TO_CHECK = "suggested", "labels to check"
# A ring of this many pixels of the screen can be judged; much larger ones hide the rest.
RING_SCREEN_PX = 110
LEAST_RING_SCREEN_PX, MOST_RING_SCREEN_PX = 48, 400


@dataclass
class Queue:
    """Picks to look at, one after the other.

    Parameters
    ----------
    rows : (n,) int
        Rows of the picks, in the order in which they are looked at.
    reason : str
        Why these: ``suggested``, ``labels to check``, ... in the user's words.
    position : int
        The one that is looked at.
    """

    rows: NDArray[np.intp]
    reason: str
    position: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def row(self) -> int:
        """The pick that is looked at."""
        return int(self.rows[self.position])

    @property
    def text(self) -> str:
        """``3 of 20 suggested``."""
        return f"{self.position + 1} of {len(self)} {self.reason}"


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
    view = _view(layer)
    if not 0 <= row < len(view.picks):
        raise LabelError(f"layer {layer.name!r} has no pick {row}: it has {len(view.picks)}.")
    world = np.asarray(layer.data_to_world(layer.data[row]))
    go_to_slice(viewer, round(float(world[0])))
    camera = _camera(viewer)
    camera.center = (float(world[1]), float(world[2]))
    if zoom:
        _zoom_to_ring(camera, view.diameter_px * float(layer.scale[-1]))
    layer.visible = True
    viewer.layers.selection.active = layer
    if _mode(layer) == "pan_zoom":
        # else a key would mean whatever pick happens to be under the resting mouse
        layer.mode = "select"
    layer.selected_data = {int(row)}
    session_of(viewer).pick_visited.emit(layer, int(row))


def go_to_slice(viewer: Any, index: int) -> None:
    """Show the micrograph of a slice."""
    viewer = unwrap(viewer)
    axis = viewer.dims.ndim - 3
    if axis >= 0 and round(float(viewer.dims.point[axis])) != index:
        viewer.dims.set_point(axis, index)


def go_to_micrograph(viewer: Any, layer: Any, step: int) -> str | None:
    """Show the next (+1) or previous (-1) micrograph that has picks; return its name.

    None, and nothing happens, where there is no further one.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    view = _view(layer)
    now, slices = current_slice(viewer), np.unique(list(view.slice_of.values()))
    further = slices[slices > now] if step > 0 else slices[slices < now][::-1]
    if len(further) < abs(step):
        end = "last" if step > 0 else "first"
        viewer.status = f"This is the {end} micrograph with picks."
        return None
    go_to_slice(viewer, int(further[abs(step) - 1]))
    return current_micrograph(viewer, layer)


def go_to_named(viewer: Any, layer: Any, micrograph: str) -> None:
    """Show a micrograph by its name, as the picks of a layer spell it.

    Raises
    ------
    LabelError
        The layer's picks know no such micrograph.
    """
    index = _view(unwrap(layer)).slice_of.get(micrograph)
    if index is None:
        raise LabelError(f"no picks of {layer.name!r} are on a micrograph {micrograph!r}.")
    go_to_slice(viewer, index)


def current_slice(viewer: Any) -> int:
    """Return the index of the slice that is shown."""
    viewer = unwrap(viewer)
    axis = viewer.dims.ndim - 3
    return round(float(viewer.dims.point[axis])) if axis >= 0 else 0


def current_micrograph(viewer: Any, layer: Any) -> str | None:
    """Return the micrograph that is shown, as the picks of a layer spell it."""
    view = view_of(unwrap(layer).metadata)
    index = current_slice(viewer)
    if view is None or not 0 <= index < len(view.slice_names):
        return None
    return view.slice_names[index]


def rows_on_slice(layer: Any, index: int) -> NDArray[np.intp]:
    """Return the rows of a layer's picks on a slice."""
    points = np.asarray(unwrap(layer).data)
    return np.flatnonzero(np.rint(points[:, 0]) == index) if len(points) else _NO_ROWS


def set_queue(
    viewer: Any, layer: Any, rows: ArrayLike, reason: str = SUGGESTED, *, go: bool = True
) -> Queue:
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
        Why these, in the user's words.
    go : bool
        Whether to go to the first one.

    Raises
    ------
    LabelError
        There is no such pick.
    """
    session, layer = session_of(viewer), unwrap(layer)
    at = np.asarray(rows, dtype=np.intp).ravel()
    n = len(_view(layer).picks)
    if len(at) and not (at.min() >= 0 and at.max() < n):
        raise LabelError(f"layer {layer.name!r} has {n} picks: there is no pick {at.max()}.")
    queue = Queue(at, reason)
    session.queues[layer] = queue
    _follow_labels(session)
    session.queue_changed.emit(layer)
    if go and len(at):
        _visit(viewer, layer, queue)
    return queue


def queue_of(viewer: Any, layer: Any) -> Queue | None:
    """Return a layer's queue, None where there is none or it is empty."""
    queue = session_of(viewer).queues.get(unwrap(layer)) if layer is not None else None
    return queue if queue is not None and len(queue) else None


def clear_queue(viewer: Any, layer: Any) -> None:
    """Forget a layer's queue."""
    session = session_of(viewer)
    if session.queues.pop(unwrap(layer), None) is not None:
        session.queue_changed.emit(unwrap(layer))


def step_queue(viewer: Any, layer: Any, step: int) -> int | None:
    """Go on (+1) or back (-1) in the queue, labelled picks too; return the pick's row.

    Without a queue it is the next or previous pick of the layer. None at the end.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    queue = queue_of(viewer, layer)
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

    Only where the pick that is looked at is among them. Labelled picks are skipped, except
    where labels are to be checked. A label that was taken back is gone back to.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    queue, view = queue_of(viewer, layer), view_of(layer.metadata)
    if queue is None or view is None or not _auto_advances():
        return None
    labels = view.picks.labels
    if len(rows) == 1 and labels[rows[0]] == UNLABELLED:  # undone, or cleared
        back = np.flatnonzero(queue.rows == rows[0])
        if len(back) and int(rows[0]) != queue.row:
            return _go_in_queue(viewer, layer, queue, int(back[0]))
        return None
    if queue.row not in rows or labels[queue.row] == UNLABELLED:
        return None
    ahead = np.arange(queue.position + 1, len(queue))
    if queue.reason != TO_CHECK:
        around = np.concatenate([ahead, np.arange(queue.position)])
        ahead = around[labels[queue.rows[around]] == UNLABELLED]
    if not len(ahead):
        viewer.status = f"All {len(queue)} {queue.reason} are done."
        return None
    return _go_in_queue(viewer, layer, queue, int(ahead[0]))


def _go_in_queue(viewer: Any, layer: Any, queue: Queue, position: int) -> int:
    queue.position = position
    session_of(viewer).queue_changed.emit(layer)
    _visit(viewer, layer, queue)
    return queue.row


def _visit(viewer: Any, layer: Any, queue: Queue) -> None:
    go_to_pick(viewer, layer, queue.row, zoom=True)
    unwrap(viewer).status = queue.text


def _step_rows(viewer: Any, layer: Any, step: int) -> int | None:
    """Go to the pick after or before the selected one, else to one of this micrograph."""
    n = len(_view(layer).picks)
    selected = [int(i) for i in layer.selected_data]
    if selected:
        row = (max(selected) if step > 0 else min(selected)) + step
    else:
        here = rows_on_slice(layer, current_slice(viewer))
        row = int(here[0 if step > 0 else -1]) if len(here) else 0
    if not 0 <= row < n:
        viewer.status = f"This is the {'last' if step > 0 else 'first'} pick."
        return None
    go_to_pick(viewer, layer, row)
    return row


_following: WeakSet[Session] = WeakSet()


def _follow_labels(session: Session) -> None:
    """Have labels go on in the queue of their layer, from now on."""
    if session in _following:
        return
    _following.add(session)
    viewer_ref = session.viewer_ref

    def on_labels(layer: Any, rows: Any) -> None:
        viewer = viewer_ref()
        if viewer is not None:
            advance_after_label(viewer, layer, np.asarray(rows))

    session.labels_changed.connect(on_labels)


def _auto_advances() -> bool:
    from napari_pickeroptimizer.plugin.preferences import preferences

    return preferences().auto_advance


def _view(layer: Any) -> PicksView:
    view = view_of(layer.metadata)
    if view is None:
        raise LabelError(f"layer {layer.name!r} holds no picks of this plugin.")
    return view


def _camera(viewer: Any) -> Any:
    """Return the camera, which napari 0.9 moved."""
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


def _zoom_to_ring(camera: Any, diameter: float) -> None:
    """Zoom such that a ring of `diameter` in world units can be judged; else leave it."""
    on_screen = diameter * camera.zoom
    if diameter > 0 and not LEAST_RING_SCREEN_PX <= on_screen <= MOST_RING_SCREEN_PX:
        camera.zoom = RING_SCREEN_PX / diameter


def _mode(layer: Any) -> str:
    return cast(str, getattr(layer.mode, "value", layer.mode))


_NO_ROWS = np.empty(0, dtype=np.intp)
