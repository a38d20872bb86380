"""The keys of a picks layer: labels, undo, the queue, micrographs. No Qt.

A key acts on what is seen (see `targets`), and the viewer's status says on what. The keys are
bound to the layer *instance*: napari asks it before the Points class, whose ``1``, ``Delete``
and ``Backspace`` remove points for good.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any  # viewers and layers, which are not imported here
from weakref import ref

import numpy as np

from napari_pickeroptimizer.classes import CONTAMINANT, UNLABELLED, class_name
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin import navigation
from napari_pickeroptimizer.plugin.labels.labelled_picks import Change, Rows
from napari_pickeroptimizer.plugin.labels.vocabulary import STYLES, Vocabulary, plural
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    label_layers,
    layer_state,
    picks_state,
)
from napari_pickeroptimizer.plugin.targets import (
    are_shown,
    hidden_text,
    place_text,
    targets,
)

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
    # after the picks have come back
    layer.events.data.connect(partial(_tell_removed, viewer_ref), position="last")


def press(viewer: Any, layer: Any, key: str) -> bool:
    """Perform the action of a key on a picks layer; return False for other keys."""
    state = layer_state(layer)
    if state is None or key not in ALL_KEYS:
        return False
    if key in MICROGRAPH_KEYS:
        if (source := _source_layer(layer)) is not None:
            navigation.go_to_micrograph(viewer, source, MICROGRAPH_KEYS[key])
    elif why := hidden_text(layer):
        _refuse(viewer, state, why)
    elif key in LABEL_KEYS:
        try:
            label(viewer, layer, LABEL_KEYS[key])
        except LabelError as error:
            _refuse(viewer, state, str(error))
    elif key in QUEUE_KEYS:
        if (source := _source_layer(layer)) is not None:
            navigation.step_queue(viewer, source, QUEUE_KEYS[key])
    else:
        _travel(viewer, layer, forward=key == REDO_KEY)
    return True


def label(viewer: Any, layer: Any, class_id: int, *, pointing: bool = True) -> None:
    """Label the picks that a key means, and say in the viewer's status which these were.

    See `targets` for `pointing`.

    Raises
    ------
    LabelError
        Nothing was labelled: there is no such class, or no pick that is seen.
    """
    state = picks_state(layer)
    check_class(state.vocabulary, class_id)
    found = targets(viewer, layer, pointing=pointing)
    if found.why_none:
        raise LabelError(found.why_none)
    said = labelled_text(len(found.rows), state.vocabulary, class_id)
    several = len(label_layers(viewer)) > 1
    notes = (f"in {layer.name}" if several else "", found.left)
    # before: where the label goes on in the queue, the queue's place is said instead
    viewer.status = ", ".join([said, *filter(None, notes)]) + "."
    state.set_labels(found.rows, class_id)


def check_class(vocabulary: Vocabulary, class_id: int) -> None:
    """Check that a class is there.

    Raises
    ------
    LabelError
        It is not.
    """
    if class_id not in (UNLABELLED, *vocabulary.names()):
        raise LabelError(f"There is no class {class_id} yet: add it in the Label panel.")


def labelled_text(n: int, vocabulary: Vocabulary, class_id: int) -> str:
    """Return ``3 picks labelled carbon``."""
    if class_id == UNLABELLED:
        return f"{plural(n, 'pick')} without a label now"
    return f"{plural(n, 'pick')} labelled {vocabulary.name(class_id)}"


def _tell_removed(viewer_ref: ref[Any], event: Any) -> None:
    """Say which picks napari's own button rejected: it means those of other micrographs too."""
    viewer, layer = viewer_ref(), event.source
    if viewer is None or str(getattr(event.action, "value", "")) != "removed":
        return
    n = len(picks_state(layer).picks)
    rows = np.unique(np.array(list(event.data_indices), dtype=np.intp) % max(n, 1))
    if len(rows) and n == len(layer.data):
        said = labelled_text(len(rows), picks_state(layer).vocabulary, CONTAMINANT)
        viewer.status = f"{said}, {place_text(layer, rows)}."


def _refuse(viewer: Any, state: LayerState, why: str) -> None:
    """Say why a key did nothing: napari's status bar forgets it at the next move of the mouse."""
    viewer.status = why
    state.refused.emit(why)


def _travel(viewer: Any, layer: Any, *, forward: bool) -> None:
    """Undo or redo; go to the micrograph where it was, and say how many labels changed."""
    state = picks_state(layer).origin
    if not (state.redo() if forward else state.undo()):
        viewer.status = f"There is nothing to {'redo' if forward else 'undo'}."
        return
    change: Change = (state.history.done if forward else state.history.undone)[-1]
    source = _source_layer(layer)
    what = f"{'Redone' if forward else 'Undone'}: {plural(len(change.rows), 'label')}"
    viewer.status = f"{what}{'' if source is None else _show(viewer, source, change.rows)}."


def _show(viewer: Any, layer: Any, rows: Rows) -> str:
    """Go to picks if none is shown; return where they are, unless all were in sight before."""
    shown = are_shown(viewer, layer, rows)
    if shown.all():
        return ""
    if not shown.any():
        navigation.show_micrograph_of(viewer, layer, int(rows[0]))
    return f", {place_text(layer, rows)}"


def _source_layer(layer: Any) -> Any | None:
    """Return the picks layer of an output layer, else the layer itself."""
    origin = picks_state(layer).origin
    return None if origin.layer_ref is None else origin.layer_ref()


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
