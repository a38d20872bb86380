"""Boxes of picks as 8-bit grey, cut from a micrograph of which only they are resampled."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from napari_pickeroptimizer.boxes import middle_and_sigma

# Side of a box in its picture: finer than the network's input, coarser than most micrographs.
LEAST_PX, MOST_PX = 8, 80
# Grey levels span the micrograph's median and this many robust standard deviations.
SIGMAS = 3.5
# The micrograph's own grey levels are known well enough from an eighth of it: of so many bands,
# one above the other, the first part of as many.
BANDS = 8


def grey_boxes(
    image: NDArray[np.float32], coords_yx_px: NDArray[np.float64], side_px: float
) -> NDArray[np.uint8]:
    """Return (n, size, size) boxes of `side_px` of (n, 2) picks on a (ny, nx) micrograph.

    Beyond the border, and where pixels are no numbers, they are mid-grey.
    """
    side = max(1, round(side_px))
    # no finer than the micrograph: the browser enlarges as well
    size = int(np.clip(side, LEAST_PX, MOST_PX))
    bands = [band[: -(-len(band) // BANDS)] for band in np.array_split(image, BANDS)]
    sample = _filled(np.concatenate(bands))
    ny, nx = (max(1, round(n * size / side)) for n in sample.shape)
    middle, sigma = middle_and_sigma(_resized(sample[None], (ny, nx))[0])
    pixels = _cut(image, coords_yx_px, side)
    boxes = _resized(np.where(np.isfinite(pixels), pixels, np.float32(middle)), (size, size))
    shown = ((boxes - middle) / sigma).numpy()
    return np.asarray(np.clip((shown / SIGMAS + 1) * 127.5, 0, 255).round(), np.uint8)


def _cut(
    image: NDArray[np.float32], coords_yx_px: NDArray[np.float64], side: int
) -> NDArray[np.float32]:
    """Return (n, side, side) pixels around picks, to the nearest pixel; NaN beyond the border."""
    corner = np.round(coords_yx_px - (side - 1) / 2).astype(np.intp)
    steps = np.arange(side)
    y, x = corner[:, 0, None] + steps, corner[:, 1, None] + steps
    ny, nx = image.shape
    pixels = image[y.clip(0, ny - 1)[:, :, None], x.clip(0, nx - 1)[:, None, :]]
    is_inside = ((y >= 0) & (y < ny))[:, :, None] & ((x >= 0) & (x < nx))[:, None, :]
    return np.where(is_inside, pixels, np.float32(np.nan))


def _filled(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return an image with its median where pixels are no numbers."""
    finite = np.isfinite(pixels)
    if finite.all():
        return pixels
    fill = np.median(pixels[finite]) if finite.any() else np.float32(0)
    return np.where(finite, pixels, fill)


def _resized(images: NDArray[np.float32], shape_px: tuple[int, int]) -> torch.Tensor:
    """Return (n, h, w) images at another (ny, nx), antialiased."""
    batch = torch.from_numpy(images)[:, None]
    return functional.interpolate(batch, size=shape_px, mode="bilinear", antialias=True)[:, 0]
