"""Random positions of all objects on one micrograph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.simulate.junk import carbon_film
from napari_pickeroptimizer.simulate.regions import Kind, Layout, Placed

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.scene import Scene
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

__all__ = ["Kind", "Layout", "Placed", "lay_out"]

# In particle diameters.
PARTICLE_SPACING = 0.85


def lay_out(
    settings: SimulationSettings, rng: np.random.Generator, scene: Scene | None = None
) -> Layout:
    """Return random positions of all objects on one micrograph.

    Each kind of object has its own random stream: switching one off moves none of those
    placed before it. What a scene adds comes last.
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
    objects = tuple(replace(o, order=i) for i, o in enumerate(ground.objects))
    layout = replace(layout, objects=objects)
    return layout if scene is None else scene.add_to(layout, settings, rng.spawn(1)[0])


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _near_any(discs: NDArray[np.float64], y: float, x: float) -> bool:
    """Return whether a point lies in any of (n, 3) discs: y, x, radius."""
    return bool((np.hypot(discs[:, 0] - y, discs[:, 1] - x) < discs[:, 2]).any())


class _Ground:
    """The objects placed so far, and the search for a place for the next."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.objects: list[Placed] = []

    def place(self, kind: Kind, radius_px: float, rng: np.random.Generator) -> None:
        """Place one object where it touches no other; give up after 30 attempts."""
        for _ in range(30):
            y, x = self._anywhere(rng)
            if self._free(y, x, radius_px):
                self.objects.append(Placed(kind, y, x, radius_px))
                return

    def place_cluster(self, n_members: int, rng: np.random.Generator) -> None:
        """Place an aggregate: each member 0.3 to 0.6 diameters from one before it."""
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
        """Place whole particles at random until there are `n_wanted`, or no more fit.

        Those on carbon are as many as fall there, thinned to 60 %: fewer stick.
        """
        d = self.layout.diameter_px
        n_taken = len(self.objects)
        taken = np.empty((n_taken + 60 * n_wanted, 3))
        taken[:n_taken] = [(o.y, o.x, o.radius_px + 0.4 * d) for o in self.objects] or 0.0
        counted, tries_left = 0, 60 * n_wanted
        while counted < n_wanted and tries_left > 0:
            tries_left -= 1
            y, x = self._anywhere(rng)
            on_carbon = bool(self.layout.on_carbon(np.array([y]), np.array([x]))[0])
            if on_carbon and rng.random() > 0.6:
                continue
            if _near_any(taken[:n_taken], y, x):
                continue
            taken[n_taken] = y, x, PARTICLE_SPACING * d
            n_taken += 1
            self.objects.append(Placed("particle", y, x, 0.5 * d))
            inside = bool(self.layout.inside_border(np.array([y]), np.array([x]))[0])
            counted += inside and not on_carbon

    def _anywhere(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return a random point on the micrograph or up to half a diameter outside."""
        beyond = 0.5 * self.layout.diameter_px
        ny, nx = self.layout.shape_px
        return float(rng.uniform(-beyond, ny + beyond)), float(
            rng.uniform(-beyond, nx + beyond)
        )

    def _free(self, y: float, x: float, radius_px: float) -> bool:
        return all(np.hypot(o.y - y, o.x - x) > o.radius_px + radius_px for o in self.objects)
