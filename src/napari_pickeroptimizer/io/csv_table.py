"""CSV tables of picks: x and y, perhaps label, score and micrograph, by many names."""

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
from napari_pickeroptimizer.io.assemble import (
    FilePicks,
    check_coordinates,
    labels_and_decisions,
    labels_from_numbers,
)
from napari_pickeroptimizer.io.relion import (
    DECIDED_BY,
    PARTIAL_LABEL,
    PARTICLE_PROBABILITY,
    SCORE,
    SELECTION_TYPE,
)
from napari_pickeroptimizer.io.rows import as_numbers
from napari_pickeroptimizer.io.text import kept_text, read_text
from napari_pickeroptimizer.io.tokens import star_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

# Header names, in small letters without separators. napari's own CSV calls rows axis-0.
ALIASES = {
    "x": {"x", "xcoordinate", "xcoord", "coordinatex", "rlncoordinatex", "axis1"},
    "y": {"y", "ycoordinate", "ycoord", "coordinatey", "rlncoordinatey", "axis0"},
    "label": {"label", "rlnparticleselectiontype", "polabel"},
    "score": {"score", "pickerscore", "confidence", "fom", "rlnautopickfigureofmerit"},
    "micrograph": {"micrograph", "micrographname", "rlnmicrographname", "imagename"},
    "decided_by": {"decidedby", "podecidedby"},
}
_LABEL_IDS = {
    "": UNLABELLED,
    "unlabelled": UNLABELLED,
    "particle": PARTICLE,
    "negative": CONTAMINANT,
    "contaminant": CONTAMINANT,
    "ice": CONTAMINANT,
    "carbon": CARBON,
}
_NEW_NAMES = {SELECTION_TYPE: "label", PARTIAL_LABEL: "label", SCORE: "score"}
_NEW_NAMES |= {PARTICLE_PROBABILITY: "probability", DECIDED_BY: "decided_by"}


