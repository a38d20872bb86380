"""One pruning session on a viewer: its layers, models, classes, and signals of changes.

The picks of a layer are in its `LayerState`; the session sets up each picks layer (keys, undo,
colours, output layers) and forwards the signals of all of them. User actions are in `actions`.
No Qt, no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any  # Any: viewers and layers, which are not imported here
from weakref import WeakKeyDictionary, ref

from napari.utils.notifications import show_info
from psygnal import Signal

from napari_pickeroptimizer.errors import MicrographNotFoundError, SettingsError
from napari_pickeroptimizer.plugin import (
    diameters,
    foreign,
    matching,
    new_layers,
    outputs,
    saving,
    targets,
)
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.plugin.images.stack import (
    StackView,
    stack_of,
)
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    label_layers,
    layer_state,
    picks_layers,
    picks_state,
    unwrap,
)
from napari_pickeroptimizer.plugin.matching import micrograph_layers
from napari_pickeroptimizer.plugin.targets import grid_of

if TYPE_CHECKING:
    from napari_pickeroptimizer.fewshot.events import FineTuned
    from napari_pickeroptimizer.model.checkpoint import Classifier

__all__ = ["Session", "TrainedModel", "label_layers", "micrograph_layers", "picks_of"]
__all__ += ["session_of", "unwrap"]


@dataclass(frozen=True)
class TrainedModel:
    """A model of the session, with the results of fine-tuning if it was trained in this session."""

    model: Classifier
    fine_tuned: FineTuned | None = None


@dataclass(eq=False)
class Session:
    """The shared state of the panels of one viewer, with signals for changes."""

    viewer_ref: ref[Any]
    vocabulary: Vocabulary = DEFAULT_VOCABULARY
    models: list[TrainedModel] = field(default_factory=list)
    refresh_later: Callable[[Any], None] | None = None
    """Called with a picks layer whose colours and outputs are outdated; None: refresh at once."""
    _chosen_picks: ref[Any] | None = None
    _chosen_stack: ref[Any] | None = None
    _target: tuple[Any, Any] = (None, None)

    layers_changed = Signal()
    """Layers were added, removed, renamed, reordered, shown, hidden, or the user's edited."""
    target_changed = Signal()
    """`picks_layer` or `stack_layer` has changed."""
    labels_changed = Signal(object, object)
    """Emitted with the picks layer and the rows whose labels changed."""
    vocabulary_changed = Signal()
    model_changed = Signal()
    scores_changed = Signal(object)
    """Emitted with the picks layer whose scores were added or dropped."""
    threshold_changed = Signal(object)
    """Emitted with the picks layer, at every step of a drag: listeners must be quick."""
    diameter_changed = Signal(object)
    """Emitted with the picks layer whose ring diameter has changed."""
    queue_changed = Signal(object)
    """Emitted with the picks layer whose queue, or position in it, has changed."""
    pick_visited = Signal(object, int)
    """Emitted with the picks layer and the row of the pick that was visited."""
    key_refused = Signal(object, str)  # the layer, and why a key did nothing
    pointer_on_canvas = Signal()  # at every move there: listeners must be quick

    @property
    def viewer(self) -> Any:
        """The viewer."""
        viewer = self.viewer_ref()
        assert viewer is not None, "the viewer is gone"
        return viewer

    @property
    def model(self) -> Classifier | None:
        """The model to apply, None before there is one."""
        return self.models[-1].model if self.models else None

    @property
    def fine_tuned(self) -> FineTuned | None:
        """Results of fine-tuning; None for a model from a file."""
        return self.models[-1].fine_tuned if self.models else None

    @property
    def picks_layer(self) -> Any | None:
        """The current picks layer: the chosen one, else the newest."""
        chosen = _alive(self.viewer, self._chosen_picks)
        if chosen is not None:
            return chosen
        layers = reversed(label_layers(self.viewer))
        return next((x for x in layers if layer_state(x) is not None), None)

    @property
    def picks_state(self) -> LayerState | None:
        """The state of the current picks layer."""
        return None if self.picks_layer is None else layer_state(self.picks_layer)

    @property
    def stack_layer(self) -> Any | None:
        """The current micrographs: the chosen layer, else those of the picks."""
        chosen = _alive(self.viewer, self._chosen_stack)
        if chosen is not None:
            return chosen
        state = self.picks_state
        if state is not None and state.stack is not None:
            matched = matching.layer_by_id(self.viewer, state.stack)
            if matched is not None:
                return matched
        return next(reversed(micrograph_layers(self.viewer)), None)

    def choose(self, *, picks_layer: Any = None, stack_layer: Any = None) -> None:
        """Set the current layers.

        Raises
        ------
        LabelError, MicrographNotFoundError
            The picks are of another origin, and cannot be taken on as picks.
        """
        if picks_layer is not None:
            picks_layer = unwrap(picks_layer)
            adopt_layer(self.viewer, picks_layer, stack_layer)
            self._chosen_picks = ref(picks_layer)
        if stack_layer is not None:
            self._chosen_stack = ref(unwrap(stack_layer))
        self.check_target()

    def follow_active(self, layer: Any) -> None:
        """Work on the picks that were selected in the layer list; on others as before."""
        state = layer_state(layer)
        origin = None if state is None else state.origin.layer_ref
        picks_layer = None if origin is None else origin()
        if picks_layer is not None and picks_layer in self.viewer.layers:
            self._chosen_picks = origin
            self.check_target()

    def check_target(self) -> None:
        """Emit a signal if the current layers have changed."""
        target = (self.picks_layer, self.stack_layer)
        if any(a is not b for a, b in zip(target, self._target, strict=True)):
            self._target = target
            self.target_changed.emit()

    def set_model(self, model: Classifier, fine_tuned: FineTuned | None = None) -> None:
        """Set the current model; scores of the previous one are dropped.

        Picks whose diameter is a guess get the model's.
        """
        self.models.append(TrainedModel(model, fine_tuned))
        for layer in picks_layers(self.viewer):
            diameters.take_of_model(self.viewer, picks_state(layer), model.card)
        self._forget_scores()

    def restore_model(self) -> bool:
        """Go back to the previous model; return False if there is none."""
        if len(self.models) < 2:
            return False
        self.models.pop()
        self._forget_scores()
        return True

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Change names, colours and keys of the classes, in all picks layers."""
        if vocabulary != self.vocabulary:
            self.vocabulary = vocabulary
            for layer in picks_layers(self.viewer):
                picks_state(layer).set_vocabulary(vocabulary)
            self.vocabulary_changed.emit()

    def refresh_soon(self, layer: Any) -> None:
        """Refresh a layer's colours and outputs: at once, or when a panel decides."""
        refresh = self.refresh_later or partial(outputs.refresh, self.viewer)
        refresh(layer)

    def _forget_scores(self) -> None:
        for layer in picks_layers(self.viewer):
            picks_state(layer).forget_scores()
        self.model_changed.emit()


