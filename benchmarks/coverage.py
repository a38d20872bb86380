"""Do promises hold? Expected precision and recall of simulated picks, beside the truth.

    python benchmarks/coverage.py --work DIR [--structures FOLDER] [--sessions 200]

In a session a user labels picks of four micrographs of a simulated project, a classifier learns
from them, and its promise at two thresholds is compared with what the other picks truly are. The
90 % intervals should hold the truth in 85 to 95 % of the sessions. Labels come

by class      K of each class, drawn at random within it
at random     2 K picks as they come
suggested     half of them by class, the others where a first classifier is in doubt; it is
              known which

Two classifiers: ``head``, a logistic regression on the bundled network's features, labels against
each other, for many sessions; and ``network``, the
fine-tuning itself with its defaults (minutes of one core a session: --network-sessions).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
from empiar10017 import working_boxes
from grid import Job, Row, add_grid_arguments, grouped, print_table, run_grid
from methods import N_VIEWS, base_features, fine_tuned, scored
from numpy.typing import NDArray
from scipy.special import expit
from simulated_targets import find_structure, simulated
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.fewshot.validate import label_folds
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.pretrain.harder_scenes import HARDER, HARDER_DEFOCUS_SPREAD_ANG
from napari_pickeroptimizer.simulate.settings import SimulationSettings
from napari_pickeroptimizer.simulate.simulate import project_model
from napari_pickeroptimizer.trust import (
    Calibration,
    HeldOutScores,
    fit_calibration,
    forecast_performance,
    match_scale,
    reliability,
)

SHAPE = "shape"  # the simulation's own, without a structure
N_MICROGRAPHS = 12
N_LABELLED = 4
N_FOLDS = 3
N_REFERENCE = 256
REGULARISATION = 0.02
KINDS = ("by class", "at random", "suggested")
FIGURES = ("precision", "recall")


@dataclass(frozen=True)
class Target:
    """A simulated project whose truth is known, and features of all its boxes.

    Parameters
    ----------
    micrographs : Micrographs
        Its images.
    picks : Picks
        An imitated picker's output; labels are the true classes, particle or not.
    diameter_px : float
        Particle diameter.
    features : (n, c) float64
        Of the picks, scaled to mean 0 and standard deviation 1.
    """

    micrographs: Micrographs
    picks: Picks
    diameter_px: float
    features: NDArray[np.float64]

    @property
    def is_particle(self) -> NDArray[np.bool_]:
        """(n,) the truth."""
        return np.asarray(self.picks.labels == PARTICLE)

    @property
    def micrograph_of(self) -> NDArray[np.intp]:
        """(n,) number of each pick's micrograph."""
        names = self.picks.table["micrograph"].to_numpy(dtype=str)
        return np.unique(names, return_inverse=True)[1]


@cache
def load(work: Path, structures: Path | None, name: str, seed: int) -> Target:
    """Simulate a project, or take it from `work`, and compute its features."""
    structure = None
    if name != SHAPE:
        assert structures is not None, "a target with a structure needs --structures"
        structure = find_structure(structures, name)
    settings = SimulationSettings(
        n_micrographs=N_MICROGRAPHS,
        structure=structure,
        seed=seed,
        defocus_spread_ang=HARDER_DEFOCUS_SPREAD_ANG,
    )
    root = simulated(work / name, settings, HARDER)
    micrographs = Micrographs.find(root / "micrographs.star")
    picks = read_picks(root / "picks_truth.star")
    picks = picks.with_labels(np.where(picks.labels == PARTICLE, PARTICLE, CONTAMINANT))
    boxes = BoxSettings(diameter_px=settings.for_model(project_model(settings)).diameter_px)
    features = features_of(micrographs, picks, boxes)
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    return Target(
        micrographs,
        picks,
        boxes.diameter_in(None),
        (features - mean) / spread,
    )


def features_of(
    micrographs: Micrographs, picks: Picks, boxes: BoxSettings, n_views: int = N_VIEWS
) -> NDArray[np.float64]:
    """Return (n, c) features of the bundled network, the mean over turned views."""
    return base_features(working_boxes(micrographs, picks, boxes), n_views=n_views)


def head(
    target: Target, rows: NDArray[np.intp], is_particle: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the logits of all picks by a regression on some labels.

    As in the fine-tuning's loss, labels of both classes weigh the same.
    """
    weights = 1 / np.where(is_particle, is_particle.sum(), (~is_particle).sum())
    model = LogisticRegression(C=REGULARISATION, max_iter=500)
    model.fit(target.features[rows], is_particle, sample_weight=len(rows) * weights)
    return np.asarray(model.decision_function(target.features))


def draw_rows(
    target: Target, kind: str, k: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the picks that the user of a session labels, and which of them were suggested."""
    rng = np.random.default_rng(seed)
    truth, where = target.is_particle, target.micrograph_of
    pool = np.isin(where, rng.choice(N_MICROGRAPHS, N_LABELLED, replace=False))
    if kind == "at random":
        while True:
            rows = rng.choice(np.flatnonzero(pool), 2 * k, replace=False)
            if 3 <= truth[rows].sum() <= 2 * k - 3:  # fewer allow no folds
                return rows, np.zeros(len(rows), dtype=bool)
    n = k if kind == "by class" else k // 2
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(pool & (truth == c)), n, replace=False)
            for c in (True, False)
        ]
    )
    n_by_class = len(rows)
    if kind == "suggested":
        doubt = np.abs(head(target, rows, truth[rows]))
        doubt[~pool] = np.inf
        doubt[rows] = np.inf
        rows = np.concatenate([rows, np.argsort(doubt)[: 2 * k - len(rows)]])
    return rows, np.arange(len(rows)) >= n_by_class


