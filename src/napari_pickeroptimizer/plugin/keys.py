"""The keys of a picks layer: labels, undo, the queue, micrographs. No Qt.

They are bound to the layer *instance*: napari asks it before the Points class, whose ``1``,
``Delete`` and ``Backspace`` remove points for good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any  # viewers and layers, which are not imported here
from weakref import ref

from napari_pickeroptimizer.classes import CONTAMINANT, UNLABELLED, class_name
from napari_pickeroptimizer.plugin import navigation
from napari_pickeroptimizer.plugin.labels.vocabulary import STYLES
from napari_pickeroptimizer.plugin.layer_state import layer_state, picks_state

LABEL_KEYS: dict[str, int] = {
    **{style.key: style.class_id for style in STYLES.values()},
    # napari's keys for "delete the selected points": in picks layers they reject
    "1": CONTAMINANT,
    "Delete": CONTAMINANT,
    "Backspace": CONTAMINANT,
}
# Ctrl+Y, which is redo elsewhere, turns napari to three dimensions
UNDO_KEY, REDO_KEY = "Control-Z", "Control-Shift-Z"
QUEUE_KEYS = {"N": 1, "B": -1}
MICROGRAPH_KEYS = {"PageDown": 1, "PageUp": -1}
ALL_KEYS = (*LABEL_KEYS, UNDO_KEY, REDO_KEY, *QUEUE_KEYS, *MICROGRAPH_KEYS)


def bind_keys(viewer: Any, layer: Any) -> None:
    """Bind the keys to a picks layer of a viewer."""
    viewer_ref = ref(viewer)  # the layer must not keep it alive

    def bound(key: str) -> Callable[[Any], None]:
        def on_key(pressed: Any) -> None:
            if (open_viewer := viewer_ref()) is not None:
                press(open_viewer, pressed, key)

        on_key.__doc__ = _help(key)
        return on_key

    for key in ALL_KEYS:
        layer.bind_key(key, bound(key), overwrite=True)


def press(viewer: Any, layer: Any, key: str) -> bool:
    """Perform the action of a key on a picks layer; return False for other keys."""
    state = layer_state(layer)
    if state is None or key not in ALL_KEYS:
        return False
    if key in LABEL_KEYS:
        _label(viewer, layer, LABEL_KEYS[key])
    elif key == UNDO_KEY:
        state.undo()
    elif key == REDO_KEY:
        state.redo()
    elif (source := _source_layer(layer)) is not None:
        if key in QUEUE_KEYS:
            navigation.step_queue(viewer, source, QUEUE_KEYS[key])
        else:
            navigation.go_to_micrograph(viewer, source, MICROGRAPH_KEYS[key])
    return True


def targets(viewer: Any, layer: Any) -> set[int]:
    """Return the points that a label key applies to.

    While selecting, the selection, else the pick under the cursor; in the other modes the
    other way round, so that one can point and press a key without a click.
    """
    selected = {int(i) for i in layer.selected_data}
    if layer.mode in ("select", "add"):
        return selected or _under_cursor(viewer, layer)
    return _under_cursor(viewer, layer) or selected


def _label(viewer: Any, layer: Any, class_id: int) -> None:
    state = picks_state(layer)
    if class_id not in (UNLABELLED, *state.vocabulary.names()):
        viewer.status = f"There is no class {class_id} yet: add it in the Label panel."
        return
    state.set_labels(targets(viewer, layer), class_id)


def _source_layer(layer: Any) -> Any | None:
    """Return the picks layer of an output layer, else the layer itself."""
    origin = picks_state(layer).origin
    return None if origin.layer_ref is None else origin.layer_ref()


def _under_cursor(viewer: Any, layer: Any) -> set[int]:
    value = layer.get_value(
        viewer.cursor.position, dims_displayed=list(viewer.dims.displayed), world=True
    )
    return set() if value is None else {int(value)}


def _help(key: str) -> str:
    """Return the action of a key as text."""
    if key in LABEL_KEYS:
        return f"Label the picks {class_name(LABEL_KEYS[key])}."
    step = (QUEUE_KEYS | MICROGRAPH_KEYS).get(key, 0)
    direction = "next" if step > 0 else "previous"
    if key in QUEUE_KEYS:
        return f"Go to the {direction} pick of the queue."
    if key in MICROGRAPH_KEYS:
        return f"Go to the {direction} micrograph with picks."
    if key == UNDO_KEY:
        return "Undo the last change of labels."
    return "Redo the change that was undone last."
