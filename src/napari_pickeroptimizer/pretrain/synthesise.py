"""Categories of boxes from simulated micrographs of any protein, with every kind of junk.

Each micrograph is simulated at the network's own resolution (a box of 1.5 diameters is 48
pixels), with imaging conditions drawn anew: what a network learns from them must hold for
whatever comes next.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from glob import escape
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.boxes import cut_windows, working_image
from napari_pickeroptimizer.errors import BoxSetError, SettingsError
from napari_pickeroptimizer.pretrain.harder_scenes import HARDER, HARDER_DEFOCUS_SPREAD_ANG
from napari_pickeroptimizer.pretrain.write import BOX_FACTOR, BOX_PX, WINDOW_SIDE, WindowWriter
from napari_pickeroptimizer.settings import check_ranges, setting
from napari_pickeroptimizer.simulate import (
    SimulatedMicrograph,
    SimulationSettings,
    simulate_micrograph,
)
from napari_pickeroptimizer.simulate.structures import read_structure, structure_suffix

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.shapes import ParticleModel

Points = NDArray[np.float64]
# Entry, number of boxes by category, files.
Written = tuple[str, dict[str, int], tuple[Path, ...]]

DIAMETER_PX = BOX_PX / BOX_FACTOR
SIDE_PX = 900
PARTICLES = (40, 220)  # on a micrograph of that side
# Most boxes of a kind from one micrograph.
MOST = {
    "particle": 60,
    "other_displaced": 25,
    "contaminant_crystalline": 25,
    "contaminant_empty": 25,
    "carbon_film": 25,
    "carbon_rim": 15,
    "carbon_particle": 12,
}
MOST_OTHER = 16
# In particle diameters: centring error of a picker, and what a displaced pick is.
JITTER_SIGMA = 0.04
DISPLACED = (0.35, 0.9)
EMPTY_DISTANCE = 0.7
LUMPS = ("crystal", "drop", "ethane")  # large ones give several boxes
JUNK = ("broken", "aggregate", "overlap", "denatured", *LUMPS)


@dataclass(frozen=True)
class SynthesisSettings:
    """Settings of the simulated set.

    Parameters
    ----------
    structures : tuple of Path
        Atomic models and maps; each becomes a category of particles, and an entry.
    n_micrographs : int
        Micrographs of each.
    n_workers : int
        Processes; the result does not depend on it.
    side_px : int
        Side of the micrographs; particles are 32 px across.
    overwrite : bool
        Replace stacks of an earlier run.
    seed : int
        Seed of everything random.
    """

    structures: tuple[Path, ...]
    n_micrographs: int = setting(20, least=1)
    n_workers: int = setting(1, least=1)
    side_px: int = setting(SIDE_PX, least=4 * DIAMETER_PX)
    overwrite: bool = False
    seed: int = setting(0, least=0)

    def __post_init__(self) -> None:
        if not self.structures:
            raise SettingsError("no structure is given: name PDB, mmCIF or MRC files.")
        check_ranges(self)
        names = [entry_name(path) for path in self.structures]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise SettingsError(
                f"{len(twice)} structures share a name ({sorted(twice)[0]}): an entry is called "
                "by its file's name, rename one."
            )


@dataclass(frozen=True)
class StructureSynthesised:
    """All boxes of one structure were written: their number by category."""

    entry: str
    counts: dict[str, int]
    paths: tuple[Path, ...]
    progress: float


def entry_name(structure: Path) -> str:
    """Return the entry's name of a structure file.

    Examples
    --------
    >>> entry_name(Path("models/1aon.pdb.gz"))
    'sim_1aon'
    """
    return f"sim_{structure.name.split('.')[0]}"


def synthesise(
    settings: SynthesisSettings, folder: str | Path
) -> Iterator[StructureSynthesised]:
    """Simulate micrographs of each structure and write their boxes as categories.

    Particles become ``particle_<structure>``; junk becomes ``contaminant_<kind>``,
    ``carbon_film``, ``carbon_rim`` and ``carbon_particle`` (a particle on carbon). A pick that
    lies beside a particle is ``other_displaced``, of no class: whether it is good enough is
    for the user's labels to say.

    Raises
    ------
    BoxSetError
        A stack is there already.
    StructureReadError
        A structure cannot be read.
    """
    folder = Path(folder)
    for structure in settings.structures:
        structure_suffix(structure)  # before hours of work on the others
        there = _stacks(folder, structure)
        if there and not settings.overwrite:
            raise BoxSetError(f"{there[0]} is there already: pass --overwrite to replace it.")
    for i, (entry, counts, paths) in enumerate(_synthesised(settings, folder), start=1):
        yield StructureSynthesised(entry, counts, paths, i / len(settings.structures))


def _synthesised(settings: SynthesisSettings, folder: Path) -> Iterator[Written]:
    """Yield the files of each structure as soon as they are written."""
    if settings.n_workers == 1:
        for structure in settings.structures:
            yield synthesise_structure(structure, settings, folder)
        return
    with ProcessPoolExecutor(settings.n_workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(synthesise_structure, structure, settings, folder)
            for structure in settings.structures
        ]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:  # after an error, or closed: the others need not begin
            pool.shutdown(wait=False, cancel_futures=True)


def _stacks(folder: Path, structure: Path) -> list[Path]:
    """Return the existing stacks of a structure's entry."""
    return sorted(folder.glob(f"*/{escape(entry_name(structure))}.mrcs"))


