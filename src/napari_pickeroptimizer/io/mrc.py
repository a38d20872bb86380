"""MRC files: headers of the standard and of the programs that bend it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.stored_image import StoredImage, section_shape
from napari_pickeroptimizer.io.unpacking import is_packed, most_bytes, read_at

MRC_MODES = {0: "int8", 1: "int16", 2: "float32", 6: "uint16", 12: "float16"}
# Other modes, in words.
_OTHER_MODES = {
    3: "complex numbers, a Fourier transform",
    4: "complex numbers, a Fourier transform",
    16: "a picture in colour",
    101: "packed 4-bit: unpack it, e.g. relion_convert_to_tiff or e2proc2d.py",
}
# No electron micrograph has pixels outside of this range, in Å: such a header is wrong.
PIXEL_SIZES_ANG = (0.05, 100.0)
MAX_SECTIONS = 1_000_000

_HEADER_BYTES = 1024
# Words of an MRC header (the MRC2014 format; the last two are IMOD's).
_SIZE, _MODE, _INTERVALS, _CELL = slice(0, 3), 3, slice(7, 10), slice(10, 13)
_AXES, _RANGE, _EXTENDED, _STAMP, _FLAGS = slice(16, 19), slice(19, 21), 23, 38, 39
_IMOD_STAMP, _SIGNED_BYTES, _PACKED_BYTES = 1146047817, 1, 16


@dataclass(frozen=True)
class MrcHeader:
    """The header of an MRC file, in its byte order.

    Parameters
    ----------
    path : Path
        The file.
    integers, floats : (256,) array
        Its words as int32 and as float32.
    order : "<" or ">"
        Byte order of the file.
    """

    path: Path
    integers: NDArray[Any]
    floats: NDArray[Any]
    order: Literal["<", ">"]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the header.

        Raises
        ------
        MicrographReadError
            The file is no regular one, or shorter than a header.
        """
        header = read_at(path, 0, _HEADER_BYTES)
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
        announced = f"{nx} x {ny} x {nz} pixels of {dtype.name} ({expected} bytes)"
        too_small = most_bytes(self.path) < expected
        if min(nx, ny, nz) < 1 or offset < _HEADER_BYTES or too_small:
            raise MicrographReadError(
                f"{self.path} is truncated or damaged: the header announces {announced}, the "
                f"file has {found}. Copy it again."
            )
        # a movie whose recording ended before its header was written says that it is one image
        more = 0 if is_packed(self.path) else found - expected
        if more >= nx * ny * dtype.itemsize:
            raise MicrographReadError(
                f"{self.path} does not fit its header, which announces {announced}: the file has "
                f"{found}, room for {more // (nx * ny * dtype.itemsize)} more such sections. Is "
                "it a movie, or is its size wrong? Convert it (e.g. with e2proc2d.py or newstack)."
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
        is_packed_bytes = mode == 0 and flags & _PACKED_BYTES
        if is_packed_bytes or mode not in MRC_MODES:
            what = _OTHER_MODES.get(101 if is_packed_bytes else mode)
            raise MicrographReadError(
                f"{self.path} has MRC mode {mode}{f' ({what})' if what else ''}; readable are "
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


def stored_mrc(path: Path, section: int) -> StoredImage:
    """Return a section of an MRC file, to be read.

    Raises
    ------
    MicrographReadError
        It is no micrograph, or the file does not hold what its header announces.
    """
    shape, dtype, offset = MrcHeader.read(path).layout()
    plane = section_shape(path, shape, section)
    start = offset + section * math.prod(plane) * dtype.itemsize
    return StoredImage(path, start, plane, dtype)


def unpacked_mrc(stored: StoredImage) -> NDArray[Any]:
    """Return the (ny, nx) image of a packed file.

    Raises
    ------
    MicrographReadError
        It ends too early.
    """
    n_bytes = math.prod(stored.shape) * stored.dtype.itemsize
    data = read_at(stored.path, stored.offset, n_bytes)
    if len(data) < n_bytes:
        raise MicrographReadError(
            f"{stored.path} is truncated or damaged: unpacked it ends {n_bytes - len(data)} bytes "
            "before the image does. Copy or pack it again."
        )
    return np.frombuffer(bytearray(data), stored.dtype).reshape(stored.shape)
