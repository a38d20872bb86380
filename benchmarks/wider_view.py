"""Would known carbon be recognised better in a wider box? Compared without a change to the package.

    python benchmarks/wider_view.py --targets DIR --masks FOLDER --regions regions.json
                                    --structures DIR [--seeds 10] [--output FILE.json]
                                    [--only TARGET ...] [--base DATA=FILE]

The other folders are those of `carbon_and_ice.py`, and the draws too; other targets than its
one (see `targets.py`) give an AUC only. A model is fine-tuned
without known false picks; then the regression of `fewshot.known_false` is made on the network's
features of boxes of one, two and three times the side, all resampled to as many pixels, and
its odds are added as the package adds them. The known carbon is simulated here, since the boxes
that a base carries have one side only. Of each list all picks on carbon count, and a sample of
those that experts confirm.

Simpler than the package: two views, features averaged over them, and no labels left out.
"""

from __future__ import annotations

import argparse
from functools import cache, partial
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from carbon_and_ice import loaded
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from methods import fine_tuned
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from targets import PICKERS, Target, add_base_argument, all_targets, draw, load

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.boxes import cut_boxes
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.finetune import N_REFERENCE
from napari_pickeroptimizer.fewshot.known_false import CAUTION, INVERSE_PENALTY, STEEPNESS
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import dihedral_view
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.harder_scenes import HARDER
from napari_pickeroptimizer.pretrain.synthesise import (
    DIAMETER_PX,
    SIDE_PX,
    drawn_conditions,
    places_by_kind,
)
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.simulate import simulate_micrograph
from napari_pickeroptimizer.simulate.structures import read_structure
from napari_pickeroptimizer.trust.class_shares import class_shares

# Targets of other benchmarks, and maps that do not tell their voxel size.
LEFT_OUT = (
    "1igy", "3sn6", "4zxb", "1aon", "1MNF", "pdb3enl", "1y1v",
    "clean70SRibosome_vol_65p", "densityMap",
)  # fmt: skip
KNOWN = ("carbon_film", "carbon_rim")
N_MICROGRAPHS, N_EACH = 3, 2  # of each structure; of each kind, of a micrograph
N_CONFIRMED = 250  # of each list
N_VIEWS = 2
SIDES = (1, 2, 3)  # of the box
VARIANTS: dict[str, tuple[int, ...]] = {
    "none": (), "1": (1,), "2": (2,), "3": (3,), "1+2": (1, 2), "1+3": (1, 3),
    "1+2+3": (1, 2, 3),
}  # fmt: skip
CARBON_TARGET = "empiar10017 hand topaz"
CARBON_LISTS = ("topaz", "deepPicker", "gautomatch")  # others have no picks on carbon

Boxes = dict[int, torch.Tensor]  # by side
Features = dict[int, NDArray[np.float32]]


@cache
def known_carbon(structures: Path) -> Boxes:
    """Simulate carbon beside proteins of the pretraining."""
    parts: dict[int, list[torch.Tensor]] = {side: [] for side in SIDES}
    for path in sorted(structures.iterdir()):
        name = path.name.split(".")[0]
        if name in LEFT_OUT:
            continue
        model = read_structure(path)
        for i in range(N_MICROGRAPHS):
            rng = np.random.default_rng([1000, crc32(name.encode()), i])
            micrograph = simulate_micrograph(
                drawn_conditions(model, rng, SIDE_PX), rng, model, HARDER
            )
            places = places_by_kind(micrograph, rng)
            coords = [places[kind][:N_EACH] for kind in KNOWN if kind in places]
            for side in SIDES if coords else ():
                size = BoxSettings(DIAMETER_PX * side)
                parts[side].append(cut_boxes(micrograph.image, np.concatenate(coords), size))
    return {side: torch.cat(boxes) for side, boxes in parts.items()}


def boxes_of(micrographs: Micrographs, picks: Picks, diameter_px: float) -> Boxes:
    """Cut boxes of all sides."""
    found = {side: torch.zeros(len(picks), 1, 48, 48) for side in SIDES}
    coords = picks.coords_yx_px()
    for group in group_by_micrograph(micrographs, picks):
        assert group.micrograph is not None
        image = group.micrograph.read()
        for side in SIDES:
            size = BoxSettings(diameter_px * side)
            found[side][group.rows] = cut_boxes(image, coords[group.rows], size)
    return found


def seen(network: TwoBranchNet, boxes: Boxes) -> tuple[NDArray[np.float64], Features]:
    """Return (2 views * branches, n) logits of P(particle), and features of each side."""
    features: Features = {}
    logits: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for side, of_side in boxes.items():
            views = [
                [
                    network.logits_and_features(dihedral_view(part, i))
                    for part in of_side.split(256)
                ]
                for i in range(N_VIEWS)
            ]
            pooled = [torch.cat([f for _, f in parts]) for parts in views]
            features[side] = torch.stack(pooled).mean(dim=0).numpy()
            if side == 1:
                for parts in views:
                    both = torch.cat([of_part for of_part, _ in parts], dim=1)
                    against = both[..., 1:].logsumexp(dim=-1)  # its class is the first
                    logits += list((both[..., 0] - against).double().numpy())
    return np.stack(logits), features


def joined(features: Features, sides: tuple[int, ...]) -> NDArray[np.float32]:
    return np.concatenate([features[side] for side in sides], axis=1)


