"""Honest cross-validation over the labels: an accuracy that was not trained on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold


@dataclass(frozen=True)
class Validation:
    """Out-of-fold predictions of every label.

    Parameters
    ----------
    n_folds : int
        Number of folds.
    grouped_by_micrograph : bool
        Whether no micrograph was in the training and the held-out part of one fold.
    targets : (n,) int
        Position of each label's class.
    probabilities : (n, n_classes) float
        P(class), each row from a model that did not see that label.
    """

    n_folds: int
    grouped_by_micrograph: bool
    targets: NDArray[np.intp]
    probabilities: NDArray[np.float32]

    @property
    def accuracy(self) -> float:
        """Share of labels predicted right."""
        return float((self.probabilities.argmax(axis=1) == self.targets).mean())

    @property
    def macro_f1(self) -> float:
        """F1 averaged over the classes."""
        predicted = self.probabilities.argmax(axis=1)
        return float(f1_score(self.targets, predicted, average="macro"))

    def summary(self) -> dict[str, Any]:
        """Return the figures for the model card."""
        return {
            "n_folds": self.n_folds,
            "grouped_by_micrograph": self.grouped_by_micrograph,
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
        }


def label_folds(
    targets: NDArray[np.intp], groups: NDArray[np.intp], n_folds: int, seed: int
) -> tuple[list[tuple[NDArray[np.intp], NDArray[np.intp]]], bool]:
    """Split labels into (train, held-out) folds, by micrograph where the labels allow it.

    Whole micrographs are held out if every fold then still trains on all classes;
    otherwise labels are split within micrographs, which flatters the accuracy a little.

    Parameters
    ----------
    targets : (n,) int
        Class position of each label.
    groups : (n,) int
        Micrograph of each label.
    n_folds : int
        Folds wanted; fewer are made where a class has fewer labels. Below 2: no folds.
    seed : int
        Seed of the shuffling.

    Returns
    -------
    folds : list of (train, held_out) positions
    grouped : bool
        Whether the folds keep micrographs together.
    """
    counts = np.bincount(targets)
    classes = np.flatnonzero(counts)
    n = min(n_folds, int(counts[classes].min()))
    if n < 2:
        return [], False
    n_grouped = min(n, len(np.unique(groups)))
    if n_grouped >= 2:
        splitter = StratifiedGroupKFold(n_grouped, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes in few micrographs: checked below
            folds = list(splitter.split(targets, targets, groups))
        if all(len(b) and set(targets[a]) == set(classes) for a, b in folds):
            return folds, True
    return list(
        StratifiedKFold(n, shuffle=True, random_state=seed).split(targets, targets)
    ), False
