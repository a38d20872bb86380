"""Cross-validation over the labels, whole micrographs held out where possible."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from napari_pickeroptimizer.trust import HeldOutScores, match_scale
from napari_pickeroptimizer.trust.calibration import bounded_logit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings


@dataclass(frozen=True, eq=False)
class Folds:
    """Splits of the labels into training and held-out ones.

    Parameters
    ----------
    splits : list of (train, held_out) positions
        Of all repeats, one after the other. In a repeat, every label is held out once, but for
        the only label of a class, which is never held out.
    n_repeats : int
        Number of repeats, each with another split.
    grouped_by_micrograph : bool
        Whether no micrograph is on both sides of a split.
    """

    splits: list[tuple[NDArray[np.intp], NDArray[np.intp]]]
    n_repeats: int
    grouped_by_micrograph: bool

    @classmethod
    def of(
        cls,
        targets: NDArray[np.intp],
        groups: NDArray[np.intp],
        settings: FineTuneSettings,
        particle: int | None = None,
    ) -> Self:
        """Split the labels as the settings say (see `label_folds`)."""
        splits, grouped = [], True
        for repeat in range(settings.n_repeats):
            seed = settings.seed + repeat
            part, by_group = label_folds(targets, groups, settings.n_folds, seed, particle)
            splits += part
            grouped = grouped and by_group
        return cls(splits, settings.n_repeats, grouped)

    def __len__(self) -> int:
        return len(self.splits)

    def __iter__(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        return iter(self.splits)


@dataclass(frozen=True, eq=False)
class FoldPredictions:
    """What the model of one fold predicts.

    Parameters
    ----------
    fold : int
        Position of the fold in `Folds.splits`.
    of_labels : (n, n_classes) float32
        P(class) of the labels that it was not trained on; NaN for the others.
    of_picks : (m, n_classes) float32
        P(class) of unlabelled picks.
    """

    fold: int
    of_labels: NDArray[np.float32]
    of_picks: NDArray[np.float32]

    def accuracy(self, targets: NDArray[np.intp]) -> float:
        """Return the share of held-out labels that are predicted correctly."""
        held_out = np.isfinite(self.of_labels[:, 0])
        hits = self.of_labels[held_out].argmax(axis=1) == targets[held_out]
        return float(hits.mean())


@dataclass(frozen=True, eq=False)
class Validation:
    """Predictions for the labels from models that were not trained on them.

    Parameters
    ----------
    folds : Folds
        How the labels were split; f models.
    targets : (n,) int
        Position of each label's class.
    held_out : (f, n, n_classes) float32
        P(class) of each label from each model; NaN from models that were trained on it.
    of_picks : (f, m, n_classes) float32
        P(class) of the same unlabelled picks from each model.
    """

    folds: Folds
    targets: NDArray[np.intp]
    held_out: NDArray[np.float32]
    of_picks: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        folds: Folds,
        targets: NDArray[np.intp],
        predictions: Mapping[int, FoldPredictions],
    ) -> Self | None:
        """Join the predictions of all folds, by their positions; None without folds."""
        if not len(folds):
            return None
        by_fold = [predictions[i] for i in range(len(folds))]
        held_out = np.stack([p.of_labels for p in by_fold])
        return cls(folds, targets, held_out, np.stack([p.of_picks for p in by_fold]))

    @property
    def judged(self) -> NDArray[np.intp]:
        """(k,) positions of the labels that were held out at all."""
        return np.flatnonzero(np.isfinite(self.held_out[..., 0]).any(axis=0))

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """(k, n_classes) P(class) of every label that was held out, the mean over the repeats."""
        return np.asarray(np.nanmean(self.held_out[:, self.judged], axis=0))

    @property
    def accuracy(self) -> float:
        """Share of held-out labels predicted correctly."""
        hits = self.probabilities.argmax(axis=1) == self.targets[self.judged]
        return float(hits.mean())

    @property
    def macro_f1(self) -> float:
        """F1 averaged over the classes."""
        predicted = self.probabilities.argmax(axis=1)
        return float(f1_score(self.targets[self.judged], predicted, average="macro"))

    def held_out_scores(
        self,
        particle: int,
        final: NDArray[np.float32],
        suggested: NDArray[np.bool_],
        micrograph: NDArray[np.intp] | None = None,
    ) -> HeldOutScores:
        """Return the labels' out-of-fold scores on the scale of the final model.

        Parameters
        ----------
        particle : int
            Position of the particle class.
        final : (m, n_classes) float32
            P(class) of the unlabelled picks from the final model.
        suggested : (n,) bool
            Which labels are of suggested picks.
        micrograph : (n,) int, optional
            Number of each label's micrograph.
        """
        judged = self.judged
        target = bounded_logit(final[:, particle])
        logits = [
            match_scale(bounded_logit(labels), bounded_logit(picks), target)
            for labels, picks in zip(
                self.held_out[:, judged, particle], self.of_picks[..., particle], strict=True
            )
        ]
        return HeldOutScores(
            np.nanmean(logits, axis=0),
            self.targets[judged] == particle,
            suggested[judged],
            None if micrograph is None else micrograph[judged],
        )

    def summary(self) -> dict[str, Any]:
        """Return the figures for the model card."""
        return {
            "n_folds": len(self.folds) // self.folds.n_repeats,
            "n_repeats": self.folds.n_repeats,
            "grouped_by_micrograph": self.folds.grouped_by_micrograph,
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
        }


def label_folds(
    targets: NDArray[np.intp],
    groups: NDArray[np.intp],
    n_folds: int,
    seed: int,
    particle: int | None = None,
) -> tuple[list[tuple[NDArray[np.intp], NDArray[np.intp]]], bool]:
    """Split labels into (train, held-out) folds, by micrograph where the labels allow it.

    Whole micrographs are held out if every fold then still trains on all classes; otherwise
    labels are split within micrographs, which makes the accuracy slightly optimistic.

    What matters is that particles and others can be told apart. So there are folds as soon as
    there are two labels of both: the only label of another class prevents none. It is never
    held out, as nothing would be left to learn its class from, unless too few others remain.

    Parameters
    ----------
    targets : (n,) int
        Class position of each label.
    groups : (n,) int
        Micrograph of each label.
    n_folds : int
        Number of folds; fewer where there are fewer labels of particles, or of all others.
        Below 2: no folds.
    seed : int
        Seed of the shuffling.
    particle : int, optional
        Position of the particle class; without one, every class needs two labels.

    Returns
    -------
    folds : list of (train, held_out) positions
    grouped : bool
        Whether the folds keep micrographs together.
    """
    counts = np.bincount(targets)
    rows, kinds = np.arange(len(targets)), targets
    if particle is not None:
        is_only = counts[targets] == 1
        rest = targets[~is_only]
        if min((rest == particle).sum(), (rest != particle).sum()) >= 2:
            rows = np.flatnonzero(~is_only)
        elif min(counts[particle], len(targets) - counts[particle]) >= 2:
            kinds = (targets != particle).astype(np.intp)
    only, kinds, where = np.setdiff1d(np.arange(len(targets)), rows), kinds[rows], groups[rows]
    classes, of_kind = np.unique(kinds, return_counts=True)
    if len(classes) < 2 or of_kind.min() < 2:
        return [], False
    both = kinds if particle is None else (targets[rows] != particle)
    n = min(n_folds, int(np.unique(both, return_counts=True)[1].min()))
    if n < 2:
        return [], False
    for n_grouped in range(min(n, len(np.unique(where))), 1, -1):
        splitter = StratifiedGroupKFold(n_grouped, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes in few micrographs: checked below
            folds = list(splitter.split(kinds, kinds, where))
        if all(len(b) and set(kinds[a]) == set(classes) for a, b in folds):
            # whole micrographs: without the only label of a class that lies on one of them
            return [
                (np.sort([*rows[a], *only[~np.isin(groups[only], where[b])]]), rows[b])
                for a, b in folds
            ], True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer labels than folds
        folds = list(StratifiedKFold(n, shuffle=True, random_state=seed).split(kinds, kinds))
    return [(np.sort([*rows[a], *only]), rows[b]) for a, b in folds], False
