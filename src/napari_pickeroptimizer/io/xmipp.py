"""Xmipp's ``.pos`` files: centres of manual and automatic picks, in two blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.fields import format_values, replace_fields
from napari_pickeroptimizer.io.outputs import write_each_micrograph
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.star import StarBlock, StarDocument
from napari_pickeroptimizer.io.text import kept_text, row_namer
from napari_pickeroptimizer.schema import PICKER_SCORE, X, Y, as_numbers, as_optional_numbers
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

_X, _Y, _COST, _ENABLED = "xcoor", "ycoor", "cost", "enabled"
_DISCARDED = -1
_MANUAL, _AUTOMATIC = "particles", "particles_auto"


@dataclass(frozen=True, eq=False)
class PosSource(PickSource):
    """A ``.pos`` file: `render` copies the lines of the kept rows, and those discarded before.

    Parameters
    ----------
    rows : (n,) int64
        Which lines (from 0) are picks.
    costs : mapping of int to (int, int)
        Of lines of blocks with a cost: its position, and the number of columns.
    """

    document: StarDocument
    rows: NDArray[np.int64]
    costs: Mapping[int, tuple[int, int]]
    holds_columns = False

    @property
    def besides(self) -> tuple[str, ...]:
        """The picks that were discarded before."""
        blocks = self.document.blocks_with(_X, _Y)
        n = sum(len(block) for block in blocks) - len(self.rows)
        return (f"{n} discarded picks",) if n else ()

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Xmipp's own numbers of picks and micrographs."""
        labels = [c for block in self.document.blocks_with(_X, _Y) for c in block.columns]
        return tuple(dict.fromkeys(c for c in labels if c not in (_X, _Y, _COST, _ENABLED)))

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`; a score replaces the cost."""
        lines = self.document.lines
        score = columns.get(PICKER_SCORE.star)
        if score is not None:
            for line, field in zip(
                self.rows[rows].tolist(), format_values(score), strict=True
            ):
                if line in self.costs:
                    position, n_columns = self.costs[line]
                    new = replace_fields(
                        [lines[line]], [0], {position: [field]}, [], n_columns
                    )
                    lines = lines.copy() if lines is self.document.lines else lines
                    lines[line] = new[0]
        return kept_text(lines, self.rows, rows)


def read_pos(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read an Xmipp ``.pos`` file: the picks of both blocks that are not discarded.

    Discarded ones (``_enabled`` -1) are no picks, and stay in the file.

    Parameters
    ----------
    path : Path
        The file.
    micrograph : str, optional
        Name of the micrograph; by default the file's own without ``.pos``. Where it is given
        (the file is one of many), an empty file has no picks; otherwise it is an error.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file has no block of picks, or a row does not fit; file, row and line are named.
    """
    name = path.stem if micrograph is None else micrograph
    if micrograph is not None and path.is_file() and path.stat().st_size == 0:
        document = StarDocument(path, [""], ())
    else:
        document = StarDocument.read(path)
    blocks = document.blocks_with(_X, _Y)
    has_header = any(b.name in (_MANUAL, _AUTOMATIC, "header") for b in document.blocks)
    if not blocks and document.blocks and not has_header:
        found = ", ".join(c for b in document.blocks for c in b.columns)[:80]
        raise PickFormatError(
            f"{path} is no file of Xmipp's picks: no table has the columns {_X} and {_Y}; found "
            f"{found or 'none'}. Pass the .pos files of a picking job."
        )
    parts = [_rows(document, block) for block in blocks]
    rows = np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)])
    x, y, cost = (
        np.concatenate([np.empty(0), *(part[1][i] for part in parts)]) for i in range(3)
    )
    costs = {
        line: (block.columns.index(_COST), len(block.columns))
        for block in blocks
        if _COST in block.columns
        for line in block.row_lines.tolist()
    }
    values = {X.name: (_X, x), Y.name: (_Y, y)}
    if costs:
        values[PICKER_SCORE.name] = (_COST, cost)
    source = PosSource(path, document.encoding, document, rows, costs)
    return FilePicks.parsed(source, values, row_namer(path, rows), name)


def _rows(
    document: StarDocument, block: StarBlock
) -> tuple[NDArray[np.int64], tuple[NDArray[np.float64], ...]]:
    """Return the lines of a block's picks, and x, y and cost of each."""
    convert = {label: partial(as_numbers, label) for label in (_X, _Y)}
    for label in (_COST, _ENABLED):
        if label in block.columns:
            convert[label] = partial(as_optional_numbers, label)
    values = document.values(block, convert)
    cost = values.get(_COST, np.full(len(block), np.nan))
    enabled = values.get(_ENABLED, np.ones(len(block))) != _DISCARDED
    return block.row_lines[enabled], tuple(v[enabled] for v in (values[_X], values[_Y], cost))


def write_pos(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to new ``.pos`` files, as for `PickFormat`."""

    def text_of(part: Picks) -> str:
        scores = part.values(PICKER_SCORE)
        scored = PICKER_SCORE.name in part.table
        pixels = np.rint(part.coords_yx_px()).astype(np.int64)
        columns = {
            "itemId": [f"{i:06d}" for i in range(1, len(part) + 1)],
            _ENABLED: ["1"] * len(part),
            _X: format_values(pixels[:, 1]),
            _Y: format_values(pixels[:, 0]),
        }
        if scored:  # a cost of picks that have none would be read as their score
            columns[_COST] = format_values(scores)
        state, block = ("Supervised", _AUTOMATIC) if scored else ("Manual", _MANUAL)
        labels = "".join(f" _{label}\n" for label in columns)
        rows = "".join(f" {'   '.join(row)} \n" for row in zip(*columns.values(), strict=True))
        return (
            "# XMIPP_STAR_1 * \n#\ndata_header\nloop_\n _pickingMicrographState\n"
            f"{state}\ndata_{block}\nloop_\n{labels}{rows}"
        )

    return write_each_micrograph(picks, output, ".pos", text_of)


FORMAT = PickFormat(
    name="POS",
    title="Xmipp picks of one micrograph; discarded ones are passed over and stay in the file",
    suffixes=(".pos",),
    holds_picks=lambda head: True,
    read=read_pos,
    cannot_hold="classes and probabilities: a STAR is written for those",
    write=write_pos,
    room=Room(columns=(PICKER_SCORE,), one_file_a_micrograph=True, whole_pixels=True),
)
METADATA = PickFormat(
    name="XMD",
    title="Xmipp's other metadata, and EMX",
    suffixes=(".xmd", ".emx"),
    holds_picks=lambda head: False,
    instead="metadata of Xmipp or Scipion, which is not read: pass the .pos files of the picking "
    "job, or export the coordinates to RELION",
)
