"""Harder scenes than those of `simulate`, for a network that must know all kinds of junk.

None of what is added moves what lies on a micrograph already, and each has its own random
stream: switching one on changes nothing else but the truth of what it covers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from napari_pickeroptimizer.pretrain.ice_areas import add_crystalline, random_area, thin_ice
from napari_pickeroptimizer.settings import check_ranges, setting
from napari_pickeroptimizer.simulate import junk
from napari_pickeroptimizer.simulate.regions import Area, Kind, Layout, Placed
from napari_pickeroptimizer.simulate.shapes import ParticleModel
from napari_pickeroptimizer.simulate.simulate import add_lumps, pixels, protein_phase_rad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pickeroptimizer.simulate.scene import Specimen
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

# In particle diameters.
OVERLAP_DISTANCE = (0.2, 0.8)
OVERLAP_SPOILS = 0.5
DENATURED_RADIUS = (0.45, 1.0)
SPECK_SPREAD = 0.9
DIRT_RADIUS = (0.1, 0.7)

SPECK_RADIUS_ANG = (12.0, 45.0)
PROTEIN = ("particle", "broken", "aggregate", "overlap", "denatured")
# How small lumps are made, and their mean free path in Å.
SMALL_LUMPS: dict[Kind, tuple[junk.Lump, float]] = {
    "ethane": (junk.drop_thickness_ang, junk.DROP_MEAN_FREE_PATH_ANG),
    "dirt": (junk.drop_thickness_ang, 700.0),
}
# `SimulationSettings.defocus_spread_ang` that goes with `HARDER`.
HARDER_DEFOCUS_SPREAD_ANG = 80.0


@dataclass(frozen=True)
class HarderScenes:
    """Further difficulties, as a `Scene` of `simulate_project` and `simulate_micrograph`.

    Parameters
    ----------
    overlap_share : float
        Share of the particles that get a second one over or beside them, by default 0.
        Those nearer than half a diameter count as whole no longer.
    denatured_share : float
        Lumps of unfolded protein, as a share of `SimulationSettings.n_particles`, by
        default 0.
    speckle_chance, crystalline_chance, empty_chance, dirt_chance : float
        Chances of a micrograph to show clusters of small specks of ethane or frost, an
        area of crystalline ice, an area of thin ice without particles (which are taken
        away, not put elsewhere), and dirt on its carbon; by default all 0.

    Raises
    ------
    SettingsError
        A number is out of its range; the message names it.
    """

    overlap_share: float = setting(0.0, least=0, most=1)
    denatured_share: float = setting(0.0, least=0)
    speckle_chance: float = setting(0.0, least=0, most=1)
    crystalline_chance: float = setting(0.0, least=0, most=1)
    empty_chance: float = setting(0.0, least=0, most=1)
    dirt_chance: float = setting(0.0, least=0, most=1)

    def __post_init__(self) -> None:
        """Check every number."""
        check_ranges(self)

    def add_to(
        self, layout: Layout, settings: SimulationSettings, rng: np.random.Generator
    ) -> Layout:
        """Return the layout with the further difficulties."""
        for_overlaps, for_unfolded, for_specks, for_dirt, *for_areas = rng.spawn(6)
        layout = add_overlaps(layout, self.overlap_share, for_overlaps)
        n_unfolded = int(for_unfolded.poisson(self.denatured_share * settings.n_particles))
        layout = add_denatured(layout, n_unfolded, for_unfolded)
        added: list[Placed] = []
        if for_specks.random() < self.speckle_chance:
            added += specks(layout, settings.pixel_size_ang, for_specks)
        if layout.carbon is not None and for_dirt.random() < self.dirt_chance:
            added += dirt(layout, for_dirt)
        layout = replace(layout, objects=(*layout.objects, *added))
        areas: list[Area] = []
        if for_areas[0].random() < self.crystalline_chance:
            areas.append(random_area("crystalline", layout, (0.2, 0.6), for_areas[0]))
        if for_areas[1].random() < self.empty_chance:
            areas.append(random_area("empty", layout, (0.15, 0.45), for_areas[1]))
            layout = _emptied(layout, areas[-1])
        return replace(layout, areas=tuple(areas))

    def draw(
        self,
        specimen: Specimen,
        layout: Layout,
        settings: SimulationSettings,
        model: ParticleModel,
        streams: Sequence[np.random.Generator],
    ) -> None:
        """Draw specks and dirt, unfolded protein, and areas of other ice."""
        for_lumps, for_unfolded, for_crystalline = streams
        add_lumps(specimen, SMALL_LUMPS, layout, settings, for_lumps)
        unfolded = [o for o in layout.objects if o.kind == "denatured"]
        pixel_ang = settings.pixel_size_ang
        if unfolded:
            turn = Rotation.identity()  # a chain is random already
            chains = (
                (o, denatured_model(model, o.radius_px * pixel_ang, for_unfolded), turn)
                for o in unfolded
            )
            specimen.weak_rad += protein_phase_rad(settings, chains)
        y, x = pixels(settings)
        for area in layout.areas:
            if area.kind == "empty":
                specimen.ice_ang *= thin_ice(area, y, x)
            else:
                add_crystalline(specimen, area, y, x, pixel_ang, for_crystalline)


# All of them at once.
HARDER = HarderScenes(
    overlap_share=0.15,
    denatured_share=0.08,
    speckle_chance=0.3,
    crystalline_chance=0.25,
    empty_chance=0.25,
    dirt_chance=0.7,
)


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
            y, x = layout.anywhere(rng)
            # chains are loose: their outer half may touch a neighbour
            if all(np.hypot(o.y - y, o.x - x) > o.radius_px + 0.5 * radius for o in objects):
                objects.append(Placed("denatured", y, x, radius))
                break
    return replace(layout, objects=tuple(objects))


def specks(layout: Layout, pixel_size_ang: float, rng: np.random.Generator) -> list[Placed]:
    """Return clusters of small dark specks (ethane, frost) anywhere."""
    found = []
    low, high = np.log(SPECK_RADIUS_ANG)
    for _ in range(1 + rng.poisson(0.006 * layout.area_d2)):
        y, x = layout.anywhere(rng)
        n = int(rng.integers(3, 20))
        places = (y, x) + SPECK_SPREAD * layout.diameter_px * rng.standard_normal((n, 2))
        for (sy, sx), radius in zip(places, np.exp(rng.uniform(low, high, n)), strict=True):
            radius_px = float(radius) / pixel_size_ang
            found.append(Placed("ethane", float(sy), float(sx), radius_px))
    return found


def dirt(layout: Layout, rng: np.random.Generator) -> list[Placed]:
    """Return lumps on the carbon film; picks on them are carbon, as on all of the film."""
    found = []
    for _ in range(5 + rng.poisson(0.2 * layout.area_d2)):
        y, x = layout.anywhere(rng)
        radius = layout.diameter_px * float(np.exp(rng.uniform(*np.log(DIRT_RADIUS))))
        if layout.carbon_depth_px(y, x) > 0:
            found.append(Placed("dirt", y, x, radius))
    return found


def _emptied(layout: Layout, area: Area) -> Layout:
    """Remove the protein from an area; its random rotations stay reserved."""
    y, x = np.array([(o.y, o.x) for o in layout.objects]).reshape(-1, 2).T
    inside = area.depth_px(y, x) > -0.3 * layout.diameter_px
    removed = dict.fromkeys(
        o for o, i in zip(layout.objects, inside, strict=True) if i and o.kind in PROTEIN
    )
    kept = tuple(o for o in layout.objects if o not in removed)
    return replace(layout, objects=kept, emptied=tuple(removed))


def denatured_model(
    model: ParticleModel, radius_ang: float, rng: np.random.Generator
) -> ParticleModel:
    """Return a particle unfolded at the air-water interface.

    A share of 40 to 100 % of its points, the outermost along a random direction, leaves
    the fold and follows a random walk of 3.8 Å a residue with a stiffness of some residues,
    drawn together to the radius where it would reach farther. What is left of the fold
    stays where it is, and the chain starts there.
    """
    direction = rng.standard_normal(3)
    along = model.points_ang @ (direction / np.linalg.norm(direction))
    order = np.argsort(-along)
    n_loose = max(1, round(rng.uniform(0.4, 1.0) * len(order)))
    loose, folded = order[:n_loose], order[n_loose:]
    steps = rng.standard_normal((n_loose, 3))
    # each direction remembers the one before it
    steps = lfilter([1.0], [1.0, -0.8], steps, axis=0)
    steps *= 3.8 / np.linalg.norm(steps, axis=1, keepdims=True)
    walk = np.cumsum(steps, axis=0)
    start = model.points_ang[folded].mean(axis=0) if len(folded) else walk.mean(axis=0)
    walk += start - walk.mean(axis=0)
    reach = np.sqrt(((walk - start) ** 2).sum(axis=1).mean())
    walk = start + (walk - start) * min(1.0, 0.6 * radius_ang / reach)
    points = np.concatenate([walk, model.points_ang[folded]])
    weights = np.concatenate([model.weights[loose], model.weights[folded]])
    return ParticleModel.centred(points, weights, 2 * radius_ang)
