"""Labels that `suggest` chose beside labels drawn at random, on EMPIAR-10017.

    python benchmarks/suggest.py --project DIR [--model surrogate] [--seeds 20] [--output FILE]

A seed draws three training micrographs as the few-shot protocol does (README.md). Everything
labelled by hand on them stands for the picks; whoever asks for the label of one is told it, and
pays for it. All labels of the other seven micrographs are the test set.

random     picks drawn evenly from the pool; drawn on until both classes are there
suggest    as `pickeroptimizer suggest` does: the first 10 by diversity, without a model; the
           next ones with the model fine-tuned on those so far, half by its doubts and half by
           diversity (drawn on likewise; --by chooses otherwise)

Both teach the same thing: the default fine-tuning (--model fine-tuned, minutes a seed), or
logistic regression on the features of the first weights (--model surrogate, seconds: a stand-in,
which may rank strategies otherwise than the fine-tuning does). Prints the figures on the test set
by the number of labels, and how many random labels are as good as the suggested ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from empiar10017 import (
    DIAMETER_PX,
    Project,
    add_project_argument,
    as_two_classes,
    draw_labels,
)
from grid import Job, Row, add_grid_arguments, grouped, mean_and_worst, print_table, run_grid
from measures import measures
from methods import Options, frozen_features, load
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.gather import TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.query_strategies import diverse, mixed, uncertain
from napari_pickeroptimizer.fewshot.settings import By, FineTuneSettings
from napari_pickeroptimizer.fewshot.train import train
from napari_pickeroptimizer.fewshot.trained import Trained
from napari_pickeroptimizer.model.weights import backbone_of, initial_network
from napari_pickeroptimizer.trust.class_shares import class_shares

STRATEGIES = ("random", "suggest")
FIGURES = ("auc", "f1_particle", "f1_macro")
K_OF_THE_DRAW = 20  # decides only which micrographs may be drawn
N_FIRST = 10
N_MORE = 5  # asked for at a time while one class is missing
RANDOM_STREAM = 2

Rows = NDArray[np.intp]


class Learner:
    """What is taught by labels of a draw, and can be asked which labels it wants next.

    Parameters
    ----------
    root : Path
        The project folder.
    project : Project
        The project, its labels of two classes.
    pool, test : (n,) int
        Rows of the labels that may be asked for, and of those that judge.
    seed : int
        Of everything random.
    by : str
        What the labels after the first ones are chosen by.
    """

    def __init__(
        self, root: Path, project: Project, pool: Rows, test: Rows, seed: int, by: By
    ) -> None:
        self.project, self.pool, self.test = project, pool, test
        self.seed, self.by = seed, by
        base = str(FineTuneSettings(diameter_px=1).base)
        self.pretrained_features = frozen_features(
            root, base, backbone_of(base)
        )  # of all labels
        names = project.labels.table["micrograph"].to_numpy(dtype=str)
        self.groups = np.unique(names, return_inverse=True)[1]
        self.features = (
            self.pretrained_features
        )  # of all labels, by the model of the last round
        self.p_pool = np.empty(0)  # P(particle) of the pool, likewise

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Learn from the labels `known`; return P(particle) of the test rows."""
        raise NotImplementedError

    def first(self, n: int, known: Rows) -> Rows:
        """Ask for n labels without a model."""
        return self._diverse(self.pretrained_features, n, known)

    def next(self, n: int, known: Rows) -> Rows:
        """Ask for n labels with the model of the last round."""
        if self.by == "diversity":
            return self._diverse(self.features, n, known)
        free = np.setdiff1d(self.pool, known)
        features, groups = self.features[free], self.groups[free]
        p = self.p_pool[np.searchsorted(self.pool, free)]
        if self.by == "uncertainty":
            return free[uncertain(features, p, n, groups=groups, seed=self.seed)[0]]
        of_labels = self.features[known]
        return free[
            mixed(features, p, n, label_features=of_labels, groups=groups, seed=self.seed)[0]
        ]

    def _diverse(self, features: NDArray[np.floating], n: int, known: Rows) -> Rows:
        free = np.setdiff1d(self.pool, known)
        chosen = diverse(
            features[free],
            n,
            label_features=features[known],
            groups=self.groups[free],
            seed=self.seed,
        )
        return free[chosen]


