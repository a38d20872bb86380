"""Junk on a grid: carbon film, ice crystals, round drops of ice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
# Thickness in Å and relative darkness of a lump of a radius in px, and a pixel size in Å.
Lump = Callable[[float, float, np.random.Generator], tuple[Plane, Plane]]

CARBON_THICKNESS_ANG = (70.0, 220.0)
CARBON_RIM_ANG = (30.0, 110.0)
# Bragg reflections leave through the objective aperture: crystals are darker than their
# thickness of vitreous ice would be.
CRYSTAL_MEAN_FREE_PATH_ANG = 1100.0
DROP_MEAN_FREE_PATH_ANG = 2400.0


@dataclass(frozen=True)
class CarbonFilm:
    """Carbon film outside a hole whose rim is a rough circle.

    Parameters
    ----------
    centre_yx_px : tuple of float
        The hole's centre in pixels of the micrograph (mostly outside it).
    radius_px : float
        The hole's radius.
    waves : (n, 3) float64
        The rim's roughness: amplitude in px, wave number in rad/px along the rim, phase.
    thickness_ang : float
        Of the film.
    rim_ang : float
        Width over which the film tapers off.
    """

    centre_yx_px: tuple[float, float]
    radius_px: float
    waves: NDArray[np.float64]
    thickness_ang: float
    rim_ang: float

    def depth_px(
        self, y: NDArray[np.floating], x: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Return the depth of points inside the carbon in px, negative in the hole."""
        dy, dx = y - self.centre_yx_px[0], x - self.centre_yx_px[1]
        smooth = np.hypot(dy, dx) - self.radius_px
        # Only near the rim the roughness matters, and the angles cost the most.
        reach = np.abs(self.waves[:, 0]).sum()
        near = np.abs(smooth) < reach + 50
        dy, dx = np.broadcast_arrays(dy, dx)
        arc = np.arctan2(dy[near], dx[near]) * self.radius_px
        rough = np.array(smooth, copy=True)
        bent = rough[near]
        for amplitude, wave_number, phase in self.waves:
            bent -= (amplitude * np.cos(wave_number * arc + phase)).astype(rough.dtype)
        rough[near] = bent
        return rough


def carbon_film(
    shape_px: tuple[int, int],
    diameter_px: float,
    pixel_size_ang: float,
    rng: np.random.Generator,
) -> CarbonFilm:
    """Cover 12 to 35 % of the micrograph with film, from a random side."""
    ny, nx = shape_px
    angle = rng.uniform(0, 2 * np.pi)
    # holes of 0.6 µm radius, but curved on small fields too
    hole_px = max(6000.0 / pixel_size_ang, 1.2 * max(shape_px))
    hole_px = min(hole_px, 2.5 * max(shape_px))
    centre = (ny / 2 - hole_px * np.sin(angle), nx / 2 - hole_px * np.cos(angle))
    y = np.linspace(0, ny - 1, 64)[:, None]
    x = np.linspace(0, nx - 1, 64)[None, :]
    distance = np.hypot(y - centre[0], x - centre[1])
    radius = float(np.quantile(distance, 1 - rng.uniform(0.12, 0.35)))
    rim_ang = rng.uniform(*CARBON_RIM_ANG)
    # bends shorter than the rim is wide would look like fur
    shortest_px = max(0.15 * diameter_px, 2 * rim_ang / pixel_size_ang)
    lengths_px = np.geomspace(shortest_px, max(6 * diameter_px, 2 * shortest_px), 14)
    waves = np.column_stack(
        [
            0.012 * lengths_px * rng.standard_normal(14),
            2 * np.pi / lengths_px,
            rng.uniform(0, 2 * np.pi, 14),
        ]
    )
    return CarbonFilm(
        centre,
        radius,
        waves,
        thickness_ang=rng.uniform(*CARBON_THICKNESS_ANG),
        rim_ang=rim_ang,
    )


