"""Lay out the development targets of the fine-tuning, at the working resolution.

    python benchmarks/make_targets.py --project EMPIAR10017 --data DATA --structures DIR OUTPUT

A data set becomes a folder: micrographs in which a particle is 32 pixels wide (so that a variant
of the fine-tuning costs minutes), ``pools/*.star`` with labelled picks to draw from and to test
on, and ``lists/*.star`` with picks as a picker leaves them.

empiar10017   hand labels; the lists of six pickers, whole, cut at the picker's median score,
              and at random to 50, 25 and 10 %; the experts' centres
empiar10028   80S ribosome, empiar10059: TRPV1; a loose blob picker's picks, true on a centre,
              false beyond half a diameter from every mask and fainter than nearly all true ones
              (a quarter of the ribosomes is in no mask). These labels are noisy: they serve
              comparisons
off_centre    a second pool of each of them: particles, and the same 0.4 to 0.8 diameters off
sim_*         six simulated proteins, three typed classes
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import torch
from empiar10017 import DIAMETER_PX, PICKERS, open_project
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree
from simulated_targets import PIXELS_A_DIAMETER, TARGETS, find_structure, simulated, simulation
from torch.nn import functional

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.io import read_picks, write_new_star
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.simulate.structures import read_structure

WORKING_DIAMETER_PX = 32.0
MORE_PICKERS = ("casper", "cryolo", "gautomatch")  # of empiar10017_casper_labels
SHARES = {"50": 0.5, "25": 0.25, "10": 0.1}
# Masked sets: particle diameter in pixels of the image.
MASKED = {
    "empiar10028": ("empiar10028_80S_ribosome", 55.0),
    "empiar10059": ("empiar10059_TRPV1", 35.2),
}
OFF_CENTRE = (0.4, 0.8)  # diameters
DOUBTFUL = 0.1  # quantile of the true picks' darkness
SIMULATION_SEED = 1000


class DataSet:
    """A folder that is being written: micrographs, pools and lists.

    Parameters
    ----------
    root : Path
        The folder.
    diameter_px : float
        Particle diameter in pixels of the images that are given.
    """

    def __init__(self, root: Path, diameter_px: float) -> None:
        self.root, self.scale = root, WORKING_DIAMETER_PX / diameter_px
        for name in ("micrographs", "pools", "lists"):
            (root / name).mkdir(parents=True, exist_ok=True)
        write_record(root, "micrographs", WORKING_DIAMETER_PX)

    def add_micrograph(self, name: str, image: NDArray[np.float32]) -> None:
        """Write a micrograph at the working resolution, its grey levels as they are."""
        size = [round(side * self.scale) for side in image.shape]
        pixels = torch.from_numpy(np.array(image, np.float32))[None, None]
        small = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
        with mrcfile.new(self.root / "micrographs" / f"{name}.mrc", overwrite=True) as file:
            file.set_data(small[0, 0].numpy())

    def add(self, kind: str, name: str, picks: Picks) -> None:
        """Write picks, given in pixels of the original images, as pool or list."""
        table = picks.table
        coords = (picks.coords_yx_px() + 0.5) * self.scale - 0.5
        names = [f"micrographs/{Path(str(m)).stem}.mrc" for m in table["micrograph"]]
        write_pool(self.root / kind / f"{name}.star", names, coords, picks.labels)


def write_record(root: Path, micrographs: str, diameter_px: float) -> None:
    """Write where a data set's micrographs are, and how wide a particle is."""
    record = {"micrographs": micrographs, "diameter_px": diameter_px}
    (root / "dataset.json").write_text(json.dumps(record))


def write_pool(
    path: Path, names: list[str], coords_yx_px: NDArray[np.float64], labels: NDArray[np.int8]
) -> None:
    """Write micrographs, centres (y, x) and labels, and nothing else, to a STAR file."""
    y, x = coords_yx_px.T
    write_new_star(Picks.from_arrays(names, x, y, label=labels), path)


def picks_of(coords: dict[str, NDArray[np.float64]], label: int) -> Picks:
    """Return picks with one label from (n, 2) centres (y, x) by micrograph."""
    names = [name for name, yx in coords.items() for _ in yx]
    stacked = np.concatenate([np.empty((0, 2)), *coords.values()])
    return Picks.from_arrays(names, stacked[:, 1], stacked[:, 0], label=label)


def coords_of(picks: Picks) -> dict[str, NDArray[np.float64]]:
    """Return (n, 2) centres (y, x) by the micrograph's stem."""
    coords = picks.coords_yx_px()
    return {Path(name).stem: coords[rows] for name, rows in picks.rows_by_micrograph().items()}


