"""Image files as arrays: MRC memory-mapped, TIFF and pictures read; and image headers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
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


def open_pixel_size_ang(path: Path) -> float | None:
    """Return the pixel size in Å of an MRC header, None if it has none."""
    if path.suffix.lower() not in MRC_SUFFIXES:
        return None
    try:
        with _opened(mrcfile.open, path, header_only=True) as mrc:
            size = float(mrc.voxel_size.x)
    except (OSError, ValueError):
        return None  # read() will say what is wrong, when the micrograph is needed
    return size if np.isfinite(size) and size > 0 else None


def mrcs_sections(path: Path) -> int:
    """Return the number of sections of an MRC header."""
    try:
        with _opened(mrcfile.open, path, header_only=True) as mrc:
            return int(mrc.header.nz)
    except (OSError, ValueError):
        return 1  # unreadable: kept as one micrograph, whose read() says why


def open_image(path: Path, section: int) -> NDArray[Any]:
    """Open an image as a (ny, nx) array: a memory map for MRC, in memory for the others.

    Raises
    ------
    MicrographNotFoundError
        The file does not exist.
    MicrographReadError
        The file is truncated, of an unsupported MRC mode, or not a 2-D image.
    """
    if not path.is_file():
        raise MicrographNotFoundError(f"micrograph file {path} does not exist.")
    suffix = path.suffix.lower()
    try:
        if suffix in MRC_SUFFIXES:
            image = _open_mrc(path)
        elif suffix in TIFF_SUFFIXES:
            image = tifffile.imread(path)
        else:
            image = _open_picture(path)
    except MicrographReadError:
        raise
    except Exception as error:  # image libraries raise whatever they like
        raise MicrographReadError(f"{path} cannot be read as an image: {error}") from error
    # only a stack has sections: the first plane of a volume or of RGB is no micrograph
    if image.ndim == 3 and (suffix == ".mrcs" or section) and section < len(image):
        image = image[section]
    elif section:
        raise MicrographReadError(
            f"{path} has no slice {section + 1}: its shape is {image.shape}."
        )
    if image.ndim != 2 or 0 in image.shape:
        raise MicrographReadError(
            f"{path} is not a micrograph: expected one 2-D image, got shape {image.shape}."
        )
    return image


def _opened(opener: Callable[..., Any], path: Path, **options: Any) -> Any:
    """Open an MRC file with a function of mrcfile, in permissive mode."""
    with warnings.catch_warnings():
        # permissive mode warns of every oddity; what matters is checked on reading
        warnings.simplefilter("ignore")
        return opener(path, permissive=True, **options)


def _open_mrc(path: Path) -> NDArray[Any]:
    with _opened(mrcfile.open, path, header_only=True) as mrc:
        header = mrc.header
        mode = int(header.mode)
        shape = (int(header.nz), int(header.ny), int(header.nx))
        offset = 1024 + int(header.nsymbt)
        byte_order = header.mode.dtype.byteorder
    if mode not in MRC_MODES:
        hint = " (packed 4-bit: unpack it, e.g. relion_convert_to_tiff or e2proc2d.py)"
        raise MicrographReadError(
            f"{path} has MRC mode {mode}{hint if mode == 101 else ''}; readable are "
            + ", ".join(f"{m} ({d})" for m, d in MRC_MODES.items())
            + "."
        )
    dtype = np.dtype(MRC_MODES[mode]).newbyteorder(byte_order)
    expected = offset + int(np.prod(shape)) * dtype.itemsize
    found = path.stat().st_size
    if min(shape) < 1 or found < expected:
        raise MicrographReadError(
            f"{path} is truncated or damaged: the header announces {shape[2]} x {shape[1]} x "
            f"{shape[0]} pixels of {dtype.name} ({expected} bytes), the file has {found}."
        )
    # RELION reads mode 0 as signed since 3.1 (src/rwMRC.h), so do mrcfile and we.
    data: NDArray[Any] = _opened(mrcfile.mmap, path, mode="r").data
    return data.reshape(data.shape[-2:]) if shape[0] == 1 else data


def _open_picture(path: Path) -> NDArray[Any]:
    # Micrographs exceed Pillow's guard against decompression bombs.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as picture:
            grey = picture if picture.mode in ("L", "I", "F", "I;16") else picture.convert("L")
            return np.asarray(grey)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
