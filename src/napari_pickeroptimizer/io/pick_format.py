"""The interface of a format of pick files: how it is recognised, read and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.schema import COLUMNS, MICROGRAPH, Column, X, Y, parse_columns

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.coordinate_lists import CoordinateList
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.sources import PickSource

# What a new file may need and picks do not tell: fields of `Given`.
Need = Literal["box_px", "shapes_yx_px"]


@dataclass(frozen=True)
class FilePicks:
    """The picks of one file, parsed and checked.

    Parameters
    ----------
    source : PickSource
        The file itself.
    columns : mapping of str to (n,) array
        Columns of `schema.COLUMNS` by name; x, y and micrograph are among them.
    """

    source: PickSource
    columns: Mapping[str, NDArray[Any]]

    @classmethod
    def parsed(
        cls,
        source: PickSource,
        values: Mapping[str, tuple[str, NDArray[Any]]],
        where: Callable[[int], str],
        micrograph: str,
    ) -> FilePicks:
        """Parse values as in `schema.parse_columns`; without a column all are of `micrograph`."""
        columns = parse_columns(values, where)
        if MICROGRAPH.name not in columns:
            columns[MICROGRAPH.name] = np.full(len(columns[X.name]), micrograph, dtype=object)
        return cls(source, columns)

    def __len__(self) -> int:
        return len(self.columns[X.name])


@dataclass(frozen=True)
class Given:
    """What some formats hold and picks do not tell, for a new file.

    Parameters
    ----------
    box_px : float or None
        Side of the boxes in pixels of the micrographs.
    shapes_yx_px : mapping of str to (int, int)
        Rows and columns of each micrograph's image, by its name in ``Picks.table``.
    """

    box_px: float | None = None
    shapes_yx_px: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Room:
    """What a new file of a format has room for: known before one is written.

    Parameters
    ----------
    columns : tuple of Column
        Those of `schema.COLUMNS` that a file holds, besides x and y.
    other_columns : bool
        Whether it holds columns of any other name.
    one_file_a_micrograph : bool
        Whether picks of several micrographs become a folder of files, each named by its
        micrograph; else all go to one file.
    anchor : {"centre", "corner"}
        Which place of a box a file gives. Readers and writers convert; `Picks` are centres.
    whole_pixels : bool
        Whether coordinates are rounded to whole pixels.
    needs : tuple of str
        Which fields of `Given` must be there.
    """

    columns: tuple[Column, ...] = ()
    other_columns: bool = False
    one_file_a_micrograph: bool = False
    anchor: Literal["centre", "corner"] = "centre"
    whole_pixels: bool = False
    needs: tuple[Need, ...] = ()

    def lost_columns(self, picks: Picks) -> list[Column]:
        """Return the columns of `picks`, of those in the schema, for which there is no room.

        Columns without any value are none of them.
        """
        return [
            column
            for column in COLUMNS
            if column.name in picks.table
            and column not in (X, Y, *self.columns)
            and not (self.one_file_a_micrograph and column is MICROGRAPH)
            and not column.is_missing(picks.values(column)).all()
        ]


Write = Callable[["Picks", Path, Given], list[Path]]
# Picks, a new folder, and where it will be moved to.
WriteFolder = Callable[["Picks", Path, Path], list[Path]]


@dataclass(frozen=True)
class PickFormat:
    """A format of pick files; the sources that `read` returns write it again.

    Parameters
    ----------
    name : str
        For dialogs: ``BOX``.
    title : str
        For documents: who writes it, and what it holds.
    suffixes : tuple of str
        In small letters, with the dot.
    holds_picks : callable
        Whether a file may hold picks, given the text at its head.
    read : callable or None
        Reads a file: ``read(path, micrograph)``. `micrograph` is its name where the file is
        one of many, else None. A file that lists others is returned as a `CoordinateList`.
    cannot_hold : str
        What is lost in this format, for documents; empty if nothing.
    instead : str
        For formats that are recognised but not read: what the file is and what to pass instead.
    is_common_suffix : bool
        Whether many files with this suffix are of other kinds: those in a folder are read only
        if they hold picks by their beginning.
    write : callable or None
        Writes picks of any origin as new files: ``write(picks, output, given)`` returns these.
        Called by `write.write_as`, which checks the output. `output` is a file; of a format of
        one file a micrograph it is a folder where its name does not end in a suffix of the
        format.
    room : Room
        What such a new file holds; of what `read` returns, rendering loses nothing.
    write_folder : callable or None
        Writes picks of any origin as one file a micrograph, as the format's own programs want to
        find them: ``write_folder(picks, folder, final)`` returns the files, `final` is where the
        folder will be moved to. Of formats of which `write` does not do so already.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    holds_picks: Callable[[str], bool]
    read: Callable[[Path, str | None], FilePicks | CoordinateList] | None = None
    cannot_hold: str = ""
    instead: str = ""
    is_common_suffix: bool = False
    write: Write | None = None
    room: Room = Room()
    write_folder: WriteFolder | None = None
