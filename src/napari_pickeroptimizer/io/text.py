"""Pick files as text: reading, and leaving out the lines of removed rows."""

from __future__ import annotations

import codecs
import re
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.files import is_special

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

_LFS_POINTER = b"version https://git-lfs"
# Control characters other than tab and line ends: they would be separators to one reader and
# parts of a name to the next.
_CONTROLS = bytes(sorted({*range(32), 127} - set(b"\t\n\r")))
# Bytes that are read at once, and the rest of a line.
_PART = 1 << 24


def read_text(path: str | Path) -> tuple[str, str]:
    """Return the text of a file, line endings unchanged, and the encoding that restores it.

    UTF-8, with or without a byte order mark (which is no part of the text), or Latin-1 where
    a byte is no UTF-8 (every byte has a Latin-1 character, so writing gives the same bytes
    back).

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        `path` is a directory or a FIFO, or cannot be read; or the file is binary, UTF-16, only a
        git-lfs pointer, or holds control characters or carriage returns that end no line.
    """
    parts, encoding = _decoded(path, list)
    return "".join(parts), encoding


def read_lines(path: str | Path) -> tuple[list[str], str]:
    r"""Return the text of a file split at newlines, and its encoding.

    As ``read_text(path)[0].split("\n")``, in little more memory than the lines take.

    Raises
    ------
    PicksNotFoundError, PickFormatError
        As `read_text` does.
    """
    return _decoded(path, _lines)


def _lines(parts: Iterable[str]) -> list[str]:
    lines: list[str] = []
    rest = ""
    for part in parts:  # all but the last one end with a line
        *whole, rest = part.split("\n")
        lines += whole
    return [*lines, rest]


def _decoded(
    path: str | Path, collect: Callable[[Iterator[str]], list[str]]
) -> tuple[list[str], str]:
    """Return what `collect` makes of the decoded parts of a file, and the encoding."""
    path = Path(path)
    try:
        if path.is_dir():
            raise PickFormatError(f"{path} is a directory where a file was expected.")
        if is_special(path):  # reading one may never end
            raise PickFormatError(
                f"{path} is a FIFO, socket or device where a file was expected."
            )
        try:
            with path.open("rb") as file:
                encoding = "utf-8-sig" if file.read(3) == codecs.BOM_UTF8 else "utf-8"
            return collect(_parts(path, encoding)), encoding
        except UnicodeDecodeError:
            return collect(_parts(path, "latin-1")), "latin-1"
    except FileNotFoundError as error:
        raise PicksNotFoundError(f"{path} does not exist.") from error
    except OSError as error:
        raise PickFormatError(f"{path} cannot be read: {error.strerror}.") from error


def _parts(path: Path, encoding: str) -> Iterator[str]:
    """Yield a file's text in parts of whole lines, each checked; the last may lack its end."""
    n_lines = 0
    with path.open("rb") as file:
        while data := file.read(_PART) + file.readline():
            if not n_lines:
                _check_kind(data, path)
            _check_controls(data, path, n_lines)
            n_lines += data.count(b"\n")
            yield data.decode(encoding)
            encoding = encoding.removesuffix("-sig")  # the mark is at the beginning only


def _check_kind(data: bytes, path: Path) -> None:
    """Refuse a file whose beginning is that of no text, or of text that is not read."""
    if data.startswith(_LFS_POINTER):
        raise PickFormatError(
            f"{path} is only a git-lfs pointer, not the file itself: run `git lfs pull` first."
        )
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise PickFormatError(f"{path} is UTF-16 text: save it as UTF-8.")
    if data[:1024].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        raise PickFormatError(
            f"{path} is a web page, not the file that it shows: download the file itself (on "
            "GitHub with Raw)."
        )
    if b"\0" in data[:65536]:
        raise PickFormatError(
            f"{path} is a binary file where text was expected: is it damaged, or misnamed?"
        )


def _check_controls(data: bytes, path: Path, n_before: int) -> None:
    # the last line may be cut in its end
    if b"\r" in data and data.count(b"\r") > data.count(b"\r\n") + data.endswith(b"\r"):
        bad = re.search(rb"\r(?!\n|\Z)", data)
        assert bad is not None  # counted
        raise PickFormatError(
            f"{path}, line {n_before + _line(data, bad)}: a carriage return that ends no line: "
            "save the file with Unix or Windows line ends."
        )
    if len(data.translate(None, _CONTROLS)) < len(data):
        bad = re.search(b"[%s]" % re.escape(_CONTROLS), data)
        assert bad is not None  # translated
        raise PickFormatError(
            f"{path}, line {n_before + _line(data, bad)}: the control character "
            f"{chr(bad[0][0])!a}: is the file damaged? Remove the character, or rename what it "
            "is in."
        )


def _line(data: bytes, match: re.Match[bytes]) -> int:
    return data.count(b"\n", 0, match.start()) + 1


def row_namer(path: Path, row_lines: NDArray[np.int64]) -> Callable[[int], str]:
    """Return what names a row in a message: file, data row (from 1) and line (from 1)."""
    return lambda row: f"{path}, row {row + 1} (line {int(row_lines[row]) + 1})"


def kept_text(
    lines: Sequence[str],
    row_lines: NDArray[np.int64],
    rows: Sequence[int] | NDArray[np.int64],
) -> str:
    r"""Join `lines`, split at newlines, without the row lines that are not among `rows`.

    Parameters
    ----------
    lines : sequence of str
        All lines of a file.
    row_lines : (n,) int64
        Which of the lines are rows.
    rows : (k,) int
        Which of the rows stay.

    Examples
    --------
    >>> kept_text(["# picks", "1 2", "3 4"], np.array([1, 2]), [0])
    '# picks\n1 2\n'
    """
    kept = np.ones(len(lines), dtype=bool)
    kept[row_lines] = False
    kept[row_lines[np.asarray(rows, dtype=np.int64)]] = True
    text = "\n".join(compress(lines, kept.tolist()))
    # a last row without a newline went: the line before it had one
    return text + "\n" if lines[-1] and not kept[-1] and kept.any() else text
