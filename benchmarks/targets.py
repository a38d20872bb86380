"""Variants of the fine-tuning on all development targets: no default is chosen on one data set.

    python benchmarks/targets.py --targets DIR [--variants NAME ...] [--only TARGET ...]
                                 [--k 20] [--seeds 10] [--workers 2] [--output FILE.json]

A variant is a setting of the fine-tuning, or one of the simpler methods: logistic regression on
radial profiles, on the bundled network's features, or on those of Topaz's detector
(`topaz_features.py`), and the reference recipe (minutes a draw).

DIR is made by `make_targets.py`. A target is a pool of labelled picks and the list that is given
as ``--picks``. A seed draws three micrographs and K picks of each class of the pool from them;
the pool's picks on the other micrographs are the test set. All variants get the same draws. A
variant is adopted if it is better on the mean and nowhere worse than by 0.002.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from baselines import (
    probe_probabilities,
    radial_profile_probabilities,
    reference_recipe_probabilities,
)
from empiar10017 import as_two_classes, working_boxes
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from measures import measures, typed_measures
from methods import base_features, fine_tuned_picks, named_settings, settings_of
from numpy.typing import NDArray
from simulated_targets import TARGETS as SIMULATED_TARGETS
from simulated_targets import on_three_micrographs

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CARBON, PARTICLE
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks

LARGEST_TEST = 600  # picks of each class
SUFFIXES = ("", "_cut", "_50", "_25", "_10")
PICKERS = ("topaz", "crYOLO", "deepPicker", "casper", "cryolo", "gautomatch")
WITHOUT_SCORE = ("casper", "cryolo")


@dataclass(frozen=True)
class Target:
    """A data set, its pool of labels, and the list of picks (None: no ``--picks``)."""

    data: str
    pool: str
    picks: str | None

    @property
    def name(self) -> str:
        """As printed: ``empiar10017 hand topaz_25``."""
        return f"{self.data} {self.pool} {self.picks or '-'}"


def all_targets() -> list[Target]:
    """Return the development targets."""
    lists: list[str | None] = [
        f"{picker}{suffix}"
        for picker in PICKERS
        for suffix in SUFFIXES
        if not (suffix == "_cut" and picker in WITHOUT_SCORE)
    ]
    targets = [Target("empiar10017", "hand", name) for name in [None, *lists]]
    blobs: list[str | None] = [None, "blobs", "blobs_50", "blobs_25", "blobs_10"]
    targets += [Target("empiar10028", "blobs", name) for name in blobs]
    off: list[str | None] = [None, "off_centre", "off_centre_25"]
    for data in ("empiar10017", "empiar10028", "empiar10059"):
        targets += [Target(data, "off_centre", name) for name in off]
    for name in SIMULATED_TARGETS:
        targets += [Target(f"sim_{name}", "typed", p) for p in (None, "picks", "picks_25")]
    return targets


# What the fine-tuning is given beside the defaults.
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "statistics adapted, backbone at the full rate": {
        "batch_norm": "adapt",
        "backbone_rate": 1.0,
    },
    "first branch only": {"branch_weights": (1.0, 0.0)},
    "second branch only": {"branch_weights": (0.0, 1.0)},
    "doubtful labels kept": {"leave_out_doubtful": False},
}

# Simpler methods, which know no list of picks: boxes of two diameters, or those of the network.
METHODS = ("radial profiles", "frozen probe", "Topaz probe", "reference recipe")


@dataclass(frozen=True)
class Loaded:
    """A target, read: what is drawn from, and what is given to the fine-tuning."""

    micrographs: Micrographs
    pool: Picks
    with_carbon: frozenset[str]
    """Micrographs of which a draw has one at least; empty for any."""
    picks: Picks | None
    diameter_px: float


@cache
def load(root: Path, target: Target) -> Loaded:
    """Read a target, once a process."""
    folder = root / target.data
    record = json.loads((folder / "dataset.json").read_text())
    pool = read_picks(folder / "pools" / f"{target.pool}.star")
    with_carbon: frozenset[str] = frozenset()
    if target.pool == "hand":
        carbon = pool.table["micrograph"].to_numpy(dtype=str)[pool.labels == CARBON]
        with_carbon = frozenset(carbon.tolist())
        pool = as_two_classes(pool)  # its negatives are hardly typed
    return Loaded(
        Micrographs.find(folder / record["micrographs"]),
        pool,
        with_carbon,
        read_picks(folder / "lists" / f"{target.picks}.star") if target.picks else None,
        record["diameter_px"],
    )


def draw(
    pool: Picks, with_carbon: frozenset[str], k: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows of K picks of each class on three micrographs, and the rows to test on."""
    rng = np.random.default_rng(seed)
    classes = np.unique(pool.labels)
    taken = on_three_micrographs(pool, k, classes, rng, one_of=with_carbon)
    train, test = [], []
    for c in classes:
        train.append(rng.choice(np.flatnonzero(taken & (pool.labels == c)), k, replace=False))
        test.append(
            rng.permutation(np.flatnonzero(~taken & (pool.labels == c)))[:LARGEST_TEST]
        )
    return np.concatenate(train), np.sort(np.concatenate(test))


