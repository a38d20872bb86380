"""The files that picks came from: each can write itself again with fewer rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.quoting import quoted
from napari_pickeroptimizer.schema import (
    PARTIAL_LABEL,
    SELECTION_TYPE,
    X,
    Y,
    refuse_filaments,
    refuse_tomogram,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    # What ``starfile.read`` returns: one block, or blocks by name (pairs as a dict).
    StarfileBlocks = pd.DataFrame | dict[str, Any]


@dataclass(frozen=True, eq=False)
class PickSource(ABC):
    """One pick file as it was read.

    Parameters
    ----------
    path : Path
        The file it was read from.
    encoding : str
        Text encoding that gives the file's bytes back.
    """

    path: Path
    encoding: str
    holds_columns: ClassVar[bool] = True
    """Whether the format has room for extra columns (STAR and CSV do, .box does not)."""

    takes_places: ClassVar[bool] = False
    """Whether `render` moves picks: replaces x and y where they are among its columns."""

    places_are_fractions: ClassVar[bool] = False
    """Whether places are shares of an image's sides, and so cannot tell another scale."""

    @property
    def other_labels(self) -> tuple[str, ...]:
        """Names of the file's columns that are none of `schema.COLUMNS`."""
        return ()

    def strings(self, label: str) -> NDArray[np.object_] | None:
        """Return one of `other_labels`, as text, of all rows; None if it is no text."""
        return None

    @property
    def besides(self) -> tuple[str, ...]:
        """What the file holds besides the table of picks: names of tables, of keys."""
        return ()

    @property
    def pixel_size_ang(self) -> float | None:
        """Pixel size in Å of all its micrographs, where the file tells it."""
        return None

    @property
    def unreadable_by(self) -> str:
        """Why programs of the format cannot read this file, as it stays; empty if they can."""
        return ""

    @property
    def box_px(self) -> float | None:
        """Side of all its boxes in pixels, where the file tells it."""
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that were read, `path` among them."""
        return (self.path,)

    @property
    def advice(self) -> str:
        """A sentence on what files of this format do not do in the program they came from."""
        return ""

    def neighbours(self, rows: NDArray[np.int64]) -> frozenset[str]:
        """Return what `rows` name by its place beside the file: paths relative to its folder."""
        return frozenset()

    @abstractmethod
    def render(
        self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
    ) -> str | bytes:
        """Return the file's content with only `rows`, and `columns` added or replaced.

        `rows` ascend. `columns` maps a STAR label without underscore
        (``rlnParticleSelectionType``) to one value for each of `rows`. A format without
        named columns uses ``rlnAutopickFigureOfMerit`` as its score where it has one, and
        ignores the rest.
        """

    def contents(
        self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]], name: str
    ) -> dict[str, str | bytes]:
        """Return what `render` does for an output called `name`, and files that go beside it.

        By file name, that of the output last.
        """
        return {name: self.render(rows, columns)}

    def blocks(self) -> tuple[dict[str, Any], str] | None:
        """Return the blocks of a STAR as ``starfile.read`` would, and the name of the picks'.

        None for other formats.
        """
        return None


@dataclass(frozen=True, eq=False)
class FileList(ABC):
    """The list of a tree of files, one a micrograph (``autopick.star``, a folder, ...).

    Parameters
    ----------
    path : Path
        The list file, or the folder.
    root : Path
        Folder that the per-micrograph files' places in the tree are relative to.
    """

    path: Path
    root: Path

    @abstractmethod
    def render(self, written: Mapping[Path, Path]) -> dict[str, str]:
        """Return ``{file name: text}`` of the list files for a new tree.

        `written` maps each source file that was written to its new place; files that are
        not in it are left out of the list.
        """


@dataclass(frozen=True, eq=False)
class FrameSource(PickSource):
    """Blocks of a STAR as DataFrames of the starfile package, in no file."""

    data: Mapping[str, Any]
    picks_name: str

    @classmethod
    def of(cls, blocks: StarfileBlocks) -> FrameSource:
        """Find the block that holds the picks.

        Raises
        ------
        PickFormatError
            There is none, there are several, or they are of a tomogram.
        """
        import pandas as pd

        named = {"": blocks} if isinstance(blocks, pd.DataFrame) else dict(blocks)
        frames = {name: b for name, b in named.items() if isinstance(b, pd.DataFrame)}
        for name, frame in frames.items():
            refuse_tomogram(frame.columns, f"block {name!r}")
            refuse_filaments(frame.columns, f"block {name!r}")
        labels = {X.star, Y.star}
        names = [name for name, frame in frames.items() if labels <= set(frame.columns)]
        if len(names) > 1 and "particles" in names:
            names = ["particles"]
        if len(names) != 1:
            count = "several blocks have" if names else "no block has"
            raise PickFormatError(
                f"{count} the columns {' and '.join(sorted(labels))} "
                f"({', '.join(map(repr, names or named))}): pass the one block of picks."
            )
        # no path that a file could have: these picks may be written anywhere
        return cls(Path("<starfile>.star"), "utf-8", named, names[0])

    @property
    def table(self) -> pd.DataFrame:
        """The block of picks."""
        frame: pd.DataFrame = self.data[self.picks_name]
        return frame

    def blocks(self) -> tuple[dict[str, Any], str]:
        """Return the blocks as they were given."""
        return dict(self.data), self.picks_name

    def render(self, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]) -> str:
        """Return the text of a STAR with only `rows`, as the starfile package writes it."""
        import starfile

        blocks = dict(self.data)
        blocks[self.picks_name] = with_rows(self.table, rows, columns)
        quoted_blocks = {
            name: {label: _star_text(value) for label, value in block.items()}
            if isinstance(block, dict)
            else block.map(_star_text)
            for name, block in blocks.items()
        }
        return str(starfile.to_string(quoted_blocks, quote_character=""))


def _star_text(value: Any) -> Any:
    """Quote text as STAR requires: the starfile package quotes for blanks only."""
    if not isinstance(value, str):
        return value
    if "\t" in value or value.splitlines() not in ([], [value]):
        raise PickFormatError(
            f"{value!r} holds a tab or a line break, which the starfile package does not write: "
            "rename it."
        )
    return quoted(value)


def with_rows(
    table: pd.DataFrame, rows: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
) -> pd.DataFrame:
    """Return only `rows` of a block of picks, with columns added or replaced."""
    columns = with_partial_label(columns, table.columns)
    return table.iloc[rows].reset_index(drop=True).assign(**columns)


def with_partial_label(columns: Mapping[str, Any], labels: Any) -> dict[str, Any]:
    """Return `columns` such that ``poLabel``, where the file has it, follows the classes.

    It is read before ``rlnParticleSelectionType``, and would else tell classes of the past.
    """
    if SELECTION_TYPE in columns and PARTIAL_LABEL in labels:
        return {PARTIAL_LABEL: columns[SELECTION_TYPE], **columns}
    return dict(columns)
