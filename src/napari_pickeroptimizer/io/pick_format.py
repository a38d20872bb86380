"""The interface of a format of pick files: how it is recognised, read and described."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.schema import MICROGRAPH, X, parse_columns

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.coordinate_lists import CoordinateList
    from napari_pickeroptimizer.sources import PickSource


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
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    holds_picks: Callable[[str], bool]
    read: Callable[[Path, str | None], FilePicks | CoordinateList] | None = None
    cannot_hold: str = ""
    instead: str = ""