def displaced(
    particles: dict[str, NDArray[np.float64]],
    centres: dict[str, NDArray[np.float64]],
    diameter_px: float,
    rng: np.random.Generator,
) -> dict[str, NDArray[np.float64]]:
    """Return the particles 0.4 to 0.8 diameters off, and as far from every other centre."""
    result = {}
    for name, yx in particles.items():
        angle = rng.uniform(0, 2 * np.pi, len(yx))
        distance = rng.uniform(*OFF_CENTRE, len(yx)) * diameter_px
        moved = yx + distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        nearest, _ = cKDTree(np.concatenate([yx, centres[name]])).query(moved)
        result[name] = moved[nearest >= OFF_CENTRE[0] * diameter_px]
    return result


def inside(
    coords: dict[str, NDArray[np.float64]],
    shapes: dict[str, tuple[int, ...]],
    margin_px: float,
) -> dict[str, NDArray[np.float64]]:
    """Return the centres that lie farther than a margin from the border."""
    kept = {}
    for name, yx in coords.items():
        limit = np.array(shapes[name]) - margin_px
        kept[name] = yx[((yx >= margin_px) & (yx < limit)).all(axis=1)]
    return kept


def thinned(picks: Picks, share: float, seed: int) -> Picks:
    """Return a random share of picks."""
    rng = np.random.default_rng([seed, round(share * 100)])
    n = round(share * len(picks))
    return picks.select(np.sort(rng.choice(len(picks), n, replace=False)))


def add_lists(
    data: DataSet, name: str, picks: Picks, score: NDArray[np.float64] | None
) -> None:
    """Write a picker's list, whole and incomplete."""
    data.add("lists", name, picks)
    if score is not None:
        data.add(
            "lists", f"{name}_cut", picks.select(np.flatnonzero(score >= np.median(score)))
        )
    for suffix, share in SHARES.items():
        data.add("lists", f"{name}_{suffix}", thinned(picks, share, seed=0))


def make_empiar10017(project_root: Path, casper: Path, root: Path) -> None:
    project = open_project(project_root)
    data = DataSet(root, DIAMETER_PX)
    shapes = {}
    for micrograph in project.micrographs:
        image = micrograph.read()
        stem = Path(micrograph.name).stem
        shapes[stem] = image.shape
        data.add_micrograph(stem, image)
    data.add("pools", "hand", project.labels)
    for picker in PICKERS:
        picks = project.picks(picker)
        add_lists(data, picker, picks.with_labels(UNLABELLED), score_of(picks))
    for picker in MORE_PICKERS:
        parts = []
        for path in sorted((casper / "picks" / picker).glob("*.star")):
            part = read_picks(path)
            parts.append(part.with_columns(micrograph=np.full(len(part), path.stem)))
        picks = concatenate(parts)
        add_lists(data, picker, picks.with_labels(UNLABELLED), score_of(picks))
    hand = project.labels.select(np.flatnonzero(project.labels.labels == PARTICLE))
    experts = read_picks(project_root / "truth.star").with_labels(UNLABELLED)
    data.add("lists", "experts", experts)
    centres = coords_of(experts)
    false = project.labels.select(np.flatnonzero(project.labels.labels != PARTICLE))
    rng = np.random.default_rng(0)
    off = inside(displaced(coords_of(hand), centres, DIAMETER_PX, rng), shapes, 90.0)
    add_off_centre(data, coords_of(hand), off, picks_of(coords_of(false), CONTAMINANT))


def add_off_centre(
    data: DataSet,
    particles: dict[str, NDArray[np.float64]],
    off: dict[str, NDArray[np.float64]],
    false: Picks,
) -> None:
    """Write the pool of particles and off-centre picks, and the list of both and `false`."""
    pool = concatenate([picks_of(particles, PARTICLE), picks_of(off, CONTAMINANT)])
    data.add("pools", "off_centre", pool)
    whole = concatenate([pool, false]).with_labels(UNLABELLED)
    data.add("lists", "off_centre", whole)
    data.add("lists", "off_centre_25", thinned(whole, SHARES["25"], seed=1))


def score_of(picks: Picks) -> NDArray[np.float64] | None:
    """Return the picker's score, None where it wrote none."""
    if "picker_score" not in picks.table:
        return None
    score = picks.table["picker_score"].to_numpy(dtype=np.float64)
    return score if np.ptp(score) > 0 else None


