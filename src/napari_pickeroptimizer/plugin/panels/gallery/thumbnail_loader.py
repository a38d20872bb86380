"""Thumbnails of the visible boxes, cut in threads. No Qt."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io.images import open_image, stored_image
from napari_pickeroptimizer.io.stored_image import StoredImage
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.plugin.panels.gallery.thumbnails import (
    NO_MICROGRAPH,
    UNREADABLE,
    Places,
    Thumbnail,
    ThumbnailSettings,
    cut,
    grey_levels,
)

Value = TypeVar("Value")

CACHE_BYTES = 128 * 2**20
# Micrographs that had to be read whole (compressed TIFF) are kept up to this many bytes.
OPEN_BYTES = 192 * 2**20
MAX_OPEN = 64
BATCH = 16


@dataclass
class Recent(Generic[Value]):
    """Values by number; beyond a limit of bytes or values the least recently used are dropped."""

    max_bytes: int
    size: Callable[[Value], int]
    max_n: float = math.inf
    n_bytes: int = 0
    items: OrderedDict[int, Value] = field(default_factory=OrderedDict)

    def get(self, key: int) -> Value | None:
        """Return a value as the most recently used one, None where there is none."""
        if key in self.items:
            self.items.move_to_end(key)
        return self.items.get(key)

    def put(self, key: int, value: Value) -> None:
        """Store a value, which is not dropped at once however large it is."""
        old = self.items.pop(key, None)
        self.n_bytes += self.size(value) - (0 if old is None else self.size(old))
        self.items[key] = value
        while len(self.items) > 1 and (
            len(self.items) > self.max_n or self.n_bytes > self.max_bytes
        ):
            self.n_bytes -= self.size(self.items.popitem(last=False)[1])


class OpenMicrographs:
    """Micrographs that are open, with their grey levels; the least used ones are closed."""

    def __init__(self, micrographs: Sequence[Micrograph]) -> None:
        self._micrographs = micrographs
        self._open = Recent(OPEN_BYTES, _bytes_in_memory, MAX_OPEN)
        self._levels: dict[tuple[int, float], tuple[float, float]] = {}
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._micrographs)

    def image(self, index: int) -> NDArray[Any] | StoredImage:
        """Return a micrograph, of which only parts are read where its format allows it."""
        with self._lock:
            image = self._open.get(index)
        if image is None:
            image = open_lazily(self._micrographs[index])
            with self._lock:
                self._open.put(index, image)
        return image

    def levels(
        self, index: int, image: NDArray[Any] | StoredImage, sigma_px: float
    ) -> tuple[float, float]:
        """Return `grey_levels` of a micrograph, computed once."""
        key = (index, sigma_px)
        if key not in self._levels:
            self._levels[key] = grey_levels(image, sigma_px)
        return self._levels[key]


def open_lazily(micrograph: Micrograph) -> NDArray[Any] | StoredImage:
    """Return a micrograph's pixels without reading them, where its format allows it.

    Uncompressed files are read where boxes are.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        It is not there, or no image.
    """
    stored = stored_image(micrograph.path, micrograph.section)
    if stored is not None:
        return replace(stored, flip_y=micrograph.flip_y)
    image = open_image(micrograph.path, micrograph.section)
    return image[::-1] if micrograph.flip_y else image


def _bytes_in_memory(image: NDArray[Any] | StoredImage) -> int:
    return image.nbytes if isinstance(image, np.ndarray) else 0


# ----------------------------------------------------------------------- many boxes


class ThumbnailLoader:
    """Cuts the requested thumbnails, in threads that end when there is nothing to do.

    Everything here is called from one thread, the main one; nothing blocks. `want` replaces
    the previous request, so that boxes which were scrolled past are never cut.

    Parameters
    ----------
    cache_bytes : int
        Memory for thumbnails.
    n_threads : int
        Threads at most.
    """

    def __init__(self, cache_bytes: int = CACHE_BYTES, n_threads: int = 2) -> None:
        self._lock = Lock()
        # with the generation of each thumbnail, which changes with the settings
        self._cache = Recent[tuple[int, Thumbnail]](cache_bytes, lambda made: made[1].n_bytes)
        self._n_threads = n_threads
        self._n_alive = 0
        self._generation = 0
        self._places: Places | None = None
        self._settings: ThumbnailSettings | None = None
        self._open: OpenMicrographs | None = None
        self._pending: list[list[int]] = [[], []]  # visible; to prefetch
        self._under_way: set[int] = set()
        self._arrived: list[int] = []

    def show(self, places: Places | None, settings: ThumbnailSettings | None) -> None:
        """Set picks and settings of the thumbnails.

        Other places clear the cache; with other settings the old thumbnails are shown until
        new ones are ready.
        """
        with self._lock:
            if places is not self._places:
                self._cache = replace(self._cache, n_bytes=0, items=OrderedDict())
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

    def get(self, row: int) -> Thumbnail | None:
        """Return a pick's thumbnail, perhaps of older settings; None where there is none yet."""
        with self._lock:
            cached = self._cache.get(row)
        return None if cached is None else cached[1]

    def want(self, visible: Iterable[int], prefetch: Iterable[int] = ()) -> None:
        """Request thumbnails: first the visible ones, then those to prefetch."""
        with self._lock:
            if self._places is None or self._settings is None:
                return
            self._pending = [
                [r for r in rows if self._missing(r)] for rows in (visible, prefetch)
            ]
            n_pending = sum(map(len, self._pending))
            n_new = min(self._n_threads - self._n_alive, -(-n_pending // BATCH))
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
        cached = self._cache.items.get(row)
        return row not in self._under_way and (cached is None or cached[0] != self._generation)

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
                    self._cache.put(row, (generation, thumbnail))
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
