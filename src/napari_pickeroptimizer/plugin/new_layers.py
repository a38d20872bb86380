"""What a new layer of a viewer needs: keys, undo, its slices, its signals forwarded."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any  # Any: viewers and layers, which are not imported here
from weakref import ref

from napari_pickeroptimizer.errors import (
    PickerOptimizerError,
)
from napari_pickeroptimizer.plugin import (
    editing,
    keys,
    matching,
    navigation,
    outputs,
    painting,
    transforms,
)
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.plugin.images.stack import (
    stack_of,
    widen_contrast_range,
)
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_state,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.plugin.session import Session


def set_up_layer(session: Session, viewer: Any, layer: Any) -> None:
    """Set up a new layer: keys for picks; slices for picks when a stack is added."""
    state = layer_state(layer)
    if state is not None:
        painting.follow_state(layer, state)
        state.set_vocabulary(session.vocabulary)
        if not state.is_open:
            state.is_open = True
            _follow(session, viewer, layer, state)
        _match(viewer, layer)
        if state.role == "picks":
            _show_some(viewer, state)
    elif stack_of(layer.metadata) is not None:
        widen_contrast_range(layer)
        waiting = matching.picks_layers(viewer)
        for picks_layer in waiting:
            _match(viewer, picks_layer)
        if waiting:  # an image above the picks would hide them
            viewer.layers.move(viewer.layers.index(layer), 0)
            viewer.reset_view()


def _follow(session: Session, viewer: Any, layer: Any, state: LayerState) -> None:
    """Set up labelling of a picks layer, and forward its signals."""
    if len(state.labels_changed):  # removed, and back
        painting.paint(layer)
        return
    editing.follow_edits(layer)
    keys.bind_keys(viewer, layer)
    state.open_journal()
    layer.events.current_size.connect(
        lambda event: session.diameter_changed.emit(event.source)
    )
    of_layer = partial(_with_layer, ref(layer))
    state.labels_changed.connect(of_layer(partial(_on_labels, session)))
    state.scores_changed.connect(of_layer(partial(_on_scores, session)))
    state.threshold_changed.connect(of_layer(partial(_on_threshold, session)))
    state.queue_changed.connect(of_layer(session.queue_changed.emit))
    state.visited.connect(of_layer(session.pick_visited.emit))


def _with_layer(layer_ref: ref[Any], slot: Callable[..., None]) -> Callable[..., None]:
    """Return a slot that passes the layer as first argument, while the layer exists."""

    def call(*args: Any) -> None:
        if (layer := layer_ref()) is not None:
            slot(layer, *args)

    return call


def _on_labels(session: Session, layer: Any, rows: Any) -> None:
    """Update outputs, panels and the queue after a change of labels."""
    state = picks_state(layer)
    if state.scores is not None and state.scores.complete:
        session.refresh_soon(layer)
    session.labels_changed.emit(layer, rows)
    if state.queue is not None:
        navigation.advance_after_label(session.viewer, layer, rows)


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
        for layer in matching.picks_layers(viewer):
            if picks_state(layer).needs_refresh:
                outputs.paint_shown(viewer, layer)


def _show_some(viewer: Any, state: LayerState) -> None:
    """Go to a micrograph with picks, if the current one has none."""
    slices = set(state.slice_of.values())
    if slices and viewer.dims.ndim == 3 and transforms.slice_shown(viewer) not in slices:
        transforms.show_slice(viewer, min(slices))


def _match(viewer: Any, layer: Any) -> None:
    """Give a picks layer the slices and scale of the stack that fits it best."""
    picks_of(layer)  # takes over what was edited
    state = picks_state(layer)
    if matching.find_stack(viewer, state) is not None:
        return
    try:
        best = matching.best_stack(viewer, state)
    except PickerOptimizerError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)
        return
    if best is None:
        if any(stack_of(other.metadata) is not None for other in viewer.layers):
            warnings.warn(
                f"none of the micrographs of {layer.name!r} is among the opened ones "
                f"({', '.join(state.slice_names[:3])}, ...).",
                UserWarning,
                stacklevel=2,
            )
        return
    stack_layer, match = best
    if match.text:
        warnings.warn(match.text, UserWarning, stacklevel=2)
    matching.place(layer, match, stack_layer)
