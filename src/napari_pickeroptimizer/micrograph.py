"""`Micrograph`: one image on disk, opened on demand; and where it was searched for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.io.files import is_file, is_special
from napari_pickeroptimizer.io.images import image_shape_px, open_image, open_pixel_size_ang
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.names import Spelling


@dataclass(frozen=True)
class Micrograph:
    """One 2-D image on disk, not yet read.

    Parameters
    ----------
    name : str
        How the micrograph is called in tables (``rlnMicrographName``).
    path : Path
        The image file.
    told_pixel_size_ang : float or None
        Pixel size in Å as the user or a STAR tells it.
    section : int
        Section of an ``.mrcs`` stack, 0-based.
    flip_y : bool
        Reverse the rows on reading (see `Micrographs.find`).
    other_names : tuple of str
        Names and paths by which the same file was found again, through links.
    """

    name: str
    path: Path
    told_pixel_size_ang: float | None = None
    section: int = 0
    flip_y: bool = False
    other_names: tuple[str, ...] = ()

    @cached_property
    def pixel_size_ang(self) -> float | None:
        """Pixel size in Å; None where neither the user, a STAR nor the header tells."""
        if self.told_pixel_size_ang is not None or not is_file(self.path):
            return self.told_pixel_size_ang
        return open_pixel_size_ang(self.path)

    def read(self, into: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return the image as (ny, nx) float32, row 0 the first row of the file.

        Parameters
        ----------
        into : (n,) float32, optional
            Memory that may be used for its pixels, see `StoredImage.read`.

        Raises
        ------
        MicrographNotFoundError
            The file does not exist.
        MicrographReadError
            The file is truncated or damaged, too large, of an unsupported MRC mode, or not a
            2-D image.
        """
        self._refuse_special()
        image = open_image(self.path, self.section, into)
        image = image[::-1] if self.flip_y else image
        return np.ascontiguousarray(image, dtype=np.float32)

    def shape_px(self) -> tuple[int, int]:
        """Return (ny, nx) from the file's header, without reading the pixels."""
        self._refuse_special()
        return image_shape_px(self.path, self.section)

    @cached_property
    def spelling(self) -> Spelling:
        """The name, taken apart."""
        named = Spelling.of_name(self.name)
        is_slice = named.slice == self.section + 1 and named.file == self.path.name
        return named if is_slice else Spelling.of(self.name)

    @property
    def place(self) -> str:
        """The folder from which the file is seen by its name."""
        name = f"{self.spelling.folder}/{self.spelling.file}".lstrip("/")
        return str(absolute(self.path)).removesuffix(name)

    def _refuse_special(self) -> None:
        if is_special(self.path):
            raise MicrographReadError(f"{self.path} is no file but a FIFO, socket or device.")


@dataclass(frozen=True)
class SearchPaths:
    """What to pass to `Micrographs.find` to find the same micrographs again.

    Parameters
    ----------
    paths : tuple of str
        Directories, globs, STAR or image files, absolute.
    pixel_size_ang : float or None
        As it was given.
    flip_y : bool
        As it was given.
    """

    paths: tuple[str, ...]
    pixel_size_ang: float | None = None
    flip_y: bool = False


def outside(
    coords_yx_px: NDArray[np.float64], shape_px: tuple[int, ...], margin_px: float = 0.0
) -> NDArray[np.bool_]:
    """Return which (n, 2) centres lie outside a (ny, nx) micrograph, or in its margin."""
    limits = np.asarray(shape_px, dtype=np.float64) - 0.5 - margin_px
    beyond = (coords_yx_px < margin_px - 0.5) | (coords_yx_px >= limits)
    return np.asarray(beyond.any(axis=1))