def run_draw(root: Path, job: Job) -> Row:
    """Return the figures of one variant on one draw of one target."""
    target = Target(job["data"], job["pool"], job["picks"])
    data = load(root, target)
    pool = data.pool
    train, test = draw(pool, data.with_carbon, job["k"], job["seed"])
    truth = pool.labels[test]
    classes = np.unique(truth)
    if job["variant"] in METHODS:
        probabilities = simpler(job, data, train, test)
    else:
        settings = FineTuneSettings(
            diameter_px=data.diameter_px,
            n_folds=0,
            seed=job["seed"],
            **settings_of(job["settings"]),
        )
        result = fine_tuned_picks(
            data.micrographs, pool.select(train), data.picks, pool.select(test), settings
        )
        probabilities = result.particle_probability[:, None]
        if len(classes) > 2:
            columns = [f"probability_{c}" for c in classes]
            probabilities = result.table[columns].to_numpy(dtype=np.float64)
    row: Row = measures(truth == PARTICLE, probabilities[:, 0])  # its class is the first
    if len(classes) > 2:
        typed = typed_measures(truth, classes.astype(np.int64), probabilities, PARTICLE)
        row |= {"accuracy": typed["accuracy"], "f1_classes": typed["f1_macro"]}
    return row


def simpler(
    job: Job, data: Loaded, train: NDArray[np.intp], test: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return (n, n_classes) probabilities of the rows `test` by one of METHODS."""
    method, settings = job["variant"], json.loads(job["settings"])
    class_ids = data.pool.labels[train].astype(np.int64)
    if method == "Topaz probe":
        features = np.load(Path(settings["features"]) / f"{job['data']}_{job['pool']}.npy")
        return probe_probabilities(features[train], class_ids, features[test])
    boxes = BoxSettings(data.diameter_px)
    if method != "frozen probe":
        boxes = BoxSettings(data.diameter_px, box_factor=2.0, box_px=64)
    of_train, of_test = (
        working_boxes(data.micrographs, data.pool.select(rows), boxes)
        for rows in (train, test)
    )
    if method == "reference recipe":
        return reference_recipe_probabilities(of_train, class_ids, of_test, seed=job["seed"])
    if method == "radial profiles":
        return radial_profile_probabilities(of_train, class_ids, of_test)
    base = settings.get("base", "bundled")
    return probe_probabilities(
        base_features(of_train, base), class_ids, base_features(of_test, base)
    )


def print_comparison(rows: list[Row], figure: str) -> None:
    """Print a figure's mean (and worst) by target and variant, and the mean of all targets."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    lines: list[list[object]] = []
    sums: dict[str, list[float]] = {v: [] for v in variants}
    for (data, pool, picks), group in grouped(rows, "data", "pool", "picks").items():
        line: list[object] = [Target(data, pool, picks).name]
        for variant in variants:
            values = [row[figure] for row in group if row["variant"] == variant]
            sums[variant].append(float(np.mean(values)))
            line.append(f"{np.mean(values):.4f} ({min(values):.3f})")
        lines.append(line)
    lines.append(["mean of the targets", *(f"{np.mean(sums[v]):.4f}" for v in variants)])
    first = np.array(sums[variants[0]])
    least = [float((np.array(sums[v]) - first).min()) for v in variants]
    lines.append([f"worst against {variants[0]}", *(f"{x:+.4f}" for x in least)])
    print(f"\n{figure}: mean (worst) over the draws")
    print_table(("target", *variants), lines)


def add_base_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--base``, pairs of a data set and the weights to start from there."""
    parser.add_argument(
        "--base", action="append", default=[], type=lambda text: text.split("=", 1),
        help="DATA=FILE: weights that have not seen this data set, where the bundled ones have",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument(
        "--set", action="append", default=[], help="one variant more: NAME=JSON of settings"
    )
    add_base_argument(parser)
    parser.add_argument(
        "--topaz-features", type=Path, help="folder of DATA_POOL.npy, see benchmarks/README.md"
    )
    parser.add_argument("--only", nargs="+", help="these targets, by their whole names")
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    args = parser.parse_args()
    variants = {**VARIANTS, **{method: {} for method in METHODS}}
    more = named_settings(args.set)
    variants |= more
    args.variants += more
    if "Topaz probe" in args.variants and args.topaz_features is None:
        parser.error("the variant Topaz probe needs --topaz-features")
    targets = [t for t in all_targets() if not args.only or t.name in args.only]
    bases = dict(args.base)

    def settings(variant: str, data: str) -> str:
        if variant == "Topaz probe":
            return json.dumps({"features": str(args.topaz_features)})
        base = {"base": bases[data]} if data in bases else {}
        return json.dumps({**base, **variants[variant]}, sort_keys=True)

    jobs: list[Job] = [
        {"data": t.data, "pool": t.pool, "picks": t.picks, "k": k, "variant": v,
         "settings": settings(v, t.data), "seed": seed}
        for v in dict.fromkeys(args.variants)
        for k in args.k
        for t in targets
        for seed in range(args.first_seed, args.first_seed + args.seeds)
    ]  # fmt: skip
    rows = run_grid(
        partial(run_draw, args.targets),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=("auc", "f1_particle"),
    )
    for (k,), group in grouped(rows, "k").items():
        print(f"\n## K = {k}")
        for figure in ("auc", "f1_particle"):
            print_comparison(group, figure)


if __name__ == "__main__":
    main()
