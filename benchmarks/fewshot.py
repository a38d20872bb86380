"""The few-shot protocol on EMPIAR-10017: ours, the reference recipe, radial profiles.

    python benchmarks/fewshot.py --project DIR [--seeds 10] [--k 20] [--workers 2]

DIR is made by the tool make_empiar10017.py. A seed draws three training micrographs (one at
least with carbon), then K particles and K negatives on them; all labels of the other seven
micrographs are the test set. Nothing is chosen on test boxes: fixed settings, last step.
Prints mean and worst over the seeds, all methods on the same draws.
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from baselines import radial_profile_probability, reference_recipe_probability
from empiar10017 import (
    DIAMETER_PX,
    Project,
    add_project_argument,
    as_two_classes,
    draw_labels,
    open_project,
)
from numpy.typing import NDArray
from sklearn.metrics import f1_score, roc_auc_score

from napari_pickeroptimizer.boxes import MAD_TO_SIGMA
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.prune.score import PicksScored, score

FIGURES = ("auc", "f1_particle", "f1_macro", "ece")
METHODS = ("radial", "ours", "reference")
BOX_PX = 216  # two diameters, the hand labels' own box
RADIAL_BIN = 4


def measures(
    is_particle: NDArray[np.bool_], probability: NDArray[np.float64]
) -> dict[str, float]:
    """Return ROC AUC, F1 at 0.5 and the expected calibration error of P(particle)."""
    called = probability >= 0.5
    return {
        "auc": float(roc_auc_score(is_particle, probability)),
        "f1_particle": float(f1_score(is_particle, called)),
        "f1_macro": float(f1_score(is_particle, called, average="macro")),
        "ece": expected_calibration_error(is_particle, probability),
    }


def expected_calibration_error(
    is_particle: NDArray[np.bool_], probability: NDArray[np.float64], n_bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence, by size."""
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == is_particle
    bins = np.minimum(((confidence - 0.5) * 2 * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


class Boxes:
    """Original-resolution boxes of all labels, raw and micrograph-standardised."""

    def __init__(self, project: Project) -> None:
        labels = project.labels
        n = len(labels)
        self.raw = np.empty((n, BOX_PX, BOX_PX), np.float32)
        self.standardised = np.empty(
            (n, BOX_PX // RADIAL_BIN, BOX_PX // RADIAL_BIN), np.float32
        )
        corners = np.rint(labels.coords_yx_px()).astype(int) - BOX_PX // 2
        for name, rows in labels.rows_by_micrograph().items():
            image = project.micrographs[name].read()
            median = np.median(image)
            sigma = MAD_TO_SIGMA * np.median(np.abs(image - median))
            padded = np.pad(image, BOX_PX, mode="edge")
            for row in rows:
                y, x = corners[row] + BOX_PX
                self.raw[row] = padded[y : y + BOX_PX, x : x + BOX_PX]
            side = BOX_PX // RADIAL_BIN
            binned = (
                self.raw[rows].reshape(-1, side, RADIAL_BIN, side, RADIAL_BIN).mean((2, 4))
            )
            self.standardised[rows] = (binned - median) / sigma


def ours(
    project: Project, train: NDArray[np.intp], test: NDArray[np.intp], seed: int, steps: int
) -> NDArray[np.float64]:
    """Fine-tune and score through the same functions as the command line."""
    settings = FineTuneSettings(
        diameter_px=DIAMETER_PX, n_steps=steps, n_folds=0, seed=seed, device="auto"
    )
    labels = as_two_classes(project.labels)
    model = None
    for event in finetune(
        project.micrographs, labels.select(train), settings, project.all_picks()
    ):
        if isinstance(event, FineTuned):
            model = event.model
    assert model is not None
    for scored in score(project.micrographs, labels.select(test), model):
        if isinstance(scored, PicksScored):
            return scored.picks.particle_probability
    raise AssertionError


@cache
def load(root: Path) -> tuple[Project, Boxes]:
    """Open the project and cut its boxes, once a process."""
    project = open_project(root)
    return project, Boxes(project)


def run_draw(root: Path, k: int, seed: int, method: str, steps: int) -> dict:
    """Run one method on one draw of labels and return its row of figures."""
    project, boxes = load(root)
    is_particle = project.labels.labels == PARTICLE
    train, test, names = draw_labels(project.labels, k, seed)
    targets = is_particle[train].astype(np.int64)
    started = time.perf_counter()
    if method == "ours":
        probability = ours(project, train, test, seed, steps)
    elif method == "reference":
        probability = reference_recipe_probability(
            boxes.raw[train], targets, boxes.raw[test], seed=seed
        )
    else:
        probability = radial_profile_probability(
            boxes.standardised[train], targets, boxes.standardised[test]
        )
    seconds = round(time.perf_counter() - started, 1)
    draw = {"k": k, "seed": seed, "method": method, "micrographs": names, "seconds": seconds}
    return {**draw, **measures(is_particle[test], probability)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_project_argument(parser)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--steps", type=int, default=FineTuneSettings(diameter_px=1).n_steps)
    parser.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    parser.add_argument(
        "--output",
        type=Path,
        help="also write all figures as JSON; rows in it are not run again",
    )
    args = parser.parse_args()
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
    results: list[dict] = []
    if args.output and args.output.is_file():
        results = json.loads(args.output.read_text())
    done = {(r["k"], r["seed"], r["method"]) for r in results}
    with ProcessPoolExecutor(
        args.workers,
        mp_context=get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:
        draws = [
            pool.submit(run_draw, args.project, k, seed, method, args.steps)
            for k in args.k
            for method in args.methods
            for seed in range(args.seeds)
            if (k, seed, method) not in done
        ]
        for draw in as_completed(draws):
            row = draw.result()
            results.append(row)
            figures = "  ".join(f"{name} {row[name]:.4f}" for name in FIGURES)
            print(
                f"K={row['k']:<3} seed {row['seed']:<3} {row['method']:<10} {figures}  "
                f"{row['seconds']} s",
                flush=True,
            )
            if args.output:
                args.output.write_text(json.dumps(results, indent=1))
    print_summary(results, args.methods)


def print_summary(results: list[dict], methods: list[str]) -> None:
    """Print the table of means and worst seeds as Markdown."""
    print("\n| K | method | AUC mean | AUC worst | F1 particle | F1 macro | ECE | seeds |")
    print("|---|---|---|---|---|---|---|---|")
    for k in sorted({r["k"] for r in results}):
        for method in methods:
            rows = [r for r in results if r["k"] == k and r["method"] == method]
            mean = {m: float(np.mean([r[m] for r in rows])) for m in FIGURES}
            worst = min(r["auc"] for r in rows)
            print(
                f"| {k} | {method} | {mean['auc']:.4f} | {worst:.4f} | {mean['f1_particle']:.4f} "
                f"| {mean['f1_macro']:.4f} | {mean['ece']:.4f} | {len(rows)} |"
            )


if __name__ == "__main__":
    main()
