"""EMAN ``.box`` files: x, y of the box **corner**, width, height and perhaps a score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.assemble import FilePicks, check_coordinates
from napari_pickeroptimizer.io.relion import SCORE
from napari_pickeroptimizer.io.rows import as_numbers, parse_rows, replace_tokens
from napari_pickeroptimizer.io.text import kept_text, read_text
from napari_pickeroptimizer.io.tokens import star_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

WIDTHS = (4, 5)
_SCORE_POSITION = 4


@dataclass(frozen=True, eq=False)
class BoxSource:
    """A ``.box`` file: `render` copies the lines of the rows that stay."""

    path: Path
    lines: list[str]
    row_lines: NDArray[np.int64]
    n_columns: int
    encoding: str = "utf-8"

    @property
    def holds_columns(self) -> bool:
        """A .box has no room for columns."""
        return False

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`; a score replaces the fifth column."""
        lines = self.lines
        if SCORE in columns and self.n_columns > _SCORE_POSITION:
            lines = list(lines)
            kept = self.row_lines[rows].tolist()
            score = {_SCORE_POSITION: star_tokens(columns[SCORE])}
            changed = replace_tokens([lines[i] for i in kept], score, [], self.n_columns)
            for i, line in zip(kept, changed, strict=True):
                lines[i] = line
        return kept_text(lines, self.row_lines, rows)


def read_box(path: str | Path, *, micrograph: str | None = None) -> FilePicks:
    """Read an EMAN ``.box`` file.

    The centre is corner + size / 2, not rounded; crYOLO and napari-boxmanager write boxes
    of size 0, whose corner is the centre. A fifth column is the picker's score.

    Parameters
    ----------
    path : str or Path
        The file.
    micrograph : str, optional
        Name of the micrograph; by default the file's own without ``.box``. Where it is
        given (the file is one of many), an empty file has no picks; otherwise it is an
        error.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file is empty, or a row has not 4 or 5 numbers; file, row and line are named.
    """
    path = Path(path)
    text, encoding = read_text(path)
    lines = text.split("\n")
    row_lines = np.array(
        [i for i, s in enumerate(lines) if s.strip() and not s.lstrip().startswith("#")],
        dtype=np.int64,
    )
    rows = [lines[i] for i in row_lines.tolist()]
    if not rows and micrograph is None:
        raise PickFormatError(f"{path} is an empty file.")

    def where(row: int) -> str:
        return f"{path}, row {row + 1} (line {int(row_lines[row]) + 1})"

    n_columns = len(rows[0].split()) if rows else WIDTHS[0]
    if n_columns not in WIDTHS:
        raise PickFormatError(
            f"{where(0)}: {n_columns} values in the row; an EMAN .box has 4 (x, y of the "
            "corner, width, height) or 5 (and a score)."
        )
    values = parse_rows(rows, n_columns, range(n_columns), where)
    names = ("x", "y", "width", "height", "score")
    numbers = [as_numbers(v, n, where) for v, n in zip(values, names, strict=False)]
    x_corner, y_corner, width, height = numbers[:4]
    x, y = x_corner + width / 2, y_corner + height / 2
    check_coordinates(x, y, where)
    return FilePicks(
        source=BoxSource(path, lines, row_lines, n_columns, encoding),
        x=x,
        y=y,
        micrograph=path.stem if micrograph is None else micrograph,
        picker_score=numbers[_SCORE_POSITION] if n_columns > _SCORE_POSITION else None,
    )
