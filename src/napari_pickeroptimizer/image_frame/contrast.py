"""Contrast of particles: how much the middle of a box differs from what surrounds it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_pickeroptimizer.micrograph import outside

if TYPE_CHECKING:
    from napari_pickeroptimizer.boxes import WorkingImage

# Particle diameter in pixels of the images that are looked at: enough, and fast.
DIAMETER_PX = 16
# Widths (sigma) of the middle and of the surround, in particle diameters.
MIDDLE, SURROUND = 0.22, 0.5
# Grey levels and contrast beyond so many robust standard deviations count as this much.
CLIP_SIGMA = 4.0
MAD_TO_SIGMA = 1.4826
# Places around a pick that its contrast is compared with, in diameters from it.
N_AROUND, AROUND = 12, (1.0, 2.0)
# Distance of a particle's rim from its middle, in diameters.
RIM = 0.4
# Contrast that is no chance: in robust standard deviations, and in standard errors. Two dozen
# frames are tried, and a false alarm would be worse than a mistake that is not found.
LEAST_CONTRAST, LEAST_SIGMA = 0.25, 6.0
# Another frame has so many times the contrast, in this share of the micrographs.
LEAST_RATIO, LEAST_SHARE = 2.5, 0.8

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContrastImage:
    """How much darker or brighter each place of a micrograph is than what surrounds it.

    Parameters
    ----------
    values : (h, w) float32
        Middle less surround, in robust standard deviations of all places; median 0.
    scale_yx : tuple of float
        Its pixels per micrograph pixel.
    shape_px : tuple of int
        (ny, nx) of the micrograph itself.
    diameter_px : float
        Particle diameter in micrograph pixels.
    is_flipped : bool
        Whether the rows were reversed on reading (``flip_y``).
    """

    values: NDArray[np.float32]
    scale_yx: tuple[float, float]
    shape_px: tuple[int, int]
    diameter_px: float
    is_flipped: bool = False

    @classmethod
    def of(
        cls, image: WorkingImage, diameter_px: float, is_flipped: bool = False
    ) -> ContrastImage:
        """Return the contrast of a micrograph resampled to a particle of `DIAMETER_PX`."""
        pixels = image.pixels.numpy().clip(-CLIP_SIGMA, CLIP_SIGMA)
        middle, surround = (
            ndimage.gaussian_filter(pixels, width * DIAMETER_PX, mode="nearest")
            for width in (MIDDLE, SURROUND)
        )
        values = middle - surround
        values -= np.median(values)
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(values))) or float(values.std()) or 1.0
        values = (values / sigma).clip(-CLIP_SIGMA, CLIP_SIGMA)
        return cls(values, image.scale_yx, image.shape_px, diameter_px, is_flipped)

    def at(self, coords_yx_px: Points) -> Points:
        """Return the contrast at (..., 2) places of the micrograph; NaN outside of it."""
        places = (coords_yx_px + 0.5) * self.scale_yx - 0.5
        values = ndimage.map_coordinates(
            self.values, places.reshape(-1, 2).T, order=1, mode="nearest"
        ).reshape(places.shape[:-1])
        beyond = outside(coords_yx_px.reshape(-1, 2), self.shape_px).reshape(values.shape)
        return np.where(beyond, np.nan, values)


# Moves picks of a micrograph into another frame.
Move = Callable[[Points, ContrastImage], Points]


@dataclass(frozen=True, eq=False)
class Contrast:
    """Contrast of n picks in one frame, less that around each of them.

    What lies around differs as much as the pick does where ice is thick, or carbon begins; only
    a particle in the middle makes a difference.

    Parameters
    ----------
    values : (n,) float64
        Contrast; 0 for picks outside their micrograph.
    micrograph : (n,) int
        Micrograph of each pick.
    share_inside : float
        Share of the picks that lie inside their micrograph.
    """

    values: Points
    micrograph: NDArray[np.intp]
    share_inside: float

    @classmethod
    def of(
        cls, micrographs: Sequence[tuple[ContrastImage, Points]], move: Move
    ) -> Contrast | None:
        """Return the contrast of the picks of some micrographs after a move; None without any."""
        parts = []
        for image, points in micrographs:
            places = move(points, image)
            around = places[:, None] + _AROUND * image.diameter_px
            with warnings.catch_warnings():
                # no place around a pick may be inside: NaN, as it should be
                warnings.simplefilter("ignore", RuntimeWarning)
                parts.append(image.at(places) - np.nanmean(image.at(around), axis=1))
        if not parts:
            return None
        values = np.concatenate(parts)
        which = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return cls(np.nan_to_num(values), which, float(np.isfinite(values).mean()))

    @property
    def mean(self) -> float:
        """Mean of the picks; negative where particles are dark."""
        return float(self.values.mean())

    @property
    def is_clear(self) -> bool:
        """Whether this is no chance."""
        error = float(self.values.std() / np.sqrt(len(self.values)))
        return abs(self.mean) >= max(LEAST_CONTRAST, LEAST_SIGMA * error)

    def is_times(self, other: Contrast) -> bool:
        """Return whether this is so many times another contrast, dark or bright."""
        return abs(self.mean) >= LEAST_RATIO * abs(other.mean)

    def sigma_above(self, other: Contrast) -> float:
        """Return the paired difference of the picks in two frames, in standard errors."""
        above = self._above(other)
        error = float(above.std() / np.sqrt(len(above)))
        return float(above.mean()) / error if error else 0.0

    def is_far_above(self, other: Contrast) -> bool:
        """Return whether this is far above another contrast, in nearly every micrograph."""
        above = self._above(other)
        means = [above[self.micrograph == i].mean() for i in np.unique(self.micrograph)]
        return (
            self.is_clear
            and self.is_times(other)
            and self.sigma_above(other) >= LEAST_SIGMA
            and float(np.mean(np.array(means) > 0)) >= LEAST_SHARE
        )

    def _above(self, other: Contrast) -> Points:
        return np.asarray((self.values - other.values) * np.sign(self.mean))


def rim() -> Points:
    """Return (8, 2) places on the rim of a particle around its middle, in diameters, (y, x)."""
    angle = np.arange(8) * np.pi / 4
    return RIM * np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _around() -> Points:
    """Return (N_AROUND, 2) places around the origin, in every direction, (y, x)."""
    radius = np.linspace(*AROUND, N_AROUND)
    angle = np.arange(N_AROUND) * np.pi * (3 - np.sqrt(5))  # the golden angle
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)


_AROUND = _around()
