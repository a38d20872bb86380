"""A grid of picks under mouse and keys: places, steps, selections. Pure, no Qt."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

NOTHING = -1


@dataclass(frozen=True)
class Display:
    """Picks in the order in which they are displayed.

    Parameters
    ----------
    rows : (m,) int array
        Row of the pick at each position.
    position : (n,) int32 array
        Position of each pick, -1 for those that are not shown.
    """

    rows: NDArray[np.intp]
    position: NDArray[np.int32]

    @classmethod
    def of(cls, rows: NDArray[np.intp], n_picks: int) -> Display:
        """Return some of the picks in the order of their rows."""
        position = np.full(n_picks, NOTHING, dtype=np.int32)
        position[rows] = np.arange(len(rows), dtype=np.int32)
        return cls(rows, position)

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, row: int) -> int:
        """Return the position of a pick, -1 where it is not shown."""
        return int(self.position[row]) if 0 <= row < len(self.position) else NOTHING


# ----------------------------------------------------------------------- selection


@dataclass(frozen=True)
class Selection:
    """Selected picks, the current one (with the keyboard's focus), and where a range begins.

    A selection that has been labelled is `spent`: it stays visible, and can be corrected
    by another key, but the next click or step begins a new one, so that earlier picks are not
    relabelled along with the next one.
    """

    mask: NDArray[np.bool_]
    current: int = NOTHING
    anchor: int = NOTHING
    spent: bool = False

    @classmethod
    def none(cls, n: int) -> Selection:
        """Return the empty selection of `n` picks."""
        return cls(np.zeros(n, dtype=bool))

    @property
    def rows(self) -> NDArray[np.intp]:
        """Selected rows, ascending."""
        return np.flatnonzero(self.mask)

    @property
    def targets(self) -> NDArray[np.intp]:
        """Rows that a label key applies to: the selected ones, else the current one."""
        rows = self.rows
        if len(rows) or self.current == NOTHING:
            return rows
        return np.array([self.current], dtype=np.intp)

    def _base(self) -> NDArray[np.bool_]:
        return np.zeros_like(self.mask) if self.spent else self.mask.copy()

    def toggled(self, row: int) -> Selection:
        """Return the selection after a click on a pick; one taken out is not current either."""
        mask = self._base()
        mask[row] = not mask[row]
        return Selection(mask, row if mask[row] else NOTHING, row)

    def only(self, row: int) -> Selection:
        """Return the selection of one pick, as after a double click."""
        return self.of(np.array([row], dtype=np.intp))

    def of(self, rows: NDArray[np.intp]) -> Selection:
        """Return the selection of some picks; a single one is the current one."""
        mask = np.zeros_like(self.mask)
        mask[rows] = True
        current = int(rows[0]) if len(rows) == 1 else NOTHING
        return Selection(mask, current, self.place if current == NOTHING else current)

    @property
    def place(self) -> int:
        """The pick that the keyboard goes on from."""
        return self.anchor if self.current == NOTHING else self.current

    def extended(self, display: Display, position: int) -> Selection:
        """Return the selection after a Shift-click: all from the anchor to there."""
        start = display.at(self.anchor)
        start = position if start == NOTHING else start
        low, high = sorted((start, position))
        mask = self._base()
        mask[display.rows[low : high + 1]] = True
        return Selection(mask, int(display.rows[position]), int(display.rows[start]))

    def with_all(self, display: Display) -> Selection:
        """Return the selection of all that is displayed."""
        mask = np.zeros_like(self.mask)
        mask[display.rows] = True
        return Selection(mask, self.current, self.anchor)

    def cleared(self) -> Selection:
        """Return the selection of nothing; the keyboard goes on from its place."""
        return Selection(np.zeros_like(self.mask), NOTHING, self.place)

    def moved(self, row: int, *, keep: bool = False) -> Selection:
        """Return another pick as the current one, instead of the selection or beside it."""
        mask = self._base() if keep else np.zeros_like(self.mask)
        return Selection(mask, row, row)

    def used(self) -> Selection:
        """Return the selection as it is after it has been labelled."""
        return replace(self, spent=bool(self.mask.any()))

    def within(self, display: Display) -> Selection:
        """Return the displayed part of the selection: hidden picks are not to be labelled."""
        mask = self.mask & (display.position != NOTHING)
        current, anchor = (
            r if display.at(r) != NOTHING else NOTHING for r in (self.current, self.anchor)
        )
        return Selection(mask, current, anchor, self.spent)

    def resized(self, n: int) -> Selection:
        """Return the selection when picks were added; those before them keep their rows."""
        if n == len(self.mask):
            return self
        mask = np.zeros(n, dtype=bool)
        m = min(n, len(self.mask))
        mask[:m] = self.mask[:m]
        current, anchor = (r if r < n else NOTHING for r in (self.current, self.anchor))
        return Selection(mask, current, anchor, self.spent)


# ----------------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Grid:
    """Where the cells of a grid are, in pixels of its contents.

    Parameters
    ----------
    n : int
        Cells.
    width_px, height_px : int
        The visible part.
    cell_px : int
        Side of a cell with its margin.
    """

    n: int
    width_px: int
    height_px: int
    cell_px: int

    @property
    def columns(self) -> int:
        """Cells side by side, at least one."""
        return max(1, self.width_px // self.cell_px)

    @property
    def left_px(self) -> int:
        """Margin that centres whole rows of cells; a single short row begins at the left."""
        if self.n < self.columns:
            return 0
        return max(0, (self.width_px - self.columns * self.cell_px) // 2)

    @property
    def total_height_px(self) -> int:
        """Height of all rows."""
        return -(-self.n // self.columns) * self.cell_px

    @property
    def page(self) -> int:
        """Positions that Page Down goes on: the rows that are fully visible."""
        return max(1, self.height_px // self.cell_px) * self.columns

    def corner(self, position: int) -> tuple[int, int]:
        """Return (x, y) of a cell's upper left corner."""
        row, column = divmod(position, self.columns)
        return self.left_px + column * self.cell_px, row * self.cell_px

    def at(self, x_px: int, y_px: int) -> int:
        """Return the position of the cell at a point, -1 where there is none."""
        column, row = (x_px - self.left_px) // self.cell_px, y_px // self.cell_px
        position = row * self.columns + column
        inside = 0 <= column < self.columns and row >= 0 and position < self.n
        return position if inside else NOTHING

    def within(self, top_px: int, bottom_px: int) -> range:
        """Return the positions of the rows that touch a stripe."""
        first = max(0, top_px // self.cell_px) * self.columns
        last = (bottom_px // self.cell_px + 1) * self.columns
        return range(min(first, self.n), min(max(last, 0), self.n))

    def stepped(self, position: int, step: str) -> int:
        """Return the position that a step key leads to, from -1 the first or the last."""
        if not self.n:
            return NOTHING
        if position == NOTHING:
            return self.n - 1 if step == "end" else 0
        steps = {
            "left": -1,
            "right": 1,
            "up": -self.columns,
            "down": self.columns,
            "page_up": -self.page,
            "page_down": self.page,
            "home": -self.n,
            "end": self.n,
        }
        moved = position + steps[step]
        if step in ("up", "down") and not 0 <= moved < self.n:
            # the last row may be short: down from above its gap leads to its end
            last_row = (self.n - 1) // self.columns
            return (
                self.n - 1 if moved > 0 and position // self.columns < last_row else position
            )
        return min(max(moved, 0), self.n - 1)