# The registry of sessions; the kind of a layer is in its metadata.
_sessions: WeakKeyDictionary[Any, Session] = WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the viewer's session, creating it at the first call.

    From then on, picks and micrographs that are added to the viewer in any way (menus, drag
    and drop, other plugins) are matched, and picks layers get their keys.
    """
    viewer = unwrap(viewer)
    if viewer in _sessions:
        return _sessions[viewer]
    session = _sessions[viewer] = Session(ref(viewer))
    saving.watch()
    events = viewer.layers.events
    events.inserted.connect(partial(_on_inserted, session))
    events.removed.connect(partial(_on_removed, session))
    events.reordered.connect(partial(_on_change, session))
    viewer.layers.selection.events.active.connect(partial(_on_active, session))
    viewer.dims.events.current_step.connect(partial(new_layers.colour_shown, session))
    grid_of(viewer).events.enabled.connect(partial(_explain_grid, session))
    targets.follow_pointer(viewer, session.pointer_on_canvas.emit)
    for layer in list(viewer.layers):
        _add(session, layer)
    session.check_target()
    return session


def _add(session: Session, layer: Any) -> None:
    new_layers.set_up(session, layer)
    foreign.watch(layer, partial(_on_change, session))


def _on_inserted(session: Session, event: Any) -> None:
    _add(session, event.value)
    _on_change(session)


def _on_removed(session: Session, event: Any) -> None:
    if (state := layer_state(event.value)) is not None:
        if state.role == "picks" and session.viewer_ref() is not None:
            new_layers.tell_orphans(session, event.value)
        state.is_open = False
    _on_change(session)


def _on_change(session: Session, _event: Any = None) -> None:
    if session.viewer_ref() is not None:
        session.layers_changed.emit()
        session.check_target()


def _on_active(session: Session, event: Any) -> None:
    if session.viewer_ref() is not None and event.value is not None:
        session.follow_active(event.value)


def session_with(layer: Any) -> Session:
    """Return the session of the viewer that a layer is in.

    Raises
    ------
    SettingsError
        It is in no viewer that has a session, nor in the current one.
    """
    layer = unwrap(layer)
    asking_viewer()
    for session in list(_sessions.values()):
        viewer = session.viewer_ref()
        if viewer is not None and layer in viewer.layers:
            return session
    raise SettingsError(
        f"layer {layer.name!r} is in no viewer of this plugin: add it to one, and call "
        "session_of(viewer)."
    )


def asking_viewer() -> Any | None:
    """Return the viewer that called a reader, with a session; None without a window.

    napari does not pass the viewer to readers and sample data, so the current one is used.
    """
    from napari import current_viewer  # heavy: only where there is a viewer already

    viewer = current_viewer()
    if viewer is not None:
        session_of(viewer)
    return viewer


def adopt_layer(viewer: Any, layer: Any, stack_layer: Any = None) -> None:
    """Use a Points layer of another origin as picks of micrographs, by default the newest ones.

    What is assumed of it, class and diameter, is told.

    From then on it is a picks layer as those that are opened: its points are kept where they
    were shown, and it gets the scale of picks.

    Raises
    ------
    LabelError
        Its points are not (micrograph, y, x), lie on no micrograph, or are in another unit.
    """
    session, viewer, layer = session_of(viewer), unwrap(viewer), unwrap(layer)
    if layer_state(layer) is not None:
        return
    stacks = micrograph_layers(viewer) if stack_layer is None else [unwrap(stack_layer)]
    if not stacks:
        raise MicrographNotFoundError("there are no micrographs: open them first.")
    told = foreign.adopt(viewer, layer, stacks[-1], session.vocabulary)
    new_layers.set_up(session, layer)
    if told:
        viewer.status = told
        show_info(told)


def stack_for(viewer: Any, layer: Any, stack_layer: Any) -> StackView:
    """Return the micrographs to read a layer's picks from."""
    viewer = unwrap(viewer)
    adopt_layer(viewer, layer, stack_layer)
    stack = None if stack_layer is None else stack_of(stack_layer.metadata)
    stack = stack or matching.stack_of_picks(viewer, picks_state(layer))
    if stack is None:
        raise MicrographNotFoundError(
            f"the micrographs of {layer.name!r} are not open: open their folder or their STAR."
        )
    return stack


def _explain_grid(session: Session, _event: Any = None) -> None:
    """Say how picks and micrographs stay together in napari's grid."""
    viewer = session.viewer_ref()
    if viewer is not None and grid_of(viewer).enabled and picks_layers(viewer):
        said = (
            "The grid shows each layer in a tile of its own, so picks are not on their "
            "micrographs, and keys label selected picks only. Press the grid button again for "
            "all layers on one another."
        )
        viewer.status = said
        show_info(said)


def _alive(viewer: Any, layer_ref: ref[Any] | None) -> Any | None:
    """Return the referenced layer, None if it was removed from the viewer."""
    layer = None if layer_ref is None else layer_ref()
    return layer if layer is not None and layer in viewer.layers else None