class FineTuning(Learner):
    """The package's own fine-tuning; the boxes are cut once a draw, not once a training."""

    def __init__(
        self, root: Path, project: Project, pool: Rows, test: Rows, seed: int, by: By
    ) -> None:
        super().__init__(root, project, pool, test, seed, by)
        self.settings = FineTuneSettings(diameter_px=DIAMETER_PX, n_folds=0, seed=seed)
        working = load(root)[1].working(self.settings.boxes)
        self.boxes = torch.from_numpy(working)[:, None]
        labels = project.labels.select(pool)
        for event in gather(project.micrographs, labels, project.all_picks(), self.settings):
            if isinstance(event, TrainingBoxes):
                self.gathered = event
        order = np.concatenate(list(labels.rows_by_micrograph().values()))
        self.window = np.empty(len(pool), dtype=np.intp)  # of each row of the pool
        self.window[order] = np.arange(len(pool))
        assert (self.gathered.targets[self.window] == (labels.labels != PARTICLE)).all()

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Teach a new model; return P(particle) of the test rows."""
        rows = np.sort(self.window[np.searchsorted(self.pool, known)])
        boxes = replace(
            self.gathered,
            labelled=self.gathered.labelled[torch.from_numpy(rows)],
            targets=self.gathered.targets[rows],
            groups=self.gathered.groups[rows],
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = initial_network(self.settings.base, None, len(boxes.class_ids))
        device = choose_device(self.settings.device)
        for _ in train(network, boxes, np.arange(len(rows)), self.settings, device):
            pass
        model = Trained.of(network, boxes, self.settings).classifier(None)
        p, self.features = model.predict_with_features(self.boxes)
        self.p_pool = p[self.pool, 0].astype(np.float64)
        return p[self.test, 0].astype(np.float64)


class Surrogate(Learner):
    """Logistic regression on features of the first weights, standardised over the pool."""

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Teach a new model; return P(particle) of the test rows."""
        mine = self.pretrained_features[self.pool]
        scaled = (self.pretrained_features - mine.mean(axis=0)) / (mine.std(axis=0) + 1e-9)
        model = LogisticRegression(max_iter=500, class_weight="balanced")
        model.fit(scaled[known], self.project.labels.labels[known] == PARTICLE)
        even = model.predict_proba(scaled)
        weighted = even * class_shares(even[self.pool])
        p = weighted[:, 1] / weighted.sum(axis=1)
        self.p_pool = p[self.pool]
        return np.asarray(p[self.test])


LEARNERS = {"fine-tuned": FineTuning, "surrogate": Surrogate}


def run_draw(root: Path, job: Job) -> Row:
    """Run ``job["strategy"]`` on the draw ``seed``; figures by the number of labels paid for."""
    project, _ = load(root)
    _, test, names = draw_labels(project.labels, K_OF_THE_DRAW, job["seed"])
    pool = np.flatnonzero(project.labels.table["micrograph"].isin(names))
    project = Project(project.root, project.micrographs, as_two_classes(project.labels))
    by: By = job["by"] or "auto"
    learner = LEARNERS[job["model"]](root, project, pool, test, job["seed"], by)
    is_particle = project.labels.labels == PARTICLE
    order = np.random.default_rng([job["seed"], RANDOM_STREAM]).permutation(pool)
    random = job["strategy"] == "random"
    known: Rows = np.empty(0, dtype=np.intp)
    result: Row = {"micrographs": names, "n_pool": len(pool)}
    for n in job["n"]:
        if random:
            known = order[: max(n, len(known))]
            more = partial(_next_of, order)
        else:
            ask = learner.next if len(known) else learner.first
            known = np.concatenate([known, ask(max(n - len(known), 0), known)])
            more = learner.first
        known = with_both_classes(known, is_particle, more)
        figures = measures(is_particle[test], learner.learn(known))
        result[str(n)] = {
            "n_labels": len(known),
            "n_particles": int(is_particle[known].sum()),
            **figures,
        }
    return result


def _next_of(order: Rows, n: int, known: Rows) -> Rows:
    return order[len(known) : len(known) + n]


