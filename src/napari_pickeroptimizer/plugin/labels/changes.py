"""What a user did to picks, to be undone and redone: labels, picks added, moved, taken away."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import plural
from napari_pickeroptimizer.picks import NO_SOURCE, Picks, concatenate

Rows = NDArray[np.intp]
MAX_CHANGES = 1000
NEW = -1


def no_rows() -> Rows:
    """Return no rows of picks."""
    return np.empty(0, dtype=np.intp)


def _no_places() -> NDArray[np.float64]:
    return np.empty((0, 2))


@dataclass(frozen=True)
class Change:
    """A change of some picks; its rows are those of the table before it.

    Parameters
    ----------
    rows : (n,) int
        Picks whose labels changed.
    before, after : (n,) int8
        Their class ids, 0 = unlabelled.
    added : Picks or None
        Picks that were added at the end.
    removed_rows : (m,) int
        Rows that were taken away, ascending.
    removed : Picks or None
        The picks that were there, of no file.
    moved_rows : (k,) int
        Picks that were moved.
    from_yx_px, to_yx_px : (k, 2) float64
        Where they were, and where they are, in micrograph pixels.
    """

    rows: Rows
    before: NDArray[np.int8]
    after: NDArray[np.int8]
    added: Picks | None = None
    removed_rows: Rows = field(default_factory=no_rows)
    removed: Picks | None = None
    moved_rows: Rows = field(default_factory=no_rows)
    from_yx_px: NDArray[np.float64] = field(default_factory=_no_places)
    to_yx_px: NDArray[np.float64] = field(default_factory=_no_places)

    @classmethod
    def of(
        cls,
        picks: Picks,
        labels: NDArray[np.int8],
        *,
        added: Picks | None = None,
        removed: Rows | None = None,
        moved: tuple[Rows, NDArray[np.float64]] | None = None,
    ) -> Change:
        """Return the change of picks to other labels, with picks added, taken away, or moved."""
        rows = np.flatnonzero(labels != picks.labels)
        gone = no_rows() if removed is None else np.unique(removed)
        moved_rows, to_yx_px = moved if moved is not None else (no_rows(), _no_places())
        return cls(
            rows,
            picks.labels[rows],
            labels[rows],
            added if added is not None and len(added) else None,
            gone,
            picks.with_labels(labels).select(gone) if len(gone) else None,
            moved_rows,
            picks.coords_yx_px()[moved_rows],
            to_yx_px,
        )

    def __len__(self) -> int:
        return len(self.rows) + self.n_placed

    @property
    def n_placed(self) -> int:
        """Number of picks that were added, moved, or taken away."""
        n_added = 0 if self.added is None else len(self.added)
        return n_added + len(self.removed_rows) + len(self.moved_rows)

    @property
    def text(self) -> str:
        """What was changed: ``3 labels``, ``1 added pick``, ``2 labels and 1 removed pick``."""
        n_added = 0 if self.added is None else len(self.added)
        counts = [
            (len(self.rows), "label"),
            (n_added, "added pick"),
            (len(self.removed_rows), "removed pick"),
            (len(self.moved_rows), "moved pick"),
        ]
        return " and ".join(plural(n, noun) for n, noun in counts if n)

    def rows_in(self, picks: Picks, forward: bool) -> Rows:
        """Return the rows, in the picks after it was (un)done, of what is still there."""
        if forward:
            n_added = 0 if self.added is None else len(self.added)
            left = np.setdiff1d(np.union1d(self.rows, self.moved_rows), self.removed_rows)
            left -= np.searchsorted(self.removed_rows, left)
            return np.concatenate([left, np.arange(len(picks) - n_added, len(picks))])
        return np.union1d(np.union1d(self.rows, self.moved_rows), self.removed_rows)

    def done(self, picks: Picks) -> tuple[Picks, Rows]:
        """Return the picks after the change; and for each its row before, `NEW` for none."""
        picks = _moved(picks, self.moved_rows, self.to_yx_px)
        picks = _labelled(picks, self.rows, self.after)
        old = np.arange(len(picks))
        old[self.moved_rows] = NEW
        if len(self.removed_rows):
            kept = np.delete(np.arange(len(picks)), self.removed_rows)
            picks, old = picks.select(kept), old[kept]
        if self.added is not None:
            picks = with_added(picks, self.added)
            old = np.concatenate([old, np.full(len(self.added), NEW)])
        return picks, old

    def undone(self, picks: Picks) -> tuple[Picks, Rows]:
        """Return the picks before the change; and for each its row after it, `NEW` for none."""
        if self.added is not None:
            picks = picks.select(np.arange(len(picks) - len(self.added)))
        old = np.arange(len(picks))
        if self.removed is not None:
            n = len(picks)
            order = np.empty(n + len(self.removed), dtype=np.intp)
            order[self.removed_rows] = np.arange(n, len(order))
            order[np.delete(np.arange(len(order)), self.removed_rows)] = old
            picks = with_added(picks, self.removed).select(order)
            old = np.where(order < n, order, NEW)
        picks = _labelled(picks, self.rows, self.before)
        picks = _moved(picks, self.moved_rows, self.from_yx_px)
        old[self.moved_rows] = NEW
        return picks, old


@dataclass
class History:
    """Stacks of done and undone changes, the newest last."""

    done: deque[Change] = field(default_factory=lambda: deque(maxlen=MAX_CHANGES))
    undone: deque[Change] = field(default_factory=lambda: deque(maxlen=MAX_CHANGES))

    def push(self, change: Change) -> None:
        """Add a change; undone changes can no longer be redone."""
        self.done.append(change)
        self.undone.clear()

    def undo(self) -> Change | None:
        """Return the change to undo, None when there is none."""
        return _move(self.done, self.undone)

    def redo(self) -> Change | None:
        """Return the change to redo, None when there is none."""
        return _move(self.undone, self.done)


def with_added(picks: Picks, new: Picks) -> Picks:
    """Return picks with the user's added ones appended, which belong to no file."""
    own = replace(new, sources=(), file_list=picks.file_list)
    return concatenate([picks, replace(own, table=own.table.assign(source=NO_SOURCE))])


def _labelled(picks: Picks, rows: Rows, labels: NDArray[np.int8]) -> Picks:
    if not len(rows):
        return picks
    changed = picks.labels.copy()
    changed[rows] = labels
    return picks.with_labels(changed)


def _moved(picks: Picks, rows: Rows, to_yx_px: NDArray[np.float64]) -> Picks:
    if not len(rows):
        return picks
    coords = picks.coords_yx_px().copy()
    coords[rows] = to_yx_px
    return picks.with_columns(y=coords[:, 0], x=coords[:, 1])


def _move(source: deque[Change], target: deque[Change]) -> Change | None:
    if not source:
        return None
    target.append(source.pop())
    return target[-1]
