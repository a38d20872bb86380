"""`LayerState`: the state of one picks layer, with signals for changes. No Qt.

The picks are the truth and the layer is a view of them: napari removes selected points on a key
and has no undo. Whoever wants a label, a threshold or a queue changed asks the state of the
layer; `painting` draws what came of it, the session passes the signals on to the panels. The
state knows no napari and never refers to its layer for good: layers are free to go.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from weakref import ref

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin.labels.history import Change, History
from napari_pickeroptimizer.plugin.labels.journal import Journal, Recovery, journal_of
from napari_pickeroptimizer.plugin.labels.queue import Queue
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.transforms import guess_diameter_px
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.place_rules import Frame, PlaceRules
from napari_pickeroptimizer.prune.score import MicrographScored, ScoreEvent
from napari_pickeroptimizer.prune.threshold import DEFAULT_THRESHOLD, check_probability
from napari_pickeroptimizer.reading import MicrographFailed

METADATA_KEY = "pickeroptimizer"

Role = Literal["picks", "kept", "rejected", "unscored"]
Rows = NDArray[np.intp]


def _no_rows() -> Rows:
    return np.empty(0, dtype=np.intp)


@dataclass(eq=False)
class LayerState:
    """The picks of a layer with their labels, scores, decision and display.

    Parameters
    ----------
    picks : Picks
        The truth, without any column of a display; row i is the point with ``pick_id`` i.
    slice_of : mapping of str to int
        Slice index of each micrograph name that the picks use.
    slice_names : tuple of str
        Micrograph name of each slice, for points that the user adds.
    diameter_px : float
        Diameter of the rings in micrograph pixels.
    role : str
        Whether these are the picks to work on, or an output made of them.
    stack : hashable or None
        ``unique_id`` of the image layer whose slices these are, None before there is one.
    source : LayerState or None
        Of an output, the state of the picks it was made of.
    rows : (n,) int array or None
        Of an output, its rows in the picks of `source`.
    vocabulary : Vocabulary
        What the classes are called and how they are drawn.
    is_open : bool
        Whether the layer is in a viewer.
    history, journal, recovery
        Undo of labels; where they are written; labels of an earlier session, if any.
    scores : Scores or None
        What a model says of the picks, complete or still coming in.
    threshold : float
        Least P(particle) of a kept pick.
    rules, frames
        Distances that cost a pick its place, and the micrographs that they are measured on.
    queue : Queue or None
        Picks to look at one after the other.
    doubtful : (k,) int
        Labelled picks that the model took for another class, the clearest first.
    needs_refresh, outdated : bool
        Colours or output layers are behind the decision; only unseen outputs are.
    is_painted : bool
        Whether what changes in the layer is our own doing.
    """

    picks: Picks
    slice_of: Mapping[str, int]
    slice_names: tuple[str, ...]
    diameter_px: float
    role: Role = "picks"
    stack: Hashable = None
    source: LayerState | None = None
    rows: Rows | None = None
    vocabulary: Vocabulary = DEFAULT_VOCABULARY
    is_open: bool = False
    history: History = field(default_factory=History)
    journal: Journal | None = None
    recovery: Recovery | None = None
    scores: Scores | None = None
    threshold: float = DEFAULT_THRESHOLD
    rules: PlaceRules = field(default_factory=PlaceRules)
    frames: Sequence[Frame] = ()
    queue: Queue | None = None
    doubtful: Rows = field(default_factory=_no_rows)
    needs_refresh: bool = False
    outdated: bool = False
    is_painted: bool = False
    # Any: a napari layer, which is not imported here
    layer_ref: ref[Any] | None = field(default=None, init=False, repr=False)
    _decision: Decision | None = field(default=None, init=False, repr=False)

    redraw = Signal(object)
    """Emitted with the rows that are to be drawn again, None for all that look different."""
    view_changed = Signal()
    """Slices or classes are others, or there are more picks: all is to be drawn again."""
    labels_changed = Signal(object)
    """Emitted with the rows whose labels changed, or that were added; they are drawn."""
    scores_changed = Signal()
    """Scores came, in part or all, or were forgotten; after `redraw`."""
    threshold_changed = Signal()
    """Also of the place rules. At every step of a drag: listeners must be quick."""
    diameter_changed = Signal()
    queue_changed = Signal()
    """There is another queue, or another place in it."""
    visited = Signal(int)
    """Emitted with the row of the pick that was gone to."""

    @classmethod
    def of_picks(
        cls, picks: Picks, *, diameter_px: float | None = None, role: Role = "picks"
    ) -> LayerState:
        """Return a state whose slices are the micrographs in order of first appearance."""
        names = tuple(str(name) for name in pd.unique(picks.table["micrograph"]))
        return cls(
            picks,
            {name: i for i, name in enumerate(names)},
            names,
            diameter_px or guess_diameter_px(picks),
            role,
        )

    def copy(self) -> LayerState:
        """Return the state for a copy of the layer, with its own undo history."""
        scores = self.scores if self.scores is not None and self.scores.complete else None
        return replace(
            self, history=History(), journal=None, recovery=None, queue=None, is_open=False,
            scores=None if scores is None else replace(scores),
        )  # fmt: skip

    # -------------------------------------------------------------------------------- view

    def place(
        self, slice_of: Mapping[str, int], slice_names: tuple[str, ...], stack: Hashable
    ) -> None:
        """Put the picks on the slices of a micrograph stack."""
        self.slice_of, self.slice_names, self.stack = slice_of, slice_names, stack
        self.view_changed.emit()

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Change names, colours and symbols of the classes."""
        if vocabulary == self.vocabulary:
            return
        names, before = vocabulary.names(), self.vocabulary.names()
        self.vocabulary = vocabulary
        if names != before:
            self._write_journal(lambda journal: journal.write_names(names, self.picks))
        self.view_changed.emit()

    def set_diameter(self, diameter_px: float) -> None:
        """Change the diameter of the rings."""
        if diameter_px > 0 and diameter_px != self.diameter_px:
            self.diameter_px = float(diameter_px)
            self.diameter_changed.emit()

    @property
    def slices(self) -> NDArray[np.float64]:
        """(n,) slice of each pick."""
        slices = self.picks.table["micrograph"].map(dict(self.slice_of))
        return np.asarray(slices, dtype=np.float64)

    # ------------------------------------------------------------------------------ labels

    @property
    def origin(self) -> LayerState:
        """The picks that an output was made of, while they are open; of other picks this."""
        is_linked = self.source is not None and self.source.is_open and self.rows is not None
        return self.source if is_linked and self.source is not None else self

    def set_labels(self, rows: Collection[int] | ArrayLike, class_id: ArrayLike) -> None:
        """Label picks, with undo and journal.

        Labels given on an output (kept, rejected) reach the picks it was made of, so that a
        mistake that is noticed there is a label for the next training.

        Parameters
        ----------
        rows : collection of int
            Points; the same as rows of the picks.
        class_id : int, or (n,) int
            1 to 6, or 0 to take the label back; one for all, or one for each row.
        """
        at = as_rows(rows)
        labels = self.picks.labels.copy()
        labels[at] = class_id
        changed = np.unique(at[self.picks.labels[at] != labels[at]])
        if len(changed):
            self._take(self.picks.with_labels(labels), changed)

    def set_picks(self, picks: Picks) -> None:
        """Replace the picks by the same ones with other labels, or with added picks."""
        n = len(self.picks)
        changed = np.flatnonzero(self.picks.labels != picks.labels[:n])
        if len(changed) or len(picks) > n:
            self._take(picks, changed)

    def undo(self) -> bool:
        """Undo the last change of labels; return False if there is none."""
        return self.origin._travel(History.undo, "before")

    def redo(self) -> bool:
        """Redo the change that was undone last; return False if there is none."""
        return self.origin._travel(History.redo, "after")

    @property
    def can_undo(self) -> tuple[bool, bool]:
        """Whether undo and redo are possible."""
        history = self.origin.history
        return bool(history.done), bool(history.undone)

    def open_journal(self) -> None:
        """Start the journal of labels, and look for labels of an earlier session."""
        if self.journal is None and self.role == "picks":  # those of outputs are the source's
            self.journal = journal_of(self.picks)
            self.recovery = self.journal.recovery(self.picks)

    def recover(self) -> int:
        """Restore the labels of the earlier session; return their number.

        Picks that were labelled since keep their new label.
        """
        recovery, self.recovery = self.recovery, None
        if recovery is None:
            return 0
        labels = self.picks.labels.copy()
        untouched = labels[recovery.rows] == recovery.before
        rows = recovery.rows[untouched]
        labels[rows] = recovery.labels[untouched]
        picks = self.picks.with_labels(labels)
        if len(recovery.added):
            picks = with_added(picks, recovery.added)
        self._take(picks, rows)
        return len(rows) + len(recovery.added)

    def discard_recovery(self) -> None:
        """Discard the labels of the earlier session; newer ones are kept."""
        if self.recovery is None:
            return
        self.recovery = None
        labelled = np.flatnonzero(self.picks.labels != UNLABELLED)
        self._write_journal(lambda journal: journal.forget(self.picks))
        self._write_journal(lambda journal: journal.write(self.picks, labelled))

    def _take(self, picks: Picks, changed: Rows, *, remember: bool = True) -> None:
        """Replace the picks, whose labels differ in `changed` or which have added rows."""
        before, self.picks = self.picks, picks
        added = np.arange(len(before), len(picks))
        rows = np.concatenate([changed, added])
        if len(added):
            self._add_slices(picks.table["micrograph"].iloc[len(before) :])
        redecided = self._update_decision(rows, len(added))
        if len(added):
            self.view_changed.emit()
        else:
            self.redraw.emit(np.union1d(rows, redecided))
        if self.origin is not self:
            assert self.rows is not None  # it is an output
            linked = changed[changed < len(self.rows)]
            self.origin.set_labels(self.rows[linked], picks.labels[linked])
            return
        if remember and len(changed):
            change = Change(changed, before.labels[changed], picks.labels[changed])
            self.history.push(change)
        if len(changed):
            self._write_journal(lambda journal: journal.write(picks, changed))
        if len(added):
            self._write_journal(lambda journal: journal.write(picks, added, added=True))
        self.labels_changed.emit(rows)

    def _travel(self, step: Callable[[History], Change | None], which: str) -> bool:
        change = step(self.history)
        if change is None:
            return False
        labels = self.picks.labels.copy()
        labels[change.rows] = getattr(change, which)
        self._take(self.picks.with_labels(labels), change.rows, remember=False)
        return True

    def _add_slices(self, names: Iterable[str]) -> None:
        slice_of, slice_names = dict(self.slice_of), list(self.slice_names)
        for name in map(str, names):
            if name not in slice_of:
                if name not in slice_names:
                    slice_names.append(name)
                slice_of[name] = slice_names.index(name)
        self.slice_of, self.slice_names = slice_of, tuple(slice_names)

    def _write_journal(self, write: Callable[[Journal], None]) -> None:
        """Write to the journal; if that fails, warn once and continue without."""
        if self.journal is None:
            return
        try:
            write(self.journal)
        except OSError as error:
            warnings.warn(
                f"labels are not saved as you go: {self.journal.path} cannot be written "
                f"({error}). Save them yourself.",
                UserWarning,
                stacklevel=2,
            )
            self.journal = None

    # ------------------------------------------------------------------ scores and decision

    @property
    def decision(self) -> Decision:
        """The decision from scores, labels and places, as far as they are known.

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
        scored = self.checked_scores.scored_picks(self.picks)
        return self.decision.decided(scored, self.threshold)

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
            before.grow(self.picks)
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

    def _update_decision(self, rows: Rows, n_added: int) -> Rows:
        """Update the decision to labels and added picks; return other rows that changed."""
        scores = self.scores
        if scores is None:
            return _no_rows()
        self.needs_refresh = self.needs_refresh or scores.complete
        if n_added:
            scores.grow(self.picks)
            self._decision = None
        if self._decision is None:
            return _no_rows()
        return self._decision.set_labels(rows, self.picks.labels[rows])


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


def unwrap(proxy: Any) -> Any:
    """Return a viewer or layer itself: napari hands plugins short-lived wrapt proxies."""
    return getattr(proxy, "__wrapped__", proxy)


def as_rows(rows: Any) -> Rows:
    """Return rows of picks as an array.

    Raises
    ------
    LabelError
        One is negative.
    """
    at = np.asarray(
        list(rows) if isinstance(rows, set | frozenset | range) else rows, dtype=np.intp
    ).ravel()
    if len(at) and at.min() < 0:
        raise LabelError(f"pick {int(at.min())} does not exist: rows count from 0.")
    return at


def with_added(picks: Picks, new: Picks) -> Picks:
    """Return picks with the user's added ones appended, which belong to no file."""
    return concatenate([picks, replace(new, file_list=picks.file_list)])
