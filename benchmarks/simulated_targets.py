"""Few-shot accuracy on simulated particles that pretraining has not seen, three typed classes.

    python benchmarks/simulated_targets.py --structures DIR [--base FILE] [--seeds 5]

For each target, an atomic model in DIR, a few micrographs are simulated. A seed draws three of
them and K picks of each class (particle, contaminant, carbon); the network is fine-tuned from
--base, and all picks of the other micrographs are the test set. ``{target}`` in --base becomes
the target's name, for one base a target: a base whose pretraining names the target is refused.
Micrographs in --work are used again where the settings are the same: give a new folder after a
change of the simulation. Beside it a logistic regression on radial profiles and, on request, the
reference recipe.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import itertools
import json
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from baselines import radial_profile_probabilities, reference_recipe_probabilities
from empiar10017 import N_TRAINING_MICROGRAPHS, working_boxes
from grid import Job, Row, add_grid_arguments, grouped, mean_and_worst, print_table, run_grid
from measures import typed_measures
from methods import fine_tuned_picks, start_name
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.harder_scenes import HarderScenes
from napari_pickeroptimizer.simulate import SimulationSettings, simulate_project
from napari_pickeroptimizer.simulate.structures import read_structure

TARGETS = ("1igy", "3sn6", "4zxb", "1aon", "pdb3enl", "1y1v")
METHODS = ("radial", "ours", "reference")
FIGURES = ("accuracy", "f1_macro", "f1_particle", "auc")
CLASSES = np.array([PARTICLE, CONTAMINANT, CARBON])
# As large as the working resolution needs: 48 px for 1.5 diameters, and a little more.
PIXELS_A_DIAMETER = 40
SIDE_DIAMETERS = 25
N_MICROGRAPHS = 8
N_PARTICLES = 80
FALSE_SHARE = 0.55


@dataclass(frozen=True)
class Options:
    """What the jobs of a run share: projects by target, and settings of the fine-tuning."""

    roots: dict[str, Path]
    diameters_ang: dict[str, float]
    bases: dict[str, str]
    settings: dict[str, Any] = field(default_factory=dict)


def find_structure(folder: Path, target: str) -> Path:
    """Return the file of a target in the folder."""
    found = sorted(p for p in folder.iterdir() if p.name.split(".")[0] == target)
    if len(found) != 1:
        raise SystemExit(f"{len(found)} files called {target}.* in {folder}: expected one")
    return found[0]


def simulation(structure: Path, diameter_ang: float, seed: int) -> SimulationSettings:
    """Return the settings of a target's micrographs."""
    side = PIXELS_A_DIAMETER * SIDE_DIAMETERS
    return SimulationSettings(
        n_micrographs=N_MICROGRAPHS,
        n_particles=N_PARTICLES,
        shape_px=(side, side + PIXELS_A_DIAMETER),
        pixel_size_ang=round(diameter_ang / PIXELS_A_DIAMETER, 2),
        structure=structure,
        false_share=FALSE_SHARE,
        seed=seed,
    )


def simulated(
    root: Path, settings: SimulationSettings, scene: HarderScenes | None = None
) -> Path:
    """Simulate a project into `root` unless the same one is there, and return the folder."""
    record = root / "settings.json"
    values = dataclasses.asdict(settings) | (dataclasses.asdict(scene) if scene else {})
    text = json.dumps(values, default=str, indent=1)
    if not (record.is_file() and record.read_text() == text):
        for _ in simulate_project(root, settings, scene, overwrite=True):
            pass
        record.write_text(text)
    return root


def on_three_micrographs(
    picks: Picks,
    k: int,
    classes: NDArray[Any],
    rng: np.random.Generator,
    one_of: frozenset[str] = frozenset(),
) -> NDArray[np.bool_]:
    """Draw three micrographs that hold K picks of each class; return which picks are on them.

    One of them at least is among `one_of`, where that names any.
    """
    micrograph = picks.table["micrograph"].to_numpy(dtype=str)
    counts = {
        name: np.array([((micrograph == name) & (picks.labels == c)).sum() for c in classes])
        for name in np.unique(micrograph).tolist()
    }
    enough = [
        names
        for names in itertools.combinations(counts, N_TRAINING_MICROGRAPHS)
        if (sum(counts[name] for name in names) >= k).all()
        and (not one_of or one_of.intersection(names))
    ]
    if not enough:
        raise SystemExit(f"no three micrographs hold {k} picks of each class")
    return np.isin(micrograph, enough[rng.integers(len(enough))])