def with_both_classes(
    known: Rows, is_particle: NDArray[np.bool_], more: Callable[[int, Rows], Rows]
) -> Rows:
    """Ask for more labels, one after the other, until there is one of each class.

    Examples
    --------
    >>> truth = np.array([True, True, True, False, True])
    >>> with_both_classes(np.array([0]), truth, lambda n, known: np.array([2, 3, 4])).tolist()
    [0, 2, 3]
    """
    while len(set(is_particle[known].tolist())) < 2:
        for row in more(N_MORE, known):
            known = np.append(known, row)
            if len(set(is_particle[known].tolist())) == 2:
                break
    return known


def labels_needed(n: Sequence[float], quality: Sequence[float], wanted: float) -> float:
    """Return how many labels reach a quality, between two measured numbers by their logarithm.

    Infinite where even the most do not.

    Examples
    --------
    >>> labels_needed([10, 20, 40], [0.7, 0.8, 0.9], 0.85).__round__(1)
    28.3
    >>> labels_needed([10, 20, 40], [0.7, 0.8, 0.9], 0.95)
    inf
    """
    if wanted <= quality[0]:
        return float(n[0])
    for i in range(1, len(n)):
        if quality[i] >= wanted:
            part = (wanted - quality[i - 1]) / (quality[i] - quality[i - 1])
            return float(n[i - 1] * (n[i] / n[i - 1]) ** part)
    return float("inf")


def at(rows: list[Row], n: int) -> list[Row]:
    """Return the rows' figures at n labels."""
    return [row[str(n)] for row in rows]


def report(rows: list[Row]) -> None:
    """Print the figures by the number of labels, and what random labels it takes to match."""
    groups = {strategy: group for (strategy,), group in grouped(rows, "strategy").items()}
    lines = []
    for strategy, group in groups.items():
        for n in group[0]["n"]:
            figures = at(group, n)
            paid = float(np.mean([f["n_labels"] for f in figures]))
            means = [v for f in FIGURES for v in mean_and_worst(figures, f)]
            lines.append((strategy, n, f"{paid:.1f}", *means, len(figures)))
    print_table(
        (
            "labels",
            "n",
            "paid",
            *(f"{f} {w}" for f in FIGURES for w in ("mean", "worst")),
            "seeds",
        ),
        lines,
    )
    if len(groups) < len(STRATEGIES):
        return
    random, suggested = groups["random"], groups["suggest"]
    print("\nRandom labels that it takes to reach the mean of the suggested ones:")
    lines = []
    for n in suggested[0]["n"]:
        line: list[object] = [n]
        for figure in FIGURES:
            curve = [mean_and_worst(at(random, m), figure)[0] for m in random[0]["n"]]
            wanted = mean_and_worst(at(suggested, n), figure)[0]
            needed = labels_needed(random[0]["n"], curve, wanted)
            most = random[0]["n"][-1]
            line.append(f"more than {most}" if np.isinf(needed) else f"{needed:.0f}")
        lines.append(line)
    print_table(("suggested", *FIGURES), lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_project_argument(parser)
    add_grid_arguments(parser)
    parser.add_argument("--model", choices=tuple(LEARNERS), default="surrogate")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument(
        "--by",
        choices=("auto", "uncertainty", "diversity"),
        default="auto",
        help="see `suggest`",
    )
    parser.add_argument("--n-suggest", type=int, nargs="+", default=[N_FIRST, 20, 40])
    parser.add_argument("--n-random", type=int, nargs="+", default=[10, 20, 40, 80])
    args = parser.parse_args()
    numbers = {"random": args.n_random, "suggest": args.n_suggest}
    start = Options(args.project).start("ours")
    jobs = [
        {
            "model": args.model,
            "start": start,
            "strategy": s,
            "by": args.by if s == "suggest" else None,
            "n": numbers[s],
            "seed": seed,
        }
        for seed in range(args.first_seed, args.first_seed + args.seeds)
        for s in args.strategies
    ]
    rows = run_grid(
        partial(run_draw, args.project),
        jobs,
        workers=args.workers,
        output=args.output,
    )
    report(rows)


if __name__ == "__main__":
    main()
