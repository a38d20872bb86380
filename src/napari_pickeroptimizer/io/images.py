"""Image files as arrays, and their headers: MRC, TIFF and pictures.

A file may be cut, damaged or made to harm: its sizes are checked before anything of that size is
read, and no file is mapped into memory (one that shrinks would kill the process).
"""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Self

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_pickeroptimizer.errors import MicrographNotFoundError, MicrographReadError

MRC_SUFFIXES = (".mrc", ".mrcs")
TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
IMAGE_SUFFIXES = MRC_SUFFIXES + TIFF_SUFFIXES + PICTURE_SUFFIXES

MRC_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}

# The largest image that is read: 16,384 x 16,384 pixels, 1 GiB as float32.
MAX_IMAGE_PX = 2**28
# No electron micrograph has pixels outside of this range, in Å: such a header is wrong.
PIXEL_SIZES_ANG = (0.05, 100.0)
MAX_SECTIONS = 1_000_000

_HEADER_BYTES = 1024
# Words of an MRC header (the MRC2014 format; the last two are IMOD's).
_SIZE, _MODE, _INTERVALS, _CELL = slice(0, 3), 3, slice(7, 10), slice(10, 13)
_AXES, _RANGE, _EXTENDED, _STAMP, _FLAGS = slice(16, 19), slice(19, 21), 23, 38, 39
_IMOD_STAMP, _SIGNED_BYTES, _PACKED_BYTES = 1146047817, 1, 16

# Compressed parts of TIFF files up to this size unpack to at most 256 MB (deflate: 1 to 1032).
_UNCHECKED_BYTES = 2**18
_LZMA = 34925
_TILE_BYTES = 2**26
_picture_lock = Lock()


