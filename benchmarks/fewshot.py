"""The few-shot protocol on EMPIAR-10017: ours beside what is simpler, and the reference recipe.

    python benchmarks/fewshot.py --project DIR [--seeds 20] [--k 5 10 20 50] [--workers 2]

DIR is made by the tool make_empiar10017.py. A seed draws three training micrographs (one at
least with carbon), then K particles and K negatives on them; all labels of the other seven
micrographs are the test set. Nothing is chosen on test boxes: fixed settings, last step.
Prints mean and worst over the seeds, all methods on the same draws:

radial      logistic regression on radial profiles of the grey level
probe       logistic regression on the features of --base, as it is
topaz       the same on features of Topaz's detector (--topaz-features, see README.md)
ours        fine-tuning from --base
reference   the published recipe (minutes a seed on one core: see --reference-seeds)
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from empiar10017 import add_project_argument
from grid import (
    Job,
    Row,
    add_grid_arguments,
    grouped,
    mean_and_worst,
    print_table,
    run_grid,
)
from measures import FIGURES
from methods import METHODS, Options, run_draw

from napari_pickeroptimizer.fewshot.settings import FineTuneSettings


def add_draw_arguments(parser: argparse.ArgumentParser, k: list[int]) -> None:
    """Add what every benchmark on draws of labels takes."""
    add_project_argument(parser)
    add_grid_arguments(parser)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--k", type=int, nargs="+", default=k)
    parser.add_argument("--device", default="auto", help="of the fine-tuning")


def draw_line(rows: list[Row]) -> list[object]:
    """Return means and worst of a method's draws, as `DRAW_COLUMNS` names them."""
    auc, worst = mean_and_worst(rows, "auc")
    means = {figure: mean_and_worst(rows, figure) for figure in FIGURES}
    return [
        auc,
        worst,
        *means["f1_particle"],
        *means["f1_macro"],
        means["ece"][0],
        max(row["ece"] for row in rows),
        len(rows),
    ]


DRAW_COLUMNS = (
    "AUC mean", "worst", "F1 particle mean", "worst", "F1 macro mean", "worst", "ECE mean",
    "worst", "seeds",
)  # fmt: skip


def jobs_of(args: argparse.Namespace, options: Options) -> list[Job]:
    """Return one job for each K, method and seed, the cheap methods first."""
    steps = args.steps if args.steps is not None else FineTuneSettings(diameter_px=1).n_steps
    return [
        {
            "k": k,
            "method": method,
            "start": options.start(method),
            "steps": steps if method == "ours" else None,
            "folds": args.folds if method == "ours" else None,
            "flip_labels": args.flip_labels,
            "typed": args.typed,
            "seed": seed,
        }
        for method in METHODS
        if method in args.methods
        for k in args.k
        for seed in range(args.reference_seeds if method == "reference" else args.seeds)
    ]


def print_promises(rows: list[Row]) -> None:
    """Print what calibration by the labels changes, and promises beside the truth.

    The test labels stand for picks: what is promised of them is judged by what they are.
    """
    calibrated = [row for row in rows if "ece_uncalibrated" in row]
    lines, promises = [], []
    for (k,), group in grouped(calibrated, "k").items():
        for name, suffix in (("shares only", "_uncalibrated"), ("calibrated", "")):
            figures = [
                mean_and_worst(group, f"f1_particle{suffix}"),
                (
                    float(np.mean([row[f"ece{suffix}"] for row in group])),
                    float(max(row[f"ece{suffix}"] for row in group)),
                ),
            ]
            lines.append((k, name, *figures[0], *figures[1], len(group)))
        for at in ("half", "best"):
            for figure in ("precision", "recall"):
                true = np.array([row[f"{at}_{figure}"] for row in group])
                mean, low, high = np.array([row[f"{at}_{figure}_promised"] for row in group]).T
                held = (low <= true) & (true <= high)
                promises.append(
                    (k, "0.5" if at == "half" else "best F1", figure, float(true.mean()),
                     float(mean.mean()), float((high - low).mean()), float(held.mean()))
                )  # fmt: skip
    if calibrated:
        columns = ("F1 particle mean", "worst", "ECE mean", "worst", "seeds")
        print_table(("K", "probabilities", *columns), lines)
        columns = ("true", "promised", "width of the 90 % interval", "covered")
        print_table(("K", "threshold", "figure", *columns), promises)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_draw_arguments(parser, k=[5, 10, 20, 50])
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, help="by default all that have what they need"
    )
    parser.add_argument("--base", help="first weights of ours and of the probe")
    parser.add_argument("--backbone")
    parser.add_argument("--steps", type=int)
    parser.add_argument(
        "--folds",
        type=int,
        default=FineTuneSettings(diameter_px=1).n_folds,
        help="of ours; 0 for no calibration by the labels, a quarter of the time",
    )
    parser.add_argument("--topaz-features", type=Path, help="FILE.npy of topaz_features.py")
    parser.add_argument("--reference-weights", type=Path, help="torchvision's ResNet-18, .pth")
    parser.add_argument("--reference-seeds", type=int, help="fewer seeds of the slow recipe")
    parser.add_argument(
        "--flip-labels", type=float, default=0.0, help="share of wrong training labels, 0 to 1"
    )
    parser.add_argument(
        "--typed", action="store_true", help="negatives typed as contaminant or carbon"
    )
    args = parser.parse_args()
    if args.methods is None:
        args.methods = [m for m in METHODS if m != "topaz" or args.topaz_features]
    if args.reference_seeds is None:
        args.reference_seeds = args.seeds
    if "topaz" in args.methods and args.topaz_features is None:
        parser.error("the method topaz needs --topaz-features, see benchmarks/README.md")
    given = {"base": args.base, "backbone": args.backbone, "n_steps": args.steps}
    options = Options(
        args.project,
        {"device": args.device, **{k: v for k, v in given.items() if v is not None}},
        args.topaz_features,
        args.reference_weights,
    )
    rows = run_grid(
        partial(run_draw, options),
        jobs_of(args, options),
        workers=args.workers,
        output=args.output,
        figures=FIGURES,
    )
    lines = [
        (k, method, start, *draw_line(group))
        for (k, method, start), group in sorted(
            grouped(rows, "k", "method", "start").items(),
            key=lambda item: (item[0][0], METHODS.index(item[0][1])),
        )
    ]
    print_table(("K", "method", "start", *DRAW_COLUMNS), lines)
    print_promises(rows)
    labels = "typed" if args.typed else "untyped"
    print(f"\nnegatives {labels}; {args.flip_labels:.0%} of the training labels are wrong")


if __name__ == "__main__":
    main()