@dataclass(frozen=True, eq=False)
class CsvSource:
    """A CSV of picks: `render` copies its lines, fields appended or replaced."""

    path: Path
    lines: list[str]
    header_line: int
    row_lines: NDArray[np.int64]
    delimiter: str
    header: tuple[str, ...]
    roles: Mapping[str, int]
    names_labels: bool  # the label column holds names, not ids
    encoding: str = "utf-8"

    @property
    def holds_columns(self) -> bool:
        """A CSV has room for columns."""
        return True

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`, and `columns` added or replaced.

        RELION's labels become this format's names: ``label``, ``score``, ``probability``.
        """
        lines = list(self.lines)
        kept = self.row_lines[rows].tolist()
        for column, values in columns.items():
            name = _NEW_NAMES.get(column, column)
            position = self._position(name)
            tokens = star_tokens(values)
            if name == "label" and position is not None and self.names_labels:
                tokens = [_label_token(int(v)) for v in values]
            if position is None:
                lines[self.header_line] = self._appended(lines[self.header_line], name)
                changed = [
                    self._appended(lines[i], t) for i, t in zip(kept, tokens, strict=True)
                ]
            else:
                changed = [
                    self._replaced(lines[i], position, t)
                    for i, t in zip(kept, tokens, strict=True)
                ]
            for i, line in zip(kept, changed, strict=True):
                lines[i] = line
        return kept_text(lines, self.row_lines, rows)

    def _position(self, name: str) -> int | None:
        if name in self.roles:
            return self.roles[name]
        return self.header.index(name) if name in self.header else None

    def _appended(self, line: str, token: str) -> str:
        stop = len(line.rstrip("\r"))
        return line[:stop] + self.delimiter + token + line[stop:]

    def _replaced(self, line: str, position: int, token: str) -> str:
        stop = len(line.rstrip("\r"))
        d = re.escape(self.delimiter)
        fields = re.findall(rf'((?:^|{d}) *)("(?:[^"]|"")*"|[^{d}]*)', line[:stop])
        start, _ = fields[position]
        fields[position] = (start, token)
        return "".join(a + b for a, b in fields) + line[stop:]


def read_csv(path: str | Path, *, micrograph: str | None = None) -> FilePicks:
    """Read a CSV of picks with a header line; coordinates are 0-based centres in pixels.

    Columns are found by name, see `ALIASES`. Labels are class ids 0 to 6, or ``particle``,
    ``contaminant``, ``negative`` and ``ice`` (both read as contaminant), ``carbon``.
    Fields may be separated by commas, semicolons or tabs.

    Parameters
    ----------
    path : str or Path
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
    path = Path(path)
    text, encoding = read_text(path)
    lines = text.split("\n")
    filled = [i for i, s in enumerate(lines) if s.strip()]
    if not filled:
        raise PickFormatError(f"{path} is an empty file.")
    header_line, row_lines = filled[0], np.array(filled[1:], dtype=np.int64)
    delimiter = max(",;\t", key=lines[header_line].count)
    header, *rows = _fields([lines[i].rstrip("\r") for i in filled], delimiter)
    roles = _roles(path, header)

    def where(row: int) -> str:
        return f"{path}, row {row + 1} (line {int(row_lines[row]) + 1})"

    _check_widths(rows, len(row_lines), header, where)

    def column(role: str) -> NDArray[np.object_]:
        values = np.empty(len(rows), dtype=object)
        values[:] = [r[roles[role]].strip() for r in rows]
        return values

    x, y = (as_numbers(column(role), header[roles[role]], where) for role in "xy")
    check_coordinates(x, y, where)
    classes, names_labels = None, False
    if "label" in roles:
        classes, names_labels = _labels(column("label"), header[roles["label"]], where)
    probability = decided_by = None
    if "decided_by" in roles and "probability" in header:
        # ours; in a file of another program a probability may be anything
        roles["probability"] = header.index("probability")
        probability = as_numbers(column("probability"), "probability", where)
        decided_by = column("decided_by")
    label, predicted = labels_and_decisions(classes, probability, decided_by)
    names: str | NDArray[np.object_] = path.stem if micrograph is None else micrograph
    score = None
    if "score" in roles:
        score = as_numbers(column("score"), header[roles["score"]], where)
    return FilePicks(
        source=CsvSource(
            path, lines, header_line, row_lines, delimiter, tuple(header), roles,
            names_labels, encoding,
        ),
        x=x,
        y=y,
        micrograph=column("micrograph") if "micrograph" in roles else names,
        label=label,
        picker_score=score,
        particle_probability=probability,
        predicted=predicted,
        decided_by=decided_by,
    )  # fmt: skip


def _fields(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))


def _roles(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Map each role (x, y, label, ...) to the position of the column that plays it."""
    plain = [re.sub(r"[\s_\-]|^\ufeff", "", name).lower() for name in header]
    roles: dict[str, int] = {}
    for role, names in ALIASES.items():
        found = [i for i, name in enumerate(plain) if name in names]
        if len(found) > 1:
            listed = ", ".join(header[i] for i in found)
            raise PickFormatError(
                f"{path}: several columns can be {role} ({listed}): keep one."
            )
        if found:
            roles[role] = found[0]
    if not {"x", "y"} <= set(roles):
        raise PickFormatError(
            f"{path}: the header has no columns x and y; found {', '.join(header[:5])}. "
            "The first line must name the columns, for example: x,y,label"
        )
    return roles


def _check_widths(
    rows: Sequence[Sequence[str]],
    n_lines: int,
    header: Sequence[str],
    where: Callable[[int], str],
) -> None:
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise PickFormatError(
                f"{where(i)}: {len(row)} values in the row where the header has {len(header)}."
            )
    if len(rows) != n_lines:
        raise PickFormatError(
            f"{where(0)}: a quoted field runs over several lines; put each pick on one line."
        )


def _labels(
    values: NDArray[np.object_], column: str, where: Callable[[int], str]
) -> tuple[NDArray[np.int8], bool]:
    """Return (n,) int8 labels, and whether the column holds names."""
    known = {v: _LABEL_IDS[v.lower()] for v in set(values.tolist()) if v.lower() in _LABEL_IDS}
    numbers = np.array([known.get(v, v) for v in values.tolist()], dtype=object)
    for row, value in enumerate(numbers.tolist()):
        if isinstance(value, str) and not re.fullmatch(r"-?\d+(\.0*)?", value):
            raise PickFormatError(
                f"{where(row)}: {column} is {value!r}, which is no class: expected "
                f"{', '.join(n for n, i in _LABEL_IDS.items() if i)}, or an id from 0 to 6."
            )
    labels = labels_from_numbers(numbers.astype(np.float64), column, where)
    return labels, any(v for v in known)


def _label_token(label: int) -> str:
    name = "" if label == UNLABELLED else class_name(label)
    return name if name in _LABEL_IDS else str(label)
