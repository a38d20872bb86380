"""Do forecasts hold on real labels? Expected precision and recall of the fine-tuning itself.

    python benchmarks/forecasts.py --targets DIR [--only TARGET ...] [--k 20] [--seeds 10]
                                   [--substitute [--clear]] [--workers 2] [--output FILE.json]

DIR is made by `make_targets.py`; targets and draws are those of `targets.py`, here with the folds
of the cross-validation (a minute of one core a draw). The pool's picks on micrographs without
training labels are taken as picks whose forecast is asked for. A row keeps the out-of-fold scores
and the network's scores, so that another way to forecast is compared in seconds: run the same
command again with the same file.

Two forecasts are printed for each target, at 0.5 and at the best expected F1: as it is, and as if
each label came from a micrograph of its own, so that its interval does not know that micrographs
differ.

``--substitute`` takes a regression on the bundled network's features for the fine-tuning, so that
many draws cost seconds. With ``--clear`` its user labels clear cases: the 70 % of each class that
a regression on all picks of the micrograph is surest of.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from coverage import FIGURES, N_FOLDS, REGULARISATION, features_of, line_of
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from measures import measures
from methods import fine_tuned, scored, start_name
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from targets import Target, draw, load

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.fewshot.validate import label_folds
from napari_pickeroptimizer.model.weights import backbone_of
from napari_pickeroptimizer.trust import (
    HeldOutScores,
    fit_calibration,
    forecast_performance,
    match_scale,
)
from napari_pickeroptimizer.trust.calibration import bounded_logit

TARGETS = (
    "empiar10017 hand topaz",
    "empiar10017 hand crYOLO_10",
    "empiar10017 hand topaz_25",
    "empiar10017 off_centre off_centre",
    "empiar10028 blobs blobs",
    "empiar10028 off_centre off_centre",
    "empiar10059 off_centre off_centre",
    "sim_3sn6 typed picks",
    "sim_1aon typed picks",
    "sim_4zxb typed picks",
)
N_REFERENCE = 400
MOST_PICKS = 2000  # of a pool, for the substitute
CLEAR_SHARE = 0.7


def run_draw(root: Path, job: Job) -> Row:
    """Return the out-of-fold scores of a draw's labels, and the network's scores of picks."""
    data = load(root, Target(*job["target"].split()))
    assert data.picks is not None, f"{job['target']} has no list of picks"
    train, test = draw(data.pool, data.with_carbon, job["k"], job["seed"])
    settings = FineTuneSettings(diameter_px=data.diameter_px, seed=job["seed"])
    labels, picks = data.pool.select(train), data.pool.select(test)
    model = fine_tuned(data.micrographs, labels, data.picks, settings)
    row: Row = {"held_out": None}
    if model.card.held_out_scores is None:
        return row
    rng = np.random.default_rng(job["seed"])
    n = min(N_REFERENCE, len(data.picks))
    some = data.picks.select(np.sort(rng.choice(len(data.picks), n, replace=False)))
    line = model.card.calibration
    for name, of in (("reference", some), ("test", picks)):
        p = scored(data.micrographs, of, model, settings).particle_probability
        logits = bounded_logit(line.undo(p[np.isfinite(p)]))
        row[name] = np.round(logits, 3).tolist()
    row["truth"] = (picks.labels == PARTICLE).astype(int).tolist()
    row["held_out"] = model.card.held_out_scores.to_dict()
    return row


@dataclass(frozen=True)
class Features:
    """Picks of a pool, and of its list, as the substitute sees them.

    Parameters
    ----------
    pool : (n, c) float64
        Features of the pool's picks, scaled by those of the list.
    reference : (m, c) float64
        Of picks of the list.
    is_particle : (n,) bool
        The truth of the pool.
    micrograph : (n,) int
        Number of each pick's micrograph.
    """

    pool: NDArray[np.float64]
    reference: NDArray[np.float64]
    is_particle: NDArray[np.bool_]
    micrograph: NDArray[np.intp]


@cache
def load_features(root: Path, name: str) -> Features:
    """Return the features of a target, computed once a process."""
    data = load(root, Target(*name.split()))
    assert data.picks is not None, f"{name} has no list of picks"
    rng = np.random.default_rng(0)
    boxes = BoxSettings(diameter_px=data.diameter_px)
    parts = [
        picks.select(np.sort(rng.permutation(len(picks))[:most]))
        for picks, most in ((data.pool, MOST_PICKS), (data.picks, N_REFERENCE))
    ]
    pool, reference = (features_of(data.micrographs, part, boxes, n_views=1) for part in parts)
    mean, spread = reference.mean(axis=0), reference.std(axis=0) + 1e-6
    names = parts[0].table["micrograph"].to_numpy(dtype=str)
    return Features(
        (pool - mean) / spread,
        (reference - mean) / spread,
        np.asarray(parts[0].labels == PARTICLE),
        np.unique(names, return_inverse=True)[1],
    )


def regression(
    features: NDArray[np.float64], is_particle: NDArray[np.bool_]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the logit as a function of features, both classes being as likely."""
    model = LogisticRegression(C=REGULARISATION, max_iter=500, class_weight="balanced")
    model.fit(features, is_particle)
    return model.decision_function