def share_of_particles(p: NDArray[np.float64]) -> float:
    return float(logit(class_shares(np.stack([p, 1 - p], axis=1))[0]))


@cache
def lists(
    targets: Path, masks: Path, regions: Path
) -> dict[str, tuple[Boxes, NDArray[np.bool_], NDArray[np.bool_]]]:
    """Return boxes of a sample of each list, and which are on carbon, which confirmed."""
    data = load(targets, Target("empiar10017", "hand", "topaz"))
    rng = np.random.default_rng(7)
    found = {}
    for picker in PICKERS:
        picks, kinds = loaded(targets, masks, regions, picker)
        confirmed = rng.permutation(np.flatnonzero(kinds["confirmed"]))[:N_CONFIRMED]
        rows = np.concatenate([np.flatnonzero(kinds["carbon"]), confirmed])
        boxes = boxes_of(data.micrographs, picks.select(rows), data.diameter_px)
        found[picker] = boxes, kinds["carbon"][rows], kinds["confirmed"][rows]
    return found


def run_draw(targets: Path, masks: Path, regions: Path, structures: Path, job: Job) -> Row:
    """Return the figures of all variants on one draw."""
    target = Target(job["data"], job["pool"], job["picks"])
    data = load(targets, target)
    assert data.picks is not None
    train, test = draw(data.pool, data.with_carbon, job["k"], job["seed"])
    settings = FineTuneSettings(
        diameter_px=data.diameter_px,
        n_folds=0,
        seed=job["seed"],
        base=job["base"],
        known_false=False,
    )
    model = fine_tuned(data.micrographs, data.pool.select(train), data.picks, settings)
    network = model.network
    _, known = seen(network, known_carbon(structures))
    is_particle = data.pool.labels == PARTICLE

    def of(picks: Picks, rows: NDArray[np.intp]) -> tuple[NDArray[np.float64], Features]:
        boxes = boxes_of(data.micrographs, picks.select(rows), data.diameter_px)
        return seen(network, boxes)

    _, particles = of(data.pool, train[is_particle[train]])
    of_test = of(data.pool, test)
    rows = np.linspace(0, len(data.picks) - 1, N_REFERENCE).round().astype(int)
    logits, reference = of(data.picks, rows)
    of_lists = {}
    if target.name == CARBON_TARGET:
        of_lists = {
            name: (*seen(network, boxes), carbon, confirmed)
            for name, (boxes, carbon, confirmed) in lists(targets, masks, regions).items()
        }
    prior = np.clip(share_of_particles(expit(logits).mean(axis=0)), -4.0, 4.0)
    row: Row = {}
    for name, sides in VARIANTS.items():
        regression = make_pipeline(
            StandardScaler(),
            LogisticRegression(C=INVERSE_PENALTY, class_weight="balanced", max_iter=1000),
        )
        if sides:
            x = [joined(particles, sides), joined(known, sides)]
            regression.fit(np.concatenate(x), np.repeat([0, 1], [len(x[0]), len(x[1])]))

        def probability(
            logits: NDArray[np.float64],
            features: Features,
            sides: tuple[int, ...] = sides,
            regression: LogisticRegression = regression,
        ) -> NDArray[np.float64]:
            if not sides:
                return np.asarray(expit(logits).mean(axis=0))
            score = regression.decision_function(joined(features, sides))
            odds = np.exp(-logits) + np.exp(STEEPNESS * score - CAUTION + prior)
            return np.asarray((1 / (1 + odds)).mean(axis=0))

        threshold = expit(
            -share_of_particles(probability(logits, reference))
        )  # is 0.5 after it
        for picker in of_lists:
            logits_there, features, carbon, confirmed = of_lists[picker]
            kept = probability(logits_there, features) >= threshold
            if carbon.any():
                row[f"{name} {picker} removed"] = float((~kept[carbon]).mean())
            row[f"{name} {picker} kept"] = float(kept[confirmed].mean())
        row[f"{name} auc"] = float(roc_auc_score(is_particle[test], probability(*of_test)))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    for name in ("targets", "masks", "regions", "structures"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[CARBON_TARGET], help="these targets")
    add_base_argument(parser)
    args = parser.parse_args()
    bases = dict(args.base)
    targets = [t for t in all_targets() if t.name in args.only]
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    jobs: list[Job] = [
        {"data": t.data, "pool": t.pool, "picks": t.picks, "k": 20, "seed": seed,
         "base": bases.get(t.data, "bundled")}
        for t in targets
        for seed in seeds
    ]  # fmt: skip
    rows = run_grid(
        partial(run_draw, args.targets, args.masks, args.regions, args.structures),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=[f"{name} auc" for name in VARIANTS],
    )
    for (data, pool, picks), group in grouped(rows, "data", "pool", "picks").items():
        target = Target(data, pool, picks)
        figures = ["auc"]
        if target.name == CARBON_TARGET:
            figures += [f"{picker} removed" for picker in CARBON_LISTS]
            figures += [f"{picker} kept" for picker in PICKERS]
        lines: list[list[object]] = []
        for name in VARIANTS:
            values = [[row[f"{name} {figure}"] for row in group] for figure in figures]
            lines.append([name, *(f"{np.mean(v):.4f} ({min(v):.3f})" for v in values)])
        print(f"\n{target.name}: mean (worst) of {len(group)} draws, threshold 0.5")
        print_table(("sides", *figures), lines)


if __name__ == "__main__":
    main()
