"""Labels of the picks of a layer: undo, the journal, outputs that pass them on. No Qt."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin.labels.journal import Journal, Recovery, journal_of
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary

Rows = NDArray[np.intp]
Role = Literal["picks", "kept", "rejected", "unscored"]
MAX_CHANGES = 1000


def no_rows() -> Rows:
    """Return no rows of picks."""
    return np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Change:
    """A change of the labels of some picks.

    Parameters
    ----------
    rows : (n,) int
        Their rows in the table of picks.
    before, after : (n,) int8
        Their class ids, 0 = unlabelled.
    """

    rows: Rows
    before: NDArray[np.int8]
    after: NDArray[np.int8]


def _no_changes() -> deque[Change]:
    return deque(maxlen=MAX_CHANGES)


@dataclass
class History:
    """Stacks of done and undone changes, the newest last."""

    done: deque[Change] = field(default_factory=_no_changes)
    undone: deque[Change] = field(default_factory=_no_changes)

    def push(self, change: Change) -> None:
        """Add a change; undone changes can no longer be redone."""
        self.done.append(change)
        self.undone.clear()

    def undo(self) -> Change | None:
        """Return the change to undo (set `before`), None when there is none."""
        return _move(self.done, self.undone)

    def redo(self) -> Change | None:
        """Return the change to redo (set `after`), None when there is none."""
        return _move(self.undone, self.done)


def _move(source: deque[Change], target: deque[Change]) -> Change | None:
    if not source:
        return None
    target.append(source.pop())
    return target[-1]


@dataclass(eq=False)
class LabelledPicks:
    """The picks of a layer, the slices that they lie on, and their labels.

    Parameters
    ----------
    picks : Picks
        The picks, without display columns; row i is the point with ``pick_id`` i.
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
    source : LabelledPicks or None
        Of an output, the picks it was made of.
    rows : (n,) int array or None
        Of an output, its rows in the picks of `source`.
    vocabulary : Vocabulary
        Names and styles of the classes.
    is_open : bool
        Whether the layer is in a viewer.
    history, journal, recovery
        Undo of labels; where they are written; labels of an earlier session, if any.
    class_of_new : int
        Label of points that the user adds: of a layer called "junk" they are contaminants.
    home : str
        What tells picks of no file from others of no file: their micrographs and their layer.
    """

    picks: Picks
    slice_of: Mapping[str, int]
    slice_names: tuple[str, ...]
    diameter_px: float
    role: Role = "picks"
    stack: Hashable = None
    source: Self | None = None
    rows: Rows | None = None
    vocabulary: Vocabulary = DEFAULT_VOCABULARY
    is_open: bool = False
    history: History = field(default_factory=History)
    journal: Journal | None = None
    recovery: Recovery | None = None
    class_of_new: int = UNLABELLED
    home: str = ""

    redraw = Signal(object)
    """Emitted with the rows to redraw, None for all whose class or score has changed."""
    view_changed = Signal()
    """Slices or classes have changed, or picks were added: redraw the whole layer."""
    labels_changed = Signal(object)
    """Emitted with the rows whose labels changed, or that were added; they are drawn."""
    diameter_changed = Signal()

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

    @property
    def origin(self) -> Self:
        """The picks that an output was made of, while they are open; of other picks this."""
        source = self.source
        return self if source is None or not source.is_open or self.rows is None else source

    def set_labels(self, rows: Collection[int] | ArrayLike, class_id: ArrayLike) -> None:
        """Label picks, with undo and journal.

        Labels given on an output (kept, rejected) are passed on to the picks it was made of, so
        that a corrected mistake becomes a label for the next training.

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
        """Replace the picks by the same ones with other labels or features, or with added picks."""
        n = len(self.picks)
        changed = np.flatnonzero(self.picks.labels != picks.labels[:n])
        if len(changed) or len(picks) > n:
            self._take(picks, changed)
        else:
            self.picks = picks

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
            self.journal = journal_of(self.picks, self.home)
            self.recovery = self.journal.recovery(self.picks)

    def recover(self) -> Recovery | None:
        """Restore the labels of the earlier session; return those that were restored.

        Picks that were labelled since keep their new label.
        """
        recovery, self.recovery = self.recovery, None
        if recovery is None:
            return None
        labels = self.picks.labels.copy()
        untouched = labels[recovery.rows] == recovery.before
        rows = recovery.rows[untouched]
        labels[rows] = recovery.labels[untouched]
        picks = self.picks.with_labels(labels)
        if len(recovery.added):
            picks = with_added(picks, recovery.added)
        self._take(picks, rows)
        return recovery.only(untouched)

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

    def _update_decision(self, rows: Rows, n_added: int) -> Rows:
        """Update the decision to labels and added picks; return other rows that changed."""
        return no_rows()


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