def synthesise_structure(
    structure: Path, settings: SynthesisSettings, folder: Path
) -> Written:
    """Write the boxes of one structure; return entry, number of boxes by category, files."""
    entry = entry_name(structure)
    model = read_structure(structure)
    before = _stacks(folder, structure)
    writers: dict[str, WindowWriter] = {}
    with ExitStack() as stack:
        for i in range(settings.n_micrographs):
            rng = np.random.default_rng([settings.seed, crc32(entry.encode()), i])
            conditions = drawn_conditions(model, rng, settings.side_px)
            micrograph = simulate_micrograph(conditions, rng, model, HARDER)
            image = working_image(
                micrograph.image, BoxSettings(DIAMETER_PX, None, BOX_FACTOR, BOX_PX)
            )
            for kind, coords in places_by_kind(micrograph, rng).items():
                name = f"particle_{entry[4:]}" if kind == "particle" else kind
                if name not in writers:
                    path = folder / name / f"{entry}.mrcs"
                    writers[name] = stack.enter_context(WindowWriter(path))
                writers[name].append(cut_windows(image, coords, WINDOW_SIDE).pixels)
    counts = {name: writer.n_written for name, writer in sorted(writers.items())}
    paths = tuple(writers[name].path for name in counts)
    for path in set(before) - set(paths):  # of an earlier run, which found boxes for it
        path.unlink()
    return entry, counts, paths


def drawn_conditions(
    model: ParticleModel, rng: np.random.Generator, side_px: int
) -> SimulationSettings:
    """Draw random microscope, ice and rendering settings for one micrograph.

    The diameter that a user would give is off by up to 15 %. About half of the images are
    low-passed and a third flattened, as denoised and contrast-enhanced renderings are.
    """
    diameter = model.diameter_ang
    pixel_ang = diameter * rng.uniform(0.85, 1.15) / DIAMETER_PX
    defocus = rng.uniform(0.6, 3.5)
    low_pass_px = rng.uniform(3.0, 14.0) if rng.random() < 0.55 else 0.0
    flatten_px = rng.uniform(80.0, 250.0) if rng.random() < 0.35 else 0.0
    return SimulationSettings(
        n_micrographs=1,
        n_particles=max(1, round(rng.integers(*PARTICLES) * (side_px / SIDE_PX) ** 2)),
        shape_px=(side_px, side_px),
        pixel_size_ang=pixel_ang,
        diameter_ang=diameter,
        defocus_um=(defocus, defocus),
        voltage_kv=float(rng.choice([200.0, 300.0])),
        amplitude_contrast=rng.uniform(0.07, 0.12),
        envelope_b_ang2=rng.uniform(50.0, 500.0),
        dose_e_per_ang2=float(np.exp(rng.uniform(np.log(8.0), np.log(80.0)))),
        ice_thickness_ang=(1.05 * diameter + 20.0, rng.uniform(1.2, 4.0) * diameter + 150.0),
        carbon_chance=0.8,
        defocus_spread_ang=HARDER_DEFOCUS_SPREAD_ANG,
        low_pass_ang=low_pass_px * pixel_ang,
        flatten_ang=flatten_px * pixel_ang,
    )


