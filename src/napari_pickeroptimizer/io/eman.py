"""EMAN ``.box`` files: x, y of the box **corner**, width, height and optionally a score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.fields import format_values, parse_fields, replace_fields
from napari_pickeroptimizer.io.outputs import write_each_micrograph
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.text import kept_text, read_text, row_namer
from napari_pickeroptimizer.schema import PICKER_SCORE, X, Y, as_numbers, as_optional_numbers
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks

WIDTHS = (4, 5)
_SCORE_POSITION = 4
_SIZE_POSITIONS = slice(2, 4)
# In place of a score, EMAN's helix boxes have codes: -1 at the start of a filament, -2 at its
# end; 0 and -3 are those of single boxes.
_HELIX_ENDS = (-1, -2)
_BOX_CODES = (0, -3)


@dataclass(frozen=True, eq=False)
class BoxSource(PickSource):
    """A ``.box`` file: `render` copies the lines of the kept rows."""

    lines: list[str]
    row_lines: NDArray[np.int64]
    n_columns: int
    holds_columns = False

    @property
    def box_px(self) -> float | None:
        """Side of the boxes, if all are squares of one size; none of size 0."""
        sizes = {
            float(side)
            for i in self.row_lines.tolist()
            for side in self.lines[i].split()[_SIZE_POSITIONS]
        }
        return common_box_px(sizes)

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`; a score replaces the fifth column."""
        lines = self.lines
        score = columns.get(PICKER_SCORE.star)
        if score is not None and self.n_columns > _SCORE_POSITION:
            kept = self.row_lines[rows].tolist()
            scores = {_SCORE_POSITION: format_values(score)}
            lines = replace_fields(lines, kept, scores, [], self.n_columns)
        return kept_text(lines, self.row_lines, rows)


def common_box_px(sizes: set[float]) -> float | None:
    """Return the only size of boxes; None if there are several, or it is 0: a point."""
    return sizes.pop() or None if len(sizes) == 1 else None


def read_box(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read an EMAN ``.box`` file.

    The centre is corner + size / 2, not rounded; crYOLO and napari-boxmanager write boxes
    of size 0, whose corner is the centre. A fifth column is the picker's score.

    Parameters
    ----------
    path : Path
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
        The file is empty, or a row has not 4 or 5 numbers; file, row and line are named. Or
        its boxes are the ends of filaments.
    """
    return read_corners(
        path,
        path.stem if micrograph is None else micrograph,
        WIDTHS,
        "an EMAN .box has 4 (x, y of the corner, width, height) or 5 (and a score)",
        may_be_empty=micrograph is not None,
        refuse=_refuse_helices,
    )


def read_corners(
    path: Path,
    micrograph: str,
    widths: Sequence[int],
    expected: str,
    *,
    may_be_empty: bool,
    refuse: Callable[[NDArray[np.float64], Callable[[int], str]], None] | None = None,
) -> FilePicks:
    """Read rows of x, y of the corner, width, height, and where there are more, a score.

    Parameters
    ----------
    path : Path
        The file.
    micrograph : str
        Its micrograph's name.
    widths : sequence of int
        How many values a row may have.
    expected : str
        What these are, for a message.
    may_be_empty : bool
        Whether a file without rows has no picks; otherwise it is an error.
    refuse : callable, optional
        Refuses scores that are none, given what names their rows.

    Raises
    ------
    PicksNotFoundError, PickFormatError
        As for `read_box`.
    """
    text, encoding = read_text(path)
    lines = text.split("\n")
    row_lines = np.array(
        [i for i, s in enumerate(lines) if s.strip() and not s.lstrip().startswith("#")],
        dtype=np.int64,
    )
    rows = [lines[i] for i in row_lines.tolist()]
    if not rows and not may_be_empty:
        raise PickFormatError(
            f"{path} is an empty file: leave it out, or pass the folder of all micrographs."
        )

    where = row_namer(path, row_lines)
    n_columns = len(rows[0].split()) if rows else widths[0]
    if n_columns not in widths:
        raise PickFormatError(f"{where(0)}: {n_columns} values in the row; {expected}.")
    titles = ("x", "y", "width", "height", "score")[:n_columns]
    values = parse_fields(rows, n_columns, range(len(titles)), where)
    x_corner, y_corner, width, height = (
        as_numbers(t, v, where) for v, t in zip(values[:4], titles[:4], strict=True)
    )
    columns = {X.name: x_corner + width / 2, Y.name: y_corner + height / 2}
    if n_columns > _SCORE_POSITION:
        score = as_optional_numbers(titles[_SCORE_POSITION], values[_SCORE_POSITION], where)
        if refuse is not None:
            refuse(score, where)
        columns[PICKER_SCORE.name] = score
    return FilePicks.parsed(
        BoxSource(path, encoding, lines, row_lines, n_columns),
        {name: (name, v) for name, v in columns.items()},
        where,
        micrograph,
    )


def write_boxes(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to new ``.box`` files, as for `PickFormat`.

    Corners are whole numbers, as EMAN writes them: RELION cuts decimals off, others stop at
    them. The size is even, so that half of it is a whole number, too.
    """
    size = given.box_px
    if size is None or size < 2 or size % 2:
        raise PickFormatError(
            f"cannot write {output}: a .box file gives the corners of boxes, so it needs their "
            "size: an even number of pixels of the micrograph"
            + ("." if size is None else f", not {size:g}.")
        )

    def text_of(part: Picks) -> str:
        corners = np.rint(part.coords_yx_px() - size / 2).astype(np.int64)
        sizes = np.full(len(part), int(size))
        fields = [format_values(v) for v in (corners[:, 1], corners[:, 0], sizes, sizes)]
        if PICKER_SCORE.name in part.table:
            scores = part.values(PICKER_SCORE)
            _refuse_helices(scores, lambda row: f"{output}, row {row + 1}")
            fields.append(format_values(scores))
        return "".join("\t".join(row) + "\n" for row in zip(*fields, strict=True))

    return write_each_micrograph(picks, output, ".box", text_of)


def _refuse_helices(codes: NDArray[np.float64], where: Callable[[int], str]) -> None:
    ends = np.isin(codes, _HELIX_ENDS)
    if ends.any() and np.isin(codes[~ends], _BOX_CODES).all():
        raise PickFormatError(
            f"{where(int(ends.argmax()))}: the fifth column holds EMAN's codes of helices (-1 "
            "start, -2 end of a filament), whose ends are no picks of particles. Pass boxes "
            "along the filaments, as helical extraction makes them."
        )


FORMAT = PickFormat(
    name="BOX",
    title="EMAN box: x, y of the corner, width, height and perhaps a score",
    suffixes=(".box",),
    holds_picks=lambda head: True,
    read=read_box,
    cannot_hold="classes and probabilities: a STAR is written for those",
    write=write_boxes,
    room=Room(
        columns=(PICKER_SCORE,),
        one_file_a_micrograph=True,
        anchor="corner",
        whole_pixels=True,
        needs=("box_px",),
    ),
)
