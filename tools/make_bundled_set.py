"""Lay out the boxes that the bundled weights are trained on.

    python tools/make_bundled_set.py --data DATA --output SET [--workers 2]
    pickeroptimizer pretrain --data SET --output bundled.safetensors ...

The whole commands stand in docs/reference/model-card.md.

DATA holds `structures/` (atomic models and maps), `micassess/` (small micrographs sorted by
experts), `micrograph_cleaner/` (a micrograph with an ice ball and its mask), and micrographs of
the 80S ribosome (EMPIAR-10028), of TRPV1 (EMPIAR-10059) and of EMPIAR-10947 with experts' masks
of the particles. Structures of HELD_OUT are left to the benchmarks; nothing of beta-galactosidase
and of apoferritin is used at all.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import mrcfile
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import (
    distance_transform_edt,
    gaussian_filter,
    gaussian_laplace,
    maximum_filter,
)
from scipy.spatial import cKDTree

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.boxes import cut_windows, working_image
from napari_pickeroptimizer.pretrain.synthesise import (
    DISPLACED,
    JITTER_SIGMA,
    SynthesisSettings,
    synthesise,
)
from napari_pickeroptimizer.pretrain.write import WINDOW_SIDE, write_windows

# Targets of benchmarks/simulated_targets.py, and GroEL's other model.
HELD_OUT = ("1igy", "3sn6", "4zxb", "1aon", "1MNF", "pdb3enl", "1y1v")
# Maps that do not tell their voxel size.
UNSCALED = ("clean70SRibosome_vol_65p", "densityMap")
# Imagined particle diameters, px: the same junk looks different beside other particles.
MICASSESS_DIAMETERS = (14, 22, 34)
CLEANER_DIAMETERS = (40, 80, 120)
MICASSESS = {  # first letter of the experts' folder: category, boxes of each image
    "2": ("contaminant_dirt", 12),
    "3": ("contaminant_empty", 12),
    "4": ("contaminant_crystalline", 25),
    "5": ("contaminant_empty", 12),
}
# Folder and particle diameter, px, of masked sets whose particles can be seen.
MASKED = {
    "empiar10028": ("empiar10028_80S_ribosome", 55.0),
    "empiar10059": ("empiar10059_TRPV1", 35.2),
}
# Micrographs with film and ice whose particles can hardly be seen; imagined diameters, px.
TEXTURE = ("empiar10947", (30.0, 60.0))
N_EMPTY = 40  # boxes of a micrograph; as many displaced ones for each particle
FAINT = 0.1  # quantile of the particles' darkness

Image2D = NDArray[np.float32]
Points = NDArray[np.float64]


def windows_at(image: Image2D, coords_yx_px: Points, diameter_px: float) -> Image2D:
    """Cut (n, side, side) standardised windows."""
    working = working_image(image, BoxSettings(diameter_px=diameter_px))
    return cut_windows(working, coords_yx_px, WINDOW_SIDE).pixels[:, 0].numpy()


def anywhere(image: Image2D, diameter_px: float, n: int, rng: np.random.Generator) -> Points:
    """Return n random points, away from the border."""
    margin = min(0.6 * diameter_px, 0.2 * min(image.shape))
    high = np.array(image.shape) - margin
    return rng.uniform((margin, margin), high, size=(n, 2))


def dark_blobs(image: Image2D, diameter_px: float, n: int) -> Points:
    """Return the n strongest dark blobs (Laplacian of Gaussian, above 3.5 deviations)."""
    response = gaussian_laplace(image, diameter_px / 2**1.5)
    peaks = response == maximum_filter(response, int(0.8 * diameter_px))
    yx = np.argwhere(peaks & (response > 3.5 * response.std()))
    margin = 0.6 * diameter_px
    yx = yx[((yx > margin) & (yx < np.array(image.shape) - margin)).all(axis=1)]
    return yx[np.argsort(-response[tuple(yx.T)])[:n]].astype(np.float64)


def micassess(folder: Path, output: Path, rng: np.random.Generator) -> None:
    """Write what experts sorted as dirty, empty or crystalline."""
    parts: dict[str, list[Image2D]] = {}
    for path in sorted(folder.glob("*/*.png")):
        if path.parent.name[0] not in MICASSESS:
            continue
        category, n = MICASSESS[path.parent.name[0]]
        image = np.array(Image.open(path).convert("L"), dtype=np.float32)
        for diameter in MICASSESS_DIAMETERS:
            dirt = category == "contaminant_dirt"
            points = (
                dark_blobs(image, diameter, n) if dirt else anywhere(image, diameter, n, rng)
            )
            if len(points):
                parts.setdefault(category, []).append(windows_at(image, points, diameter))
    for category, windows in parts.items():
        write_windows(output / category / "micassess.mrcs", np.concatenate(windows))


def micrograph_cleaner(folder: Path, output: Path, rng: np.random.Generator) -> None:
    """Write the ice ball, where the mask is surer than one half."""
    image = np.squeeze(mrcfile.read(folder / "mics" / "Ucsf_stack_1142_DW.mrc"))
    mask = np.squeeze(mrcfile.read(folder / "masks" / "Ucsf_stack_1142_DW.mrc"))
    parts = []
    for diameter in CLEANER_DIAMETERS:
        points = anywhere(image, diameter, 400, rng)
        inside = mask[tuple(points.astype(int).T)] > 0.5
        parts.append(windows_at(image.astype(np.float32), points[inside][:60], diameter))
    path = output / "contaminant_ice_ball" / "micrograph_cleaner.mrcs"
    write_windows(path, np.concatenate(parts))


def particle_mask(path: Path, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Read an expert's mask at the size of its micrograph."""
    return np.asarray(Image.open(path).convert("L").resize(shape[::-1])) > 127


