"""Labels by key on a picks layer, and the guard that no key or button ever deletes a pick.

The keys are bound to the layer *instance*: napari asks it before the Points class, whose
``1``, ``Delete`` and ``Backspace`` remove points for good.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from napari_pickeroptimizer.classes import (
    CARBON,
    CONTAMINANT,
    PARTICLE,
    UNLABELLED,
    class_name,
)
from napari_pickeroptimizer.errors import LabelError, PickerOptimizerError
from napari_pickeroptimizer.plugin.layers import (
    METADATA_KEY,
    PicksView,
    appearance,
    coords_zyx,
    feature_table,
    label_names,
    read_back,
    view_of,
)
from napari_pickeroptimizer.plugin.matching import layer_by_id

LABEL_KEYS: dict[str, int] = {
    "K": PARTICLE,
    "J": CONTAMINANT,
    "C": CARBON,
    "U": UNLABELLED,
    # napari's own keys for "delete the selected points": here they reject
    "1": CONTAMINANT,
    "Delete": CONTAMINANT,
    "Backspace": CONTAMINANT,
}
KEY_HELP = "K keep (particle) · J junk (contaminant) · C carbon · U clear"

Listener = Callable[[Any], None]


@dataclass
class _Binding:
    """What is connected to one layer; `paused` while we write to the layer ourselves."""

    viewer_ref: ref[Any]
    on_labels: Listener
    paused: bool = False


_bindings: WeakKeyDictionary[Any, _Binding] = WeakKeyDictionary()


def bind(viewer: Any, layer: Any, on_labels: Listener) -> None:
    """Bind keys and guards to a picks layer; a second call changes nothing.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
        Whose cursor tells the pick under the mouse.
    layer : napari.layers.Points
        A layer with a `PicksView`.
    on_labels : callable
        Called with the layer after each change of labels.
    """
    if layer in _bindings:
        return
    # nothing here refers to the layer or the viewer for good: both must be free to go
    _bindings[layer] = _Binding(ref(viewer), on_labels)
    layer.events.data.connect(_on_data)
    layer.events.features.connect(_on_features)
    for key, class_id in LABEL_KEYS.items():
        layer.bind_key(key, _label_callback(class_id), overwrite=True)


def unbind(layer: Any) -> None:
    """Undo `bind`: the layer is a plain Points layer again."""
    if _bindings.pop(layer, None) is None:
        return
    layer.events.data.disconnect(_on_data)
    layer.events.features.disconnect(_on_features)
    for key in LABEL_KEYS:
        layer.bind_key(key, None, overwrite=True)


def show(layer: Any, view: PicksView) -> None:
    """Make a layer show `view`: the one way from picks to layer."""
    binding = _bindings.get(layer)
    if binding is not None:
        binding.paused = True
    try:
        layer.metadata = {**layer.metadata, METADATA_KEY: view}
        points = coords_zyx(view)
        if not np.array_equal(points, layer.data):
            layer.selected_data = set()
            layer.data = points
        layer.size = view.diameter_px
        layer.current_size = view.diameter_px
        if len(points):
            layer.features = feature_table(view.picks)
            for attribute, values in appearance(view.picks).items():
                setattr(layer, attribute, values)
    finally:
        if binding is not None:
            binding.paused = False


def current_view(layer: Any) -> PicksView:
    """Return the layer's picks with everything the user did in the layer, and keep it.

    Raises
    ------
    LabelError
        The layer shows no picks of ours, or its feature table holds an unknown label.
    """
    view = view_of(layer.metadata)
    if view is None:
        raise LabelError(
            f"layer {layer.name!r} holds no picks: open a pick file, or choose another layer."
        )
    edited = read_back(view, layer.data, layer.features)
    if edited.picks is not view.picks:
        show(layer, edited)
    return edited


def label_rows(layer: Any, rows: Collection[int], class_id: int) -> None:
    """Give picks a label: in the picks, and in the layer's colours, shapes and features.

    Labels given on an output of ours (kept, rejected) reach the picks it was made from, so
    that a mistake seen there is a label for the next training.

    Parameters
    ----------
    layer : napari.layers.Points
        A layer with a `PicksView`.
    rows : collection of int
        Points; the same as rows of the picks.
    class_id : int
        1 to 6, or 0 to take the label back.
    """
    if not len(rows):
        return
    _label_one(layer, rows, class_id)
    binding, view = _bindings.get(layer), view_of(layer.metadata)
    if binding is None or view is None:
        return
    origin = None if view.source is None else layer_by_id(binding.viewer_ref(), view.source)
    if origin is not None and view.rows is not None:
        _label_one(origin, view.rows[np.fromiter(rows, dtype=np.intp)], class_id)
    binding.on_labels(layer if origin is None else origin)


def targets(viewer: Any, layer: Any) -> set[int]:
    """Return the points that a label key means.

    While selecting, the selection, else the pick under the cursor; in the other modes the
    other way round, so that one can point and press a key without a click.
    """
    selected = {int(i) for i in layer.selected_data}
    hovered = _under_cursor(viewer, layer)
    if str(getattr(layer.mode, "value", layer.mode)) in ("select", "add"):
        return selected or hovered
    return hovered or selected


def _label_one(layer: Any, rows: Collection[int], class_id: int) -> None:
    """Relabel few points fast: only their rows change, the layer is not rebuilt."""
    view = view_of(layer.metadata)
    if view is None:
        return
    at = np.fromiter(rows, dtype=np.intp)
    labels = view.picks.labels.copy()
    labels[at] = class_id
    view = replace(view, picks=view.picks.with_labels(labels))
    binding = _bindings.get(layer)
    if binding is not None:
        binding.paused = True
    try:
        layer.metadata = {**layer.metadata, METADATA_KEY: view}
        layer.features.loc[at, "label"] = label_names(labels[at])
        layer.events.features()  # an edit in place tells nobody
        for attribute, values in appearance(view.picks).items():
            setattr(layer, attribute, values)
    finally:
        if binding is not None:
            binding.paused = False


def _on_data(event: Any) -> None:
    _after_edit(event.source, str(getattr(event.action, "value", event.action)))


def _on_features(event: Any) -> None:
    _after_edit(event.source, "features")


def _after_edit(layer: Any, action: str) -> None:
    """Reconcile picks and layer after napari changed the layer.

    Removed points come back as rejected picks, dragged ones go back to where the picker put
    them, added ones become picks, and labels typed into the feature table are taken over.
    """
    view, binding = view_of(layer.metadata), _bindings.get(layer)
    if view is None or binding is None or binding.paused:
        return
    if action not in ("removed", "added", "changed", "features"):
        return
    try:
        edited, refused = read_back(view, layer.data, layer.features), False
    except PickerOptimizerError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)
        edited, refused = view, True
    if action == "removed":
        left = set(layer.features["pick_id"]) if len(layer.data) else set()
        gone = [i for i in range(len(view.picks)) if i not in left]
        labels = edited.picks.labels.copy()
        labels[gone] = CONTAMINANT
        edited = replace(edited, picks=edited.picks.with_labels(labels))
    if action == "features" and edited.picks is view.picks and not refused:
        return
    show(layer, edited)
    binding.on_labels(layer)


def _label_callback(class_id: int) -> Callable[[Any], None]:
    def label(layer: Any) -> None:
        binding = _bindings.get(layer)
        viewer = None if binding is None else binding.viewer_ref()
        if viewer is not None:
            label_rows(layer, targets(viewer, layer), class_id)

    label.__doc__ = f"Label the picks {class_name(class_id)}."
    return label


def _under_cursor(viewer: Any, layer: Any) -> set[int]:
    value = layer.get_value(
        viewer.cursor.position, dims_displayed=list(viewer.dims.displayed), world=True
    )
    return set() if value is None else {int(value)}
