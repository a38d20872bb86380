"""RELION STAR files of picks: particle tables and per-micrograph coordinate files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.coordinate_lists import (
    COORDINATE_FILE,
    CoordinateList,
    read_list_file,
    read_suffix_file,
    suffix_of,
)
from napari_pickeroptimizer.io.fields import format_values
from napari_pickeroptimizer.io.micrographs_star import common_pixel_size_ang
from napari_pickeroptimizer.io.outputs import places_of_micrographs, write_content
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.project import in_project
from napari_pickeroptimizer.io.star import StarBlock, StarDocument, new_star
from napari_pickeroptimizer.schema import (
    COLUMNS,
    MICROGRAPH,
    X,
    Y,
    as_column,
    column_of,
    columns_in,
    refuse_filaments,
    refuse_tomogram,
)
from napari_pickeroptimizer.sources import PickSource, with_partial_label

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

AUTOPICK_LIST = "autopick.star"
_AUTOPICK = "_autopick.star"
_HEADER = "\n# version 30001\n"


@dataclass(frozen=True, eq=False)
class StarSource(PickSource):
    """A STAR file of picks: `render` copies its text without the removed rows.

    A table that lost all rows keeps its header.
    """

    document: StarDocument
    block: StarBlock | None  # None: an empty per-micrograph file
    takes_places = True

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Columns of the picks' table that are none of the schema."""
        labels = () if self.block is None else self.block.columns
        return tuple(label for label in labels if column_of(label) is None)

    def strings(self, label: str) -> NDArray[np.object_] | None:
        """Return a column of the picks' table, as it is written."""
        if self.block is None or label not in self.block.columns:
            return None
        return self.document.strings(self.block, [label])[label]

    @property
    def besides(self) -> tuple[str, ...]:
        """The other tables, such as that of the optics groups."""
        return tuple(f"data_{b.name}" for b in self.document.blocks if b is not self.block)

    @property
    def pixel_size_ang(self) -> float | None:
        """Pixel size of the micrographs, if they have one in common."""
        return common_pixel_size_ang(self.document)

    @property
    def unreadable_by(self) -> str:
        """Lines that end as on Windows: RELION takes the ends for parts of names."""
        if not self.document.lines[0].endswith("\r"):
            return ""
        return (
            f"lines of {self.path} end as on Windows, which RELION cannot read: run dos2unix"
        )

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the file's text with only `rows`, and `columns` added or replaced."""
        if self.block is None:
            return self.document.text()
        fields = {label: format_values(values) for label, values in columns.items()}
        fields = with_partial_label(fields, self.block.columns)
        return self.document.render(self.block, rows, fields)

    def blocks(self) -> tuple[dict[str, Any], str] | None:
        """Return the blocks as ``starfile.read`` would, and the name of the picks'.

        Raises
        ------
        PickFormatError
            Two blocks have one name: a dict has room for one of them.
        """
        import pandas as pd

        if self.block is None:
            return None
        blocks: dict[str, Any] = {}
        for block in self.document.blocks:
            if block.name in blocks:
                raise PickFormatError(
                    f"{self.path} has two blocks data_{block.name}: DataFrames by name hold one of "
                    "them. Write these picks with write_picks, which keeps both, or rename one."
                )
            if block.is_loop:
                columns = self.document.strings(block, block.columns)
                blocks[block.name] = pd.DataFrame(
                    {label: _numbers_if_all(values) for label, values in columns.items()}
                )
            else:
                blocks[block.name] = self.document.pairs(block)
        return blocks, self.block.name


def read_star(path: Path, micrograph: str | None = None) -> FilePicks | CoordinateList:
    """Read the picks of a STAR file, or of the coordinate files that it lists.

    Parameters
    ----------
    path : Path
        A particles STAR, the coordinate file of one micrograph, or a list of these:
        ``autopick.star`` and its like (RELION 4, 5), ``coords_suffix_autopick.star`` (3).
    micrograph : str, optional
        Name of the micrograph if the table has no ``rlnMicrographName``; by default the
        file's own name without ``.star``. Where it is given (the file is one of many), an
        empty file has no picks; otherwise it is an error.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`, or a listed file is missing.
    PickFormatError
        No table has ``rlnCoordinateX`` and ``rlnCoordinateY``, several have, coordinates
        are three-dimensional or not finite, or a row does not fit its header.
    """
    if suffix_of(path) is not None:
        return read_suffix_file(path)
    if micrograph is not None and path.is_file() and path.stat().st_size == 0:
        return _picks_of(StarDocument(path, [""], ()), micrograph)
    document = StarDocument.read(path)
    lists = document.blocks_with(COORDINATE_FILE)
    return read_list_file(document, lists[0]) if lists else _picks_of(document, micrograph)


def new_star_of(picks: Picks, columns: Mapping[str, NDArray[Any]] | None = None) -> str:
    """Return the text of one new table: places, and `columns` (by default `star_columns`)."""
    added = picks.star_columns() if columns is None else columns
    return new_star("", {**picks.place_columns(), **added})