@dataclass(frozen=True)
class StoredImage:
    """A (ny, nx) image lying uncompressed in a file; rows are read when they are indexed.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where in it the first row begins, in bytes.
    shape : tuple of int
        (ny, nx).
    dtype : numpy.dtype
        Number type of the pixels.
    flip_y : bool
        Reverse the rows.
    """

    path: Path
    offset: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    flip_y: bool = False

    def __getitem__(self, index: slice | tuple[slice, slice]) -> NDArray[Any]:
        """Return rows, or a part of them, of steps of one.

        Raises
        ------
        MicrographReadError
            The file has become shorter, or cannot be read.
        """
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        (ny, nx), (first, end, _) = self.shape, rows.indices(self.shape[0])
        n_rows = max(0, end - first)
        start = ny - first - n_rows if self.flip_y else first
        try:
            pixels = np.fromfile(
                self.path,
                self.dtype,
                n_rows * nx,
                offset=self.offset + start * nx * self.dtype.itemsize,
            )
        except (OSError, MemoryError) as error:
            raise MicrographReadError(f"{self.path} cannot be read: {error}") from error
        if len(pixels) < n_rows * nx:
            raise MicrographReadError(f"{self.path} has been cut while it was read.")
        image = pixels.reshape(n_rows, nx)[:, columns]
        return image[::-1] if self.flip_y else image

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the whole image."""
        return np.asarray(self[:], dtype=dtype)


def open_pixel_size_ang(path: Path) -> float | None:
    """Return the pixel size in Å of an MRC header, None if it has none or an absurd one."""
    if path.suffix.lower() not in MRC_SUFFIXES:
        return None
    try:
        return _MrcHeader.read(path).pixel_size_ang
    except (OSError, ValueError):
        return None  # read() will say what is wrong, when the micrograph is needed


def mrcs_sections(path: Path) -> int:
    """Return the number of sections of an MRC header."""
    try:
        return _MrcHeader.read(path).layout()[0][0]
    except (OSError, ValueError):
        return 1  # unreadable: kept as one micrograph, whose read() says why


def image_shape_px(path: Path, section: int) -> tuple[int, int]:
    """Return (ny, nx) of an image, from its header.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        As `open_image` does, as far as the header tells.
    """
    ny, nx = _read(path, section)
    return ny, nx


def open_image(path: Path, section: int) -> NDArray[Any]:
    """Read an image as a (ny, nx) array.

    Raises
    ------
    MicrographNotFoundError
        The file does not exist.
    MicrographReadError
        The file is truncated or damaged, too large, of an unsupported MRC mode, or not a
        2-D image.
    """
    image: NDArray[Any] = np.asarray(_read(path, section, whole=True))
    return image


def stored_image(path: Path, section: int) -> StoredImage | None:
    """Return an image to be read in parts; None if it is compressed.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        As `open_image` does.
    """
    stored: StoredImage | None = _read(path, section, stored=True)
    return stored


def _read(path: Path, section: int, *, whole: bool = False, stored: bool = False) -> Any:
    """Return the shape, the `whole` image, or the `stored` one, of a checked file."""
    if not path.is_file():
        raise MicrographNotFoundError(f"micrograph file {path} does not exist.")
    suffix = path.suffix.lower()
    try:
        if suffix in MRC_SUFFIXES:
            on_disk = _stored_mrc(path, section)
            return on_disk if stored else on_disk[:] if whole else on_disk.shape
        if suffix in TIFF_SUFFIXES:
            return _read_tiff(path, section, whole, stored)
        return None if stored else _read_picture(path, whole)
    except MicrographReadError:
        raise
    except Exception as error:  # image libraries raise whatever they like
        what = str(error) or type(error).__name__
        raise MicrographReadError(f"{path} cannot be read as an image: {what}") from error


def _section_shape(path: Path, shape: tuple[int, ...], section: int) -> tuple[int, int]:
    """Return (ny, nx) of a section; refuse what is no micrograph, or is too large."""
    # only a stack has sections: the first plane of a volume or of RGB is no micrograph
    is_stack = path.suffix.lower() == ".mrcs" or section
    if len(shape) == 3 and (shape[0] == 1 or is_stack) and section < shape[0]:
        shape = shape[1:]
    elif section:
        raise MicrographReadError(f"{path} has no slice {section + 1}: its shape is {shape}.")
    if len(shape) != 2 or 0 in shape:
        raise MicrographReadError(
            f"{path} is not a micrograph: expected one 2-D image, got shape {shape}."
        )
    if math.prod(shape) > MAX_IMAGE_PX:
        raise MicrographReadError(
            f"{path} says that it has {shape[1]} x {shape[0]} pixels: more than the "
            f"{MAX_IMAGE_PX} (16,384 x 16,384) that are read. Is the file damaged? "
            "Otherwise bin the micrograph."
        )
    return int(shape[0]), int(shape[1])


# ----------------------------------------------------------------------- MRC


@dataclass(frozen=True)
class _MrcHeader:
    path: Path
    integers: NDArray[Any]
    floats: NDArray[Any]
    order: Literal["<", ">"]

    @classmethod
    def read(cls, path: Path) -> Self:
        if not path.is_file():  # a pipe would never end
            raise MicrographReadError(f"{path} is no regular file.")
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            raise MicrographReadError(
                f"{path} is truncated or damaged: an MRC header has {_HEADER_BYTES} bytes, "
                f"the file has {len(header)}."
            )
        order = _byte_order(header)
        integers = np.frombuffer(header, f"{order}i4")
        return cls(path, integers, np.frombuffer(header, f"{order}f4"), order)

    @property
    def pixel_size_ang(self) -> float | None:
        """Cell over intervals along x, else along y."""
        cell, intervals = self.floats[_CELL].tolist(), self.integers[_INTERVALS].tolist()
        for length, n in zip(cell[:2], intervals[:2], strict=True):
            # one interval is no sampling: the cell is then that of the whole image, or unset
            if n > 1 and PIXEL_SIZES_ANG[0] <= length / n <= PIXEL_SIZES_ANG[1]:
                return float(length / n)
        return None

    def layout(self) -> tuple[tuple[int, int, int], np.dtype[Any], int]:
        """Return (nz, ny, nx), number type and offset; refuse what the file does not hold."""
        nx, ny, nz = self.integers[_SIZE].tolist()
        axes = tuple(self.integers[_AXES].tolist())
        if axes not in ((1, 2, 3), (0, 0, 0)):  # zeros: not set
            raise MicrographReadError(
                f"{self.path} has its axes in the order {axes} (mapc, mapr, maps) instead of "
                "1, 2, 3: whether picks follow the file or the axes cannot be known. Convert it "
                "(e.g. with e2proc2d.py or newstack), and pick there."
            )
        dtype = self._dtype()
        offset = _HEADER_BYTES + int(self.integers[_EXTENDED])
        expected = offset + nx * ny * nz * dtype.itemsize
        found = self.path.stat().st_size
        if min(nx, ny, nz) < 1 or offset < _HEADER_BYTES or found < expected:
            raise MicrographReadError(
                f"{self.path} is truncated or damaged: the header announces {nx} x {ny} x "
                f"{nz} pixels of {dtype.name} ({expected} bytes), the file has {found}."
            )
        if nz > MAX_SECTIONS:
            raise MicrographReadError(
                f"{self.path} has {nz} sections: more than the {MAX_SECTIONS} that are read."
            )
        return (nz, ny, nx), dtype, offset

    def _dtype(self) -> np.dtype[Any]:
        mode = int(self.integers[_MODE])
        by_imod = self.integers[_STAMP] == _IMOD_STAMP
        flags = int(self.integers[_FLAGS]) if by_imod else 0
        packed = mode == 101 or (mode == 0 and flags & _PACKED_BYTES)
        if packed or mode not in MRC_MODES:
            hint = " (packed 4-bit: unpack it, e.g. relion_convert_to_tiff or e2proc2d.py)"
            raise MicrographReadError(
                f"{self.path} has MRC mode {mode}{hint if packed else ''}; readable are "
                + ", ".join(f"{m} ({d})" for m, d in MRC_MODES.items())
                + "."
            )
        # RELION reads mode 0 as signed since 3.1 (src/rwMRC.h). IMOD tells in a flag, and no
        # signed byte exceeds 127: a greatest value beyond it tells that they are unsigned.
        least, greatest = self.floats[_RANGE].tolist()
        unsigned_range = least >= 0 and 127 < greatest <= 255
        signed = flags & _SIGNED_BYTES if by_imod else not unsigned_range
        name = "uint8" if mode == 0 and not signed else MRC_MODES[mode]
        return np.dtype(name).newbyteorder(self.order)


def _byte_order(header: bytes) -> Literal["<", ">"]:
    """Return the order in which mode and width are sensible: old programs stamp it wrongly."""

    def sensible(at: int, order: Any) -> bool:
        return 0 <= int.from_bytes(header[at : at + 4], order, signed=True) < 1 << 16

    mode_is_zero = not any(header[12:16])
    if not mode_is_zero:
        return "<" if sensible(12, "little") else ">"
    return ">" if sensible(0, "big") and not sensible(0, "little") else "<"


def _stored_mrc(path: Path, section: int) -> StoredImage:
    shape, dtype, offset = _MrcHeader.read(path).layout()
    plane = _section_shape(path, shape, section)
    start = offset + section * math.prod(plane) * dtype.itemsize
    return StoredImage(path, start, plane, dtype)


# ----------------------------------------------------------------------- TIFF, pictures


def _read_tiff(path: Path, section: int, whole: bool, stored: bool) -> Any:
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        plane = _section_shape(path, series.shape, section)
        if series.dtype.kind not in "buif":
            raise MicrographReadError(f"{path} holds no real numbers but {series.dtype}.")
        if math.prod(series.shape) * series.dtype.itemsize > 4 * MAX_IMAGE_PX:
            raise MicrographReadError(
                f"{path} unpacks to more than the {4 * MAX_IMAGE_PX} bytes that are read."
            )
        if stored:
            offset = series.dataoffset
            if offset is None or series.shape != plane:
                return None
            dtype = series.dtype.newbyteorder(tiff.byteorder)
            return StoredImage(path, offset, plane, dtype)
        if not whole:
            return plane
        for page in series.pages:
            if page is not None:
                _check_unpacked(path, page)
        image = series.asarray()
    return image.reshape(plane) if image.size == math.prod(plane) else image[section]


def _check_unpacked(path: Path, page: Any) -> None:
    """Refuse a page with a part that unpacks to more than the image: libraries do not look."""
    compression = int(page.keyframe.compression)
    unpackers: dict[int, Callable[[], Any]] = {
        8: zlib.decompressobj, 32946: zlib.decompressobj, 34925: lzma.LZMADecompressor
    }  # fmt: skip
    if compression not in unpackers:
        return
    # a tile may reach beyond a small image
    limit = max(page.keyframe.nbytes + 1, _TILE_BYTES)
    unchecked = _UNCHECKED_BYTES if compression != _LZMA else 0
    with path.open("rb") as file:
        for offset, n_bytes in zip(page.dataoffsets, page.databytecounts, strict=True):
            if n_bytes <= unchecked:
                continue
            file.seek(offset)
            unpacked = unpackers[compression]().decompress(file.read(n_bytes), limit)
            if len(unpacked) >= limit:
                raise MicrographReadError(
                    f"{path} is damaged: a part of it unpacks to more than the image."
                )


def _read_picture(path: Path, whole: bool) -> Any:
    # Micrographs exceed Pillow's guard against decompression bombs; ours is `_section_shape`.
    with _picture_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            picture = Image.open(path, formats=("PNG", "JPEG"))
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with picture:
        plane = _section_shape(path, (picture.height, picture.width), 0)
        if not whole:
            return plane
        is_grey = picture.mode in ("L", "I", "F", "I;16", "I;16B")
        return np.array(picture if is_grey else picture.convert("L"))
