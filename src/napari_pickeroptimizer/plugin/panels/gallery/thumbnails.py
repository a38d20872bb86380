"""Boxes around picks as small 8-bit images. No Qt.

Only the rows of a box are read of its micrograph, where the file is not compressed;
low-pass, binning and resampling are one product with a matrix. Grey levels are those of the
micrograph, not of the box, so that carbon looks different from ice.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from napari_pickeroptimizer.io.stored_image import StoredImage
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.plugin.images.display import low_pass_sigma_px

BOX_FACTOR = 1.5
# Limits the box if the diameter is mistyped.
MAX_BOX_PX = 4096.0
CROP_PIXELS = 16 * 2**20  # in memory at once: 64 MB as float32
# Without a pixel size the particle is taken to have this diameter.
USUAL_DIAMETER_ANG = 180.0
# Standard deviation of the Gaussian that prevents aliasing, in thumbnail pixels.
ANTIALIAS = 0.42
REACH = 3.0  # standard deviations after which a Gaussian is cut off
N_STRIPS = 12
PERCENTILES = (0.3, 99.7)
OUTSIDE = "outside"
UNREADABLE = "unreadable"
NO_MICROGRAPH = "no micrograph"

Contrast = Literal["micrograph", "box"]


@dataclass(frozen=True)
class Thumbnail:
    """One box, or why there is none.

    Parameters
    ----------
    pixels : (side, side) uint8 or None
        Grey levels, black outside the micrograph. None where nothing was read.
    problem : str
        ``outside``, ``unreadable``, ``no micrograph``, or empty.
    reason : str
        The reason in a sentence, for a tooltip.
    """

    pixels: NDArray[np.uint8] | None
    problem: str = ""
    reason: str = ""

    @property
    def n_bytes(self) -> int:
        """Size in the cache."""
        return 200 + (0 if self.pixels is None else self.pixels.nbytes)


@dataclass(frozen=True)
class ThumbnailSettings:
    """Size, smoothing and contrast of thumbnails.

    Parameters
    ----------
    box_px : float
        Side of the box in micrograph pixels.
    side : int
        Side of the thumbnail in its own pixels.
    sigma_px : float
        Standard deviation of the low-pass, in micrograph pixels; 0 for none.
    contrast : str
        Range of the grey levels: that of the ``micrograph``, or of each ``box``.
    """

    box_px: float
    side: int
    sigma_px: float = 0.0
    contrast: Contrast = "micrograph"

    @property
    def step_px(self) -> float:
        """Micrograph pixels a thumbnail pixel."""
        return self.box_px / self.side

    @property
    def total_sigma_px(self) -> float:
        """Standard deviation of all smoothing, in micrograph pixels."""
        return max(0.5, math.hypot(self.sigma_px, ANTIALIAS * self.step_px))


def thumbnail_sigma_px(
    low_pass_ang: float, pixel_size_ang: float | None, diameter_px: float
) -> float:
    """Return the sigma of the low-pass in micrograph pixels; 0 Å is no low-pass.

    Without a pixel size it is estimated from the diameter.
    """
    if low_pass_ang <= 0:
        return 0.0
    return low_pass_sigma_px(low_pass_ang, pixel_size_ang or USUAL_DIAMETER_ANG / diameter_px)


@dataclass(frozen=True)
class Places:
    """Micrograph and position of each pick.

    Parameters
    ----------
    micrographs : sequence of Micrograph
        One a slice.
    slices : (n,) int array
        Slice of each pick; beyond the last micrograph for picks without one.
    coords_yx_px : (n, 2) array
        Centres in micrograph pixels.
    """

    micrographs: Sequence[Micrograph]
    slices: NDArray[np.int32]
    coords_yx_px: NDArray[np.float64]


# ----------------------------------------------------------------------- one box


@dataclass(frozen=True)
class _Resampling:
    """The matrix from micrograph pixels to thumbnail pixels, the same for all boxes.

    A sparse product is several times faster than a dense one, and does not use BLAS, whose
    threads would compete with ours and with those of a running training.
    """

    matrix: Any  # (side, n_in) scipy.sparse.csr_array
    n_in: int
    before_px: int

    @classmethod
    def of(cls, settings: ThumbnailSettings) -> _Resampling:
        sigma, side = settings.total_sigma_px, settings.side
        margin = math.ceil(REACH * sigma) + 1
        n_in = math.ceil(settings.box_px + 2 * margin + 1)
        # boxes are cut at integer pixels, on average half a pixel before their true corner
        centres = margin + 0.5 + (np.arange(side) + 0.5) * settings.step_px
        away = (np.arange(n_in)[None] - centres[:, None]) / sigma
        matrix = np.where(np.abs(away) <= REACH, np.exp(-0.5 * away**2), 0.0)
        matrix /= matrix.sum(axis=1, keepdims=True)
        return cls(csr_array(matrix.astype(np.float32)), n_in, margin)

    def __call__(self, crops: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (k, y, x) thumbnails of (y, k, x) crops."""
        n, k, _ = crops.shape
        along_y = (self.matrix @ crops.reshape(n, k * n)).reshape(-1, k, n)
        turned = np.ascontiguousarray(along_y.transpose(2, 1, 0))  # (x, k, y)
        both = (self.matrix @ turned.reshape(n, -1)).reshape(self.matrix.shape[0], k, -1)
        return np.ascontiguousarray(both.transpose(1, 2, 0))


