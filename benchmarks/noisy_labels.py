"""Labels of which some are wrong: a few by hand, and thousands from a 2D classification.

    python benchmarks/noisy_labels.py --targets DIR [--seeds 5 --first-seed 10] [--workers 2]
                                      [--few TARGET ...] [--many TARGET ...] [--output FILE.json]

DIR is made by `make_targets.py`, draws of few labels are those of `targets.py`. Of the labels a
share is flipped: particles made negatives and the reverse. It is told how many of the flipped
ones are among the first ten that ``suggest --model`` lists as contradicting the model.

For many labels, all labels of a pool but those of three micrographs are given, as ``--positive``
and ``--negative`` are, without ``--picks``; the pool's picks on the three are the test set. The
forecast for these is compared with what they are: intervals that hold the truth, of precision
and recall at 0.5.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from empiar10017 import flipped
from grid import Job, Row, add_grid_arguments, grouped, mean_and_worst, print_table, run_grid
from measures import measures
from methods import FLIP_STREAM, fine_tuned, named_settings, scored
from numpy.typing import NDArray
from targets import LARGEST_TEST, Loaded, Target, all_targets, draw, load

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.events import Suggested
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings, SuggestSettings
from napari_pickeroptimizer.fewshot.suggest import suggest
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.trust import forecast_performance

N_TEST_MICROGRAPHS = 3
N_LISTED = 10
FEW = (
    "empiar10017 hand topaz",
    "empiar10028 off_centre off_centre",
    "sim_3sn6 typed picks",
)
MANY = (
    "empiar10017 off_centre -",
    "empiar10028 off_centre -",
    "empiar10059 off_centre -",
    "sim_1igy typed -",
)
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "all labels": {"leave_out_doubtful": False},
}


def run_few(root: Path, variants: dict[str, dict[str, Any]], job: Job) -> Row:
    """Return the figures of K labels of each class on three micrographs, some of them wrong."""
    data = load(root, Target(job["data"], job["pool"], job["picks"]))
    train, test = draw(data.pool, data.with_carbon, job["k"], job["seed"])
    labels = data.pool.select(train)
    taught = with_wrong_labels(labels, job["flipped"], job["seed"])
    settings = FineTuneSettings(
        diameter_px=data.diameter_px, n_folds=0, seed=job["seed"], **variants[job["variant"]]
    )
    model = fine_tuned(data.micrographs, taught, data.picks, settings)
    row = test_figures(data, test, model, settings)
    wrong = taught.labels != labels.labels
    if wrong.any():
        names = list(labels.rows_by_micrograph())
        near = np.isin(data.pool.table["micrograph"].to_numpy(dtype=str), names)
        listed = doubtful(data, data.pool.select(near), taught, model)
        row["found"] = n_listed(listed, taught, wrong) / int(wrong.sum())
    return row


def run_many(root: Path, variants: dict[str, dict[str, Any]], job: Job) -> Row:
    """Return the figures of all labels of all but three micrographs, some of them wrong."""
    data = load(root, Target(job["data"], job["pool"], None))
    train, test = split(data.pool, job["seed"])
    labels = data.pool.select(train)
    taught = with_wrong_labels(labels, job["flipped"], job["seed"])
    settings = FineTuneSettings(
        diameter_px=data.diameter_px,
        n_folds=3,
        seed=job["seed"],
        **variants[job["variant"]],
    )
    model = fine_tuned(data.micrographs, taught, None, settings)
    row = test_figures(data, test, model, settings)
    training = model.card.training
    row |= {
        "n_labels": len(labels),
        "n_used": sum(training["labels"].values()),
        "n_left_out": training["n_labels_left_out"],
        "wrong_labels": training["wrong_labels"],
    }
    return row


def test_figures(
    data: Loaded, test: NDArray[np.intp], model: Classifier, settings: FineTuneSettings
) -> Row:
    """Return AUC, F1, ... of picks with known classes, and what was promised of them."""
    truth = data.pool.labels[test] == PARTICLE
    p = scored(data.micrographs, data.pool.select(test), model, settings).particle_probability
    row: Row = measures(truth, p)
    if model.card.held_out_scores is not None:
        at = forecast_performance(model.card.held_out_scores, model.card.calibration, p).at(
            0.5
        )
        kept = p >= 0.5
        for name, true in (("precision", truth[kept].mean()), ("recall", kept[truth].mean())):
            interval = getattr(at, name)
            row[name] = [float(true), interval.mean, interval.low, interval.high]
    return row


def with_wrong_labels(labels: Picks, share: float, seed: int) -> Picks:
    """Return labels, a share of them wrong."""
    rng = np.random.default_rng([seed, FLIP_STREAM])
    return labels.with_labels(flipped(labels.labels, share, rng)) if share else labels


def split(pool: Picks, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows on all but three micrographs, and some of each class on the three."""
    rng = np.random.default_rng(seed)
    where = pool.table["micrograph"].to_numpy(dtype=str)
    names = np.unique(where)
    while True:
        held_out = np.isin(where, rng.choice(names, N_TEST_MICROGRAPHS, replace=False))
        if set(pool.labels[held_out]) == set(pool.labels[~held_out]) == set(pool.labels):
            break
    test = [
        rng.permutation(np.flatnonzero(held_out & (pool.labels == c)))[:LARGEST_TEST]
        for c in np.unique(pool.labels)
    ]
    return np.flatnonzero(~held_out), np.sort(np.concatenate(test))