def head_session(
    target: Target, rows: NDArray[np.intp], suggested: NDArray[np.bool_], seed: int
) -> tuple[HeldOutScores, Calibration, NDArray[np.float64]]:
    """Return evidence, calibration and calibrated P(particle) of all picks, by the head."""
    truth = target.is_particle[rows]
    final = head(target, rows, truth)
    others = np.setdiff1d(np.arange(len(final)), rows)
    rng = np.random.default_rng(seed)
    reference = rng.choice(others, N_REFERENCE, replace=False)
    folds, _ = label_folds((~truth).astype(np.intp), target.micrograph_of[rows], N_FOLDS, seed)
    logits = np.empty(len(rows))
    for train, held_out in folds:
        fold = head(target, rows[train], truth[train])
        logits[held_out] = match_scale(fold[rows[held_out]], fold[reference], final[reference])
    evidence = HeldOutScores(logits, truth, suggested, target.micrograph_of[rows])
    line = fit_calibration(evidence, expit(final[reference]))
    return evidence, line, line.apply(expit(final))


def network_session(
    target: Target, rows: NDArray[np.intp], suggested: NDArray[np.bool_], seed: int
) -> tuple[HeldOutScores, Calibration, NDArray[np.float64]]:
    """Return evidence, calibration and calibrated P(particle) of all picks, by fine-tuning."""
    settings = FineTuneSettings(diameter_px=target.diameter_px, seed=seed)
    unlabelled = target.picks.with_labels(np.zeros(len(target.picks)))
    labels = target.picks.select(rows).with_columns(suggestion=suggested.astype(np.int32))
    model = fine_tuned(target.micrographs, labels, unlabelled, settings)
    assert model.card.held_out_scores is not None
    p = scored(target.micrographs, unlabelled, model, settings).particle_probability
    return model.card.held_out_scores, model.card.calibration, p


def run_session(work: Path, structures: Path | None, job: Job) -> Row:
    """Return what one session was promised and what is true."""
    target = load(work, structures, job["target"], job["simulation_seed"])
    rows, suggested = draw_rows(target, job["kind"], job["k"], job["seed"])
    session = head_session if job["classifier"] == "head" else network_session
    evidence, line, p_all = session(target, rows, suggested, job["seed"])
    rest = np.setdiff1d(np.arange(len(p_all)), rows)
    p, truth = p_all[rest], target.is_particle[rest]
    expected = forecast_performance(evidence, line, p)
    row: Row = {
        "auc": float(roc_auc_score(truth, p)),
        "ece": reliability(p, truth).ece,
        "ece_uncalibrated": reliability(line.undo(p), truth).ece,
    }
    for name, threshold in (("half", 0.5), ("best", expected.best_f1())):
        at, kept = expected.at(threshold), p >= threshold
        true = {"precision": truth[kept].mean(), "recall": kept[truth].mean()}
        for figure in FIGURES:
            interval = getattr(at, figure)
            row[f"{name}_{figure}"] = [
                float(true[figure]), interval.mean, interval.low, interval.high,
            ]  # fmt: skip
    return row


def line_of(rows: list[Row]) -> list[object]:
    """Return coverage, mean width and mean error over sessions and both thresholds."""
    cells: list[object] = [float(np.mean([row["auc"] for row in rows]))]
    for figure in FIGURES:
        values = np.array([row[f"{at}_{figure}"] for row in rows for at in ("half", "best")])
        true, mean, low, high = values.T
        cells += [
            f"{np.mean((low <= true) & (true <= high)):.1%}",
            f"{np.mean(high - low):.3f}",
            f"{np.mean(mean - true):+.3f}",
        ]
    ece = np.mean([[row["ece_uncalibrated"], row["ece"]] for row in rows], axis=0)
    return [*cells, f"{ece[0]:.3f} / {ece[1]:.3f}", len(rows)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_grid_arguments(parser)
    parser.add_argument("--work", type=Path, required=True, help="folder for the micrographs")
    parser.add_argument("--structures", type=Path, help="folder of atomic models")
    parser.add_argument("--targets", nargs="+", default=[SHAPE])
    parser.add_argument("--k", type=int, nargs="+", default=[20])
    parser.add_argument("--sessions", type=int, default=200, help="of the head, in all")
    parser.add_argument("--network-sessions", type=int, default=0, help="in all")
    parser.add_argument("--seed", type=int, default=1, help="of the simulation")
    args = parser.parse_args()
    jobs: list[Job] = [
        {
            "classifier": classifier,
            "kind": kind,
            "k": k,
            "target": args.targets[seed % len(args.targets)],
            "simulation_seed": args.seed,
            "seed": seed,
        }
        for classifier, n in (("head", args.sessions), ("network", args.network_sessions))
        for kind in (KINDS if classifier == "head" else KINDS[:1])
        for k in (args.k if classifier == "head" else args.k[:1])
        for seed in range(n)
    ]
    rows = run_grid(
        partial(run_session, args.work, args.structures),
        jobs,
        workers=args.workers,
        output=args.output,
        figures=("auc",),
    )
    columns = (
        "classifier", "labels", "K", "AUC", "precision covered", "width", "error",
        "recall covered", "width", "error", "ECE before / after", "sessions",
    )  # fmt: skip
    groups = grouped(rows, "classifier", "kind", "k").items()
    print_table(columns, [(*key, *line_of(group)) for key, group in groups])
    print(
        "\n90 % intervals at 0.5 and at the best expected F1; error: promised minus true, mean"
    )


if __name__ == "__main__":
    main()
