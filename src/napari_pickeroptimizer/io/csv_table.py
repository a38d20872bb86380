"""CSV tables of picks: x and y, optionally label, score and micrograph, under many names."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.classes import (
    CARBON,
    CONTAMINANT,
    PARTICLE,
    UNLABELLED,
    class_name,
)
from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.fields import BLANKS, format_values
from napari_pickeroptimizer.io.outputs import write_content
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.text import kept_text, read_text, row_namer
from napari_pickeroptimizer.quoting import without_controls
from napari_pickeroptimizer.schema import (
    COLUMNS,
    DECIDED_BY,
    LABEL,
    PROBABILITY,
    column_of,
    header_names,
    plain_name,
)
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks

# Columns that napari writes of a Shapes layer, and of points in a stack of images.
_NAPARI_SHAPES = {"shapetype", "vertexindex"}
_NAPARI_THIRD_AXIS = "axis2"
# The column of the VGG Image Annotator that has the places, as JSON.
_VIA_PLACES = "regionshapeattributes"
_LABEL_IDS = {
    "": UNLABELLED,
    "unlabelled": UNLABELLED,
    "particle": PARTICLE,
    "negative": CONTAMINANT,
    "contaminant": CONTAMINANT,
    "ice": CONTAMINANT,
    "carbon": CARBON,
}


@dataclass(frozen=True, eq=False)
class CsvSource(PickSource):
    """A CSV of picks: `render` copies its lines, fields appended or replaced.

    Parameters
    ----------
    header_line : int
        Line number (0-based) of the header.
    positions : mapping of str to int
        Position of each column of `Picks` in the header.
    names_labels : bool
        Whether the column of labels holds names rather than ids.
    """

    lines: list[str]
    header_line: int
    row_lines: NDArray[np.int64]
    delimiter: str
    header: tuple[str, ...]
    positions: Mapping[str, int]
    names_labels: bool
    takes_places = True

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Columns that are none of the schema."""
        known = set(self.positions.values())
        return tuple(name for i, name in enumerate(self.header) if i not in known)

    def strings(self, label: str) -> NDArray[np.object_] | None:
        """Return a column of the file."""
        if label not in self.other_labels:
            return None
        lines = [self.lines[i].rstrip("\r") for i in self.row_lines.tolist()]
        rows = csv.reader(lines, delimiter=self.delimiter)
        position = self.header.index(label)
        return np.array([row[position].strip(BLANKS) for row in rows], dtype=object)

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`, and `columns` added or replaced.

        RELION's labels become this format's names: ``label``, ``score``, ``probability``.
        """
        lines = list(self.lines)
        kept = self.row_lines[rows].tolist()
        for label, values in columns.items():
            name, position = self._place(label)
            fields = csv_fields(values, self.delimiter)
            if position is None:
                lines[self.header_line] = self._appended(lines[self.header_line], name)
            elif position == self.positions.get(LABEL.name) and self.names_labels:
                fields = [_label_field(int(v)) for v in values]
            for i, field in zip(kept, fields, strict=True):
                lines[i] = (
                    self._appended(lines[i], field)
                    if position is None
                    else self._replaced(lines[i], position, field)
                )
        return kept_text(lines, self.row_lines, rows)

    def _place(self, label: str) -> tuple[str, int | None]:
        """Return the column name of a STAR label, and its position if the file has it."""
        column = column_of(label)
        name = label if column is None else column.csv_name
        if column is not None and column.name in self.positions:
            return name, self.positions[column.name]
        return name, self.header.index(name) if name in self.header else None

    def _appended(self, line: str, field: str) -> str:
        stop = len(line.rstrip("\r"))
        return line[:stop] + self.delimiter + field + line[stop:]

    def _replaced(self, line: str, position: int, field: str) -> str:
        stop = len(line.rstrip("\r"))
        d = re.escape(self.delimiter)
        fields = re.findall(rf'((?:^|{d}) *)("(?:[^"]|"")*"[^{d}]*|[^{d}]*)', line[:stop])
        start, _ = fields[position]
        fields[position] = (start, field)
        return "".join(a + b for a, b in fields) + line[stop:]


def read_csv(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read a CSV of picks with a header line; coordinates are 0-based centres in pixels.

    Columns are found by name, see `schema.COLUMNS`. Labels are class ids 0 to 6, or
    ``particle``, ``contaminant``, ``negative`` and ``ice`` (both read as contaminant),
    ``carbon``. Fields may be separated by commas, semicolons or tabs.

    Parameters
    ----------
    path : Path
        The file.
    micrograph : str, optional
        Name of the micrograph if there is no such column; by default the file's own
        without ``.csv``.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file is empty, has no x and y in its header, or a row does not fit; file, row
        and line are named.
    """
    text, encoding = read_text(path)
    lines = text.split("\n")
    filled = [i for i, s in enumerate(lines) if s.strip()]
    if not filled:
        raise PickFormatError(f"{path} is an empty file.")
    header_line, row_lines = filled[0], np.array(filled[1:], dtype=np.int64)
    delimiter = max(",;\t", key=lines[header_line].count)
    text_rows = [lines[i].rstrip("\r") for i in filled]
    header, *rows = _parsed(path, text_rows, filled, delimiter)
    positions = _positions(path, header)
    where = row_namer(path, row_lines)
    _check_widths(rows, header, where)
    values = {
        name: (header[i], np.array([row[i].strip(BLANKS) for row in rows], dtype=object))
        for name, i in positions.items()
    }
    names_labels = False
    if LABEL.name in values:
        title, fields = values[LABEL.name]
        values[LABEL.name] = title, _label_ids(fields, title, where)
        names_labels = any(v.lower() in _LABEL_IDS for v in set(fields.tolist()) if v)
    return FilePicks.parsed(
        CsvSource(
            path, encoding, lines, header_line, row_lines, delimiter, tuple(header), positions,
            names_labels,
        ),
        values,
        where,
        path.stem if micrograph is None else micrograph,
    )  # fmt: skip


def write_csv(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to one new CSV, as for `PickFormat`."""
    columns = {**picks.place_columns(), **picks.all_columns()}
    known = [(column_of(label), label) for label in columns]
    header = [label if column is None else column.csv_name for column, label in known]
    fields = [csv_fields(values, ",") for values in columns.values()]
    rows = [",".join(row) for row in zip(*fields, strict=True)]
    return [write_content(output, "\n".join([",".join(header), *rows, ""]))]


def _holds_picks(head: str) -> bool:
    header = head.partition("\n")[0].lower()
    columns = {name.strip(" \"'") for name in header.split(",")}
    # napari's own axis-0 and axis-1 are left to napari
    return {"x", "y"} <= columns or {"x_coord", "y_coord"} <= columns


FORMAT = PickFormat(
    name="CSV",
    title="CSV with a header line that names x and y",
    suffixes=(".csv",),
    holds_picks=_holds_picks,
    read=read_csv,
    write=write_csv,
    room=Room(columns=COLUMNS, other_columns=True),
)


def _parsed(
    path: Path, text_rows: Sequence[str], lines: Sequence[int], delimiter: str
) -> list[list[str]]:
    """Return the fields of each row; a row is one line, and `lines` are their numbers (from 0)."""
    # the empty line at the end would go into a quoted field that is still open
    reader = csv.reader([*text_rows, ""], delimiter=delimiter, skipinitialspace=True)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if reader.line_num > len(rows) + 1:
                raise PickFormatError(
                    f"{path}, line {lines[len(rows)] + 1}: a quoted field is not closed in its "
                    "line; put each pick on one line."
                )
            rows.append(row)
    except csv.Error as error:
        raise PickFormatError(
            f"{path}, line {lines[reader.line_num - 1] + 1}: {error}. Is the file damaged?"
        ) from error
    return rows[:-1]


def _positions(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Map each column of `Picks` that a header names to its position."""
    plain = [plain_name(name) for name in header]
    if _NAPARI_SHAPES & set(plain):
        raise PickFormatError(
            f"{path} holds shapes of a napari layer, and their corners are no picks. Save the "
            "picks from a Points layer."
        )
    if _NAPARI_THIRD_AXIS in plain:
        raise PickFormatError(
            f"{path} holds points of a stack of images ({', '.join(header[:5])}), and numbers "
            "of images are no names of micrographs. Save the layer as .star, or give columns "
            "micrograph, x and y."
        )
    positions: dict[str, int] = {}
    for column in COLUMNS:
        names = header_names(column)
        fitting = [i for i, name in enumerate(plain) if name in names]
        if len(fitting) > 1:
            listed = ", ".join(header[i] for i in fitting)
            raise PickFormatError(
                f"{path}: several columns can be {column.csv_name} ({listed}): keep one."
            )
        if fitting:
            positions[column.name] = fitting[0]
    if _VIA_PLACES in plain:
        raise PickFormatError(
            f"{path} is of the VGG Image Annotator, as Topaz writes .csv files: let topaz convert "
            "write a .txt."
        )
    if not {"x", "y"} <= set(positions):
        raise PickFormatError(
            f"{path}: the header has no columns x and y; found {', '.join(header[:5])}. "
            "The first line must name the columns, for example: x,y,label"
        )
    if DECIDED_BY.name not in positions:  # another program's probability may be anything
        positions.pop(PROBABILITY.name, None)
    return positions


def _check_widths(
    rows: Sequence[Sequence[str]], header: Sequence[str], where: Callable[[int], str]
) -> None:
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise PickFormatError(
                f"{where(i)}: {len(row)} values in the row where the header has {len(header)}."
            )


def _label_ids(
    values: NDArray[np.object_], title: str, where: Callable[[int], str]
) -> NDArray[np.object_]:
    """Return (n,) class ids, as numbers or digits, in place of names."""
    ids = {v: _LABEL_IDS.get(v.lower(), v) for v in set(values.tolist())}
    for row, value in enumerate(values.tolist()):
        if isinstance(ids[value], str) and not re.fullmatch(r"-?\d+(\.0*)?", value):
            raise PickFormatError(
                f"{where(row)}: {title} is {value!r}, which is no class: expected "
                f"{', '.join(n for n, i in _LABEL_IDS.items() if i)}, or an id from 0 to 6."
            )
    return np.array([ids[v] for v in values.tolist()], dtype=object)


def csv_fields(values: NDArray[Any], delimiter: str) -> list[str]:
    """Format values as fields of a row: text in quotes where it holds a quote or the delimiter."""
    if values.dtype.kind in "fiu":
        return format_values(values)
    special = f'{delimiter}"'
    return [
        '"' + v.replace('"', '""') + '"' if any(c in special for c in v) else v
        for v in map(without_controls, values.tolist())
    ]


def _label_field(label: int) -> str:
    name = "" if label == UNLABELLED else class_name(label)
    return name if name in _LABEL_IDS else str(label)
