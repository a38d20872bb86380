"""Random positions of all objects on one micrograph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.simulate.junk import carbon_film
from napari_pickeroptimizer.simulate.regions import Kind, Layout, Placed

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.scene import Scene
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

# In particle diameters.
PARTICLE_SPACING = 0.85


def lay_out(
    settings: SimulationSettings, rng: np.random.Generator, scene: Scene | None = None
) -> Layout:
    """Return random positions of all objects on one micrograph.

    Each kind of object has its own random stream: switching one off moves none of those
    placed before it. What a scene adds comes last.
    """
    for_carbon, for_crystals, for_drops, for_clusters, for_broken, for_particles = rng.spawn(6)
    d = settings.diameter_px
    carbon = None
    if settings.carbon and for_carbon.random() < settings.carbon_chance:
        carbon = carbon_film(settings.shape_px, d, settings.pixel_size_ang, for_carbon)
    layout = Layout(settings.shape_px, d, (), carbon)
    ground = _Ground(layout)
    lumps: tuple[tuple[Kind, bool, float, np.random.Generator], ...] = (
        ("crystal", settings.ice_crystals, 1.4, for_crystals),
        ("drop", settings.ice_balls, 1.1, for_drops),
    )
    for kind, wanted, largest, stream in lumps:
        if wanted:
            for _ in range(1 + stream.poisson(0.008 * layout.area_d2)):
                radius = np.exp(stream.uniform(np.log(0.2), np.log(largest)))
                ground.place(kind, d * float(radius), stream)
    if settings.aggregates:
        for _ in range(1 + for_clusters.poisson(0.007 * layout.area_d2)):
            ground.place_cluster(int(for_clusters.integers(3, 8)), for_clusters)
    if settings.broken:
        for _ in range(1 + for_broken.poisson(0.12 * settings.n_particles)):
            ground.place("broken", 0.4 * d, for_broken)
    ground.place_particles(settings.n_particles, for_particles)
    objects = tuple(replace(o, order=i) for i, o in enumerate(ground.objects))
    layout = replace(layout, objects=objects)
    return layout if scene is None else scene.add_to(layout, settings, rng.spawn(1)[0])


class _Ground:
    """The objects placed so far, and the search for a place for the next."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.objects: list[Placed] = []

    def place(self, kind: Kind, radius_px: float, rng: np.random.Generator) -> None:
        """Place one object where it touches no other."""
        place = self._free_place(radius_px, rng)
        if place is not None:
            self.objects.append(Placed(kind, *place, radius_px))

    def place_cluster(self, n_members: int, rng: np.random.Generator) -> None:
        """Place an aggregate: each member 0.3 to 0.6 diameters from one before it."""
        d = self.layout.diameter_px
        place = self._free_place(1.2 * d, rng)
        if place is None:
            return
        members = [place]
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
        counted = 0
        for _ in range(60 * n_wanted):
            if counted == n_wanted:
                break
            y, x = self._anywhere(rng)
            on_carbon = bool(self.layout.on_carbon(y, x))
            if on_carbon and rng.random() > 0.6:
                continue
            others = taken[:n_taken]
            if (np.hypot(others[:, 0] - y, others[:, 1] - x) < others[:, 2]).any():
                continue
            taken[n_taken] = y, x, PARTICLE_SPACING * d
            n_taken += 1
            self.objects.append(Placed("particle", y, x, 0.5 * d))
            counted += bool(self.layout.inside_border(y, x)) and not on_carbon

    def _anywhere(self, rng: np.random.Generator) -> tuple[float, float]:
        return self.layout.anywhere(rng, beyond_px=0.5 * self.layout.diameter_px)

    def _free_place(
        self, radius_px: float, rng: np.random.Generator
    ) -> tuple[float, float] | None:
        """Return a point away from all objects, None after 30 attempts."""
        for _ in range(30):
            y, x = self._anywhere(rng)
            if all(np.hypot(o.y - y, o.x - x) > o.radius_px + radius_px for o in self.objects):
                return y, x
        return None
