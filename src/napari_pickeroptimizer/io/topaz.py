"""Topaz' tables of coordinates (``.txt``): image_name, x_coord, y_coord and perhaps score."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.csv_table import csv_fields, read_csv
from napari_pickeroptimizer.io.fields import format_values
from napari_pickeroptimizer.io.image_names import image_suffix
from napari_pickeroptimizer.io.outputs import write_content
from napari_pickeroptimizer.io.pick_format import FilePicks, Given, PickFormat, Room
from napari_pickeroptimizer.io.text import read_text
from napari_pickeroptimizer.schema import MICROGRAPH, PICKER_SCORE

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

_HEADER = ("image_name", "x_coord", "y_coord")
_SCORE = "score"


def read_topaz(path: Path, micrograph: str | None = None) -> FilePicks:
    """Read a table of Topaz; its coordinates are centres, and taken as they are.

    They are pixels of the images that ``topaz extract`` was given, unless its ``--up-scale``
    was used: the file does not tell. Scores are log odds, of any sign.

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        The file has another header, or a row does not fit; file, row and line are named.
    """
    text, _ = read_text(path)
    if not _holds_picks(text):
        line = next((s.strip() for s in text.split("\n") if s.strip()), "")
        raise PickFormatError(
            f"{path} is no table of Topaz: its first line should name the columns "
            f"{', '.join(_HEADER)}, separated by tabs, and is {line[:60]!r}."
        )
    return read_csv(path, micrograph)


def write_topaz(picks: Picks, output: Path, given: Given) -> list[Path]:
    """Write picks of any origin to one new table, as for `PickFormat`: rounded, as Topaz does."""
    names = picks.table[MICROGRAPH.name].tolist()
    stems = {name: _stem(name) for name in dict.fromkeys(names)}
    taken: dict[str, str] = {}
    for name, stem in stems.items():
        if taken.setdefault(stem, name) != name:
            raise PickFormatError(
                f"cannot write {output}: Topaz knows micrographs by file name alone, and "
                f"{taken[stem]!r} and {name!r} have the same: rename one of them."
            )
    pixels = np.rint(picks.coords_yx_px()).astype(np.int64)
    image_names = np.array([stems[name] for name in names], dtype=object)
    columns = {
        _HEADER[0]: csv_fields(image_names, "\t"),
        _HEADER[1]: format_values(pixels[:, 1]),
        _HEADER[2]: format_values(pixels[:, 0]),
    }
    if PICKER_SCORE.name in picks.table:
        columns[_SCORE] = format_values(picks.values(PICKER_SCORE))
    rows = ["\t".join(row) for row in zip(*columns.values(), strict=True)]
    return [write_content(output, "\n".join(["\t".join(columns), *rows, ""]))]


def _stem(name: str) -> str:
    file = name.rpartition("/")[2]
    return file[: -len(image_suffix(file)) or None] or file


def _holds_picks(head: str) -> bool:
    header = re.split(r"\r?\n", head.lstrip("\ufeff \t\r\n"), maxsplit=1)[0].split("\t")
    return set(_HEADER) <= {name.strip() for name in header}


FORMAT = PickFormat(
    name="TOPAZ",
    title="Topaz table, in pixels of the images given to `topaz extract` unless its `--up-scale` "
    "was used",
    suffixes=(".txt",),
    holds_picks=_holds_picks,
    is_common_suffix=True,
    read=read_topaz,
    write=write_topaz,
    room=Room(columns=(MICROGRAPH, PICKER_SCORE), whole_pixels=True),
)
