"""crYOLO's ``.cbox`` files, old and 1.0: corners, sizes and confidences of all boxes found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.eman import common_box_px, read_corners
from napari_pickeroptimizer.io.fields import format_values
from napari_pickeroptimizer.io.outputs import write_each_micrograph
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.star import StarBlock, StarDocument, new_star
from napari_pickeroptimizer.schema import PICKER_SCORE, X, Y, as_optional_numbers
from napari_pickeroptimizer.sources import PickSource

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

# Before 1.0: x, y, width, height, confidence, and the estimated width and height.
OLD_WIDTHS = (5, 7)
_BOX = ("CoordinateX", "CoordinateY", "Width", "Height")
_CONFIDENCE = "Confidence"
# In tomograms; a Depth of 1 is that of a micrograph's box, too.
_THIRD_AXIS = "CoordinateZ"
_FILAMENT = "filamentid"
_COLUMNS = (
    *_BOX[:2], "CoordinateZ", *_BOX[2:], "Depth", "EstWidth", "EstHeight", _CONFIDENCE,
    "NumBoxes", "Angle",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class CboxSource(PickSource):
    """A ``.cbox`` file of format 1.0: `render` copies its text without the removed rows."""

    document: StarDocument
    block: StarBlock
    holds_columns = False

    @property
    def box_px(self) -> float | None:
        """Side of the boxes, if all are squares of one size; none of size 0."""
        sides = self.document.numbers(self.block, _BOX[2:])
        return common_box_px({float(side) for v in sides.values() for side in np.unique(v)})

    @property
    def other_labels(self) -> tuple[str, ...]:
        """What crYOLO tells besides corner, size and confidence."""
        known = (*_BOX, _CONFIDENCE)
        return tuple(label for label in self.block.columns if label not in known)

    def strings(self, label: str) -> NDArray[np.object_] | None:
        """Return a column of the boxes' table, as it is written."""
        return self.document.strings(self.block, [label])[label]

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`; a score replaces the confidence."""
        score = columns.get(PICKER_SCORE.star)
        replaced = {}
        if score is not None and _CONFIDENCE in self.block.columns:
            replaced[_CONFIDENCE] = format_values(score)
        return self.document.render(self.block, rows, replaced)


def read_cbox(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read a ``.cbox`` file, old or 1.0, with the picks below crYOLO's threshold.

    The centre is corner + size / 2, as crYOLO's own box manager has it.

    Parameters
    ----------
    path : Path
        The file.
    micrograph : str, optional
        Name of the micrograph; by default the file's own without ``.cbox``. Where it is
        given (the file is one of many), an empty file has no picks; otherwise it is an error.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file is none of crYOLO's, a row does not fit, or the boxes are of a tomogram or
        along filaments; file, row and line are named.
    """
    name = path.stem if micrograph is None else micrograph
    if not _is_star(path):
        expected = (
            "a crYOLO .cbox before 1.0 has 5 (x, y of the corner, width, height, confidence) or 7 "
            "(and the estimated size)"
        )
        may_be_empty = micrograph is not None
        return read_corners(path, name, OLD_WIDTHS, expected, may_be_empty=may_be_empty)
    document = StarDocument.read(path)
    blocks = document.blocks_with(*_BOX)
    if len(blocks) != 1:
        raise PickFormatError(
            f"{path}: {'several tables have' if blocks else 'no table has'} the columns "
            f"{', '.join(_BOX)} of a crYOLO .cbox. Write it again with crYOLO."
        )
    block, where = blocks[0], document.where(blocks[0])
    _refuse_filaments(document, block)
    _refuse_third_axis(document, block)
    boxes = document.numbers(block, _BOX)
    x, y, width, height = (boxes[label] for label in _BOX)
    values = {X.name: ("x", x + width / 2), Y.name: ("y", y + height / 2)}
    if _CONFIDENCE in block.columns:
        values[PICKER_SCORE.name] = (_CONFIDENCE, _optional(document, block, _CONFIDENCE))
    source = CboxSource(path, document.encoding, document, block)
    return FilePicks.parsed(source, values, where, name)


def write_cbox(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to new ``.cbox`` files of format 1.0, as for `PickFormat`."""
    size = given.box_px
    if size is None or not 0 < size < np.inf:
        raise PickFormatError(
            f"cannot write {output}: a .cbox file gives the corners of boxes, so it needs their "
            "size in pixels of the micrograph."
        )

    def text_of(part: Picks) -> str:
        table: dict[str, NDArray[Any]] = {
            label: np.full(len(part), "<NA>", dtype=object) for label in _COLUMNS
        }
        corners = part.coords_yx_px() - size / 2
        table["CoordinateX"], table["CoordinateY"] = corners[:, 1], corners[:, 0]
        table["Width"] = table["Height"] = np.full(len(part), float(size))
        scores = part.values(PICKER_SCORE)
        table[_CONFIDENCE] = np.array(
            ["<NA>" if np.isnan(v) else f"{v:.6f}" for v in scores.tolist()], dtype=object
        )
        header = "\ndata_global\n\n_cbox_format_version 1.0\n"
        include = "\ndata_cryolo_include\n\nloop_\n_slice_index #1\n\n"
        return header + new_star("cryolo", table).rstrip(" \n") + "\n" + include

    return write_each_micrograph(picks, output, ".cbox", text_of)


def _is_star(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"data_" in file.read(4096)
    except OSError:
        return False  # reading it as text says why


def _optional(document: StarDocument, block: StarBlock, label: str) -> NDArray[np.float64]:
    def convert(
        strings: NDArray[np.object_], where: Callable[[int], str]
    ) -> NDArray[np.float64]:
        return as_optional_numbers(label, strings, where)

    return document.values(block, {label: convert})[label]


def _refuse_filaments(document: StarDocument, block: StarBlock) -> None:
    vertices = [b for b in document.blocks if "filament" in b.name.lower() and len(b)]
    traced = (
        _FILAMENT in block.columns and (~np.isnan(_optional(document, block, _FILAMENT))).any()
    )
    if vertices or traced:
        raise PickFormatError(
            f"{document.path}: these boxes lie along filaments "
            f"({vertices[0].title if vertices else '_' + _FILAMENT}), of which one box cannot go "
            "without the others. This package prunes picks of single particles."
        )


def _refuse_third_axis(document: StarDocument, block: StarBlock) -> None:
    if _THIRD_AXIS not in block.columns:
        return
    has = ~np.isnan(_optional(document, block, _THIRD_AXIS))
    if has.any():
        raise PickFormatError(
            f"{document.where(block)(int(has.argmax()))}: the box is of a tomogram (it has a "
            f"{_THIRD_AXIS}). This package prunes picks on two-dimensional micrographs."
        )


FORMAT = PickFormat(
    name="CBOX",
    title="crYOLO boxes, also those below its threshold",
    suffixes=(".cbox",),
    holds_picks=lambda head: True,
    read=read_cbox,
    cannot_hold="classes and probabilities: a STAR is written for those",
    write=write_cbox,
    room=Room(
        columns=(PICKER_SCORE,),
        one_file_a_micrograph=True,
        anchor="corner",
        needs=("box_px",),
    ),
)
TOMOGRAM = PickFormat(
    name="TLOC",
    title="places in tomograms, of TomoTwin and crYOLO",
    suffixes=(".tloc", ".coords"),
    holds_picks=lambda head: False,
    instead="of a tomogram. This package prunes picks on two-dimensional micrographs",
)