def draw(picks: Picks, k: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows of K picks of each class on three micrographs, and all rows of the others."""
    rng = np.random.default_rng(seed)
    pool = on_three_micrographs(picks, k, CLASSES, rng)
    train = [
        rng.choice(np.flatnonzero(pool & (picks.labels == c)), k, replace=False)
        for c in CLASSES
    ]
    return np.concatenate(train), np.flatnonzero(~pool)


@cache
def load(root: Path) -> tuple[Micrographs, Picks]:
    """Open a simulated project, once a process."""
    return Micrographs.find(root / "micrographs.star"), read_picks(root / "picks_truth.star")


@cache
def boxes_of(root: Path, diameter_ang: float, box_px: int) -> NDArray[np.float32]:
    """Return boxes of two diameters of all picks."""
    micrographs, picks = load(root)
    settings = BoxSettings(diameter_ang=diameter_ang, box_factor=2.0, box_px=box_px)
    return working_boxes(micrographs, picks, settings)


def run_draw(options: Options, job: Job) -> Row:
    """Run ``job["method"]`` on one draw of one target and return its figures."""
    target, method, seed = job["target"], job["method"], job["seed"]
    root, diameter_ang = options.roots[target], options.diameters_ang[target]
    micrographs, picks = load(root)
    train, test = draw(picks, job["k"], seed)
    taught = picks.labels[train].astype(np.int64)
    if method == "ours":
        settings = FineTuneSettings(
            diameter_ang=diameter_ang,
            base=options.bases[target],
            n_folds=0,
            seed=seed,
            **options.settings,
        )
        unlabelled = picks.with_labels(UNLABELLED)
        scored = fine_tuned_picks(
            micrographs, picks.select(train), unlabelled, picks.select(test), settings
        )
        columns = [f"probability_{class_id}" for class_id in CLASSES]
        probabilities = scored.table[columns].to_numpy(dtype=np.float64)
    elif method == "reference":
        boxes = boxes_of(root, diameter_ang, 2 * PIXELS_A_DIAMETER)
        probabilities = reference_recipe_probabilities(
            boxes[train], taught, boxes[test], seed=seed
        )
    else:
        boxes = boxes_of(root, diameter_ang, PIXELS_A_DIAMETER)
        probabilities = radial_profile_probabilities(boxes[train], taught, boxes[test])
    figures = typed_measures(picks.labels[test], CLASSES, probabilities, PARTICLE)
    return {"n_test": len(test), **figures}


def checked_base(base: str, target: str) -> str:
    """Return the base of a target; end if its training record names the target."""
    base = base.replace("{target}", target)
    if base.endswith(".safetensors"):
        record = Classifier.load(base).card.training
        if target in json.dumps(record.get("categories", {})):
            raise SystemExit(f"{base} was pretrained on {target}: leave it out of the set")
    return base


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--structures", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="folder of the micrographs")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=["radial", "ours"])
    parser.add_argument("--base", default=str(FineTuneSettings(diameter_px=1).base))
    parser.add_argument("--backbone", default=FineTuneSettings(diameter_px=1).backbone)
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--simulation-seed", type=int, default=1000)
    parser.add_argument("--device", default="auto", help="of the fine-tuning")
    args = parser.parse_args()
    roots, diameters_ang, bases, jobs, simulations = {}, {}, {}, [], {}
    for target in args.targets:
        structure = find_structure(args.structures, target)
        diameters_ang[target] = round(read_structure(structure).diameter_ang, 1)
        settings = simulation(structure, diameters_ang[target], args.simulation_seed)
        roots[target] = simulated(args.work / target, settings)
        simulations[target] = settings
        bases[target] = checked_base(args.base, target)
        starts = {
            "ours": f"{args.backbone} {start_name(bases[target], args.backbone)}",
            "reference": "resnet18 none",
        }
        picks = (roots[target] / "picks_truth.star").read_bytes()
        jobs += [
            {
                "target": target,
                "simulation": hashlib.sha256(picks).hexdigest()[:8],
                "k": args.k,
                "method": method,
                "start": starts.get(method, ""),
                "seed": seed,
            }
            for method in args.methods
            for seed in range(args.seeds)
        ]
    options = Options(
        roots, diameters_ang, bases, {"backbone": args.backbone, "device": args.device}
    )
    rows = run_grid(
        partial(run_draw, options),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=FIGURES,
    )
    print_tables(rows, diameters_ang, simulations)


def print_tables(
    rows: list[Row],
    diameters_ang: dict[str, float],
    simulations: dict[str, SimulationSettings],
) -> None:
    """Print figures by target, their means by method, and how it was simulated."""
    columns = [name for figure in FIGURES for name in (figure, "worst")]
    lines: list[list[object]] = []
    for (method, start, target), group in grouped(rows, "method", "start", "target").items():
        figures = [value for figure in FIGURES for value in mean_and_worst(group, figure)]
        who = f"{target}, {diameters_ang[target]:.0f} Å"
        lines.append([method, start, who, *figures, group[0]["n_test"], len(group)])
    for (method,), group in grouped(rows, "method").items():
        figures = [value for figure in FIGURES for value in mean_and_worst(group, figure)]
        lines.append([method, "", "all", *figures, "", len(group)])
    print_table(("method", "start", "target", *columns, "test picks", "seeds"), lines)
    one = next(iter(simulations.values()))
    sizes = ", ".join(f"{name} {s.pixel_size_ang} Å/px" for name, s in simulations.items())
    print(
        f"\nK = {rows[0]['k']} a class on {N_TRAINING_MICROGRAPHS} of {one.n_micrographs} "
        f"micrographs of {one.shape_px[1]} x {one.shape_px[0]} px; {sizes}; "
        f"{one.n_particles} particles a micrograph, {one.false_share:.0%} of the picks false, "
        f"carbon on {one.carbon_chance:.0%}, {one.dose_e_per_ang2:g} e/Å², underfocus "
        f"{one.defocus_um[0]:g} to {one.defocus_um[1]:g} µm, ice "
        f"{one.ice_thickness_ang[0]:g} to {one.ice_thickness_ang[1]:g} Å, seed {one.seed}"
    )


if __name__ == "__main__":
    main()
