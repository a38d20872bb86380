"""Tables of a report: cells that know how they are shown and sorted."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from napari_pickeroptimizer.report.formatting import base_name, percent
from napari_pickeroptimizer.report.svg import element, number
from napari_pickeroptimizer.shares import DASH


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, which may be markup, and what the table is sorted by."""

    shown: str
    key: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns.

    Parameters
    ----------
    columns : sequence of str
        Titles.
    rows : sequence of sequence of Cell
        The rows; the first cell names each.
    texts : collection of str
        The columns of text; the others are of numbers.
    chosen : int, optional
        Row to highlight.
    is_long : bool
        Whether the table can be sorted and is cut after the first rows.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: Collection[str] = ()
    chosen: int | None = None
    is_long: bool = False

    @property
    def kinds(self) -> list[str]:
        """``text`` or ``number`` of each column."""
        return ["text" if title in self.texts else "number" for title in self.columns]

    def without_empty_columns(self) -> Table:
        """Return the table without the columns that are empty or 0 in every row."""
        used = [
            i for i in range(len(self.columns))
            if any(row[i].key not in ("", "0") for row in self.rows)
        ]  # fmt: skip
        rows = [[row[i] for i in used] for row in self.rows]
        return replace(self, columns=[self.columns[i] for i in used], rows=rows)


def name_cell(name: str, picture: int | None) -> Cell:
    """Return the cell of a micrograph, a link to its picture where there is one."""
    shown = base_name(name)
    if picture is not None:
        shown = element("a", shown, href=f"#m{picture}")
    return Cell(shown, name)


def count_cell(n: int) -> Cell:
    """Return the cell of a number of things."""
    return Cell(f"{n:,}", str(n))


def figure_cell(value: float, form: str = ".3f") -> Cell:
    """Return the cell of a figure; a dash, sorted last, where there is none."""
    if not math.isfinite(value):
        return Cell(DASH)
    return Cell(f"{value:{form}}".replace("-", "−"), f"{value:.6f}")


def share_cell(value: float) -> Cell:
    """Return the cell of a share with a small bar."""
    if not math.isfinite(value):
        return Cell(DASH)
    bar = element(
        "span", element("i", style=f"width:{number(100 * value)}%"), class_="share",
        aria_hidden="true",
    )  # fmt: skip
    return Cell(Markup("{}{}").format(percent(value), bar), f"{value:.6f}")
