"""Rows of the micrograph table: counts by micrograph, sorted, fast for thousands. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.prune.counts import ByMicrograph
from napari_pickeroptimizer.trust.sanity import Flag, ShareCheck


class Column(NamedTuple):
    """A column: title, tooltip, and the widest text that has to fit."""

    title: str
    tip: str
    widest: str


COLUMNS = (
    Column("Micrograph", "Click a row to go to the micrograph.", "micrograph"),
    Column("Picks", "All picks of the micrograph.", "00000"),
    Column("Kept", "Picks that are kept at this threshold.", "00000"),
    Column("%", "Share of the decided picks that is kept.", "100"),
    Column("Score", "Mean P(particle) of the scored picks.", "0.00"),
    Column("Note", "Unusual micrographs. Sorted by it, outliers come first.", "unreadable"),
)
NAME, PICKS, KEPT, SHARE, SCORE, NOTE = range(6)
# all of it is in the tooltip
NOTES: dict[Flag | None, str] = {
    None: "",
    "nearly all rejected": "few kept",
    "nothing rejected": "all kept",
}


class MicrographRows:
    """The rows of the table, in the chosen order.

    Unusual micrographs are those that `check_shares` flags, the farthest from its median first.
    """

    def __init__(self) -> None:
        self._by: ByMicrograph | None = None
        self._check = ShareCheck(float("nan"), np.zeros(0), (), ())
        self._failures: Mapping[str, str] = {}
        self._order = np.zeros(0, dtype=np.intp)
        self._sorted_by, self._descending = NOTE, False

    def __len__(self) -> int:
        return len(self._order)

    def set_micrographs(self, by: ByMicrograph | None, failures: Mapping[str, str]) -> None:
        """Show other micrographs, and why some of them could not be read."""
        self._by = by
        self._order = np.arange(0 if by is None else len(by.names))
        self.check_again(failures)

    def set_counts(self, by: ByMicrograph) -> None:
        """Show other counts of the same micrographs; the order stays."""
        self._by = by

    def check_again(self, failures: Mapping[str, str]) -> None:
        """Flag outliers again, and sort."""
        self._failures = failures
        if self._by is not None:
            self._check = self._by.check()
            self.sort(self._sorted_by, descending=self._descending)

    def sort(self, column: int, *, descending: bool = False) -> None:
        """Sort by a column."""
        self._sorted_by, self._descending = column, descending
        if self._by is not None:
            order = self._ascending(self._by, column)
            self._order = order[::-1] if descending else order

    def name_at(self, row: int) -> str:
        """Return the micrograph in a row, as the picks spell it."""
        return self._micrographs.names[self._order[row]]

    def row_of(self, name: str) -> int | None:
        """Return the row of a micrograph."""
        if self._by is None or name not in self._by.names:
            return None
        return int(np.flatnonzero(self._order == self._by.names.index(name))[0])

    def text(self, row: int, column: int) -> str:
        """Return what a cell shows."""
        by, i = self._micrographs, self._order[row]
        share, score = by.share_kept[i], by.mean_score[i]
        match column:
            case 0:
                return PurePosixPath(by.names[i]).stem  # of long names the ends differ
            case 1:
                return str(by.n_picks[i])
            case 2:
                return "" if np.isnan(share) else str(by.n_kept[i])
            case 3:
                return "" if np.isnan(share) else f"{100 * share:.0f}"
            case 4:
                return "" if np.isnan(score) else f"{score:.2f}"
        return "unreadable" if self.is_unreadable(row) else NOTES[self._check.flags[i]]

    @property
    def has_notes(self) -> bool:
        """Whether there is a note on any micrograph."""
        if self._by is None:
            return False
        return any(self._check.flags) or any(n in self._failures for n in self._by.names)

    def tip(self, row: int) -> str:
        """Return the whole name of a micrograph, and its flag."""
        name = self.name_at(row)
        note = self._failures.get(name) or self._check.flags[self._order[row]]
        return f"{name}\n{note}" if note else name

    def is_unreadable(self, row: int) -> bool:
        """Whether a micrograph could not be read."""
        return self.name_at(row) in self._failures

    def stands_out(self, row: int) -> bool:
        """Whether a micrograph keeps far more or less than the others."""
        return self._check.flags[self._order[row]] is not None

    @property
    def _micrographs(self) -> ByMicrograph:
        assert self._by is not None  # else there is no row
        return self._by

    def _ascending(self, by: ByMicrograph, column: int) -> NDArray[np.intp]:
        if column == NAME:
            return np.array(sorted(range(len(by.names)), key=by.names.__getitem__), np.intp)
        if column == NOTE:
            readable = np.array([name not in self._failures for name in by.names], bool)
            usual = np.array([flag is None for flag in self._check.flags], bool)
            away = -np.abs(np.nan_to_num(by.share_kept - self._check.median))
            # unreadable ones last: there is nothing to look at
            return np.lexsort((away, usual, ~readable))
        values = {
            PICKS: by.n_picks,
            KEPT: by.n_kept,
            SHARE: by.share_kept,
            SCORE: by.mean_score,
        }
        return np.argsort(values[column], kind="stable")
