"""Parts that both reports have: micrographs with their picks, galleries, notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from napari_pickeroptimizer.report.page import base_name, percent
from napari_pickeroptimizer.report.svg import element, number

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.report.choose import Choice
    from napari_pickeroptimizer.report.pictures import Pictures, Thumbnail


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Parameters
    ----------
    shown : str
        What it says; may be markup.
    value : str
        What the table is sorted by.
    kind : str
        ``text`` or ``number``.
    """

    shown: str
    value: str
    kind: str = "number"

    def __iter__(self) -> Any:
        return iter((self.shown, self.value, self.kind))


def name_cell(name: str, link: str | None) -> Cell:
    """Return the cell of a micrograph's name, a link where its picture is shown."""
    shown = base_name(name)
    if link is not None:
        return Cell(element("a", shown, href=f"#m{link}"), name, "text")
    return Cell(shown, name, "text")


def count_cell(n: int) -> Cell:
    """Return the cell of a number of picks."""
    return Cell(f"{n:,}", str(n))


def figure_cell(value: float, digits: int = 2) -> Cell:
    """Return the cell of a figure; a dash, sorted last, where there is none."""
    if not np.isfinite(value):
        return Cell("–", "")
    return Cell(f"{value:.{digits}f}", f"{value:.6f}")


def share_cell(value: float) -> Cell:
    """Return the cell of a share with a small bar."""
    if not np.isfinite(value):
        return Cell("–", "")
    bar = element(
        "span", element("i", style=f"width:{number(100 * value)}%"), class_="share",
        aria_hidden="true",
    )  # fmt: skip
    return Cell(Markup("{}{}").format(percent(value), bar), f"{value:.6f}")


def without_empty(
    columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Cell]]
) -> tuple[list[tuple[str, str]], list[list[Cell]]]:
    """Leave out the columns that say nothing or 0 in every row."""
    used = [
        i for i in range(len(columns)) if any(row[i].value not in ("", "0") for row in rows)
    ]
    return [columns[i] for i in used], [[row[i] for i in used] for row in rows]


@dataclass(frozen=True)
class Shown:
    """A micrograph that is shown.

    Parameters
    ----------
    number : int
        Its number on the page, which the table, the plot and the picture share.
    name : str
        Its name as the picks spell it.
    told : str
        What there is to say of it.
    picture : Thumbnail or None
        Its picture; None where it could not be read.
    reason : str
        Why not.
    """

    number: int
    name: str
    told: str
    picture: Thumbnail | None
    reason: str = ""


def shown_micrographs(
    positions: Iterable[int],
    names: Sequence[str],
    told: Mapping[int, str],
    links: Mapping[int, str],
    pictures: Pictures,
) -> list[Shown]:
    """Put together what is shown of the micrographs at `positions`."""
    return [
        Shown(
            int(links[i]),
            names[i],
            told[i],
            pictures.thumbnails.get(names[i]),
            pictures.failures.get(names[i], ""),
        )
        for i in positions
    ]


@dataclass(frozen=True)
class BoxShown:
    """A box in a gallery: image, P(particle), what became of the pick, and words."""

    uri: Markup
    p: float
    kind: str
    told: str


@dataclass(frozen=True)
class Gallery:
    """Boxes under a heading."""

    title: str
    words: str
    boxes: list[BoxShown]
    n_missing: int


def gallery(
    choice: Choice, picks: Picks, is_kept: NDArray[np.bool_], pictures: Pictures
) -> Gallery:
    """Return a gallery of the boxes that could be read."""
    table = picks.table
    names, x, y = (table[column].to_numpy() for column in ("micrograph", "x", "y"))
    p = picks.particle_probability
    boxes = []
    for row in choice.rows:
        if int(row) not in pictures.boxes:
            continue
        state = "kept" if is_kept[row] else "rejected"
        told = (
            f"{state}, P(particle) {p[row]:.3f}, {base_name(names[row])}, "
            f"x {x[row]:.0f}, y {y[row]:.0f} px"
        )
        boxes.append(BoxShown(pictures.boxes[int(row)], float(p[row]), state, told))
    return Gallery(choice.title, choice.words, boxes, len(choice.rows) - len(boxes))


def unique(texts: Iterable[str]) -> list[str]:
    """Return texts in their order, each once, none empty."""
    return list(dict.fromkeys(text for text in texts if text))


def reading_note(pictures: Pictures) -> str:
    """Return a warning where micrographs could not be read for the pictures, else nothing."""
    n = len(pictures.failures)
    if not n:
        return ""
    name, reason = next(iter(pictures.failures.items()))
    which = base_name(name) if n == 1 else f"{n} micrographs, the first {base_name(name)},"
    return f"{which} could not be read again for the pictures of this report: {reason}"
