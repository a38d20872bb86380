"""What the reader of a format returns, and the step from files to one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.picks import Picks, make_table
from napari_pickeroptimizer.schema import COLUMNS, LABEL, MICROGRAPH, X, Y

if TYPE_CHECKING:
    from napari_pickeroptimizer.sources import FileList, PickSource


@dataclass(frozen=True)
class FilePicks:
    """The picks of one file, parsed and checked.

    Parameters
    ----------
    source : PickSource
        The file itself.
    columns : mapping of str to (n,) array
        Columns of `schema.COLUMNS` by name, as of `schema.parse_columns`.
    micrograph : str
        Name of the micrograph, where there is no such column.
    """

    source: PickSource
    columns: Mapping[str, NDArray[Any]]
    micrograph: str = ""

    def __len__(self) -> int:
        return len(self.columns[X.name])

    def values(self, name: str) -> NDArray[Any] | None:
        """Return the (n,) values of a column, None where the file has none."""
        if name == MICROGRAPH.name and name not in self.columns:
            return np.full(len(self), self.micrograph, dtype=object)
        return self.columns.get(name)


def join_files(
    files: Sequence[FilePicks], file_list: FileList | None, label: int | None
) -> Picks:
    """Join the picks of files into one table, in order; `label` replaces their labels."""
    counts = [len(file) for file in files]
    columns: dict[str, NDArray[Any]] = {}
    for column in COLUMNS:
        parts = [file.values(column.name) for file in files]
        if column in (X, Y, MICROGRAPH) or any(part is not None for part in parts):
            columns[column.name] = np.concatenate(
                [
                    column.all_missing(0),
                    *(
                        column.all_missing(n) if part is None else part
                        for part, n in zip(parts, counts, strict=True)
                    ),
                ]
            )
    if label is not None:
        columns[LABEL.name] = np.full(sum(counts), label, dtype=np.int8)
    source = np.repeat(np.arange(len(files)), counts)
    source_row = np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in counts)])
    return Picks(
        make_table(columns, source, source_row), tuple(f.source for f in files), file_list
    )