def doubtful(data: Loaded, picks: Picks, taught: Picks, model: Classifier) -> Picks:
    """Return the labels that ``suggest`` lists as contradicting the model."""
    n = 2 * len(taught.rows_by_micrograph())  # half of them are of micrographs with labels
    settings = SuggestSettings(n=1, by="diversity", n_micrographs=n, n_pool=10 * n)
    unlabelled = picks.with_labels(np.zeros(len(picks)))
    events = suggest(data.micrographs, unlabelled, settings, classifier=model, labels=taught)
    last = [*events][-1]
    assert isinstance(last, Suggested)
    return last.doubtful


def n_listed(listed: Picks, taught: Picks, wrong: NDArray[np.bool_]) -> int:
    """Return how many of the wrong labels are among the first ten of a list."""
    columns = ["micrograph", "x", "y"]
    are_wrong = {*taught.table.loc[wrong, columns].itertuples(index=False, name=None)}
    first = listed.table[columns].head(N_LISTED).itertuples(index=False, name=None)
    return sum(place in are_wrong for place in first)


def held(rows: list[Row], figure: str) -> str:
    """Return in how many rows an interval held the truth, and its mean width and error."""
    true, mean, low, high = np.array([row[figure] for row in rows]).T
    inside = int(((low <= true) & (true <= high)).sum())
    return f"{inside} of {len(rows)} (width {np.mean(high - low):.3f}, {np.mean(mean - true):+.3f})"


def print_few(rows: list[Row]) -> None:
    """Print a line for each target, share of wrong labels and variant."""
    lines = []
    for key, group in grouped(rows, "target", "k", "flipped", "variant").items():
        auc, worst = mean_and_worst(group, "auc")
        f1, _ = mean_and_worst(group, "f1_particle")
        found = f"{np.mean([row['found'] for row in group]):.2f}" if key[2] else "–"
        lines.append((*key, f"{auc:.4f} ({worst:.3f})", f1, found, len(group)))
    columns = (
        "target", "K", "wrong", "variant", "AUC mean (worst)", "F1 particle",
        "found among 10", "draws",
    )  # fmt: skip
    print_table(columns, lines)


def print_many(rows: list[Row]) -> None:
    """Print a line for each target, share of wrong labels and variant."""
    lines = []
    for key, group in grouped(rows, "target", "flipped", "variant").items():
        auc, worst = mean_and_worst(group, "auc")
        f1, _ = mean_and_worst(group, "f1_particle")
        used, given = (int(np.mean([row[c] for row in group])) for c in ("n_used", "n_labels"))
        seconds = np.mean([row["seconds"] for row in group])
        promises = [held(group, figure) for figure in ("precision", "recall")]
        lines.append(
            (*key, f"{auc:.4f} ({worst:.3f})", f1, f"{used} of {given}", f"{seconds:.0f}",
             *promises)
        )  # fmt: skip
    columns = (
        "target", "wrong", "variant", "AUC mean (worst)", "F1 particle", "labels used",
        "seconds", "precision held", "recall held",
    )  # fmt: skip
    print_table(columns, lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument("--few", nargs="*", default=list(FEW))
    parser.add_argument("--many", nargs="*", default=list(MANY))
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument(
        "--set", action="append", default=[], help="one variant more: NAME=JSON of settings"
    )
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--flipped-few", type=float, nargs="+", default=[0.0, 0.1])
    parser.add_argument(
        "--flipped-many", type=float, nargs="+", default=[0.0, 0.05, 0.15, 0.2]
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=10)
    args = parser.parse_args()
    variants = dict(VARIANTS)
    more = named_settings(args.set)
    variants |= more
    args.variants += more
    by_name = {target.name: target for target in all_targets()}
    for function, names, shares, ks, show, figures in (
        (run_few, args.few, args.flipped_few, args.k, print_few, ("auc", "f1_particle")),
        (run_many, args.many, args.flipped_many, [0], print_many, ("auc", "f1_particle")),
    ):
        jobs: list[Job] = [
            {"target": name, "data": by_name[name].data, "pool": by_name[name].pool,
             "picks": by_name[name].picks, "k": k, "flipped": share, "variant": variant,
             "settings": json.dumps(variants[variant], sort_keys=True), "seed": seed}
            for name in names
            for k in ks
            for share in shares
            for variant in dict.fromkeys(args.variants)
            for seed in range(args.first_seed, args.first_seed + args.seeds)
        ]  # fmt: skip
        if jobs:
            rows = run_grid(
                partial(function, args.targets, variants),
                jobs,
                workers=args.workers,
                output=args.output,
                figures=figures,
            )
            show(rows)


if __name__ == "__main__":
    main()