def cut(
    image: NDArray[Any] | StoredImage,
    coords_yx_px: NDArray[np.float64],
    settings: ThumbnailSettings,
    levels: tuple[float, float] | None = None,
) -> list[Thumbnail]:
    """Return the boxes around picks of one micrograph.

    Parameters
    ----------
    image : (ny, nx) array
        The micrograph, of any number type; of a stored image only rows of boxes are read.
    coords_yx_px : (k, 2) array
        Centres.
    settings : ThumbnailSettings
        Size and smoothing.
    levels : (low, high), optional
        Grey levels of black and white, by default `grey_levels` of the micrograph.
    """
    resampling = _Resampling.of(settings)
    if levels is None and settings.contrast == "micrograph":
        levels = grey_levels(image, settings.total_sigma_px)
    # NaN and infinite coordinates lie outside every micrograph
    coords_yx_px = np.nan_to_num(coords_yx_px, nan=-1e9, posinf=1e9, neginf=-1e9)
    corners = np.floor(coords_yx_px - settings.box_px / 2).astype(int)
    shape = np.array(image.shape)
    n_at_once = max(1, CROP_PIXELS // resampling.n_in**2)
    boxes = np.concatenate(
        [
            _smoothed(image, corners[i : i + n_at_once], resampling)
            for i in range(0, len(corners), n_at_once)
        ]
    )
    # position of each row and column of thumbnail pixels in the micrograph
    along = 0.5 + (np.arange(settings.side) + 0.5) * settings.step_px
    thumbnails = []
    for box, corner, centre in zip(boxes, corners, coords_yx_px, strict=True):
        on = [
            (a >= -0.5) & (a < s - 0.5)
            for a, s in zip(corner[:, None] + along, shape, strict=True)
        ]
        inside = None if on[0].all() and on[1].all() else on[0][:, None] & on[1][None]
        low, high = levels or _own_levels(box, inside)
        grey = (box - low) * (255.0 / (high - low))
        pixels = np.clip(grey, 0, 255).astype(np.uint8)
        if inside is not None:
            pixels[~inside] = 0
        away = bool(((centre < -0.5) | (centre >= shape - 0.5)).any())
        reason = "This pick lies outside its micrograph." if away else ""
        thumbnails.append(Thumbnail(pixels, OUTSIDE if away else "", reason))
    return thumbnails


def _smoothed(
    image: NDArray[Any] | StoredImage, corners: NDArray[Any], resampling: _Resampling
) -> NDArray[np.float32]:
    """Return (k, side, side) boxes from their upper left corners, not yet grey levels."""
    n = resampling.n_in
    crops = np.empty((n, len(corners), n), dtype=np.float32)
    for i, corner in enumerate(corners):
        crops[:, i] = _crop(image, corner - resampling.before_px, n)
    return resampling(_finite(crops))


def grey_levels(image: NDArray[Any] | StoredImage, sigma_px: float) -> tuple[float, float]:
    """Return the grey levels of black and white of a micrograph after smoothing.

    They are estimated from a dozen strips of rows: a few MB instead of the whole file.
    """
    ny = image.shape[0]
    reach = min(math.ceil(REACH * sigma_px), (ny - 1) // 2)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_px) ** 2)
    weights /= weights.sum()
    centres = np.linspace(reach, ny - 1 - reach, min(N_STRIPS, ny)).astype(int)
    rows = [
        weights @ _finite(np.asarray(image[c - reach : c + reach + 1], dtype=np.float32))
        for c in np.unique(centres)
    ]
    smooth = gaussian_filter1d(np.stack(rows), sigma_px, axis=1, truncate=REACH)
    return _span(np.percentile(smooth, PERCENTILES))


def _own_levels(box: NDArray[Any], inside: NDArray[np.bool_] | None) -> tuple[float, float]:
    values = box if inside is None or not inside.any() else box[inside]
    return _span(np.percentile(values, (1, 99)))


def _span(levels: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(levels[0]), float(levels[1])
    # a constant image is mid-grey
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _crop(image: NDArray[Any] | StoredImage, start: NDArray[Any], n: int) -> NDArray[Any]:
    """Return (n, n) pixels from `start`, with the border pixels repeated beyond the border."""
    (y, x), (ny, nx) = start, image.shape
    if y >= 0 and x >= 0 and y + n <= ny and x + n <= nx:
        return image[y : y + n, x : x + n]
    rows = np.clip(np.arange(y, y + n), 0, ny - 1)
    columns = np.clip(np.arange(x, x + n), 0, nx - 1)
    part = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(part)[np.ix_(rows - rows[0], columns - columns[0])]


def _finite(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    finite = np.isfinite(pixels)
    if finite.all():
        return pixels
    middle = np.float32(np.median(pixels[finite]) if finite.any() else 0.0)
    return np.where(finite, pixels, middle)