def masked_set(
    entry: str, folder: Path, diameter_px: float, output: Path, rng: np.random.Generator
) -> None:
    """Write an expert's particles, places beside them, and empty ice.

    A quarter of the ribosomes is in no mask: a place is empty only where it is fainter than
    nearly all particles.
    """
    parts: dict[str, list[Image2D]] = {}
    for path in sorted((folder / "micrographs").glob("*.png")):
        image = np.array(Image.open(path).convert("L"), dtype=np.float32)
        away = distance_transform_edt(
            ~particle_mask(folder / "masks" / path.name, image.shape)
        )
        xy = np.loadtxt(folder / "centres" / f"{path.stem}.csv", delimiter=",", skiprows=1)
        centres = xy[:, ::-1]
        jitter = JITTER_SIGMA * diameter_px * rng.standard_normal(centres.shape)
        angle = rng.uniform(0, 2 * np.pi, len(centres))
        distance = diameter_px * rng.uniform(*DISPLACED, len(centres))
        beside = centres + distance[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        nearest, _ = cKDTree(centres).query(beside)
        beside = beside[nearest >= DISPLACED[0] * diameter_px]
        wide, narrow = (gaussian_filter(image, diameter_px * s) for s in (0.6, 0.22))
        darkest = maximum_filter(wide - narrow, round(0.5 * diameter_px))
        at_particles = darkest[tuple(inside(centres, image, 0).astype(int).T)]
        points = anywhere(image, diameter_px, 4000, rng)
        rows = tuple(points.astype(int).T)
        faint = darkest[rows] < np.quantile(at_particles, FAINT)
        empty = points[faint & (away[rows] > 0.75 * diameter_px)][:N_EMPTY]
        places = {
            f"particle_{entry}": centres + jitter,
            "other_displaced": beside,
            "contaminant_empty": empty,
        }
        for category, coords in places.items():
            coords = inside(coords, image, 0.5 * diameter_px)
            if len(coords):
                windows = windows_at(image, coords, diameter_px)
                parts.setdefault(category, []).append(windows)
    for category, windows in parts.items():
        write_windows(output / category / f"{entry}.mrcs", np.concatenate(windows))


def texture(
    entry: str,
    folder: Path,
    diameters_px: tuple[float, ...],
    output: Path,
    rng: np.random.Generator,
) -> None:
    """Write places away from all particles: film, its edges, ice, dark specks, empty ice."""
    parts = []
    for path in sorted((folder / "micrographs").glob("*.png")):
        image = np.array(Image.open(path).convert("L"), dtype=np.float32)
        away = distance_transform_edt(
            ~particle_mask(folder / "masks" / path.name, image.shape)
        )
        for diameter in diameters_px:
            points = np.concatenate(
                [anywhere(image, diameter, 300, rng), dark_blobs(image, diameter, 40)]
            )
            points = points[away[tuple(points.astype(int).T)] > diameter]
            if len(points):
                parts.append(windows_at(image, rng.permutation(points)[:60], diameter))
    write_windows(output / f"other_{entry}" / f"{entry}.mrcs", np.concatenate(parts))


def inside(coords_yx_px: Points, image: Image2D, margin_px: float) -> Points:
    """Return the points that keep a margin from the image's edges."""
    high = np.array(image.shape) - 1 - margin_px
    return coords_yx_px[((coords_yx_px >= margin_px) & (coords_yx_px <= high)).all(axis=1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--micrographs", type=int, default=18, help="of each structure")
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    micassess(args.data / "micassess", args.output, rng)
    micrograph_cleaner(args.data / "micrograph_cleaner", args.output, rng)
    for entry, (name, diameter_px) in MASKED.items():
        masked_set(entry, args.data / name, diameter_px, args.output, rng)
    texture(TEXTURE[0], args.data / TEXTURE[0], TEXTURE[1], args.output, rng)
    structures = tuple(
        path
        for path in sorted((args.data / "structures").iterdir())
        if path.name.split(".")[0] not in HELD_OUT + UNSCALED
    )
    settings = SynthesisSettings(
        structures, args.micrographs, n_workers=args.workers, overwrite=True
    )
    for event in synthesise(settings, args.output):
        print(f"{event.progress:4.0%} {event.entry}: {sum(event.counts.values())} boxes")


if __name__ == "__main__":
    main()
