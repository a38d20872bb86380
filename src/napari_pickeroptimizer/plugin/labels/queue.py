"""The queue of picks to visit one by one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import UNLABELLED

SUGGESTED, TO_CHECK = "suggested", "labels to check"


@dataclass
class Queue:
    """Picks to visit, in order.

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
