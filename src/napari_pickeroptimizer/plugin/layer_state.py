"""`LayerState`: the state of one picks layer, with signals for changes. No Qt.

The picks are the model and the layer is a view of them: napari removes selected points on a key
and has no undo. Labels, threshold and queue are changed through the state; `painting` draws the
result, and the session forwards the signals to the panels. The state does not import napari and
holds no strong reference to its layer, which can therefore be garbage-collected.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import ref

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psygnal import Signal

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.changes import NEW, History, Rows, no_rows
from napari_pickeroptimizer.plugin.labels.labelled_picks import LabelledPicks
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.transforms import guess_diameter_px
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.events import MicrographScored, ScoreEvent
from napari_pickeroptimizer.prune.place_rules import Frame
from napari_pickeroptimizer.prune.settings import (
    DEFAULT_THRESHOLD,
    PlaceRules,
    check_probability,
)
from napari_pickeroptimizer.reading import MicrographFailed

METADATA_KEY = "pickeroptimizer"
SUGGESTED, TO_CHECK = "suggested", "labels to check"


@dataclass
class Queue:
    """Picks to visit one by one, in order.

    Parameters
    ----------
    rows : (n,) int
        Rows of the picks, in the order in which they are visited.
    reason : str
        Why these: ``suggested``, ``labels to check``, ... for the user.
    position : int
        Position of the current pick.
    """

    rows: NDArray[np.intp]
    reason: str
    position: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def row(self) -> int:
        """Row of the current pick."""
        return int(self.rows[self.position])

    @property
    def text(self) -> str:
        """``3 of 20 suggested``."""
        return f"{self.position + 1} of {len(self)} {self.reason}"

    def to_label_next(self, labels: NDArray[np.int8]) -> NDArray[np.intp]:
        """Return the next positions to visit, nearest first.

        Labelled picks are skipped, and those before this one come last; of labels to check
        all that follow are visited.
        """
        following = np.arange(self.position + 1, len(self))
        if self.reason == TO_CHECK:
            return following
        around = np.concatenate([following, np.arange(self.position)])
        return around[labels[self.rows[around]] == UNLABELLED]


@dataclass(eq=False)
class LayerState(LabelledPicks):
    """The picks of a layer with their labels, scores, decision and queue.

    See `LabelledPicks` for picks, slices and labels.

    Parameters
    ----------
    scores : Scores or None
        Scores of the picks by a model, complete or during scoring.
    threshold : float
        Least P(particle) of a kept pick.
    rules, frames
        Place rules, and the micrographs that they apply to.
    queue : Queue or None
        Picks to visit one after the other.
    doubtful : (k,) int
        Labelled picks that the model took for another class, the clearest first.
    needs_refresh : bool
        Colours or output layers are older than the decision.
    outdated : frozenset of str
        Roles of outputs that are older than the colours.
    is_painted : bool
        Whether the plugin itself is changing the layer.
    """

    scores: Scores | None = None
    threshold: float = DEFAULT_THRESHOLD
    rules: PlaceRules = field(default_factory=PlaceRules)
    frames: Sequence[Frame] = ()
    queue: Queue | None = None
    doubtful: Rows = field(default_factory=no_rows)
    needs_refresh: bool = False
    outdated: frozenset[str] = frozenset()
    is_painted: bool = False
    # Any: a napari layer, which is not imported here
    layer_ref: ref[Any] | None = field(default=None, init=False, repr=False)
    _decision: Decision | None = field(default=None, init=False, repr=False)

    scores_changed = Signal()
    """Scores were added or dropped; emitted after `redraw`."""
    threshold_changed = Signal()
    """Also of the place rules. At every step of a drag: listeners must be quick."""
    queue_changed = Signal()
    """The queue or the position in it has changed."""
    visited = Signal(int)
    """Emitted with the row of the pick that was visited."""
    refused = Signal(str)
    """Emitted with the reason why a key did nothing."""
    said = Signal(str)
    """Emitted with what became of points that napari's own tools edited, for the status bar."""

    @classmethod
    def of_picks(cls, picks: Picks, *, diameter_px: float | None = None) -> LayerState:
        """Return a state whose slices are the micrographs in order of first appearance."""
        names = tuple(str(name) for name in pd.unique(picks.table["micrograph"]))
        return cls(
            picks,
            {name: i for i, name in enumerate(names)},
            names,
            diameter_px or guess_diameter_px(picks),
            diameter_is_guess=not diameter_px,
        )

    def copy(self) -> LayerState:
        """Return the state for a copy of the layer, with its own undo history."""
        scores = self.scores if self.scores is not None and self.scores.complete else None
        return replace(
            self, history=History(), journal=None, recovery=None, queue=None, is_open=False,
            scores=None if scores is None else replace(scores),
        )  # fmt: skip

    @property
    def decision(self) -> Decision:
        """The decision from scores, labels and places, as far as available.

        Raises
        ------
        SettingsError
            The picks are not scored.
        """
        if self._decision is None:
            scores = self.checked_scores
            self._decision = Decision(
                scores.p_particle, scores.other_class(), self.picks.labels, scores.codes,
                scores.names, forecast=scores.forecast, order=scores.order,
            )  # fmt: skip
            if self.frames:
                self._decision.set_places(self.picks.coords_yx_px(), self.frames)
        return self._decision

    @property
    def checked_scores(self) -> Scores:
        """The scores.

        Raises
        ------
        SettingsError
            The picks are not scored.
        """
        if self.scores is None:
            raise SettingsError("the picks are not scored yet: score them first.")
        return self.scores

    def scored_class(self, rows: Rows | slice = slice(None)) -> NDArray[np.int8]:
        """Return the class of picks by scores and places, without labels; 0 for none.

        Without scores it is the class in the picks' own file, if there is any.
        """
        scores = self.scores
        if scores is None:
            if "predicted" in self.picks.table:
                return self.picks.table["predicted"].to_numpy(np.int8)[rows]
            return np.zeros(len(self.picks), dtype=np.int8)[rows]
        if self._decision is not None or scores.complete:
            return self.decision.scored_class(self.threshold, rows)
        # while scores come in, the few new ones alone: sorting all takes too long
        p = scores.p_particle[rows]
        nowhere = np.zeros(len(p), dtype=np.int8)
        some = Decision(p, scores.other_class(rows), self.picks.labels[rows], nowhere, ("",))
        return some.scored_class(self.threshold)

    def p_particle(self, rows: Rows | slice = slice(None)) -> NDArray[np.floating]:
        """Return P(particle) of picks, by the scores, else by their own file; NaN for none."""
        if self.scores is None:
            return self.picks.particle_probability[rows]
        return self.scores.p_particle[rows]

    def decided_picks(self) -> Picks:
        """Return the picks with probabilities, ``predicted`` and ``decided_by``."""
        return self.decided_later()()

    def decided_later(self) -> Callable[[], Picks]:
        """Return what gives `decided_picks` as they are now; any thread may call it."""
        scores, picks = self.checked_scores, self.picks
        columns = self.decision.decided_columns(self.threshold)
        return lambda: scores.scored_picks(picks).with_columns(**columns)

    def follow_source(self, made: LayerState) -> None:
        """Become newly made picks of the same source; their layer is not drawn yet."""
        self.picks, self.rows, self.diameter_px = made.picks, made.rows, made.diameter_px
        self.slice_of, self.slice_names = made.slice_of, made.slice_names
        self.stack, self.tint = made.stack, made.tint

    def begin_scores(self, scores: Scores) -> Scores | None:
        """Set the scores; return the previous ones, for `restore_scores`."""
        before = self.scores
        self._set_scores(scores)
        return before

    def take_scores(
        self, event: ScoreEvent | ScoreSummary, frames: Sequence[Frame] = ()
    ) -> None:
        """Apply an event of scoring: a micrograph, or the end.

        `frames`, for the end where distances count, are those of `prune.place_rules.frames_of`.
        """
        scores = self.checked_scores
        if isinstance(event, MicrographScored | MicrographFailed):
            self._decision = None
            self.redraw.emit(scores.take_micrograph(event))
        elif isinstance(event, ScoreSummary):
            scores.finish(event)
            self._decision, self.frames, self.needs_refresh = None, frames, True
        else:
            return
        self.scores_changed.emit()

    def restore_scores(self, before: Scores | None) -> None:
        """Restore the previous scores, as after a cancelled scoring."""
        if before is not None and len(before) < len(self.picks):
            rows = np.arange(len(self.picks))
            before.rearrange(self.picks, np.where(rows < len(before), rows, NEW))
        self._set_scores(before)

    def forget_scores(self) -> None:
        """Drop the scores and their colours."""
        if self.scores is not None:
            self._set_scores(None)

    def set_threshold(self, threshold: float) -> None:
        """Set the threshold on P(particle).

        Raises
        ------
        SettingsError
            It is no probability.
        """
        check_probability("the threshold", threshold)
        self.threshold = float(threshold)
        self.needs_refresh = True
        self.threshold_changed.emit()

    def set_place_rules(self, rules: PlaceRules, frames: Sequence[Frame]) -> None:
        """Set the distances that reject picks; `frames` are those of `frames_of`."""
        self.decision.set_places(self.picks.coords_yx_px(), frames)
        self.rules, self.frames = rules, frames
        self.needs_refresh = True
        self.threshold_changed.emit()

    def set_queue(self, queue: Queue | None) -> None:
        """Set the queue, or None."""
        if queue is not self.queue:
            self.queue = queue
            self.queue_changed.emit()

    def _set_scores(self, scores: Scores | None) -> None:
        self.scores, self._decision, self.frames = scores, None, ()
        self.needs_refresh = scores is not None and scores.complete
        self.redraw.emit(None)
        self.scores_changed.emit()

    def _update_decision(self, rows: Rows) -> Rows:
        """Update the decision to labels; return other rows that changed."""
        scores = self.scores
        if scores is None:
            return no_rows()
        self.needs_refresh = self.needs_refresh or scores.complete
        if self._decision is None:
            return no_rows()
        return self._decision.set_labels(rows, self.picks.labels[rows])

    def _move_rows(self, old: Rows, row_of: Rows) -> None:
        """Let scores, places, queue and doubtful labels follow the picks."""
        self._decision = None
        self.frames = [replace(f, rows=_followed(f.rows, row_of)) for f in self.frames]
        self.doubtful = _followed(self.doubtful, row_of)
        if self.scores is not None:
            self.scores.rearrange(self.picks, old)
            self.needs_refresh = self.needs_refresh or self.scores.complete
        if self.queue is not None and (row_of == NEW).any():
            left = row_of[self.queue.rows] != NEW
            position = int(np.count_nonzero(left[: self.queue.position]))
            rows = row_of[self.queue.rows[left]]
            is_left = len(rows) > 0
            position = min(position, len(rows) - 1)
            self.set_queue(Queue(rows, self.queue.reason, position) if is_left else None)

    @property
    def why_in_place(self) -> str:
        """Why no pick can be moved or taken away now; empty if they can."""
        if self.scores is None or self.scores.complete:
            return ""
        return "The picks are being scored: move or remove points, or undo that, afterwards."


