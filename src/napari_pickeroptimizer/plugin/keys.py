"""The keys of a picks layer: labels, undo, the queue, micrographs. No Qt.

A key acts on what is seen (see `targets`), and the viewer's status says on what. The keys are
bound to the layer *instance*: napari asks it before the Points class, whose ``1``, ``Delete``
and ``Backspace`` remove points for good.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any  # viewers and layers, which are not imported here
from weakref import ref

from napari_pickeroptimizer.classes import UNLABELLED, class_name
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin import editing, navigation
from napari_pickeroptimizer.plugin.labels.changes import Change, Rows
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    STYLES,
    Vocabulary,
    labelled_text,
)
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    label_layers,
    layer_state,
    picks_state,
)
from napari_pickeroptimizer.plugin.targets import (
    Targets,
    are_shown,
    hidden_text,
    place_text,
    targets,
)

LABEL_KEYS: dict[str, int] = {
    **{style.key: style.class_id for style in STYLES.values()},
}
# napari's keys for "delete the selected points": they remove own points, and reject picks of a file
REMOVE_KEYS = ("1", "Delete", "Backspace")
# Ctrl+Y, which is redo elsewhere, turns napari to three dimensions
UNDO_KEY, REDO_KEY = "Control-Z", "Control-Shift-Z"
QUEUE_KEYS = {"N": 1, "B": -1}
MICROGRAPH_KEYS = {"PageDown": 1, "PageUp": -1}
ACT_ANYWHERE = (UNDO_KEY, REDO_KEY, *MICROGRAPH_KEYS)
ALL_KEYS = (*LABEL_KEYS, *REMOVE_KEYS, UNDO_KEY, REDO_KEY, *QUEUE_KEYS, *MICROGRAPH_KEYS)


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


def bind_other_keys(viewer: Any, layer: Any, picks_layer: Callable[[], Any]) -> None:
    """Let keys say what to do while a layer is selected that holds no picks.

    Undo, and the keys that go to picks and micrographs, act on the panel's picks, `picks_layer`.
    What napari itself does with a key comes first, as the letters of a Shapes layer.
    """
    viewer_ref = ref(viewer)

    def bound(key: str) -> Callable[[Any], None]:
        def on_key(active: Any) -> None:
            shown, picks = viewer_ref(), picks_layer()
            state = None if picks is None else layer_state(picks)
            if shown is None or state is None:
                return
            if key not in LABEL_KEYS:
                press(shown, picks, key)
                return
            why = (
                f"{key} labels picks, but {active.name!r} is selected in the layer list: nothing "
                f"was labelled. Select {picks.name!r} there."
            )
            _refuse(shown, state, why)

        on_key.__doc__ = _help(key)
        return on_key

    letters = () if type(layer).__name__ == "Shapes" else (*LABEL_KEYS, *QUEUE_KEYS)
    for key in (*letters, *ACT_ANYWHERE):
        with suppress(ValueError):  # somebody has bound it
            layer.bind_key(key, bound(key))


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
    elif key in QUEUE_KEYS:
        if (source := _source_layer(layer)) is not None:
            navigation.step_queue(viewer, source, QUEUE_KEYS[key])
    else:
        try:
            _change(viewer, layer, key)
        except LabelError as error:
            _refuse(viewer, state, str(error))
    return True


def _change(viewer: Any, layer: Any, key: str) -> None:
    if key in LABEL_KEYS:
        label(viewer, layer, LABEL_KEYS[key])
    elif key in REMOVE_KEYS:
        remove(viewer, layer)
    else:
        _travel(viewer, layer, forward=key == REDO_KEY)


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


def remove(viewer: Any, layer: Any, rows: Rows | None = None) -> None:
    """Take picks away, by default those that a key means; those of a file become contaminants.

    Raises
    ------
    LabelError
        Nothing was: there is no pick that is seen, or none can be taken away now.
    """
    found = targets(viewer, layer) if rows is None else Targets(rows)
    if found.why_none:
        raise LabelError(found.why_none)
    state = picks_state(layer)
    notes = [editing.remove(state, found.rows), found.left]
    viewer.status = " ".join(filter(None, notes))


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
    what = f"{'Redone' if forward else 'Undone'}: {change.text}"
    where = (
        "" if source is None else _show(viewer, source, change.rows_in(state.picks, forward))
    )
    viewer.status = f"{what}{where}."


def _show(viewer: Any, layer: Any, rows: Rows) -> str:
    """Go to picks if none is shown; return where they are, unless all were in sight before."""
    shown = are_shown(viewer, layer, rows)
    if shown.all():  # or there are none any more
        return ""
    if not shown.any():
        navigation.show_micrograph_of(viewer, layer, int(rows[0]))
    return f", {place_text(picks_state(layer), rows)}"


def _source_layer(layer: Any) -> Any | None:
    """Return the picks layer of an output layer, else the layer itself."""
    origin = picks_state(layer).origin
    return None if origin.layer_ref is None else origin.layer_ref()


def _help(key: str) -> str:
    """Return the action of a key as text."""
    if key in LABEL_KEYS:
        return f"Label the picks {class_name(LABEL_KEYS[key])}."
    if key in REMOVE_KEYS:
        return "Remove own points; picks of a file become contaminants."
    step = (QUEUE_KEYS | MICROGRAPH_KEYS).get(key, 0)
    direction = "next" if step > 0 else "previous"
    if key in QUEUE_KEYS:
        return f"Go to the {direction} suggested pick."
    if key in MICROGRAPH_KEYS:
        return f"Go to the {direction} micrograph with picks."
    if key == UNDO_KEY:
        return "Undo the last change of labels."
    return "Redo the change that was undone last."
