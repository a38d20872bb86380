"""The figures of all benchmarks of a classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

FIGURES = ("auc", "f1_particle", "f1_macro", "ece")


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


def typed_measures(
    truth: NDArray[np.int8],
    class_ids: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    particle: int,
) -> dict[str, float]:
    """Return accuracy, macro F1, particle F1 and ROC AUC of (n, n_classes) probabilities.

    A pick's class is the one of the highest probability; the AUC is of P(particle).
    """
    called = class_ids[probabilities.argmax(axis=1)]
    column = int(np.flatnonzero(class_ids == particle)[0])
    return {
        "accuracy": float(accuracy_score(truth, called)),
        "f1_macro": float(f1_score(truth, called, average="macro", labels=class_ids)),
        "f1_particle": float(f1_score(truth == particle, called == particle)),
        "auc": float(roc_auc_score(truth == particle, probabilities[:, column])),
    }


def expected_calibration_error(
    is_particle: NDArray[np.bool_], probability: NDArray[np.float64], n_bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal bins of confidence, by size.

    Examples
    --------
    Four picks called particles with a confidence of 0.9, three of them right:

    >>> p = np.full(4, 0.9)
    >>> round(expected_calibration_error(np.array([True, True, True, False]), p), 2)
    0.15
    """
    confidence = np.maximum(probability, 1 - probability)
    right = (probability >= 0.5) == is_particle
    bins = np.minimum(((confidence - 0.5) * 2 * n_bins).astype(int), n_bins - 1)
    gaps = [
        (bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean())
        for b in np.unique(bins)
    ]
    return float(sum(gaps))
