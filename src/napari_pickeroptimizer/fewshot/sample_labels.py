"""A sample of labels where there are more than a fine-tuning needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.micrographs import Micrograph


def sample_labels(
    rows_of: Mapping[Micrograph, NDArray[np.intp]],
    classes: NDArray[np.int8],
    n_labels: int,
    n_micrographs: int,
    rng: np.random.Generator,
) -> dict[Micrograph, NDArray[np.intp]]:
    """Draw labels evenly over micrographs; all of them where there are no more than asked for.

    Micrographs come first: labels are drawn at random, of the classes in turn so that a rare
    one is not missed, and their micrographs taken. From these, labels of each class are drawn
    in rounds, one of every micrograph that has any left.

    Parameters
    ----------
    rows_of : mapping of Micrograph to (k,) int
        Rows of the labels of each micrograph.
    classes : (n,) int
        Class of each row.
    n_labels : int
        Most labels of a class.
    n_micrographs : int
        Most micrographs.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict of Micrograph to (k,) int
        Rows, ascending; micrographs in their order, without those that have none.
    """
    with_labels = [m for m, rows in rows_of.items() if len(rows)]
    if not with_labels:
        return {}
    rows = np.concatenate([rows_of[m] for m in with_labels])
    where = np.repeat(np.arange(len(with_labels)), [len(rows_of[m]) for m in with_labels])
    kinds = classes[rows]
    if len(with_labels) > n_micrographs:
        in_order = where[_in_rounds(kinds, rng)]
        _, first = np.unique(in_order, return_index=True)
        chosen = in_order[np.sort(first)[:n_micrographs]]
        kept = np.isin(where, chosen)
        rows, where, kinds = rows[kept], where[kept], kinds[kept]
    parts = []
    for kind in np.unique(kinds):
        of_kind = np.flatnonzero(kinds == kind)
        if len(of_kind) > n_labels:
            of_kind = of_kind[_in_rounds(where[of_kind], rng)[:n_labels]]
        parts.append(of_kind)
    kept_rows = np.concatenate(parts)
    rows, where = rows[kept_rows], where[kept_rows]
    return {with_labels[i]: np.sort(rows[where == i]) for i in np.unique(where)}


def _in_rounds(groups: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return positions in random order such that each round has one of every group left."""
    shuffled = rng.permutation(len(groups))
    by_group = shuffled[np.argsort(groups[shuffled], kind="stable")]
    _, first, group = np.unique(groups[by_group], return_index=True, return_inverse=True)
    turn = np.empty(len(groups), dtype=np.intp)
    turn[by_group] = np.arange(len(groups)) - first[group]
    return np.lexsort((rng.random(len(groups)), turn))
