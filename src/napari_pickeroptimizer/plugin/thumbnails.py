"""Boxes around picks as small 8-bit images, cut in threads of their own. No Qt.

A box is cut from the memory map of its micrograph, so that of 64 MB only the pixels of the
box are read; low-pass, binning and resampling are one product with a matrix. The grey levels
are the micrograph's, not the box's: carbon is to look different from ice.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, Literal

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io.images import TIFF_SUFFIXES, open_image
from napari_pickeroptimizer.micrographs import Micrograph

BOX_FACTOR = 1.5
# A Gaussian of this many resolutions halves the amplitude at that resolution.
RESOLUTION_TO_SIGMA = math.sqrt(math.log(2) / (2 * math.pi**2))
# Low-pass without a pixel size: 20 Å of a particle of 180 Å
SIGMA_OF_DIAMETER = RESOLUTION_TO_SIGMA / 9
# Standard deviation of the Gaussian that keeps resampling from aliasing, in pixels made.
ANTIALIAS = 0.42
REACH = 3.0  # standard deviations that a Gaussian is summed over
N_STRIPS = 12
PERCENTILES = (0.3, 99.7)
OUTSIDE = "outside"
UNREADABLE = "unreadable"
NO_MICROGRAPH = "no micrograph"

CACHE_BYTES = 128 * 2**20
# Micrographs that had to be read whole (compressed TIFF) are kept up to this many bytes.
OPEN_BYTES = 192 * 2**20
MAX_OPEN = 64
BATCH = 16

Contrast = Literal["micrograph", "box"]


@dataclass(frozen=True)
class Thumbnail:
    """One box, or why there is none.

    Parameters
    ----------
    pixels : (side, side) uint8 or None
        Grey levels; what lies outside the micrograph is black. None where nothing was read.
    problem : str
        ``outside``, ``unreadable``, ``no micrograph``, or empty.
    reason : str
        The whole story for a tooltip.
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
    """How boxes become thumbnails.

    Parameters
    ----------
    box_px : float
        Side of the box in micrograph pixels.
    side : int
        Side of the thumbnail in its own pixels.
    sigma_px : float
        Standard deviation of the low-pass, in micrograph pixels; 0 for none.
    contrast : str
        Whose levels are black and white: the ``micrograph``'s, or each ``box``'s own.
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


def low_pass_sigma_px(
    low_pass_ang: float, pixel_size_ang: float | None, diameter_px: float
) -> float:
    """Return the Gaussian in micrograph pixels that passes half at `low_pass_ang`.

    Without a pixel size the particle tells the scale; 0 Å is no low-pass.
    """
    if low_pass_ang <= 0:
        return 0.0
    if pixel_size_ang:
        return RESOLUTION_TO_SIGMA * low_pass_ang / pixel_size_ang
    return SIGMA_OF_DIAMETER * diameter_px


@dataclass(frozen=True)
class Places:
    """Where the picks are.

    Parameters
    ----------
    micrographs : sequence of Micrograph
        One a slice.
    slices : (n,) int array
        Slice of each pick; beyond the micrographs where there is none.
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

    It is sparse: several times faster than a dense product, and without BLAS, whose threads
    would fight with ours and with the ones of a training that is under way.
    """

    matrix: Any  # (side, n_in) scipy.sparse.csr_array
    n_in: int
    before_px: int

    @classmethod
    def of(cls, settings: ThumbnailSettings) -> _Resampling:
        sigma, side = settings.total_sigma_px, settings.side
        margin = math.ceil(REACH * sigma) + 1
        n_in = math.ceil(settings.box_px + 2 * margin + 1)
        # boxes are cut at whole pixels: half a pixel is where they are on the average
        wanted = margin + 0.5 + (np.arange(side) + 0.5) * settings.step_px
        away = (np.arange(n_in)[None] - wanted[:, None]) / sigma
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
    image: NDArray[Any],
    coords_yx_px: NDArray[np.float64],
    settings: ThumbnailSettings,
    levels: tuple[float, float] | None = None,
) -> list[Thumbnail]:
    """Return the boxes around picks of one micrograph.

    Parameters
    ----------
    image : (ny, nx) array
        The micrograph, of any number type; a memory map is read only where boxes are.
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
    corners = np.floor(coords_yx_px - settings.box_px / 2).astype(int)
    starts = corners - resampling.before_px
    shape = np.array(image.shape)
    crops = np.empty((resampling.n_in, len(starts), resampling.n_in), dtype=np.float32)
    for i, start in enumerate(starts):
        crops[:, i] = _crop(image, start, resampling.n_in)
    boxes = resampling(_finite(crops))
    # where each row and column of thumbnail pixels lies in the micrograph
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


