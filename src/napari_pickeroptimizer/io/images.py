"""Image files as arrays, and their headers: MRC, TIFF and pictures.

A file may be cut, damaged or made to harm: its sizes are checked before anything of that size is
read, and no file is mapped into memory (one that shrinks would kill the process).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographNotFoundError, MicrographReadError
from napari_pickeroptimizer.io.image_names import (
    MRC_SUFFIXES,
    TIFF_SUFFIXES,
    no_micrograph,
    without_packer,
)
from napari_pickeroptimizer.io.mrc import MrcHeader, stored_mrc, unpacked_mrc
from napari_pickeroptimizer.io.unpacking import is_packed

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.stored_image import StoredImage


def open_pixel_size_ang(path: Path) -> float | None:
    """Return the pixel size in Å of an MRC header, None if it has none or an absurd one."""
    if without_packer(path).suffix.lower() not in MRC_SUFFIXES:
        return None
    try:
        return MrcHeader.read(path).pixel_size_ang
    except (OSError, ValueError):
        return None  # read() will say what is wrong, when the micrograph is needed


def mrcs_sections(path: Path) -> int:
    """Return the number of sections of an MRC header."""
    try:
        return MrcHeader.read(path).layout()[0][0]
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


def open_image(
    path: Path, section: int, into: NDArray[np.float32] | None = None
) -> NDArray[Any]:
    """Read an image as a (ny, nx) array.

    `into` is memory for it, see `StoredImage.read`.

    Raises
    ------
    MicrographNotFoundError
        The file does not exist.
    MicrographReadError
        The file is truncated or damaged, too large, of an unsupported MRC mode, or not a
        2-D image: a movie, a map, a gain reference.
    """
    image: NDArray[Any] = np.asarray(_read(path, section, whole=True, into=into))
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


def _read(
    path: Path,
    section: int,
    *,
    whole: bool = False,
    stored: bool = False,
    into: NDArray[np.float32] | None = None,
) -> Any:
    """Return the shape, the `whole` image, or the `stored` one, of a checked file."""
    if not path.is_file():
        raise MicrographNotFoundError(f"micrograph file {path} does not exist.")
    why_not = no_micrograph(path)
    if why_not is not None:
        raise MicrographReadError(f"{path} {why_not}")
    suffix = without_packer(path).suffix.lower()
    try:
        if suffix in MRC_SUFFIXES:
            on_disk = stored_mrc(path, section)
            if is_packed(path):
                return None if stored else unpacked_mrc(on_disk) if whole else on_disk.shape
            return on_disk if stored else on_disk.read(into) if whole else on_disk.shape
        if suffix in TIFF_SUFFIXES:
            from napari_pickeroptimizer.io.tiff import read_tiff

            return read_tiff(path, section, whole=whole, stored=stored)
        from napari_pickeroptimizer.io.pictures import read_picture

        return None if stored else read_picture(path, whole=whole)
    except MicrographReadError:
        raise
    except Exception as error:  # image libraries raise whatever they like
        what = str(error) or type(error).__name__
        raise MicrographReadError(f"{path} cannot be read as an image: {what}") from error
