"""The keys of a picks layer: labels, undo, the queue, micrographs. No Qt.

They are bound to the layer *instance*: napari asks it before the Points class, whose ``1``,
``Delete`` and ``Backspace`` remove points for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_pickeroptimizer.classes import CONTAMINANT, UNLABELLED, class_name
from napari_pickeroptimizer.plugin import labelling
from napari_pickeroptimizer.plugin.labels.vocabulary import STYLES
from napari_pickeroptimizer.plugin.layer_state import view_of

LABEL_KEYS: dict[str, int] = {
    **{style.key: style.class_id for style in STYLES.values()},
    # napari's own keys for "delete the selected points": here they reject
    "1": CONTAMINANT,
    "Delete": CONTAMINANT,
    "Backspace": CONTAMINANT,
}
# Ctrl+Y, which is redo elsewhere, turns napari to three dimensions
UNDO_KEY, REDO_KEY = "Control-Z", "Control-Shift-Z"
QUEUE_KEYS = {"N": 1, "B": -1}
MICROGRAPH_KEYS = {"PageDown": 1, "PageUp": -1}


def bind_keys(layer: Any) -> None:
    """Bind the keys to a layer that `labelling.bind` guards."""
    for key, callback in _callbacks().items():
        layer.bind_key(key, callback, overwrite=True)


def unbind_keys(layer: Any) -> None:
    """Give napari its keys back."""
    for key in _callbacks():
        layer.bind_key(key, None, overwrite=True)


def targets(viewer: Any, layer: Any) -> set[int]:
    """Return the points that a label key means.

    While selecting, the selection, else the pick under the cursor; in the other modes the
    other way round, so that one can point and press a key without a click.
    """
    selected = {int(i) for i in layer.selected_data}
    if str(getattr(layer.mode, "value", layer.mode)) in ("select", "add"):
        return selected or _under_cursor(viewer, layer)
    return _under_cursor(viewer, layer) or selected


def press(viewer: Any, layer: Any, key: str) -> bool:
    """Do what a key does on a picks layer; False for a key that is none of ours."""
    callback = _callbacks().get(key)
    if callback is None or not labelling.is_bound(layer):
        return False
    callback(layer)
    return True


def _callbacks() -> dict[str, Callable[[Any], None]]:
    """Return what every key of ours does, given the layer it was pressed on."""
    callbacks = {key: _label_callback(class_id) for key, class_id in LABEL_KEYS.items()}
    callbacks[UNDO_KEY] = _undo_key
    callbacks[REDO_KEY] = _redo_key
    callbacks |= {key: _queue_callback(step) for key, step in QUEUE_KEYS.items()}
    callbacks |= {key: _micrograph_callback(step) for key, step in MICROGRAPH_KEYS.items()}
    return callbacks


def _undo_key(layer: Any) -> None:
    """Take the last change of labels back."""
    labelling.undo(layer)


def _redo_key(layer: Any) -> None:
    """Make the change that was last undone again."""
    labelling.redo(layer)


def _label_callback(class_id: int) -> Callable[[Any], None]:
    def label(layer: Any) -> None:
        viewer, view = labelling.viewer_of(layer), view_of(layer.metadata)
        if viewer is None or view is None:
            return
        if class_id not in (UNLABELLED, *view.vocabulary.names()):
            viewer.status = f"There is no class {class_id} yet: add it in the Label panel."
            return
        labelling.set_labels(layer, targets(viewer, layer), class_id)

    label.__doc__ = f"Label the picks {class_name(class_id)}."
    return label


def _queue_callback(step: int) -> Callable[[Any], None]:
    def go(layer: Any) -> None:
        from napari_pickeroptimizer.plugin.navigation import step_queue

        if (viewer := labelling.viewer_of(layer)) is not None:
            step_queue(viewer, labelling.source_of(layer), step)

    go.__doc__ = f"Go to the {'next' if step > 0 else 'previous'} pick of the queue."
    return go


def _micrograph_callback(step: int) -> Callable[[Any], None]:
    def go(layer: Any) -> None:
        from napari_pickeroptimizer.plugin.navigation import go_to_micrograph

        if (viewer := labelling.viewer_of(layer)) is not None:
            go_to_micrograph(viewer, labelling.source_of(layer), step)

    go.__doc__ = f"Go to the {'next' if step > 0 else 'previous'} micrograph with picks."
    return go


def _under_cursor(viewer: Any, layer: Any) -> set[int]:
    value = layer.get_value(
        viewer.cursor.position, dims_displayed=list(viewer.dims.displayed), world=True
    )
    return set() if value is None else {int(value)}
