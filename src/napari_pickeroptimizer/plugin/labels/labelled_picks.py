"""Labels of the picks of a layer: undo, the journal, outputs that pass them on. No Qt."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psygnal import Signal

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import NO_SOURCE, Picks
from napari_pickeroptimizer.plugin.labels.changes import NEW, Change, History, Rows, no_rows
from napari_pickeroptimizer.plugin.labels.journal import Journal, Recovery, journal_of
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    Vocabulary,
)
from napari_pickeroptimizer.schema import FEATURE_PREFIX

Role = Literal["picks", "kept", "rejected", "unscored"]


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
    tint : int
        Which colour picks without a class have, to tell layers apart.
    diameter_is_guess : bool
        Whether nobody has set the diameter: it is the usual distance of neighbours.
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
    tint: int = 0
    diameter_is_guess: bool = False

    redraw = Signal(object)
    """Emitted with the rows to redraw, None for all whose class or score has changed."""
    view_changed = Signal()
    """Slices or classes have changed, or picks were added: redraw the whole layer."""
    labels_changed = Signal(object)
    """Emitted with the rows whose labels changed, or that were added; they are drawn."""
    diameter_changed = Signal()
    rows_moved = Signal(object)
    """Emitted with the row of each former pick, when some were taken away."""

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

    @property
    def palette_rgba(self) -> NDArray[np.float64]:
        """(7, 4) colours by class id, 0 = unlabelled."""
        return self.vocabulary.shaded_rgba(self.tint)

    def set_tint(self, tint: int) -> None:
        """Change the colours by which the picks of two layers are told apart."""
        if tint != self.tint:
            self.tint = tint
            self.view_changed.emit()

    def set_diameter(self, diameter_px: float) -> None:
        """Change the diameter of the rings."""
        if diameter_px > 0 and diameter_px != self.diameter_px:
            self.diameter_px, self.diameter_is_guess = float(diameter_px), False
            self.diameter_changed.emit()

    @property
    def slices(self) -> NDArray[np.float64]:
        """(n,) slice of each pick."""
        # a name at a time: mapping the names of a million picks takes half a second
        codes, names = self.picks.table["micrograph"].factorize()
        slice_of_name = [self.slice_of.get(name, np.nan) for name in names]
        return np.asarray(slice_of_name, dtype=np.float64)[codes]

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
        labels = picks.labels[:n]
        changed = np.flatnonzero(self.picks.labels != labels)
        if len(picks) > n:
            self.picks = self.picks if picks.sources else _with_features_of(self.picks, picks)
            added = picks.select(np.arange(n, len(picks)))
            self.change(Change.of(self.picks, labels, added=added))
        elif len(changed):
            self._take(picks, changed)
        else:
            self.picks = picks

    def change(self, change: Change) -> None:
        """Make a change of labels and places, which is undone as one step.

        Raises
        ------
        LabelError
            Picks cannot be moved or taken away now.
        """
        self._check_in_place(change, forward=True)
        if len(change):
            self.history.push(change)
            self._apply(change, forward=True)

    @property
    def is_own(self) -> NDArray[np.bool_]:
        """(n,) which picks are the user's own, to be moved and taken away: those of no file.

        Of picks that a script made, which were never of a file, only added ones could be; they
        are not told apart, and stay.
        """
        if self.role != "picks" or not (self.picks.sources or self.home):
            return np.zeros(len(self.picks), dtype=bool)
        return np.asarray(self.picks.table["source"] == NO_SOURCE, dtype=bool)

    def undo(self) -> bool:
        """Undo the last change of labels or points; return False if there is none.

        Raises
        ------
        LabelError
            Picks cannot be moved or taken away now.
        """
        return self.origin._travel(History.undo, forward=False)

    def redo(self) -> bool:
        """Redo the change that was undone last, as `undo`; return False if there is none."""
        return self.origin._travel(History.redo, forward=True)

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
        self.change(Change.of(self.picks, labels, added=recovery.added))
        return recovery.only(untouched)

    def discard_recovery(self) -> None:
        """Discard the labels of the earlier session; newer ones are kept."""
        if self.recovery is None:
            return
        self.recovery = None
        labelled = np.flatnonzero(self.picks.labels != UNLABELLED)
        self._write_journal(lambda journal: journal.forget(self.picks))
        self._write_journal(lambda journal: journal.write(self.picks, labelled))

    def _take(self, picks: Picks, changed: Rows) -> None:
        """Replace the picks by the same ones, whose labels differ in `changed`."""
        change = Change.of(self.picks, picks.labels)
        if self.origin is self:
            self.history.push(change)
        self._relabel(picks, changed)

    def _relabel(self, picks: Picks, changed: Rows) -> None:
        self.picks = picks
        redecided = self._update_decision(changed)
        self.redraw.emit(np.union1d(changed, redecided))
        if self.origin is not self:
            assert self.rows is not None  # it is an output
            self.origin.set_labels(self.rows[changed], picks.labels[changed])
            return
        if len(changed):
            self._write_journal(lambda journal: journal.write(picks, changed))
        self.labels_changed.emit(changed)

    def _apply(self, change: Change, *, forward: bool) -> None:
        """Do or undo a change that adds, moves or takes away picks."""
        before = self.picks
        picks, old = change.done(before) if forward else change.undone(before)
        self.picks = picks
        new, changed = np.flatnonzero(old == NEW), change.rows_in(picks, forward)
        row_of = np.full(len(before), NEW, dtype=np.intp)
        row_of[old[old != NEW]] = np.flatnonzero(old != NEW)
        gone = before.select(row_of == NEW)
        self._add_slices(picks.table["micrograph"].iloc[new])
        self._move_rows(old, row_of)
        self.view_changed.emit()
        labelled = np.setdiff1d(changed, new)
        if len(labelled):
            self._write_journal(lambda journal: journal.write(picks, labelled))
        if len(gone):
            self._write_journal(lambda journal: journal.write_removed(gone))
        if len(new):
            self._write_journal(lambda journal: journal.write(picks, new, added=True))
        if len(gone):
            self.rows_moved.emit(row_of)
        self.labels_changed.emit(changed)

    def _check_in_place(self, change: Change, *, forward: bool) -> None:
        takes_away = change.removed is not None if forward else change.added is not None
        moves = takes_away or len(change.moved_rows) or (not forward and change.n_placed)
        if moves and self.why_in_place:
            raise LabelError(self.why_in_place)

    def _travel(self, step: Callable[[History], Change | None], *, forward: bool) -> bool:
        stack = self.history.undone if forward else self.history.done
        if stack:
            self._check_in_place(stack[-1], forward=forward)
        change = step(self.history)
        if change is None:
            return False
        if change.n_placed:
            self._apply(change, forward=forward)
            return True
        picks, _ = change.done(self.picks) if forward else change.undone(self.picks)
        self._relabel(picks, change.rows)
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

    def _update_decision(self, rows: Rows) -> Rows:
        """Update the decision to labels; return other rows that changed."""
        return no_rows()

    def _move_rows(self, old: Rows, row_of: Rows) -> None:
        """Follow picks to other rows: each was in row `old`, a former one is in `row_of`."""

    @property
    def why_in_place(self) -> str:
        """Why no pick can be moved or taken away now; empty if they can."""
        return ""


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


def _with_features_of(picks: Picks, edited: Picks) -> Picks:
    """Return picks with what the user told of them in further features meanwhile."""
    n = len(picks)
    features = {FEATURE_PREFIX + name: v[:n] for name, v in edited.features().items()}
    return picks.with_columns(**features) if features else picks
