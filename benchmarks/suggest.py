"""Labels that `suggest` chose beside labels drawn at random, on EMPIAR-10017.

    python benchmarks/suggest.py --project DIR [--model surrogate] [--seeds 20] [--output FILE]

A seed draws three training micrographs as the few-shot protocol does (README.md). Everything
labelled by hand on them stands for the picks; whoever asks for the label of one is told it, and
pays for it. All labels of the other seven micrographs are the test set.

random     picks drawn evenly from the pool; drawn on until both classes are there
suggest    the first 10 by diversity, without a model; the next ones by uncertainty, with the
           model fine-tuned on those so far (drawn on likewise)

Both teach the same thing: the default fine-tuning (--model fine-tuned, minutes a seed), or
logistic regression on the features of the first weights (--model surrogate, seconds), which
ranks strategies much as the fine-tuning does. Prints the figures on the test set by the number
of labels, and how many random labels are as good as the suggested ones.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
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

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.fewshot.choose import diverse, uncertain
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.prior import class_prior
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.fewshot.suggest import Suggested, SuggestSettings, suggest
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import backbone_of
from napari_pickeroptimizer.prune.score import PicksScored, score

STRATEGIES = ("random", "suggest")
MODELS = ("fine-tuned", "surrogate")
FIGURES = ("auc", "f1_particle", "f1_macro")
K_OF_THE_DRAW = 20  # decides only which micrographs may be drawn
N_FIRST = 10
N_MORE = 5  # asked for at a time while one class is missing
RANDOM_STREAM = 2

Rows = NDArray[np.intp]


@dataclass
class Learner:
    """What is taught by labels of a draw, and can be asked which labels it wants next.

    Parameters
    ----------
    project : Project
        The project, its labels of two classes.
    pool, test : (n,) int
        Rows of the labels that may be asked for, and of those that judge.
    seed : int
        Of everything random.
    """

    project: Project
    pool: Rows
    test: Rows
    seed: int

    def first(self, n: int, known: Rows) -> Rows:
        """Return n rows of the pool, chosen without a model."""
        raise NotImplementedError

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Learn from the labels `known`; return P(particle) of the test rows."""
        raise NotImplementedError

    def next(self, n: int, known: Rows) -> Rows:
        """Return n rows of the pool, chosen with what was learned last."""
        raise NotImplementedError


@dataclass
class FineTuning(Learner):
    """The package's own fine-tuning and `suggest`, as a user would call them."""

    device: str = "auto"
    model: Classifier | None = None

    def first(self, n: int, known: Rows) -> Rows:
        """Ask for labels without a model."""
        return self._asked(n, known, None)

    def next(self, n: int, known: Rows) -> Rows:
        """Ask for labels with the model."""
        return self._asked(n, known, self.model)

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Teach a new model; return P(particle) of the test rows."""
        settings = FineTuneSettings(
            diameter_px=DIAMETER_PX, n_folds=0, seed=self.seed, device=self.device
        )
        micrographs, labels = self.project.micrographs, self.project.labels
        everything = self.project.all_picks()
        for event in finetune(micrographs, labels.select(known), settings, everything):
            if isinstance(event, FineTuned):
                self.model = event.model
        assert self.model is not None
        test = labels.select(self.test)
        for scored in score(micrographs, test, self.model, device=self.device):
            if isinstance(scored, PicksScored):
                return scored.picks.particle_probability
        raise AssertionError

    def _asked(self, n: int, known: Rows, model: Classifier | None) -> Rows:
        labels = self.project.labels
        settings = SuggestSettings(
            n=n,
            diameter_px=DIAMETER_PX,
            n_pool=10 * len(self.pool),
            seed=self.seed,
            device=self.device,
        )
        for event in suggest(
            self.project.micrographs,
            labels.select(self.pool).with_labels(UNLABELLED),
            settings,
            classifier=model,
            labels=labels.select(known) if len(known) else None,
        ):
            if isinstance(event, Suggested):
                return self.pool[event.rows]
        raise AssertionError


@dataclass
class Surrogate(Learner):
    """Logistic regression on features of the first weights, standardised over the pool."""

    root: Path = Path()
    p_pool: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        base = str(FineTuneSettings(diameter_px=1).base)
        features = frozen_features(self.root, base, backbone_of(base))
        self.features = features - features[self.pool].mean(axis=0)
        self.scale = features[self.pool].std(axis=0) + 1e-9
        names = self.project.labels.table["micrograph"]
        self.groups = np.unique(names.to_numpy(dtype=str), return_inverse=True)[1]

    def first(self, n: int, known: Rows) -> Rows:
        """Ask for labels without a model."""
        free, features = self._free(known)
        return free[
            diverse(
                features,
                n,
                known=self.features[known],
                groups=self.groups[free],
                seed=self.seed,
            )
        ]

    def next(self, n: int, known: Rows) -> Rows:
        """Ask for labels with the model."""
        assert self.p_pool is not None
        free, features = self._free(known)
        p = self.p_pool[np.searchsorted(self.pool, free)]
        chosen, _ = uncertain(features, p, n, groups=self.groups[free], seed=self.seed)
        return free[chosen]

    def learn(self, known: Rows) -> NDArray[np.float64]:
        """Teach a new model; return P(particle) of the test rows."""
        is_particle = self.project.labels.labels == PARTICLE
        model = LogisticRegression(max_iter=500, class_weight="balanced")
        scaled = self.features / self.scale
        model.fit(scaled[known], is_particle[known])
        even = model.predict_proba(scaled[self.pool])
        shares = class_prior(even)

        def with_shares(p: NDArray[np.float64]) -> NDArray[np.float64]:
            weighted = p * shares
            return weighted[:, 1] / weighted.sum(axis=1)

        self.p_pool = with_shares(even)
        return with_shares(model.predict_proba(scaled[self.test]))

    def _free(self, known: Rows) -> tuple[Rows, NDArray[np.float64]]:
        free = np.setdiff1d(self.pool, known)
        return free, self.features[free]


def run_draw(root: Path, device: str, job: Job) -> Row:
    """Run ``job["strategy"]`` on the draw ``seed``; figures by the number of labels paid for."""
    project, _ = load(root)
    _, test, names = draw_labels(project.labels, K_OF_THE_DRAW, job["seed"])
    pool = np.flatnonzero(project.labels.table["micrograph"].isin(names))
    project = Project(project.root, project.micrographs, as_two_classes(project.labels))
    learner: Learner = (
        Surrogate(project, pool, test, job["seed"], root)
        if job["model"] == "surrogate"
        else FineTuning(project, pool, test, job["seed"], device)
    )
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
    parser.add_argument("--model", choices=MODELS, default="surrogate")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=STRATEGIES)
    parser.add_argument("--n-suggest", type=int, nargs="+", default=[N_FIRST, 20, 40])
    parser.add_argument("--n-random", type=int, nargs="+", default=[10, 20, 40, 80])
    parser.add_argument("--device", default="auto", help="of the fine-tuning")
    args = parser.parse_args()
    numbers = {"random": args.n_random, "suggest": args.n_suggest}
    start = Options(args.project).start("ours")
    jobs = [
        {"model": args.model, "start": start, "strategy": s, "n": numbers[s], "seed": seed}
        for seed in range(args.first_seed, args.first_seed + args.seeds)
        for s in args.strategies
    ]
    rows = run_grid(
        partial(run_draw, args.project, args.device),
        jobs,
        workers=args.workers,
        output=args.output,
    )
    report(rows)


if __name__ == "__main__":
    main()
