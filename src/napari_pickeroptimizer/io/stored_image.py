"""An image that lies uncompressed in a file, and the sizes that an image may have."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.image_names import image_suffix, is_movie_name, why_not_2d

# The largest image that is read: 16,384 x 16,384 pixels, 1 GiB as float32.
MAX_IMAGE_PX = 2**28


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

    def read(self, into: NDArray[np.float32] | None = None) -> NDArray[Any]:
        """Return the whole image.

        Parameters
        ----------
        into : (n,) float32, optional
            Memory that the pixels are read into, if it is enough and they are float32 in this
            machine's byte order: to get as much anew for each image takes longer than to read it.

        Raises
        ------
        MicrographReadError
            As indexing does.
        """
        n = math.prod(self.shape)
        if into is None or len(into) < n or self.dtype != into.dtype or self.flip_y:
            return self[:]
        pixels = into[:n]
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                n_bytes = file.readinto(pixels.view(np.uint8).data)
        except OSError as error:
            raise MicrographReadError(f"{self.path} cannot be read: {error}") from error
        if n_bytes < pixels.nbytes:
            raise MicrographReadError(f"{self.path} has been cut while it was read.")
        return pixels.reshape(self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the whole image."""
        return np.asarray(self[:], dtype=dtype)


def section_shape(path: Path, shape: tuple[int, ...], section: int) -> tuple[int, int]:
    """Return (ny, nx) of a section of a file.

    Raises
    ------
    MicrographReadError
        It is no micrograph, or is too large.
    """
    # only a stack has sections: the first plane of a volume or of RGB is no micrograph
    is_stack = image_suffix(path).startswith(".mrcs") or section
    if len(shape) == 3 and shape[0] > 1 and is_movie_name(path):
        is_stack = False
    if len(shape) == 3 and (shape[0] == 1 or is_stack) and section < shape[0]:
        shape = shape[1:]
    elif section and len(shape) in (2, 3) and section >= (1, *shape)[-3]:
        raise MicrographReadError(f"{path} has no slice {section + 1}: its shape is {shape}.")
    if len(shape) == 3 and 0 not in shape:
        raise MicrographReadError(f"{path} {why_not_2d(path, shape)}")
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
