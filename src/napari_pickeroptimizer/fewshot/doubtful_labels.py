"""Labels that the others contradict: wrong ones, mostly, if some are wrong.

A network that is trained on few labels learns the wrong ones by heart. Its features before the
training know nothing of them: a plain regression on these features, fitted to all labels but
one, tells what the others make of that one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of a class; among fewer, one that is unlike the others is as likely rare as wrong.
LEAST_LABELS = 10
# Balanced accuracy of the regression below which it does not contradict anything.
LEAST_ACCURACY = 0.7
# Margins below are contradictions: 1 is what a label itself asks for, -1 the contrary.
CONTRADICTED = -0.4
# ... and below this one, labels do not count in the second fit, which judges.
DISTRUSTED = -0.3
# Most of a class that is left out: where more are contradicted, the features are at fault.
LARGEST_SHARE = 0.25
RIDGE = 1.0


def contradicted(
    features: NDArray[np.floating], targets: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return which labels the other labels contradict clearly.

    None where a class has fewer than `LEAST_LABELS`, or where the features do not tell the
    classes apart.

    Parameters
    ----------
    features : (n, c) float
        Of the labels, from a network that was not trained on them.
    targets : (n,) int
        Position of each label's class.
    """
    margins = label_margins(features, targets)
    result = margins < CONTRADICTED
    for c, n in zip(*np.unique(targets, return_counts=True), strict=True):
        of_class = np.flatnonzero(targets == c)
        least_first = of_class[np.argsort(margins[of_class], kind="stable")]
        result[least_first[int(LARGEST_SHARE * n) :]] = False
    return result


def label_margins(
    features: NDArray[np.floating], targets: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return how well each label fits the others, from about 1 (well) to -1 (another class).

    NaN for all where the others cannot tell, see `contradicted`; its parameters are the same.
    """
    unknown = np.full(len(targets), np.nan)
    classes, counts = np.unique(targets, return_counts=True)
    if len(classes) < 2 or counts.min() < LEAST_LABELS:
        return unknown
    first = left_out_margins(features, targets, np.ones(len(targets)))
    trusted = (first > DISTRUSTED).astype(np.float64)
    if any(not trusted[targets == c].any() for c in classes):
        return unknown
    margins = left_out_margins(features, targets, trusted)
    right = [(margins[targets == c] > 0).mean() for c in classes]
    return margins if np.mean(right) >= LEAST_ACCURACY else unknown


def left_out_margins(
    features: NDArray[np.floating], targets: NDArray[np.intp], weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return by how much a regression on the other labels prefers each label's class.

    Ridge regression of +1 (own class) and -1 (any other) on standardised features, the classes
    weighing the same; what it predicts for a label without that label follows from one fit.

    Parameters
    ----------
    features : (n, c) float
        Of the labels.
    targets : (n,) int
        Position of each label's class.
    weights : (n,) float
        Of each label in the fit; those of 0 are judged, but do not count.

    Returns
    -------
    (n,) float64
        Half the difference to the best other class: about 1 where the label fits well, about
        -1 where it fits another class as well.

    Examples
    --------
    >>> features = np.array([[-1.0], [-1.1], [-0.9], [1.0], [0.9], [1.1], [1.0]])
    >>> targets = np.array([0, 0, 0, 1, 1, 1, 0])  # the last one is wrong
    >>> left_out_margins(features, targets, np.ones(7)).round(1).tolist()
    [0.8, 0.9, 0.7, 0.4, 0.3, 0.5, -0.9]
    """
    classes, position = np.unique(targets, return_inverse=True)
    x = np.asarray(features, dtype=np.float64)
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6) / np.sqrt(x.shape[1])
    x = np.column_stack([x, np.ones(len(x))])
    own = position[:, None] == np.arange(len(classes))  # (n, n_classes)
    wanted = np.where(own, 1.0, -1.0)
    of_class = own.T @ weights
    w = weights * (len(x) / len(classes) / of_class)[position]
    inverse = np.linalg.inv(x.T @ (w[:, None] * x) + RIDGE * np.eye(x.shape[1]))
    fitted = x @ (inverse @ (x.T @ (w[:, None] * wanted)))
    leverage = w * np.einsum("ij,jk,ik->i", x, inverse, x, optimize=True)
    left_out = (fitted - leverage[:, None] * wanted) / (1 - leverage)[:, None]
    best_other = np.where(own, -np.inf, left_out).max(axis=1)
    return np.asarray((left_out[own] - best_other) / 2)