def _followed(rows: Rows, row_of: Rows) -> Rows:
    """Return where rows are now, without those that are gone."""
    now = row_of[rows]
    return now[now != NEW]


def layer_state(layer: Any) -> LayerState | None:
    """Return the state of a picks layer, None for other layers.

    A layer that was made from another one, as by *Duplicate*, gets a copy of its state.
    """
    layer = unwrap(layer)
    state = layer.metadata.get(METADATA_KEY)
    if not isinstance(state, LayerState):
        return None
    if state.layer_ref is not None and state.layer_ref() is layer:
        return state
    if state.layer_ref is not None:
        state = layer.metadata[METADATA_KEY] = state.copy()
    state.layer_ref = ref(layer)
    return state


def picks_state(layer: Any) -> LayerState:
    """Return the state of a layer's picks.

    Raises
    ------
    LabelError
        The layer holds no picks.
    """
    state = layer_state(layer)
    if state is None:
        raise LabelError(
            f"layer {layer.name!r} holds no picks: open a pick file, or choose another layer."
        )
    return state


def picks_layers(viewer: Any) -> list[Any]:
    """Return the Points layers of picks."""
    return [layer for layer in viewer.layers if layer_state(layer) is not None]


def label_layers(viewer: Any) -> list[Any]:
    """Return the Points layers that can be labelled: all but the plugin's outputs."""
    return [
        layer
        for layer in unwrap(viewer).layers
        if type(layer).__name__ == "Points"
        and ((state := layer_state(layer)) is None or state.role == "picks")
    ]


def for_layer(layer: Any, slot: Callable[..., None]) -> Callable[..., None]:
    """Return a slot that passes the layer as first argument, while the layer exists."""
    layer_ref = ref(layer)  # the state belongs to the layer, and must not keep it alive

    def call(*args: Any) -> None:
        if (existing := layer_ref()) is not None:
            slot(existing, *args)

    return call


def unwrap(proxy: Any) -> Any:
    """Return a viewer or layer itself: napari hands plugins short-lived wrapt proxies."""
    return getattr(proxy, "__wrapped__", proxy)
