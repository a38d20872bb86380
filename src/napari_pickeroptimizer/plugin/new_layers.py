"""What becomes of a layer that is added to a viewer, and of picks as they change. No Qt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any  # Any: viewers and layers, which are not imported here
from weakref import ref

from napari.utils.notifications import show_info

from napari_pickeroptimizer.plugin import (
    diameters,
    editing,
    foreign,
    keys,
    matching,
    navigation,
    output_layers,
    outputs,
    painting,
)
from napari_pickeroptimizer.plugin.images.stack import stack_of, widen_contrast_range
from napari_pickeroptimizer.plugin.labels.changes import NEW, Rows
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    for_layer,
    layer_state,
    picks_layers,
    picks_state,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.plugin.session import Session


def set_up(session: Session, layer: Any) -> None:
    """Set up a new layer: keys for picks; slices for picks when a stack is added."""
    state, is_stack = layer_state(layer), stack_of(layer.metadata) is not None
    if state is not None:
        _set_up_picks(session, layer, state)
        return
    if is_stack or type(layer).__name__ in ("Points", "Shapes"):
        keys.bind_other_keys(session.viewer, layer, lambda: session.picks_layer)
    if is_stack:
        _set_up_stack(session.viewer, layer)
        return
    foreign.give_scale(session.viewer, layer)
    foreign.show_well(session.viewer, layer)
    foreign.show_class(layer, session.vocabulary)
    layer.events.name.connect(lambda e: foreign.show_class(e.source, session.vocabulary))


def _set_up_picks(session: Session, layer: Any, state: LayerState) -> None:
    viewer = session.viewer
    painting.follow_state(layer, state)
    state.set_vocabulary(session.vocabulary)
    if not state.is_open:
        state.is_open = True
        _follow(session, layer, state)
    matching.place_on_best(viewer, layer)
    matching.keep_in_place(viewer, layer)
    if state.role == "picks":
        state.set_tint(_free_tint(viewer, layer))
        if session.model is not None:
            diameters.take_of_model(viewer, state, session.model.card)
        navigation.show_some(viewer, state)


def _set_up_stack(viewer: Any, layer: Any) -> None:
    widen_contrast_range(layer)
    matching.take_along(viewer, layer)
    waiting = picks_layers(viewer)
    for picks_layer in waiting:
        matching.place_on_best(viewer, picks_layer)
    if waiting:  # an image above the picks would hide them
        viewer.layers.move(viewer.layers.index(layer), 0)
        viewer.reset_view()
    placed = [s for s in map(picks_state, waiting) if s.stack == layer.unique_id]
    if placed:
        navigation.show_some(viewer, placed[-1])
    for other in viewer.layers:
        foreign.give_scale(viewer, other)


def _free_tint(viewer: Any, layer: Any) -> int:
    """Return the first colour that no other picks have, that of the layer if it is free."""
    others = [picks_state(x) for x in picks_layers(viewer) if x is not layer]
    taken = {state.tint for state in others if state.role == "picks"}
    own = picks_state(layer).tint
    free = (i for i in (own, *range(len(taken) + 1)) if i not in taken)
    return next(free, 0)


def _follow(session: Session, layer: Any, state: LayerState) -> None:
    """Set up labelling of a picks layer, and forward its signals."""
    if len(state.labels_changed):  # removed, and back
        painting.paint(layer)
        return
    editing.follow_edits(layer)
    keys.bind_keys(session.viewer, layer)
    painting.follow_selection(layer)
    layer.events.name.connect(partial(_rename_outputs, ref(session.viewer), [layer.name]))
    matching.hold(session.viewer, layer)
    state.open_journal()
    layer.events.current_size.connect(lambda e: session.diameter_changed.emit(e.source))
    for signal, slot in (
        (state.labels_changed, partial(_on_labels, session)),
        (state.rows_moved, partial(_on_rows_moved, session)),
        (state.scores_changed, partial(_on_scores, session)),
        (state.threshold_changed, partial(_on_threshold, session)),
        (state.queue_changed, session.queue_changed.emit),
        (state.visited, session.pick_visited.emit),
        (state.refused, session.key_refused.emit),
        (state.said, partial(_on_said, session)),
    ):
        signal.connect(for_layer(layer, slot))


def _on_labels(session: Session, layer: Any, rows: Any) -> None:
    """Update outputs, panels and the queue after a change of labels."""
    state = picks_state(layer)
    if state.scores is not None and state.scores.complete:
        session.refresh_soon(layer)
    session.labels_changed.emit(layer, rows)
    if state.queue is not None:
        navigation.advance_after_label(session.viewer, layer, rows)


def _rename_outputs(viewer_ref: ref[Any], names: list[str], event: Any) -> None:
    """Let kept and rejected picks be called after their picks, unless the user named them."""
    viewer, layer = viewer_ref(), event.source
    before, names[0] = names[0], layer.name
    if viewer is not None:
        for role, output in output_layers.outputs_of(viewer, layer).items():
            if output.name == output_layers.output_name(before, role):
                output.name = output_layers.output_name(layer.name, role)


def tell_orphans(session: Session, layer: Any) -> None:
    """Say that kept and rejected picks stay as they are when their picks are removed."""
    names = [repr(x.name) for x in output_layers.outputs_of(session.viewer, layer).values()]
    if names:
        said = (
            f"{layer.name!r} was removed. What was made of it stays as it is: {', '.join(names)}. "
            "Labels of the removed picks are offered when their file is opened again."
        )
        session.viewer.status = said
        show_info(said)


def _on_said(session: Session, _layer: Any, text: str) -> None:
    session.viewer.status = text


def _on_rows_moved(session: Session, layer: Any, row_of: Rows) -> None:
    """Tell the outputs which rows of the picks their points are now."""
    for output in output_layers.outputs_of(session.viewer, layer).values():
        state = picks_state(output)
        if state.rows is not None:
            left = row_of[state.rows] != NEW
            state.rows, state.picks = row_of[state.rows[left]], state.picks.select(left)
            painting.paint(output)


def _on_scores(session: Session, layer: Any) -> None:
    if picks_state(layer).needs_refresh:
        session.refresh_soon(layer)
    session.scores_changed.emit(layer)


def _on_threshold(session: Session, layer: Any) -> None:
    """Colour the visible picks at once, and the others later."""
    if picks_state(layer).needs_refresh:
        outputs.paint_shown(session.viewer, layer)
        session.refresh_soon(layer)
    session.threshold_changed.emit(layer)


def colour_shown(session: Session, _event: Any = None) -> None:
    """Colour the picks of a micrograph when it is shown, if their colours are outdated."""
    viewer = session.viewer_ref()
    if viewer is not None:
        for layer in picks_layers(viewer):
            if picks_state(layer).needs_refresh:
                outputs.paint_shown(viewer, layer)