def write_star(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to one new STAR table, as for `PickFormat`."""
    return [write_content(output, new_star_of(picks, picks.all_columns()))]


def write_coordinate_files(
    picks: Picks,
    folder: Path,
    final: Path,
    columns: Mapping[str, NDArray[Any]] | None = None,
) -> list[Path]:
    """Write one coordinate file a micrograph, as RELION names them, and their list.

    Extraction finds them in the list, ``autopick.star``, by the micrograph's name in the
    micrographs STAR, exactly.

    Parameters
    ----------
    picks : Picks
        With those names.
    folder : Path
        Where the files go, in the subfolders of the micrographs.
    final : Path
        Where `folder` will be moved to; the project is the working directory.
    columns : mapping of str to (n,) array, optional
        Columns besides the places, one value a pick; by default all that picks have.

    Raises
    ------
    PickFormatError
        The names of two micrographs lead to one file, or a pick tells no micrograph.
    """
    added = picks.all_columns() if columns is None else columns
    added = {label: v for label, v in added.items() if label != MICROGRAPH.star}
    files = places_of_micrographs(picks, Path(), _AUTOPICK)
    texts: dict[Path, str] = {}
    for path, (_, rows) in files.items():
        of_part = {label: values[rows] for label, values in added.items()}
        texts[path] = _HEADER + new_star_of(picks.select(rows), of_part)
    columns = {
        MICROGRAPH.star: np.array([name for name, _ in files.values()], dtype=object),
        COORDINATE_FILE: np.array(
            [in_project(final / f, Path.cwd()) for f in files], dtype=object
        ),
    }
    texts[Path(AUTOPICK_LIST)] = _HEADER + new_star("coordinate_files", columns)
    return [write_content(folder / path, text) for path, text in texts.items()]


_COORDINATES = re.compile(r"^[ \t]*_\S*coord", re.IGNORECASE | re.MULTILINE)


def _holds_picks(head: str) -> bool:
    """Whether a STAR with this beginning holds 2-D picks, or lists files of them."""
    if "_rlnTomoName" in head:
        return False
    # also misspelt, or without the prefix as crYOLO writes them: reading says what is wrong
    return _COORDINATES.search(head) is not None


FORMAT = PickFormat(
    name="STAR",
    title="RELION STAR: particles, coordinates of one micrograph, or a list of these",
    suffixes=(".star",),
    holds_picks=_holds_picks,
    read=read_star,
    write=write_star,
    room=Room(columns=COLUMNS, other_columns=True),
    write_folder=write_coordinate_files,
)


def _picks_of(document: StarDocument, micrograph: str | None) -> FilePicks:
    block = _coordinates_block(document, may_be_empty=micrograph is not None)
    source = StarSource(document.path, document.encoding, document, block)
    if block is None:
        return FilePicks(source, {c.name: c.all_missing(0) for c in (X, Y, MICROGRAPH)})
    labels = {column.name: label for column, label in columns_in(block.columns)}
    made = document.values(
        block, {label: partial(as_column, name, label) for name, label in labels.items()}
    )
    values = {name: (label, made[label]) for name, label in labels.items()}
    if micrograph is None:
        micrograph = document.path.stem
        if MICROGRAPH.name not in labels and "rlnImageName" in block.columns:
            raise PickFormatError(
                f"{document.path}: {block.title} holds particles without the column "
                f"{MICROGRAPH.star}, so their micrographs are unknown. Pass the particles STAR "
                "of the extraction job."
            )
    return FilePicks.parsed(source, values, document.where(block), micrograph)


def _numbers_if_all(strings: NDArray[np.object_]) -> Any:
    """Convert a column of strings to integers or floats, if each of them is one."""
    import pandas as pd

    try:
        return pd.to_numeric(strings)
    except ValueError:
        return strings


def _coordinates_block(document: StarDocument, *, may_be_empty: bool) -> StarBlock | None:
    for block in document.blocks:
        refuse_tomogram(block.columns, f"{document.path}: {block.title}")
        refuse_filaments(block.columns, f"{document.path}: {block.title}")
    candidates = document.blocks_with(X.star, Y.star)
    if len(candidates) > 1:
        named = [b for b in candidates if b.name == "particles"]
        if len(named) != 1:
            raise PickFormatError(
                f"{document.path} has several tables of picks "
                f"({', '.join(b.title for b in candidates)}): put each into a file of its own."
            )
        return named[0]
    if candidates:
        return candidates[0]
    if may_be_empty and not any(len(b) for b in document.blocks):
        return None
    raise PickFormatError(f"{document.path} {_what_instead(document)}")


def _what_instead(document: StarDocument) -> str:
    """Return a message on what a STAR without picks seems to be, and what to pass instead."""
    expected = f"no table has the columns {X.star} and {Y.star}"
    columns = [c for b in document.blocks for c in b.columns]
    if any({X.star, Y.star} <= set(b.columns) for b in document.blocks):
        return f"has {X.star} and {Y.star}, but not as a loop_ table: write it as a loop."
    alike = [c for c in columns if _COORDINATES.match(f"_{c}")]
    if alike and "CoordinateX" not in columns:
        return (
            f"has {', '.join(alike)}, but {expected}: correct the labels if they are misspelt."
        )
    if MICROGRAPH.star in columns and "rlnImageName" not in columns:
        return (
            f"is a micrographs STAR: {expected}. Pass the coordinates: a particles STAR, an "
            "autopick.star, or the folder of the picking job."
        )
    if "rlnImageName" in columns:
        return f"lists particles without their places in the micrographs: {expected}."
    if "CoordinateX" in columns:
        return "seems to be a crYOLO .cbox under another name: give it a name ending in .cbox."
    shown = ", ".join(columns[:5]) + (", ..." if len(columns) > 5 else "")
    return f"holds no picks: {expected}; found {shown or 'no columns'}."