def grey_levels(image: NDArray[Any], sigma_px: float) -> tuple[float, float]:
    """Return black and white of a micrograph, as it is after smoothing.

    A dozen strips of rows tell them: some MB in few pieces instead of the whole file.
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
    # one grey level only: a middling grey
    return (low, high) if high > low else (low - 1.0, low + 1.0)


def _crop(image: NDArray[Any], start: NDArray[Any], n: int) -> NDArray[Any]:
    """Return (n, n) pixels from `start`; beyond the border those at the border again."""
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


# ----------------------------------------------------------------------- micrographs


class OpenMicrographs:
    """Micrographs that are open, with their grey levels; the least used ones are closed."""

    def __init__(self, micrographs: Sequence[Micrograph]) -> None:
        self._micrographs = micrographs
        self._open: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._levels: dict[tuple[int, float], tuple[float, float]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._micrographs)

    def image(self, index: int) -> NDArray[Any]:
        """Return a micrograph, mapped where its format allows it."""
        with self._lock:
            image = self._open.get(index)
            if image is not None:
                self._open.move_to_end(index)
                return image
        image = open_lazily(self._micrographs[index])
        with self._lock:
            self._open[index] = image
            while len(self._open) > 1 and self._too_much():
                self._open.popitem(last=False)
        return image

    def levels(self, index: int, image: NDArray[Any], sigma_px: float) -> tuple[float, float]:
        """Return `grey_levels` of a micrograph, computed once."""
        key = (index, sigma_px)
        if key not in self._levels:
            self._levels[key] = grey_levels(image, sigma_px)
        return self._levels[key]

    def _too_much(self) -> bool:
        in_memory = sum(i.nbytes for i in self._open.values() if not _is_mapped(i))
        return len(self._open) > MAX_OPEN or in_memory > OPEN_BYTES


def open_lazily(micrograph: Micrograph) -> NDArray[Any]:
    """Return a micrograph's pixels without reading them, where its format allows it.

    MRC files are mapped, and so are TIFF files that are not compressed.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        It is not there, or no image.
    """
    image: NDArray[Any] | None = None
    if micrograph.path.suffix.lower() in TIFF_SUFFIXES and micrograph.path.is_file():
        try:
            image = tifffile.memmap(micrograph.path, mode="r")
        except Exception:  # noqa: BLE001 (compressed, or no TIFF at all: open_image will say)
            image = None
        if image is not None and image.ndim != 2:
            image = None
    if image is None:
        image = open_image(micrograph.path, micrograph.section)
    return image[::-1] if micrograph.flip_y else image


def _is_mapped(image: NDArray[Any]) -> bool:
    return isinstance(image, np.memmap)


# ----------------------------------------------------------------------- many boxes


@dataclass
class _Cache:
    """Thumbnails by pick, the least lately seen dropped first."""

    limit: int
    n_bytes: int = 0
    items: OrderedDict[int, tuple[int, Thumbnail]] = field(default_factory=OrderedDict)

    def get(self, row: int) -> tuple[int, Thumbnail] | None:
        found = self.items.get(row)
        if found is not None:
            self.items.move_to_end(row)
        return found

    def put(self, row: int, generation: int, thumbnail: Thumbnail) -> None:
        old = self.items.pop(row, None)
        self.n_bytes += thumbnail.n_bytes - (old[1].n_bytes if old else 0)
        self.items[row] = (generation, thumbnail)
        while self.n_bytes > self.limit and len(self.items) > 1:
            _, (_, dropped) = self.items.popitem(last=False)
            self.n_bytes -= dropped.n_bytes

    def clear(self) -> None:
        self.items.clear()
        self.n_bytes = 0


class ThumbnailLoader:
    """Cuts the thumbnails that are wanted now, in threads that end when there is nothing to do.

    Everything here is called from one thread, the main one; nothing blocks. `want` replaces
    what was wanted before, so that boxes which were scrolled past are never cut.

    Parameters
    ----------
    cache_bytes : int
        Memory for thumbnails.
    n_threads : int
        Threads at most.
    """

    def __init__(self, cache_bytes: int = CACHE_BYTES, n_threads: int = 2) -> None:
        self._lock = Lock()
        self._cache = _Cache(cache_bytes)
        self._n_threads = n_threads
        self._n_alive = 0
        self._generation = 0
        self._places: Places | None = None
        self._settings: ThumbnailSettings | None = None
        self._open: OpenMicrographs | None = None
        self._pending: list[list[int]] = [[], []]  # what is seen; what may be seen next
        self._under_way: set[int] = set()
        self._arrived: list[int] = []

    def show(self, places: Places | None, settings: ThumbnailSettings | None) -> None:
        """Say what thumbnails are of. Other places forget all; other settings leave old
        thumbnails to be seen until new ones are there."""
        with self._lock:
            if places is not self._places:
                self._cache.clear()
                old = None if self._places is None else self._places.micrographs
                if places is None or places.micrographs is not old:
                    self._open = (
                        None if places is None else OpenMicrographs(places.micrographs)
                    )
            elif settings == self._settings:
                return
            self._places, self._settings = places, settings
            self._generation += 1
            self._pending, self._under_way = [[], []], set()
            self._arrived.clear()

    @property
    def busy(self) -> bool:
        """Whether there is anything to wait for."""
        with self._lock:
            return bool(any(self._pending) or self._under_way or self._arrived)

    @property
    def n_bytes(self) -> int:
        """Memory that thumbnails take."""
        return self._cache.n_bytes

    def get(self, row: int) -> Thumbnail | None:
        """Return a pick's thumbnail, perhaps of older settings; None where there is none yet."""
        with self._lock:
            found = self._cache.get(row)
        return None if found is None else found[1]

    def want(self, seen: Iterable[int], ahead: Iterable[int] = ()) -> None:
        """Have thumbnails cut: first those that are seen, then those that may be next."""
        with self._lock:
            if self._places is None or self._settings is None:
                return
            self._pending = [[r for r in rows if self._missing(r)] for rows in (seen, ahead)]
            wanted = sum(map(len, self._pending))
            n_new = min(self._n_threads - self._n_alive, -(-wanted // BATCH))
            self._n_alive += max(0, n_new)
        for _ in range(n_new):
            Thread(target=self._work, name="thumbnails", daemon=True).start()

    def take(self) -> list[int]:
        """Return the picks whose thumbnails have arrived since the last call."""
        with self._lock:
            arrived, self._arrived = self._arrived, []
        return arrived

    def close(self) -> None:
        """Stop; threads end after the boxes they are at."""
        self.show(None, None)

    def _missing(self, row: int) -> bool:
        found = self._cache.items.get(row)
        return row not in self._under_way and (found is None or found[0] != self._generation)

    def _work(self) -> None:
        while True:
            with self._lock:
                rows = self._next_batch()
                if not rows:
                    self._n_alive -= 1
                    return
                generation, places = self._generation, self._places
                settings, micrographs = self._settings, self._open
            assert places is not None  # or there were no rows
            assert settings is not None
            assert micrographs is not None
            thumbnails = load(rows, places, settings, micrographs)
            with self._lock:
                if generation != self._generation:
                    continue
                self._under_way.difference_update(rows)
                for row, thumbnail in zip(rows, thumbnails, strict=True):
                    self._cache.put(row, generation, thumbnail)
                self._arrived += rows

    def _next_batch(self) -> list[int]:
        """Return picks of one micrograph, the first one wanted among them."""
        pending = next((p for p in self._pending if p), None)
        if pending is None or self._places is None:
            return []
        slices = self._places.slices[pending]
        near = np.flatnonzero(slices == slices[0])[:BATCH]
        rows = [pending[i] for i in near]
        chosen = set(near.tolist())
        pending[:] = [r for i, r in enumerate(pending) if i not in chosen]
        self._under_way.update(rows)
        return rows


def load(
    rows: Sequence[int],
    places: Places,
    settings: ThumbnailSettings,
    micrographs: OpenMicrographs,
) -> list[Thumbnail]:
    """Return thumbnails of picks of one micrograph; placeholders where it cannot be read."""
    index = int(places.slices[rows[0]])
    if not 0 <= index < len(micrographs):
        reason = "The micrograph of this pick is not open."
        return [Thumbnail(None, NO_MICROGRAPH, reason)] * len(rows)
    try:
        image = micrographs.image(index)
        levels = None
        if settings.contrast == "micrograph":
            levels = micrographs.levels(index, image, settings.total_sigma_px)
        return cut(image, places.coords_yx_px[rows], settings, levels)
    except PickerOptimizerError as error:
        reason = str(error)
    except Exception as error:  # noqa: BLE001 (a box never ends the gallery)
        reason = f"{type(error).__name__}: {error}"
    return [Thumbnail(None, UNREADABLE, reason)] * len(rows)
