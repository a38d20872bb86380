"""cryoSPARC's tables (``.cs``): NumPy's structured arrays, read without pickle."""

from __future__ import annotations

import io
import tokenize
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.files import is_special

NUMPY, COMPRESSED = b"\x93NUMPY", b"\x95CSDAT"
# Headers of cryoSPARC name some hundred fields, and exceed the 10,000 bytes that NumPy allows.
_MOST_HEADER_BYTES = 1_000_000
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_UID = "uid"


@dataclass(frozen=True, eq=False)
class CsTable:
    """One ``.cs`` file.

    Parameters
    ----------
    path : Path
        The file.
    data : bytes
        All of it.
    table : (n,) structured array
        Its rows.
    """

    path: Path
    data: bytes
    table: NDArray[Any]

    @classmethod
    def read(cls, path: Path) -> CsTable:
        """Read a ``.cs`` file.

        Raises
        ------
        PicksNotFoundError
            Nothing is at `path`.
        PickFormatError
            The file is no table of cryoSPARC, is cut off, or needs the package cryosparc-tools.
        """
        data = _bytes(path)
        if data.startswith(COMPRESSED):
            return cls(path, data, _decompressed(path))
        if not data.startswith(NUMPY):
            what = "is an empty file" if not data else "is no table of cryoSPARC"
            raise PickFormatError(
                f"{path} {what}: a .cs begins with {NUMPY!r} or {COMPRESSED!r}. Is it damaged, or "
                "only partly copied? Copy it again."
            )
        return cls(path, data, _rows(path, data))

    def __len__(self) -> int:
        return len(self.table)

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.table.dtype.names or ()

    def numbers(self, name: str, *, n_each: int = 1) -> NDArray[np.float64]:
        """Return (n,) numbers of a column, or (n, n_each).

        Raises
        ------
        PickFormatError
            There is no such column, or it holds other values.
        """
        shape = () if n_each == 1 else (n_each,)
        if name not in self.fields:
            raise PickFormatError(f"{self.path} has no column {name}.")
        field = self.table.dtype[name]
        if field.base.kind not in "fiu" or field.shape != shape:
            raise PickFormatError(
                f"{self.path}: the column {name} is of type {field}, where {n_each} "
                f"number{'s' if n_each > 1 else ''} a row were expected."
            )
        with np.errstate(all="ignore"):
            return np.asarray(self.table[name], dtype=np.float64)

    def strings(self, name: str) -> NDArray[np.object_]:
        """Return (n,) text of a column.

        Raises
        ------
        PickFormatError
            There is no such column, or it holds no text.
        """
        field = self.table.dtype[name] if name in self.fields else None
        if field is None or field.kind not in "SU":
            raise PickFormatError(f"{self.path} has no column {name} of text.")
        values = self.table[name].tolist()
        try:
            decoded = {v: v.decode() if isinstance(v, bytes) else v for v in set(values)}
        except UnicodeDecodeError as error:
            raise PickFormatError(
                f"{self.path}, row {values.index(error.object) + 1}: {name} is {error.object!r}, "
                "which is no UTF-8 text."
            ) from None
        return np.array([decoded[v] for v in values], dtype=object)

    @cached_property
    def uids(self) -> NDArray[np.uint64]:
        """(n,) number of each row, by which tables belong together.

        Raises
        ------
        PickFormatError
            There are none, or one is there twice.
        """
        field = self.table.dtype[_UID] if _UID in self.fields else None
        if field is None or field.kind not in "iu":
            raise PickFormatError(f"{self.path} has no column {_UID}, which joins tables.")
        uids = self.table[_UID].astype(np.uint64)
        unique, counts = np.unique(uids, return_counts=True)
        if len(unique) < len(uids):
            raise PickFormatError(
                f"{self.path}: the uid {unique[counts > 1][0]} is there twice."
            )
        return uids

    def positions_of(self, uids: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Return the (k,) rows of uids.

        Raises
        ------
        PickFormatError
            One is not there.
        """
        order = np.argsort(self.uids, kind="stable")
        places = np.searchsorted(self.uids, uids, sorter=order)
        rows = order[np.minimum(places, len(order) - 1)] if len(order) else places
        missing = self.uids[rows] != uids if len(order) else np.ones(len(uids), dtype=np.bool_)
        if missing.any():
            raise PickFormatError(
                f"{self.path} has no row of the uid {uids[missing][0]}, which the picks have "
                f"({np.count_nonzero(missing)} such). Are the files of two jobs mixed?"
            )
        return rows

    def render(
        self, rows: NDArray[Any], columns: Mapping[str, NDArray[Any]] | None = None
    ) -> bytes:
        """Return the file with only `rows`, and the values of some columns replaced.

        With all rows and no columns the file is unchanged; a compressed one else becomes an
        ordinary one, which cryoSPARC reads likewise.
        """
        if not columns and np.array_equal(rows, np.arange(len(self))):
            return self.data
        return array_bytes(self._replaced(rows, columns or {}))

    def _replaced(self, rows: NDArray[Any], columns: Mapping[str, Any]) -> NDArray[Any]:
        table: NDArray[Any] = self.table[rows]  # a copy
        for name, values in columns.items():
            table[name] = values
        return table


def array_bytes(table: NDArray[Any]) -> bytes:
    """Return a structured array as the content of a ``.cs`` file."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that old NumPy cannot read long headers
        np.lib.format.write_array(buffer, table, allow_pickle=False)
    return buffer.getvalue()


def _bytes(path: Path) -> bytes:
    if is_special(path):
        raise PickFormatError(f"{path} is no regular file, where one was expected.")
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise PicksNotFoundError(f"{path} does not exist.") from error
    except OSError as error:
        raise PickFormatError(f"{path} cannot be read: {error.strerror}.") from error


def _rows(path: Path, data: bytes) -> NDArray[Any]:
    """Return the rows of NumPy's format, as a view of the file's bytes."""
    stream = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what old versions of Python wrote
            version = np.lib.format.read_magic(stream)
            read = _READ_HEADER.get(version)
            if read is None:
                raise ValueError(f"version {version} of NumPy's format is not expected")
            shape, _, dtype = read(stream, max_header_size=_MOST_HEADER_BYTES)
    except (
        ValueError, TypeError, KeyError, SyntaxError, OverflowError, AttributeError, IndexError,
        RecursionError, MemoryError, tokenize.TokenError,
    ) as error:  # fmt: skip
        raise PickFormatError(
            f"{path}: its header cannot be read ({str(error)[:200]}). Is the file damaged? Copy "
            "it again."
        ) from error
    if dtype.hasobject:
        raise PickFormatError(
            f"{path} holds pickled objects, which are not read: a pickle can run any program."
        )
    if dtype.names is None or len(shape) != 1 or dtype.itemsize == 0:
        raise PickFormatError(
            f"{path} is a NumPy array of {dtype} and shape {shape}, where a table with named "
            "columns was expected."
        )
    n_bytes = shape[0] * dtype.itemsize
    if shape[0] < 0 or n_bytes > len(data) - stream.tell():
        raise PickFormatError(
            f"{path} is cut off: its header tells of {shape[0]} rows of {dtype.itemsize} bytes, "
            f"and {len(data) - stream.tell()} bytes follow. Copy the file again."
        )
    return np.frombuffer(data, dtype, shape[0], stream.tell())


def _decompressed(path: Path) -> NDArray[Any]:
    try:
        from cryosparc.dataset import Dataset
        from cryosparc.errors import DatasetLoadError
    except ImportError:
        raise PickFormatError(
            f"{path} is a compressed table of cryoSPARC, which is read where the package "
            "cryosparc-tools is installed: pip install cryosparc-tools."
        ) from None
    try:
        return np.asarray(Dataset.load(path).to_records(fixed=True))
    except DatasetLoadError as error:
        cause = error.__cause__ or error
        raise PickFormatError(
            f"{path}: cryosparc-tools cannot read it ({cause}). Is the file damaged? Copy it again."
        ) from error
