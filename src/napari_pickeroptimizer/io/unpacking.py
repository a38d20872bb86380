"""Images that are packed as a whole: .mrc.gz, .tif.bz2, read in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.image_names import PACKERS

# Deflate packs at most 1032 to 1, LZW 1365: a micrograph, which is mostly noise, does not come
# near. What unpacks to more is damaged or made to harm.
MOST_RATIO = 1400
_PIECE = 2**20


def is_packed(path: Path) -> bool:
    """Whether the file is packed as a whole, by its name."""
    return path.suffix.lower() in PACKERS


def most_bytes(path: Path) -> int:
    """Return the most bytes that the image in a file can have, for the size of the file."""
    size = path.stat().st_size
    return size * MOST_RATIO if is_packed(path) else size


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open an image file for reading forward, unpacked.

    Raises
    ------
    MicrographReadError
        The file is no regular one, or what it is packed by is damaged.
    """
    if not path.is_file():  # a pipe would never end
        raise MicrographReadError(f"{path} is no regular file.")
    suffix = path.suffix.lower()
    try:
        if suffix not in PACKERS:
            with path.open("rb") as file:
                yield file
        elif suffix == ".gz":
            with gzip.open(path) as file:
                yield cast("IO[bytes]", file)
        else:
            with bz2.open(path) as file:
                yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is not None or isinstance(error, MicrographReadError):
            raise
        raise _damaged(path, error) from error  # of bz2


def read_at(path: Path, offset: int, n_bytes: int) -> bytes:
    """Return bytes of an image file, unpacked; fewer where it ends before.

    Memory is that of the bytes there are, not of those that were asked for.
    """
    with opened(path) as file:
        while offset > 0:
            skipped = len(file.read(min(offset, _PIECE)))
            if not skipped:
                return b""
            offset -= skipped
        return _read(file, n_bytes)


def read_whole(path: Path, limit: int) -> bytes:
    """Return all of an image file, unpacked.

    Raises
    ------
    MicrographReadError
        It has more bytes than `limit`, or than a file of its size can hold.
    """
    limit = min(limit, most_bytes(path))
    with opened(path) as file:
        data = _read(file, limit + 1)
    if len(data) > limit:
        raise MicrographReadError(
            f"{path} unpacks to more than {limit} bytes, which no micrograph of this size does: "
            "the file is damaged, or no micrograph."
        )
    return data


def _read(file: IO[bytes], n_bytes: int) -> bytes:
    pieces = bytearray()
    while piece := file.read(min(_PIECE, n_bytes - len(pieces))):
        pieces += piece
    return bytes(pieces)


def _damaged(path: Path, error: Exception) -> MicrographReadError:
    what = f"{path} is damaged: it cannot be unpacked ({error})."
    return MicrographReadError(f"{what} Copy or pack it again.")
