"""Labels of one pick file, given to the same picks in another."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.picks import Picks


def transfer_labels(picks: Picks, labels: Picks, radius_px: float = 1.0) -> tuple[Picks, int]:
    """Return `picks` with the labels of the picks that lie at their place, and how many.

    Each label goes to the nearest pick of its micrograph, at most `radius_px` away; picks
    without such a label keep their own.

    Parameters
    ----------
    picks : Picks
        What is to be labelled.
    labels : Picks
        Labelled picks; unlabelled ones are passed over.
    radius_px : float
        Largest distance in micrograph pixels.

    Examples
    --------
    >>> picks = Picks.from_arrays("a.mrc", x=[10.0, 30.0], y=[20.0, 40.0])
    >>> labels = Picks.from_arrays("a.mrc", x=[30.2], y=[40.0], label=2)
    >>> labelled, n = transfer_labels(picks, labels)
    >>> labelled.labels.tolist(), n
    ([0, 2], 1)
    """
    labelled = labels.select(labels.labels != UNLABELLED)
    result, places = picks.labels.copy(), picks.rows_by_micrograph()
    n_given = 0
    for name, rows in labelled.rows_by_micrograph().items():
        if name not in places:
            continue
        tree = KDTree(picks.coords_yx_px()[places[name]])
        distance, nearest = tree.query(labelled.coords_yx_px()[rows])
        near = distance <= radius_px
        result[places[name][np.atleast_1d(nearest)[near]]] = labelled.labels[rows][near]
        n_given += int(near.sum())
    return picks.with_labels(result), n_given