def blob_picks(
    image: NDArray[np.float32], diameter_px: float, n: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return (n, 2) centres and the responses of the n darkest blobs, half a diameter apart."""
    wide, narrow = (ndimage.gaussian_filter(image, diameter_px * s) for s in (0.6, 0.22))
    response = wide - narrow  # particles are dark
    peak = response == ndimage.maximum_filter(response, size=round(0.6 * diameter_px))
    margin = round(0.5 * diameter_px)
    peak[:margin] = peak[-margin:] = False
    peak[:, :margin] = peak[:, -margin:] = False
    yx = np.argwhere(peak)
    order = np.argsort(response[peak])[::-1][:n]
    return np.asarray(yx[order], dtype=np.float64), response[peak][order]


def make_masked(folder: Path, diameter_px: float, root: Path) -> None:
    data = DataSet(root, diameter_px)
    picked, true, false, centres, shapes = {}, {}, {}, {}, {}
    for path in sorted((folder / "micrographs").glob("*.png")):
        name = path.stem
        image = np.asarray(Image.open(path).convert("F"), dtype=np.float32)
        shapes[name] = image.shape
        data.add_micrograph(name, image)
        mask = Image.open(folder / "masks" / path.name).convert("L").resize(image.shape[::-1])
        away = ndimage.distance_transform_edt(np.asarray(mask) < 127)
        xy = np.loadtxt(folder / "centres" / f"{name}.csv", delimiter=",", skiprows=1)
        centres[name] = xy[:, ::-1].copy()
        yx, response = blob_picks(image, diameter_px, n=round(2.5 * len(xy)))
        picked[name] = yx
        distance, _ = cKDTree(centres[name]).query(yx)
        is_true = distance <= 0.25 * diameter_px
        true[name] = yx[is_true]
        # as dark as the particles: perhaps one of those that are in no mask
        doubtful = response >= np.quantile(response[is_true], DOUBTFUL)
        at = away[tuple(yx.astype(int).T)]
        false[name] = yx[(at > 0.5 * diameter_px) & ~doubtful]
    data.add(
        "pools", "blobs", concatenate([picks_of(true, PARTICLE), picks_of(false, CONTAMINANT)])
    )
    add_lists(data, "blobs", picks_of(picked, UNLABELLED), None)
    within = inside(centres, shapes, 0.5 * diameter_px)
    off = displaced(within, centres, diameter_px, np.random.default_rng(0))
    off = inside(off, shapes, 0.5 * diameter_px)
    add_off_centre(data, within, off, picks_of(false, CONTAMINANT))


def make_simulated(structure: Path, root: Path) -> None:
    diameter_ang = round(read_structure(structure).diameter_ang, 1)
    simulated(root, simulation(structure, diameter_ang, SIMULATION_SEED))
    write_record(root, "micrographs.star", PIXELS_A_DIAMETER)
    for kind in ("pools", "lists"):
        (root / kind).mkdir(exist_ok=True)
    picks = read_picks(root / "picks_truth.star")
    files = {"pools/typed": picks, "lists/picks": picks.with_labels(UNLABELLED)}
    for suffix, share in SHARES.items():
        files[f"lists/picks_{suffix}"] = thinned(files["lists/picks"], share, seed=0)
    for name, some in files.items():
        names = some.table["micrograph"].tolist()
        write_pool(root / f"{name}.star", names, some.coords_yx_px(), some.labels)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--project", type=Path, required=True, help="of make_empiar10017.py")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the real data sets"
    )
    parser.add_argument("--structures", type=Path, required=True)
    parser.add_argument("output", type=Path)
    args = parser.parse_args()
    makers: dict[str, Callable[[Path], None]] = {
        "empiar10017": lambda root: make_empiar10017(
            args.project, args.data / "empiar10017_casper_labels", root
        ),
        **{
            name: lambda root, at=at: make_masked(args.data / at[0], at[1], root)
            for name, at in MASKED.items()
        },
        **{
            f"sim_{target}": lambda root, target=target: make_simulated(
                find_structure(args.structures, target), root
            )
            for target in TARGETS
        },
    }
    for name, make in makers.items():
        make(args.output / name)
        root = args.output / name
        sizes = {
            path.stem: len(read_picks(path)) for path in sorted(root.glob("lists/*.star"))
        }
        pools = {
            path.stem: np.bincount(read_picks(path).labels).tolist()
            for path in sorted(root.glob("pools/*.star"))
        }
        print(name, "pools (by class)", pools, "lists", sizes, flush=True)


if __name__ == "__main__":
    main()
