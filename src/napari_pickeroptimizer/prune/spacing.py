"""Which picks are too close to a better one: greedy, best first, exact."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def too_close(
    coords_yx_px: NDArray[np.float64],
    score: NDArray[np.float64],
    fixed: NDArray[np.bool_],
    groups: Iterable[tuple[NDArray[np.intp], float]],
) -> NDArray[np.bool_]:
    """Return which picks lie nearer than a distance to a better pick that stays.

    The best pick stays and removes its near neighbours, then the best of what is left, and so
    on. Equal scores go by place (y, then x), so that the order of the rows does not matter;
    only of two picks at one place the earlier row stays.

    Parameters
    ----------
    coords_yx_px : (n, 2) float64
        Centres.
    score : (n,) float64
        The higher the better.
    fixed : (n,) bool
        Picks that stay whatever is near, and go before all others.
    groups : iterable of ((m,) int, float)
        Rows of each micrograph, and its least distance in pixels; other rows stay.

    Returns
    -------
    (n,) bool
        True for picks to be removed.
    """
    order = np.lexsort((coords_yx_px[:, 1], coords_yx_px[:, 0], -score, ~fixed))
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))  # stable: the earlier of equal rows is better
    found = []
    for rows, distance in groups:
        if distance <= 0 or len(rows) < 2:
            continue
        coords = coords_yx_px[rows]
        pairs = cKDTree(coords).query_pairs(distance, output_type="ndarray")
        between = coords[pairs[:, 0]] - coords[pairs[:, 1]]
        pairs = pairs[(between**2).sum(axis=1) < distance**2]  # a pick at the distance stays
        if len(pairs):
            found.append(rows[pairs])
    removed = np.zeros(len(score), dtype=bool)
    if not found:
        return removed
    pairs = np.concatenate(found)
    swap = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    better, worse = np.where(swap[:, None], pairs[:, ::-1], pairs).T
    free = ~fixed[worse]
    better, worse = better[free], worse[free]
    # All picks without a better neighbour stay at once; what they remove is gone in the next
    # round. The same result as one by one, in a few rounds however many picks there are.
    while len(worse):
        waits = np.zeros(len(score), dtype=bool)
        waits[worse] = True
        goes = np.zeros(len(score), dtype=bool)
        goes[worse[~waits[better]]] = True
        removed |= goes
        open_ = ~(goes[better] | goes[worse])
        better, worse = better[open_], worse[open_]
    return removed
