"""Undo and redo of labels. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_CHANGES = 1000


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

    rows: NDArray[np.intp]
    before: NDArray[np.int8]
    after: NDArray[np.int8]


@dataclass
class History:
    """Stacks of done and undone changes, the newest last."""

    done: list[Change] = field(default_factory=list)
    undone: list[Change] = field(default_factory=list)

    def push(self, change: Change) -> None:
        """Add a change; undone changes can no longer be redone."""
        self.done.append(change)
        del self.done[:-MAX_CHANGES]
        self.undone.clear()

    def undo(self) -> Change | None:
        """Return the change to undo (set `before`), None when there is none."""
        return _move(self.done, self.undone)

    def redo(self) -> Change | None:
        """Return the change to redo (set `after`), None when there is none."""
        return _move(self.undone, self.done)


def _move(source: list[Change], target: list[Change]) -> Change | None:
    if not source:
        return None
    target.append(source.pop())
    return target[-1]