def run_substitute(root: Path, job: Job) -> Row:
    """Return what `run_draw` does, of a regression instead of the fine-tuning."""
    data = load_features(root, job["target"])
    truth, micrograph = data.is_particle, data.micrograph
    may_label = np.ones(len(truth), dtype=bool)
    if job["clear"]:
        surety = np.where(truth, 1, -1) * regression(data.pool, truth)(data.pool)
        for number in np.unique(micrograph):
            for of_class in (truth, ~truth):
                rows = np.flatnonzero((micrograph == number) & of_class)
                n_hard = round((1 - CLEAR_SHARE) * len(rows))
                may_label[rows[np.argsort(surety[rows])[:n_hard]]] = False
    rng = np.random.default_rng(job["seed"])
    k, labels = job["k"], np.array([], dtype=np.intp)
    while len(labels) < 2 * k:
        on = np.isin(micrograph, rng.choice(micrograph.max() + 1, 3, replace=False))
        of_classes = [np.flatnonzero(on & may_label & (truth == c)) for c in (True, False)]
        labels = np.concatenate([rng.permutation(rows)[:k] for rows in of_classes])
    is_particle, of_labels = truth[labels], data.pool[labels]
    final = regression(of_labels, is_particle)
    reference = final(data.reference)
    logits = np.empty(len(labels))
    folds, _ = label_folds(
        (~is_particle).astype(np.intp), micrograph[labels], N_FOLDS, job["seed"], particle=0
    )
    for train, held_out in folds:
        fold = regression(of_labels[train], is_particle[train])
        logits[held_out] = match_scale(
            fold(of_labels[held_out]), fold(data.reference), reference
        )
    scores = HeldOutScores(logits, is_particle, micrograph=micrograph[labels])
    return {
        "reference": np.round(reference, 3).tolist(),
        "test": np.round(final(data.pool[~on]), 3).tolist(),
        "truth": truth[~on].astype(int).tolist(),
        "held_out": scores.to_dict(),
    }


def judged(held_out: HeldOutScores, row: Row) -> Row:
    """Return what is forecast of the test picks of a draw beside what is true."""
    raw, truth = expit(np.array(row["test"])), np.array(row["truth"], dtype=bool)
    line = fit_calibration(held_out, expit(np.array(row["reference"])))
    p = line.apply(raw)
    expected = forecast_performance(held_out, line, p)
    result: Row = measures(truth, p)
    result["ece_uncalibrated"] = measures(truth, raw)["ece"]
    result["f1_most"] = most_f1(p, truth)
    result["warned"] = not expected.reliable
    result["share_error"] = float(p.mean() - truth.mean())
    for name, threshold in (("half", 0.5), ("best", expected.best_f1())):
        at, kept = expected.at(threshold), p >= threshold
        # where nothing is kept there is no false pick
        precision = truth[kept].mean() if kept.any() else 1.0
        for figure, true in (("precision", precision), ("recall", kept[truth].mean())):
            interval = getattr(at, figure)
            result[f"{name}_{figure}"] = [
                float(true), interval.mean, interval.low, interval.high,
            ]  # fmt: skip
    return result


def most_f1(p: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the F1 of the best threshold."""
    found = np.cumsum(truth[np.argsort(-p, kind="stable")])
    return float((2 * found / (np.arange(len(p)) + 1 + truth.sum())).max())


def lines_of(name: str, rows: list[Row]) -> list[list[object]]:
    """Return the printed lines of some draws: the forecast as it is, and without micrographs."""
    known = [row for row in rows if row["held_out"] is not None]
    lines: list[list[object]] = []
    for words, apart in (("as it is", False), ("labels independent", True)):
        for row in known:
            if words in row:  # printed of its target before
                continue
            held_out = HeldOutScores.from_dict(row["held_out"])
            if apart:
                held_out = replace(held_out, micrograph=np.arange(len(held_out.logits)))
            row[words] = judged(held_out, row)
        done: list[Row] = [row[words] for row in known]
        if done:
            f1 = [float(np.mean([r[key] for r in done])) for key in ("f1_particle", "f1_most")]
            share = float(np.mean([r["share_error"] for r in done]))
            lines.append(
                [
                    name,
                    words,
                    *line_of(done)[:-1],
                    *f1,
                    f"{share:+.3f}",
                    f"{np.mean([r['warned'] for r in done]):.0%}",
                    f"{len(done)}/{len(rows)}",
                ]
            )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--targets", type=Path, required=True)
    parser.add_argument(
        "--only", nargs="+", default=list(TARGETS), help="by their whole names"
    )
    parser.add_argument("--k", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--substitute", action="store_true")
    parser.add_argument("--clear", action="store_true")
    parser.add_argument("--first-seed", type=int, default=0)
    args = parser.parse_args()
    start = start_name("bundled", backbone_of("bundled", None))
    kind = {"substitute": True, "clear": args.clear} if args.substitute else {}
    jobs: list[Job] = [
        {"target": target, "k": args.k, "seed": seed, "start": start, **kind}
        for seed in range(args.first_seed, args.first_seed + args.seeds)
        for target in args.only
    ]
    rows = run_grid(
        partial(run_substitute if args.substitute else run_draw, args.targets),
        jobs,
        workers=args.workers,
        output=args.output,
    )
    columns = ["target", "forecast", "AUC"]
    for figure in FIGURES:
        columns += [f"{figure} covered", "width", "error"]
    columns += [
        "ECE before / after",
        "F1 at 0.5",
        "F1 at most",
        "share error",
        "warned",
        "forecasts",
    ]
    lines = [
        line
        for (name,), group in grouped(rows, "target").items()
        for line in lines_of(name, group)
    ]
    print_table(columns, [*lines, *lines_of("all", rows)])


if __name__ == "__main__":
    main()
