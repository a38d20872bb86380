"""TIFF files: plain, tiled, BigTIFF, packed by deflate, LZMA or LZW.

The tifffile package needs imagecodecs for LZW and for differences of floats. Its newest wheels
have 13 to 34 MB and none is for Python 3.11, so these two are done here: libtiff, which Pillow
brings, unpacks LZW, NumPy sums the differences.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import zlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.pictures import open_picture
from napari_pickeroptimizer.io.stored_image import MAX_IMAGE_PX, StoredImage, section_shape
from napari_pickeroptimizer.io.unpacking import MOST_RATIO, is_packed, read_whole

_MOST_BYTES = 4 * MAX_IMAGE_PX
# Compressed parts of TIFF files up to this size unpack to at most 256 MB (deflate: 1 to 1032).
_UNCHECKED_BYTES = 2**18
_TILE_BYTES = 2**26
# Values of tags, see the TIFF 6.0 specification and its technical note 3 (floats).
_NONE, _LZW, _DEFLATE, _OLD_DEFLATE, _LZMA, _PACK_BITS = 1, 5, 8, 32946, 34925, 32773
_DIFFERENCES, _FLOAT_DIFFERENCES = 2, 3
_UNPACKERS: dict[int, Callable[[], Any]] = {
    _DEFLATE: zlib.decompressobj,
    _OLD_DEFLATE: zlib.decompressobj,
    _LZMA: lzma.LZMADecompressor,
}
_BUILT_IN = (_NONE, _LZW, _PACK_BITS, *_UNPACKERS)


def read_tiff(path: Path, section: int, *, whole: bool, stored: bool) -> Any:
    """Return the (ny, nx) shape, the `whole` image, or the `stored` one; None if it is packed.

    Raises
    ------
    MicrographReadError
        It is no micrograph, damaged, or packed in a way that is not read.
    """
    file = io.BytesIO(read_whole(path, 2 * _MOST_BYTES)) if is_packed(path) else path
    with tifffile.TiffFile(file) as tiff:
        series = tiff.series[0]
        plane = section_shape(path, series.shape, section)
        _check_series(path, tiff, series)
        if stored:
            offset = series.dataoffset
            if offset is None or series.shape != plane or is_packed(path):
                return None
            dtype = series.dtype.newbyteorder(tiff.byteorder)
            return StoredImage(path, offset, plane, dtype)
        if not whole:
            return plane
        image = _plane(path, tiff, series, plane, section)
    if image.size != math.prod(plane):
        raise MicrographReadError(f"{path} is damaged: its parts do not make up its image.")
    return image.reshape(plane)


def _check_series(path: Path, tiff: tifffile.TiffFile, series: Any) -> None:
    size = math.prod(series.shape)
    if series.dtype.kind not in "buif":
        raise MicrographReadError(f"{path} holds no real numbers but {series.dtype}.")
    if size * series.dtype.itemsize > _MOST_BYTES:
        raise MicrographReadError(
            f"{path} unpacks to more than the {_MOST_BYTES} bytes that are read."
        )
    n_alike = sum(math.prod(other.shape) >= size for other in tiff.series)
    if n_alike > 1:
        raise MicrographReadError(
            f"{path} is not a micrograph: it holds {n_alike} images, and which is meant is not "
            "known. Put each into a file of its own."
        )


def _plane(
    path: Path, tiff: tifffile.TiffFile, series: Any, plane: tuple[int, int], section: int
) -> NDArray[Any]:
    """Return the image, or the section of a stack."""
    has_pages = len(series.pages) > section and series.pages[section] is not None
    pages = [series.pages[section]] if has_pages else list(series.pages)
    for page in filter(None, pages):
        _check_packed(path, tiff.filehandle, page)
    page = pages[0]
    if has_pages and tuple(page.keyframe.shape) == plane:
        keyframe = page.keyframe
        needs_imagecodecs = keyframe.predictor == _FLOAT_DIFFERENCES or (
            keyframe.compression == _LZW
        )
        return _unpacked(path, tiff, page) if needs_imagecodecs else np.asarray(page.asarray())
    image = series.asarray()  # of programs that describe all sections in the first page
    return np.asarray(
        image.reshape(plane) if image.size == math.prod(plane) else image[section]
    )


def _check_packed(path: Path, file: Any, page: Any) -> None:
    """Refuse a page that unpacks to something else than the image: libraries do not look."""
    frame = page.keyframe
    compression = int(frame.compression)
    if compression not in _BUILT_IN and find_spec("imagecodecs") is None:
        name = getattr(frame.compression, "name", compression)
        raise MicrographReadError(
            f"{path} is packed by {name}, which is not read without the package imagecodecs: "
            "install it (pip install imagecodecs), or save the image with LZW, deflate or "
            "without compression."
        )
    if frame.nbytes > MOST_RATIO * max(sum(page.databytecounts), 1):
        raise MicrographReadError(
            f"{path} is truncated or damaged: its {frame.nbytes} bytes of pixels cannot come "
            f"from the {sum(page.databytecounts)} in the file."
        )
    if compression not in _UNPACKERS:
        return
    # a tile may reach beyond a small image
    limit = max(frame.nbytes + 1, _TILE_BYTES)
    unchecked = _UNCHECKED_BYTES if compression != _LZMA else 0
    for offset, n_bytes in zip(page.dataoffsets, page.databytecounts, strict=True):
        if n_bytes <= unchecked:
            continue
        file.seek(offset)
        unpacked = _UNPACKERS[compression]().decompress(file.read(n_bytes), limit)
        if len(unpacked) >= limit:
            raise MicrographReadError(
                f"{path} is damaged: a part of it unpacks to more than the image."
            )


def _unpacked(path: Path, tiff: tifffile.TiffFile, page: Any) -> NDArray[Any]:
    """Return the image of a page that tifffile does not unpack by itself."""
    frame = page.keyframe
    ny, nx, dtype = (
        frame.imagelength,
        frame.imagewidth,
        frame.dtype.newbyteorder(tiff.byteorder),
    )
    if frame.bitspersample != 8 * dtype.itemsize or frame.fillorder != 1:
        raise MicrographReadError(
            f"{path} has pixels of {frame.bitspersample} bits in an order that is not read: save "
            "it with 8, 16 or 32 bits a pixel."
        )
    height = frame.tilelength if frame.is_tiled else min(frame.rowsperstrip, ny)
    width = frame.tilewidth if frame.is_tiled else nx
    if height * width * dtype.itemsize > max(frame.nbytes, _TILE_BYTES):
        raise MicrographReadError(
            f"{path} is damaged: it has tiles of {width} x {height} pixels."
        )
    image = np.zeros((ny, nx), frame.dtype)
    n_across = math.ceil(nx / width)
    for i, (offset, n_bytes) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        top, left = i // n_across * height, i % n_across * width
        if not n_bytes or top >= ny:  # an empty part of a sparse file; more than the image
            continue
        n_rows = height if frame.is_tiled else min(height, ny - top)
        tiff.filehandle.seek(offset)
        data = _bytes_of(
            tiff.filehandle.read(n_bytes), frame.compression, n_rows, width * dtype.itemsize
        )
        if data.size < n_rows * width * dtype.itemsize:
            raise MicrographReadError(
                f"{path} is truncated or damaged: part {i + 1} is short."
            )
        part = _summed(data.reshape(n_rows, -1), dtype, frame.predictor)
        image[top : top + n_rows, left : left + width] = part[: ny - top, : nx - left]
    return image


def _bytes_of(
    packed: bytes, compression: int, n_rows: int, row_bytes: int
) -> NDArray[np.uint8]:
    """Return the n_rows * row_bytes bytes of a strip or tile, or fewer if it has fewer."""
    if compression in _UNPACKERS:
        unpacked = _UNPACKERS[compression]().decompress(packed, n_rows * row_bytes)
        return np.frombuffer(unpacked, np.uint8)
    if compression == _LZW:
        with open_picture(_as_tiff(packed, n_rows, row_bytes), ("TIFF",)) as picture:
            return np.array(picture, np.uint8).reshape(-1)
    return np.frombuffer(packed, np.uint8)[: n_rows * row_bytes]


def _as_tiff(packed: bytes, n_rows: int, row_bytes: int) -> io.BytesIO:
    """Return a TIFF whose only strip is `packed`, as a grey picture of bytes."""
    tags = [
        (256, row_bytes), (257, n_rows), (258, 8), (259, _LZW), (262, 1),
        (273, 8), (277, 1), (278, n_rows), (279, len(packed)),
    ]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    padding = bytes(len(packed) % 2)
    start = struct.pack("<I", 8 + len(packed) + len(padding))
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return io.BytesIO(b"II*\0" + start + packed + padding + directory)


def _summed(rows: NDArray[np.uint8], dtype: np.dtype[Any], predictor: int) -> NDArray[Any]:
    """Return the (n_rows, width) pixels of bytes, whose rows may hold differences."""
    if predictor == _FLOAT_DIFFERENCES:  # of bytes, the highest of all pixels first
        n_rows, size = len(rows), dtype.itemsize
        summed = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(n_rows, size, -1)
        big_endian = np.ascontiguousarray(summed.transpose(0, 2, 1))
        return big_endian.view(dtype.newbyteorder(">")).reshape(n_rows, -1)
    if predictor == _DIFFERENCES:
        unsigned = np.dtype(f"u{dtype.itemsize}")
        values = np.ascontiguousarray(rows).view(unsigned.newbyteorder(dtype.byteorder))
        return np.cumsum(values, axis=1, dtype=unsigned).view(dtype.newbyteorder("="))
    return np.ascontiguousarray(rows).view(dtype)