def places_by_kind(
    micrograph: SimulatedMicrograph, rng: np.random.Generator
) -> dict[str, Points]:
    """Return (n, 2) centres (y, x) in pixels by kind: ``particle`` or a category's name."""
    layout = micrograph.regions
    d = layout.diameter_px
    objects = layout.objects
    kinds = np.array([o.kind for o in objects])
    yx = np.array([(o.y, o.x) for o in objects]).reshape(-1, 2)
    reach = np.array([o.radius_px if o.kind in LUMPS else 0.0 for o in objects])
    whole = micrograph.truth[["y", "x"]].to_numpy(dtype=np.float64)
    places: dict[str, Points] = {}

    def put(name: str, coords: Points) -> None:
        keep = layout.inside_border(coords[:, 0], coords[:, 1])
        if not name.startswith("carbon_"):
            keep &= ~layout.on_carbon(coords[:, 0], coords[:, 1])
            if name != "contaminant_crystalline":
                keep &= ~layout.in_crystalline_ice(coords[:, 0], coords[:, 1])
        coords = coords[keep]
        if len(coords):
            places[name] = rng.permutation(coords)[: MOST.get(name, MOST_OTHER)]

    put("particle", whole + JITTER_SIGMA * d * rng.standard_normal(whole.shape))
    direction = _directions(len(whole), rng)
    beside = whole + direction * (d * rng.uniform(*DISPLACED, (len(whole), 1)))
    particles = yx[np.isin(kinds, ("particle", "overlap"))]
    put("other_displaced", _away(beside, particles, DISPLACED[0] * d))
    for kind in JUNK:
        of_kind = kinds == kind
        n_each = 3 if kind in LUMPS else 1
        centres = np.repeat(yx[of_kind], n_each, axis=0)
        spread = np.repeat(np.maximum(0.0, reach[of_kind] - 0.4 * d), n_each)
        shift = _directions(len(centres), rng) * np.sqrt(rng.random((len(centres), 1)))
        coords = centres + shift * spread[:, None]
        coords = coords + 1.5 * JITTER_SIGMA * d * rng.standard_normal(coords.shape)
        put(f"contaminant_{kind}", _away(coords, whole, DISPLACED[0] * d))

    anywhere = rng.uniform(0, layout.shape_px, size=(3000, 2))
    crystalline = layout.in_crystalline_ice(anywhere[:, 0], anywhere[:, 1])
    put("contaminant_crystalline", anywhere[crystalline])
    gap = np.hypot(anywhere[:, :1] - yx[:, 0], anywhere[:, 1:] - yx[:, 1]) - reach
    put("contaminant_empty", anywhere[(gap > EMPTY_DISTANCE * d).all(axis=1)])
    depth = layout.carbon_depth_px(anywhere[:, 0], anywhere[:, 1])
    put("carbon_film", anywhere[depth > 0.6 * d])
    put("carbon_rim", anywhere[(depth > -0.25 * d) & (depth < 0.6 * d)])
    on_film = yx[(kinds == "particle") | (kinds == "dirt")]
    on_film = on_film[layout.carbon_depth_px(on_film[:, 0], on_film[:, 1]) > 0.2 * d]
    put("carbon_particle", on_film)
    return places


def _directions(n: int, rng: np.random.Generator) -> Points:
    """Return (n, 2) unit vectors."""
    angle = rng.uniform(0, 2 * np.pi, n)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1)


def _away(coords: Points, others: Points, least_px: float) -> Points:
    """Return the points that have none of the others within `least_px`."""
    distance = np.hypot(coords[:, :1] - others[:, 0], coords[:, 1:] - others[:, 1])
    return coords[(distance > least_px).all(axis=1)]