def smooth_step(depth: NDArray[np.floating], width: float) -> Plane:
    """Return a smooth step from 0 at depth 0 to 1 at `width`."""
    t = np.clip(np.asarray(depth, dtype=np.float32) / np.float32(width), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def crystal_thickness_ang(
    radius_px: float, pixel_size_ang: float, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Return the thickness of a faceted ice crystal and its relative darkness.

    A convex polygon of 4 to 7 sides with bevelled edges; darkness varies in stripes where
    the lattice is bent in and out of a Bragg condition. Faint ones are as common as black
    ones: thickness is log-uniform.

    Returns
    -------
    thickness_ang, darkness : (m, m) float32
        m odd, the crystal's centre at the centre.
    """
    y, x = _local_grid(1.25 * radius_px)
    n_sides = int(rng.integers(4, 8))
    angles = (np.arange(n_sides) + rng.uniform(-0.3, 0.3, n_sides)) * 2 * np.pi / n_sides
    angles += rng.uniform(0, 2 * np.pi)
    heights = radius_px * rng.uniform(0.6, 0.95, n_sides)
    # distance to the nearest side, the minimum taken softly: melted corners
    soft_px = radius_px * rng.uniform(0.06, 0.16)
    total = np.zeros((y.size, x.size), dtype=np.float32)
    for angle, height in zip(angles, heights, strict=True):
        total += np.exp(-(height - y * np.sin(angle) - x * np.cos(angle)) / soft_px)
    inside = -soft_px * np.log(total)
    # far corners of few-sided polygons would stick out of the window
    inside = np.minimum(inside, 1.15 * radius_px - np.hypot(y, x))
    top = np.exp(rng.uniform(np.log(60), np.log(1000)))
    bevel_px = rng.uniform(0.15, 0.6) * radius_px
    # small crystals are thin ones
    top *= min(1.0, radius_px * pixel_size_ang / 120)
    thickness = smooth_step(inside, bevel_px) * np.float32(top)
    direction, length = rng.uniform(0, np.pi), radius_px * rng.uniform(0.25, 1.2)
    wave = 2 * np.pi / length * (y * np.sin(direction) + x * np.cos(direction))
    darkness = 1 + 0.35 * np.sin(wave + rng.uniform(0, 2 * np.pi))
    return np.asarray(thickness, np.float32), np.asarray(darkness, np.float32)


def drop_thickness_ang(
    radius_px: float, pixel_size_ang: float, rng: np.random.Generator
) -> tuple[Plane, Plane]:
    """Return the thickness of a nearly round drop of ice or ethane, and darkness 1.

    A flattened sphere, 2 f sqrt(R² - r²), its outline bent by three weak harmonics.
    """
    y, x = _local_grid(1.25 * radius_px)
    angle = np.arctan2(*np.broadcast_arrays(y, x))
    outline = np.full(angle.shape, radius_px, dtype=np.float32)
    for harmonic in (2, 3, 4):
        bend = radius_px * rng.normal(0, 0.12 / harmonic)
        outline += bend * np.cos(harmonic * angle + rng.uniform(0, 2 * np.pi))
    outline = np.clip(outline, 0.6 * radius_px, 1.2 * radius_px)
    flatness = rng.uniform(0.15, 0.8)
    half = np.sqrt(np.maximum(outline**2 - y**2 - x**2, 0))
    thickness = 2 * flatness * pixel_size_ang * half
    return np.asarray(thickness, np.float32), np.ones_like(half, dtype=np.float32)


def add_at(canvas: Plane, patch: Plane, centre_yx_px: tuple[float, float]) -> None:
    """Add a patch of odd side to the canvas, centred on the nearest pixel, cut at the rim."""
    half = len(patch) // 2
    spans = []
    for centre, size in zip(centre_yx_px, canvas.shape, strict=True):
        start = round(centre) - half
        low, high = max(start, 0), min(start + len(patch), size)
        spans.append((slice(low, max(low, high)), slice(low - start, max(low, high) - start)))
    (to_y, from_y), (to_x, from_x) = spans
    canvas[to_y, to_x] += patch[from_y, from_x]


def _local_grid(reach_px: float) -> tuple[Plane, Plane]:
    half = int(np.ceil(reach_px)) + 1
    axis = np.arange(-half, half + 1, dtype=np.float32)
    return axis[:, None], axis[None, :]
