"""The objects on one micrograph, and the true class of a pick at any position."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.junk import CarbonFilm

Kind = Literal[
    "particle", "broken", "aggregate", "overlap", "denatured",
    "crystal", "drop", "ethane", "dirt",
]  # fmt: skip
AreaKind = Literal["crystalline", "empty"]

Numbers = NDArray[np.float64] | float

# In particle diameters.
NEAR_PARTICLE = 0.3
NEAR_CARBON = 0.25
BORDER = 0.5
COVERED = 0.3


@dataclass(frozen=True)
class Placed:
    """One object: kind, position (micrograph pixels) and size (radius in px).

    `order` is its place in drawing: the random turn it gets, whatever else is switched on.
    """

    kind: Kind
    y: float
    x: float
    radius_px: float
    order: int = 0


@dataclass(frozen=True)
class Area:
    """An irregular disc of different ice.

    Parameters
    ----------
    kind : {"crystalline", "empty"}
        Crystalline ice (a pick there is a contaminant, whatever lies under it), or thin
        ice without particles.
    centre_yx_px : tuple of float
        May lie outside the micrograph.
    radius_px : float
        Mean radius.
    waves : (n, 3) float64
        The outline's roughness: amplitude in px, harmonic, phase.
    """

    kind: AreaKind
    centre_yx_px: tuple[float, float]
    radius_px: float
    waves: NDArray[np.float64]

    def depth_px(
        self, y: NDArray[np.floating], x: NDArray[np.floating]
    ) -> NDArray[np.floating]:
        """Return the depth of points inside the area in px, negative outside."""
        dy, dx = np.broadcast_arrays(y - self.centre_yx_px[0], x - self.centre_yx_px[1])
        angle = np.linspace(-np.pi, np.pi, 721)
        outline = self.radius_px + sum(
            amplitude * np.cos(harmonic * angle + phase)
            for amplitude, harmonic, phase in self.waves
        )
        return np.asarray(
            np.interp(np.arctan2(dy, dx), angle, np.broadcast_to(outline, angle.shape))
            - np.hypot(dy, dx)
        )


@dataclass(frozen=True)
class Layout:
    """All objects on one micrograph.

    Parameters
    ----------
    shape_px : tuple of int
        (ny, nx).
    diameter_px : float
        Particle diameter.
    objects : tuple of Placed
        Whole, broken, overlapping and unfolded particles, members of aggregates, crystals,
        drops, specks, dirt; some of them beyond the micrograph's rim, seen in part.
    carbon : CarbonFilm or None
        The film, where the micrograph shows one.
    areas : tuple of Area
        Crystalline ice, and thin ice without particles.
    emptied : tuple of Placed
        What an empty area has taken away.
    """

    shape_px: tuple[int, int]
    diameter_px: float
    objects: tuple[Placed, ...]
    carbon: CarbonFilm | None
    areas: tuple[Area, ...] = ()
    emptied: tuple[Placed, ...] = ()

    @property
    def area_d2(self) -> float:
        """Area of the micrograph in squared particle diameters."""
        return self.shape_px[0] * self.shape_px[1] / self.diameter_px**2

    def anywhere(
        self, rng: np.random.Generator, beyond_px: float = 0.0
    ) -> tuple[float, float]:
        """Return a random point (y, x) on the micrograph or up to `beyond_px` outside."""
        ny, nx = self.shape_px
        y, x = rng.uniform(-beyond_px, (ny + beyond_px, nx + beyond_px))
        return float(y), float(x)

    def carbon_depth_px(self, y: Numbers, x: Numbers) -> NDArray[np.float64]:
        """Return the depth of points in carbon in px, -inf without carbon."""
        if self.carbon is None:
            return np.full(np.shape(y), -np.inf)
        return np.asarray(self.carbon.depth_px(np.asarray(y), np.asarray(x)), dtype=np.float64)

    def on_carbon(self, y: Numbers, x: Numbers) -> NDArray[np.bool_]:
        """Return which points lie on carbon, or within a quarter of a diameter of its rim."""
        return self.carbon_depth_px(y, x) > -NEAR_CARBON * self.diameter_px

    def in_crystalline_ice(self, y: Numbers, x: Numbers) -> NDArray[np.bool_]:
        """Return which points lie in crystalline ice, or within a quarter diameter of its rim."""
        inside = np.zeros(np.shape(y), dtype=bool)
        for area in self.areas:
            if area.kind == "crystalline":
                depth = area.depth_px(np.asarray(y), np.asarray(x))
                inside |= depth > -NEAR_CARBON * self.diameter_px
        return inside

    def whole_particles(self) -> pd.DataFrame:
        """Return x, y of the whole particles in open ice, the true particles.

        In open vitreous ice, not in an aggregate or overlap, no speck or unfolded protein
        within 0.3 diameters, half a diameter or more away from the border.
        """
        return pd.DataFrame({"x": self._whole_yx_px[:, 1], "y": self._whole_yx_px[:, 0]})

    @cached_property
    def _whole_yx_px(self) -> NDArray[np.float64]:
        places = [(o.y, o.x) for o in self.objects if o.kind == "particle"]
        yx = np.array(places, dtype=np.float64).reshape(-1, 2)
        wanted = self.inside_border(yx[:, 0], yx[:, 1]) & ~self.on_carbon(yx[:, 0], yx[:, 1])
        wanted &= ~self.in_crystalline_ice(yx[:, 0], yx[:, 1])
        for cover in self.objects:
            if cover.kind in ("ethane", "denatured"):
                distance = np.hypot(yx[:, 0] - cover.y, yx[:, 1] - cover.x)
                wanted &= distance > COVERED * self.diameter_px
        return yx[wanted]

    def inside_border(self, y: Numbers, x: Numbers) -> NDArray[np.bool_]:
        """Return which points lie half a particle diameter or more inside the micrograph."""
        border = BORDER * self.diameter_px
        ny, nx = self.shape_px
        y, x = np.asarray(y), np.asarray(x)
        return (y >= border) & (y <= ny - 1 - border) & (x >= border) & (x <= nx - 1 - border)

    def class_at(self, y: Numbers, x: Numbers) -> NDArray[np.int8]:
        """Return the true class of a pick at each point.

        `CARBON` on carbon or within a quarter of a diameter of its rim, particle or not:
        particles on carbon are to be removed. Else `CONTAMINANT` in crystalline ice. Else
        `PARTICLE` within 0.3 diameters of the centre of a particle as `whole_particles`
        lists them, else `CONTAMINANT` (crystals, drops, specks, aggregates, overlaps,
        fragments, unfolded protein, empty ice).
        """
        y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        result = np.full(y.shape, CONTAMINANT, dtype=np.int8)
        truth = self._whole_yx_px
        if len(truth):
            distance = np.hypot(y[..., None] - truth[:, 0], x[..., None] - truth[:, 1])
            result[distance.min(axis=-1) <= NEAR_PARTICLE * self.diameter_px] = PARTICLE
        result[self.in_crystalline_ice(y, x)] = CONTAMINANT
        result[self.on_carbon(y, x)] = CARBON
        return result
