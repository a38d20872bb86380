"""Standardised windows of a stack or image file: ours read when drawn, others converted."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import tifffile
import torch
from numpy.typing import NDArray
from torch.nn import functional

from napari_pickeroptimizer.boxes import standardised
from napari_pickeroptimizer.errors import BoxSetError, MicrographReadError
from napari_pickeroptimizer.io.image_names import MRC_SUFFIXES, TIFF_SUFFIXES
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.pretrain.write import (
    BOX_PX,
    FLOAT16_MODE,
    HEADER_BYTES,
    WINDOW_SIDE,
    box_px_of_label,
)


@dataclass(frozen=True)
class StoredWindows:
    """The float16 windows of a stack that this package wrote; those that are drawn are read.

    They are not mapped into memory: a file that becomes shorter would end the process.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        (n, side, side).
    """

    path: Path
    shape: tuple[int, int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.intp]) -> NDArray[np.float16]:
        """Return the (k, side, side) windows of some rows.

        Raises
        ------
        BoxSetError
            The file has become shorter, or cannot be read.
        """
        side = self.shape[1]
        windows = np.empty((len(rows), side, side), dtype="<f2")
        try:
            with self.path.open("rb") as file:
                for window, row in zip(windows, rows.tolist(), strict=True):
                    file.seek(HEADER_BYTES + row * window.nbytes)
                    n_read = file.readinto(window.data.cast("B"))
                    if n_read < window.nbytes:
                        raise BoxSetError(
                            f"{self.path} has been cut while it was read: window {row + 1} is "
                            "gone. Make it again with `pickeroptimizer pretrain-set`."
                        )
        except OSError as error:
            raise BoxSetError(f"{self.path} cannot be read: {error}") from error
        return windows

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return all windows."""
        return np.asarray(self[np.arange(len(self))], dtype=dtype)


def read_windows(path: Path) -> NDArray[np.float16] | StoredWindows:
    """Return the (n, side, side) float16 windows of a stack or an image.

    Of a stack that this package wrote they are read when drawn. Any other one is read at once,
    standardised by the median and median absolute deviation of the whole file, and resized so
    that its whole side becomes the box; its margin is the box's mirror image.

    Raises
    ------
    BoxSetError
        The file is unreadable, its images are not square, or a value is no number.
    """
    if path.suffix.lower() in MRC_SUFFIXES:
        ours = _own_windows(path)
        if ours is not None:
            return ours
    return _converted(path, _read_images(path))


def _own_windows(path: Path) -> StoredWindows | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # permissive mode warns of every oddity
            with mrcfile.open(path, permissive=True, header_only=True) as mrc:
                header = mrc.header
    except (OSError, ValueError) as error:
        raise BoxSetError(f"{path} is not a readable MRC file: {error}") from error
    box_px = box_px_of_label(bytes(header.label[0]).decode("latin-1"))
    if box_px is None:
        return None
    shape = (int(header.nz), int(header.ny), int(header.nx))
    if box_px != BOX_PX or int(header.mode) != FLOAT16_MODE or shape[1] != shape[2]:
        raise BoxSetError(
            f"{path} holds windows for boxes of {box_px} px (MRC mode {int(header.mode)}, "
            f"{shape[2]} x {shape[1]}): expected boxes of {BOX_PX} px in square windows of "
            f"mode {FLOAT16_MODE}. Make it again with `pickeroptimizer pretrain-set`."
        )
    expected = HEADER_BYTES + 2 * int(np.prod(shape))
    if path.stat().st_size != expected:
        raise BoxSetError(
            f"{path} is truncated or damaged: its header announces {expected} bytes, it has "
            f"{path.stat().st_size}. Make it again with `pickeroptimizer pretrain-set`."
        )
    return StoredWindows(path, shape)


def _read_images(path: Path) -> NDArray[np.float32]:
    """Return the (n, h, w) images of a file of another program."""
    suffix = path.suffix.lower()
    try:
        if suffix in MRC_SUFFIXES:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with mrcfile.open(path, permissive=True) as mrc:
                    images = None if mrc.data is None else np.array(mrc.data, dtype=np.float32)
        elif suffix in TIFF_SUFFIXES:
            images = np.asarray(tifffile.imread(path), dtype=np.float32)
        else:
            images = Micrograph(path.name, path).read()
    # tifffile's errors are ValueErrors in newer versions only
    except (
        MicrographReadError, OSError, ValueError, TypeError, KeyError, tifffile.TiffFileError,
    ) as error:  # fmt: skip
        raise BoxSetError(f"{path} cannot be read as a stack of boxes: {error}") from error
    if images is None or images.ndim not in (2, 3) or 0 in images.shape:
        found = "nothing" if images is None else f"shape {images.shape}"
        raise BoxSetError(
            f"{path} cannot be read as a stack of boxes: expected (n, h, w) grey images, got "
            f"{found}. Is the file truncated?"
        )
    return images.reshape(-1, *images.shape[-2:])


def _converted(path: Path, images: NDArray[np.float32]) -> NDArray[np.float16]:
    n, h, w = images.shape
    if h != w:
        raise BoxSetError(
            f"{path}: its images are {w} x {h} pixels. Boxes must be square, the particle in "
            "the centre and 1.5 particle diameters wide."
        )
    if not np.isfinite(images).all():
        first = int(np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))[0])
        raise BoxSetError(
            f"{path}: image {first + 1} of {n} holds values that are no numbers (NaN or "
            "infinite). Leave it out, or extract the boxes again."
        )
    margin = (WINDOW_SIDE - BOX_PX) // 2
    boxes = functional.interpolate(
        standardised(torch.from_numpy(images))[:, None],
        size=(BOX_PX, BOX_PX),
        mode="bilinear",
        antialias=True,
    )
    windows = functional.pad(boxes, (margin,) * 4, mode="reflect")[:, 0]
    return windows.half().numpy()
