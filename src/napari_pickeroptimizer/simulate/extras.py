"""Further difficulties added to a finished layout, each with its own random stream.

None of them moves what lies there already, so that switching one on changes nothing else
but the truth of what it covers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.simulate.areas import Area, random_area
from napari_pickeroptimizer.simulate.regions import Kind, Layout, Placed

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

# In particle diameters.
OVERLAP_DISTANCE = (0.2, 0.8)
OVERLAP_SPOILS = 0.5
DENATURED_RADIUS = (0.45, 1.0)
SPECK_SPREAD = 0.9
DIRT_RADIUS = (0.1, 0.7)

SPECK_RADIUS_ANG = (12.0, 45.0)
PROTEIN = ("particle", "broken", "aggregate", "overlap", "denatured")


def add_extras(
    layout: Layout, settings: SimulationSettings, rng: np.random.Generator
) -> Layout:
    """Return the layout with the further difficulties of the settings."""
    streams = rng.spawn(6)
    layout = replace(
        layout, objects=tuple(replace(o, order=i) for i, o in enumerate(layout.objects))
    )
    layout = add_overlaps(layout, settings.overlap_share, streams[0])
    n_unfolded = streams[1].poisson(settings.denatured_share * settings.n_particles)
    layout = add_denatured(layout, int(n_unfolded), streams[1])
    if streams[2].random() < settings.speckle_chance:
        layout = add_specks(layout, settings.pixel_size_ang, streams[2])
    if layout.carbon is not None and streams[3].random() < settings.dirt_chance:
        layout = add_dirt(layout, streams[3])
    areas: list[Area] = []
    side = min(layout.shape_px)
    if streams[4].random() < settings.crystalline_chance:
        areas.append(
            random_area("crystalline", layout.shape_px, (0.2 * side, 0.6 * side), streams[4])
        )
    if streams[5].random() < settings.empty_chance:
        empty = random_area("empty", layout.shape_px, (0.15 * side, 0.45 * side), streams[5])
        areas.append(empty)
        layout = _emptied(layout, empty)
    return replace(layout, areas=tuple(areas))


def add_overlaps(layout: Layout, share: float, rng: np.random.Generator) -> Layout:
    """Place a second particle over or beside a share of the whole ones, 0.2 to 0.8 d away.

    Nearer than half a diameter, neither can be separated from the other: both are of the kind
    "overlap", a contaminant. Farther apart, both stay particles, only crowded.
    """
    if not share:
        return layout
    d = layout.diameter_px
    objects = list(layout.objects)
    centres = np.array([(o.y, o.x) for o in objects if o.kind in PROTEIN]).reshape(-1, 2)
    added: list[Placed] = []
    for index, one in enumerate(layout.objects):
        if one.kind != "particle":
            continue
        chance, angle = rng.random(), rng.uniform(0, 2 * np.pi)
        distance = rng.uniform(*OVERLAP_DISTANCE)
        y = one.y + d * distance * np.sin(angle)
        x = one.x + d * distance * np.cos(angle)
        near = (np.hypot(centres[:, 0] - y, centres[:, 1] - x) < OVERLAP_SPOILS * d).sum()
        spoiled = distance < OVERLAP_SPOILS
        if chance >= share or near > spoiled:
            continue  # not this one, or a third particle would lie in the heap
        kind: Kind = "overlap" if spoiled else "particle"
        objects[index] = replace(one, kind=kind)
        added.append(replace(one, kind=kind, y=y, x=x, order=len(objects) + index))
        centres = np.vstack([centres, [y, x]])
    return replace(layout, objects=(*objects, *added))


def add_denatured(layout: Layout, n: int, rng: np.random.Generator) -> Layout:
    """Place unfolded protein, as far as there is room."""
    d = layout.diameter_px
    objects = list(layout.objects)
    for _ in range(n):
        radius = d * rng.uniform(*DENATURED_RADIUS)
        for _ in range(60):
            y, x = _anywhere(layout, rng)
            # chains are loose: their outer half may touch a neighbour
            if all(np.hypot(o.y - y, o.x - x) > o.radius_px + 0.5 * radius for o in objects):
                objects.append(Placed("denatured", y, x, radius))
                break
    return replace(layout, objects=tuple(objects))


def add_specks(layout: Layout, pixel_size_ang: float, rng: np.random.Generator) -> Layout:
    """Place clusters of small dark specks (ethane, frost) anywhere."""
    d = layout.diameter_px
    area_d2 = layout.shape_px[0] * layout.shape_px[1] / d**2
    objects = list(layout.objects)
    low, high = np.log(SPECK_RADIUS_ANG)
    for _ in range(1 + rng.poisson(0.006 * area_d2)):
        y, x = _anywhere(layout, rng)
        n = int(rng.integers(3, 20))
        places = (y, x) + SPECK_SPREAD * d * rng.standard_normal((n, 2))
        for (sy, sx), radius in zip(places, np.exp(rng.uniform(low, high, n)), strict=True):
            radius_px = float(radius) / pixel_size_ang
            objects.append(Placed("ethane", float(sy), float(sx), radius_px))
    return replace(layout, objects=tuple(objects))


def add_dirt(layout: Layout, rng: np.random.Generator) -> Layout:
    """Place lumps on the carbon film; picks on them are carbon, as on all of the film."""
    d = layout.diameter_px
    area_d2 = layout.shape_px[0] * layout.shape_px[1] / d**2
    objects = list(layout.objects)
    for _ in range(5 + rng.poisson(0.2 * area_d2)):
        y, x = _anywhere(layout, rng)
        radius = d * float(np.exp(rng.uniform(*np.log(DIRT_RADIUS))))
        if layout.carbon_depth_px(np.array([y]), np.array([x]))[0] > 0:
            objects.append(Placed("dirt", y, x, radius))
    return replace(layout, objects=tuple(objects))


def _emptied(layout: Layout, area: Area) -> Layout:
    """Remove the protein from an area; its random rotations stay reserved."""
    y = np.array([o.y for o in layout.objects])
    x = np.array([o.x for o in layout.objects])
    inside = area.depth_px(y, x) > -0.3 * layout.diameter_px
    removed = [
        o.kind in PROTEIN and bool(i) for o, i in zip(layout.objects, inside, strict=True)
    ]
    return replace(
        layout,
        objects=tuple(o for o, r in zip(layout.objects, removed, strict=True) if not r),
        emptied=tuple(o for o, r in zip(layout.objects, removed, strict=True) if r),
    )


def _anywhere(layout: Layout, rng: np.random.Generator) -> tuple[float, float]:
    ny, nx = layout.shape_px
    return float(rng.uniform(0, ny)), float(rng.uniform(0, nx))
