"""Where everything lies on one micrograph, and which class a pick at a place has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.simulate.junk import CarbonFilm, carbon_film

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

Kind = Literal["particle", "broken", "aggregate", "crystal", "drop"]

# In particle diameters.
PARTICLE_SPACING = 0.85
NEAR_PARTICLE = 0.3
NEAR_CARBON = 0.25
BORDER = 0.5


@dataclass(frozen=True)
class Placed:
    """One object: what, where (pixels of the micrograph), how large (radius in px)."""

    kind: Kind
    y: float
    x: float
    radius_px: float


@dataclass(frozen=True)
class Layout:
    """All that lies on one micrograph.

    Parameters
    ----------
    shape_px : tuple of int
        (ny, nx).
    diameter_px : float
        Particle diameter.
    objects : tuple of Placed
        Whole and broken particles, members of aggregates, crystals, drops; some of them
        beyond the micrograph's rim, seen in part.
    carbon : CarbonFilm or None
        The film, where the micrograph shows one.
    """

    shape_px: tuple[int, int]
    diameter_px: float
    objects: tuple[Placed, ...]
    carbon: CarbonFilm | None

    def carbon_depth_px(
        self, y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return how deep points lie in carbon (px), -inf where there is none."""
        if self.carbon is None:
            return np.full(np.shape(y), -np.inf)
        return np.asarray(self.carbon.depth_px(np.asarray(y), np.asarray(x)), dtype=np.float64)

    def on_carbon(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say which points lie on carbon, or within a quarter of a diameter of its rim."""
        return self.carbon_depth_px(y, x) > -NEAR_CARBON * self.diameter_px

    def whole_particles(self) -> pd.DataFrame:
        """Return x, y of the whole particles that one wants to keep.

        In open ice, not in an aggregate, half a diameter or more away from the border.
        """
        return pd.DataFrame({"x": self._whole_yx_px[:, 1], "y": self._whole_yx_px[:, 0]})

    @cached_property
    def _whole_yx_px(self) -> NDArray[np.float64]:
        places = [(o.y, o.x) for o in self.objects if o.kind == "particle"]
        yx = np.array(places, dtype=np.float64).reshape(-1, 2)
        wanted = self.inside_border(yx[:, 0], yx[:, 1]) & ~self.on_carbon(yx[:, 0], yx[:, 1])
        return yx[wanted]

    def inside_border(
        self, y: NDArray[np.float64], x: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Say which points lie half a particle diameter or more inside the micrograph."""
        border = BORDER * self.diameter_px
        ny, nx = self.shape_px
        return (y >= border) & (y <= ny - 1 - border) & (x >= border) & (x <= nx - 1 - border)

    def class_at(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return the class that a pick at each point has.

        `CARBON` on carbon or within a quarter of a diameter of its rim, particle or not:
        particles on carbon are to be removed. Else `PARTICLE` within 0.3 diameters of a
        whole particle's centre, else `CONTAMINANT` (crystals, drops, aggregates, fragments,
        empty ice).
        """
        y, x = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        result = np.full(y.shape, CONTAMINANT, dtype=np.int8)
        truth = self._whole_yx_px
        if len(truth):
            distance = np.hypot(y[..., None] - truth[:, 0], x[..., None] - truth[:, 1])
            result[distance.min(axis=-1) <= NEAR_PARTICLE * self.diameter_px] = PARTICLE
        result[self.on_carbon(y, x)] = CARBON
        return result


def lay_out(settings: SimulationSettings, rng: np.random.Generator) -> Layout:
    """Draw where everything lies on one micrograph.

    Each kind of object has its own random stream: switching one off moves none of those
    placed before it.
    """
    streams = rng.spawn(6)
    carbon = None
    if settings.carbon and streams[0].random() < settings.carbon_chance:
        carbon = carbon_film(
            settings.shape_px, settings.diameter_px, settings.pixel_size_ang, streams[0]
        )
    layout = Layout(settings.shape_px, settings.diameter_px, (), carbon)
    ground = _Ground(layout)
    d = settings.diameter_px
    area_d2 = settings.shape_px[0] * settings.shape_px[1] / d**2
    if settings.ice_crystals:
        for _ in range(1 + streams[1].poisson(0.008 * area_d2)):
            ground.place("crystal", d * _log_uniform(streams[1], 0.2, 1.4), streams[1])
    if settings.ice_balls:
        for _ in range(1 + streams[2].poisson(0.008 * area_d2)):
            ground.place("drop", d * _log_uniform(streams[2], 0.2, 1.1), streams[2])
    if settings.aggregates:
        for _ in range(1 + streams[3].poisson(0.007 * area_d2)):
            ground.place_cluster(int(streams[3].integers(3, 8)), streams[3])
    if settings.broken:
        for _ in range(1 + streams[4].poisson(0.12 * settings.n_particles)):
            ground.place("broken", 0.4 * d, streams[4])
    ground.place_particles(settings.n_particles, streams[5])
    return Layout(settings.shape_px, d, tuple(ground.objects), carbon)


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


class _Ground:
    """Objects placed so far, and a place for the next one."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.objects: list[Placed] = []

    def place(self, kind: Kind, radius_px: float, rng: np.random.Generator) -> None:
        """Put one object where it touches no other; give up after 30 tries."""
        for _ in range(30):
            y, x = self._anywhere(rng)
            if self._free(y, x, radius_px):
                self.objects.append(Placed(kind, y, x, radius_px))
                return

    def place_cluster(self, n_members: int, rng: np.random.Generator) -> None:
        """Put an aggregate: each member 0.3 to 0.6 diameters from one before it."""
        d = self.layout.diameter_px
        for _ in range(30):
            y, x = self._anywhere(rng)
            if self._free(y, x, 1.2 * d):
                break
        else:
            return
        members = [(y, x)]
        while len(members) < n_members:
            from_y, from_x = members[rng.integers(len(members))]
            angle, step = rng.uniform(0, 2 * np.pi), d * rng.uniform(0.3, 0.6)
            members.append((from_y + step * np.sin(angle), from_x + step * np.cos(angle)))
        self.objects += [Placed("aggregate", my, mx, 0.5 * d) for my, mx in members]

    def place_particles(self, n_wanted: int, rng: np.random.Generator) -> None:
        """Put whole particles at random until `n_wanted` count, or no more seem to fit.

        Those on carbon are as many as fall there, thinned to 60 %: fewer stick.
        """
        d = self.layout.diameter_px
        taken = np.array([(o.y, o.x, o.radius_px + 0.4 * d) for o in self.objects]).reshape(
            -1, 3
        )
        counted, tries_left = 0, 60 * n_wanted
        while counted < n_wanted and tries_left > 0:
            tries_left -= 1
            y, x = self._anywhere(rng)
            on_carbon = bool(self.layout.on_carbon(np.array([y]), np.array([x]))[0])
            if on_carbon and rng.random() > 0.6:
                continue
            if (np.hypot(taken[:, 0] - y, taken[:, 1] - x) < taken[:, 2]).any():
                continue
            taken = np.vstack([taken, [y, x, PARTICLE_SPACING * d]])
            self.objects.append(Placed("particle", y, x, 0.5 * d))
            inside = bool(self.layout.inside_border(np.array([y]), np.array([x]))[0])
            counted += inside and not on_carbon

    def _anywhere(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return a point of the micrograph or up to half a diameter beyond its rim."""
        beyond = 0.5 * self.layout.diameter_px
        ny, nx = self.layout.shape_px
        return float(rng.uniform(-beyond, ny + beyond)), float(
            rng.uniform(-beyond, nx + beyond)
        )

    def _free(self, y: float, x: float, radius_px: float) -> bool:
        return all(np.hypot(o.y - y, o.x - x) > o.radius_px + radius_px for o in self.objects)
