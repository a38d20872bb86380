"""Areas of a micrograph with different ice: crystalline, or thin and without particles."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from napari_pickeroptimizer.simulate.junk import Plane, smooth_step
from napari_pickeroptimizer.simulate.regions import Area, AreaKind, Layout

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.scene import Specimen

# Ice in an empty area, relative to that around it.
EMPTY_THICKNESS = 0.35
GRAIN_ANG = (110.0, 320.0)
SEAM_ANG = 14.0
# Share of the grains that happen to fulfil a Bragg condition.
BRAGG_SHARE = (0.04, 0.2)
BRAGG_LOSS = (0.03, 0.4)
# A reflected beam's image lies beside its grain, by wavelength x defocus / lattice spacing:
# 0.02 Å x 1.5 to 3 µm / 3.7 Å.
GHOST_ANG = (80.0, 160.0)
GHOST_SHARE = 0.6
MOTTLE_RAD = 0.12
RIM_ANG = 90.0
# Of the grid that a mosaic is worked out on.
MOST_POINTS = 120_000


def random_area(
    kind: AreaKind,
    layout: Layout,
    radius_in_sides: tuple[float, float],
    rng: np.random.Generator,
) -> Area:
    """Place an area at random, its radius from a range, in shares of the shorter side."""
    low, high = radius_in_sides
    radius = rng.uniform(low * min(layout.shape_px), high * min(layout.shape_px))
    harmonics = np.arange(2, 9)
    waves = np.column_stack(
        [
            radius * 0.16 / harmonics**0.8 * rng.standard_normal(len(harmonics)),
            harmonics,
            rng.uniform(0, 2 * np.pi, len(harmonics)),
        ]
    )
    return Area(kind, layout.anywhere(rng), radius, waves)


def share_inside(area: Area, y: Plane, x: Plane, rim_px: float) -> Plane:
    """Return 1 inside an area, 0 outside, and values in between along its rim.

    Of a regular grid, y (ny, 1) and x (1, nx); worked out on every fourth pixel.
    """
    ny, nx = y.size, x.size
    rows, columns = np.append(y[:, 0][::4], y[-1, 0] + 4), np.append(x[0][::4], x[0, -1] + 4)
    coarse = smooth_step(area.depth_px(rows[:, None], columns[None, :]), rim_px)
    return _enlarged(coarse, 4, (ny, nx))


def thin_ice(area: Area, y: Plane, x: Plane) -> Plane:
    """Return the factor on the ice thickness: 1 outside, lowest in the middle of the area.

    A smooth dip of the area's mean radius: ice has no edge where it thins.
    """
    dip = replace(area, waves=np.zeros((0, 3)))
    inside = share_inside(dip, y, x, 0.9 * area.radius_px)
    return np.asarray(1 - np.float32(1 - EMPTY_THICKNESS) * inside, dtype=np.float32)


def add_crystalline(
    specimen: Specimen,
    area: Area,
    y: Plane,
    x: Plane,
    pixel_size_ang: float,
    rng: np.random.Generator,
) -> None:
    """Add the crystalline ice of an area, on the specimen's grid y (ny, 1) and x (1, nx)."""
    inside = share_inside(area, y, x, RIM_ANG / pixel_size_ang)
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    if not len(rows):
        return
    window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    grown = inside[window]
    bent, dark = crystalline_ice((grown.shape[0], grown.shape[1]), pixel_size_ang, rng)
    specimen.strong_rad[window] += bent * grown
    specimen.absorbed[window] += dark * grown


def crystalline_ice(
    shape_px: tuple[int, int], pixel_size_ang: float, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Return the phase (rad) and absorption of polycrystalline ice on a (ny, nx) window.

    Grains (a Voronoi mosaic) part at dark seams. Some of them reflect: dark and softly
    striped, where the lattice is bent, with a bright ghost beside them, which is the
    reflected beam's image. A band-limited mottle of random strength lies over all, as that
    of cubic ice or frost.
    """
    grain_px = rng.uniform(*GRAIN_ANG) / pixel_size_ang
    # seams and grains need no finer grid than a fourteenth of a grain; large areas get less
    least = np.sqrt(shape_px[0] * shape_px[1] / MOST_POINTS)
    step = max(1, int(grain_px / 14), int(np.ceil(least)))
    seam_ang = max(SEAM_ANG, 0.8 * step * pixel_size_ang)
    ny, nx = (-(-n // step) + 2 for n in shape_px)
    size = grain_px / step
    seeds = rng.uniform(0, (ny, nx), size=(max(3, round(ny * nx / size**2)), 2))
    at = np.stack(np.meshgrid(np.arange(ny), np.arange(nx), indexing="ij"), axis=-1)
    distance, nearest = cKDTree(seeds).query(at, k=2)
    gap = (distance[..., 1] - distance[..., 0]) * step * pixel_size_ang
    grain = nearest[..., 0]
    absorbed = 0.05 * np.exp(-((gap / seam_ang) ** 2))
    absorbed += 0.008 * rng.standard_normal(len(seeds))[grain]
    share = rng.uniform(*BRAGG_SHARE)
    for direction in rng.uniform(0, 2 * np.pi, 3):
        reflects = rng.random(len(seeds)) < share / 3
        strength = np.where(reflects, rng.uniform(*BRAGG_LOSS, len(seeds)), 0.0)[grain]
        stripes = _stripes(at, size, rng)
        dark = gaussian_filter(strength * stripes, 0.12 * size)
        shift = rng.uniform(*GHOST_ANG) / pixel_size_ang / step
        moved = (round(shift * np.sin(direction)), round(shift * np.cos(direction)))
        absorbed += dark - GHOST_SHARE * np.roll(dark, moved, axis=(0, 1))
    fine_px, coarse_px = rng.uniform(8, 25) / pixel_size_ang / step, 0.3 * size
    white = rng.standard_normal((ny, nx))
    mottle = gaussian_filter(white, fine_px) - gaussian_filter(white, fine_px + coarse_px)
    phase = mottle * (MOTTLE_RAD * rng.uniform(0, 1) ** 2 / mottle.std())
    return _enlarged(phase, step, shape_px), _enlarged(absorbed, step, shape_px)


def _stripes(
    at: NDArray[np.intp], grain_px: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return parallel stripes from 0.4 to 1, with a period in shares of a grain."""
    direction, length = rng.uniform(0, np.pi), grain_px * rng.uniform(0.25, 1.0)
    along = at[..., 0] * np.sin(direction) + at[..., 1] * np.cos(direction)
    return np.asarray(0.7 + 0.3 * np.sin(2 * np.pi / length * along))


def _enlarged(coarse: NDArray[np.floating], step: int, shape_px: tuple[int, int]) -> Plane:
    """Interpolate linearly: pixel i of the result lies at i / step of the coarse grid."""
    plane = np.asarray(coarse, dtype=np.float32)
    for axis, n in enumerate(shape_px):
        at = np.arange(n, dtype=np.float32) / np.float32(step)
        low = np.minimum(at.astype(np.intp), plane.shape[axis] - 2)
        share = (at - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        plane = np.take(plane, low, axis) * (1 - share) + np.take(plane, low + 1, axis) * share
    return plane
