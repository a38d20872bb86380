"""Which of many picks are worth a label: numbers in, positions out, the most useful first.

Everything here works on plain arrays: features of picks, probabilities, scores.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

N_STARTS = 3
# No micrograph gives more than this many times its even share of the suggestions.
CROWDING = 2
# A pick the model is quite sure of counts this little in the clustering, but counts.
LEAST_WEIGHT = 1e-6


def diverse(
    features: NDArray[np.floating],
    n: int,
    *,
    known: NDArray[np.floating] | None = None,
    groups: NDArray[np.intp] | None = None,
    weights: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Choose picks unlike each other and unlike what is labelled: centres of clusters.

    Picks and labels are put into as many clusters as there are labels and wanted picks
    together; from each cluster without a label comes the pick nearest to its centre.

    Parameters
    ----------
    features : (m, c) float
        Of the picks.
    n : int
        How many are wanted; fewer come where there are fewer.
    known : (k, c) float, optional
        Features of the labels.
    groups : (m,) int, optional
        Micrograph of each pick: none gives more than `CROWDING` times its share.
    weights : (m,) float, optional
        How much each pick counts in the clustering, by default all alike.
    seed : int
        Seed of the clustering.

    Returns
    -------
    (min(n, m),) int
        Positions, so ordered that the first few are unlike each other too.

    Examples
    --------
    Three kinds of picks, one of them labelled:

    >>> kinds = np.array([[0.0], [0.1], [5.0], [5.1], [5.2], [9.0]])
    >>> sorted(diverse(kinds, 2, known=np.array([[0.05]])).tolist())
    [3, 5]
    """
    n = min(n, len(features))
    known = features[:0] if known is None else known
    if n == 0:
        return np.empty(0, dtype=np.intp)
    points = np.concatenate([features, known])
    mass = np.ones(len(points))
    if weights is not None:
        mass[: len(features)] = weights
    n_clusters = min(n + len(known), len(points))
    means = KMeans(n_clusters, n_init=N_STARTS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # fewer distinct points than clusters
        distance = means.fit(points, sample_weight=mass).transform(features)
    cluster = means.labels_[: len(features)]
    taken = set(means.labels_[len(features) :].tolist())
    size = np.bincount(cluster, weights=mass[: len(features)], minlength=n_clusters)
    free = [c for c in np.argsort(-size, kind="stable") if c not in taken]
    groups = np.zeros(len(features), dtype=np.intp) if groups is None else groups
    room = _room(groups, n)
    chosen = _nearest(free, cluster, distance, groups, room, n)
    _fill(chosen, n, features, known, groups, room)
    order = spread(features[chosen], n, known)
    return np.asarray(chosen, dtype=np.intp)[order]


def _room(groups: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Return how many of n suggestions each micrograph may give."""
    n_groups = len(np.unique(groups))
    most = n if n_groups == 1 else math.ceil(CROWDING * n / n_groups)
    return np.full(groups.max() + 1, most, dtype=np.intp)


def _nearest(
    clusters: list[int],
    cluster: NDArray[np.int32],
    distance: NDArray[np.float64],
    groups: NDArray[np.intp],
    room: NDArray[np.intp],
    n: int,
) -> list[int]:
    """Return the pick nearest to each cluster's centre, where there is `room`, n at most."""
    chosen: list[int] = []
    for c in clusters:
        members = np.flatnonzero((cluster == c) & (room[groups] > 0))
        if len(members) and len(chosen) < n:
            best = int(members[distance[members, c].argmin()])
            chosen.append(best)
            room[groups[best]] -= 1
    return chosen


def _fill(
    chosen: list[int],
    n: int,
    features: NDArray[np.floating],
    known: NDArray[np.floating],
    groups: NDArray[np.intp],
    room: NDArray[np.intp],
) -> None:
    """Add to `chosen` what is farthest from it, first where there is `room`, until n are in."""
    seen = np.concatenate([known, features[chosen]])
    gap = np.min([_squared(features, point) for point in seen], axis=0)
    gap[chosen] = -np.inf
    while len(chosen) < n:
        allowed = np.where(room[groups] > 0, gap, -np.inf)
        best = int((allowed if np.isfinite(allowed).any() else gap).argmax())
        chosen.append(best)
        room[groups[best]] -= 1
        gap = np.minimum(gap, _squared(features, features[best]))
        gap[chosen] = -np.inf


def spread(
    features: NDArray[np.floating], n: int, known: NDArray[np.floating]
) -> NDArray[np.intp]:
    """Order picks so that each is the farthest from all before it, and from `known`.

    Without `known`, the first is the one nearest to the mean.

    Examples
    --------
    >>> spread(np.array([[0.0], [1.0], [5.0]]), 3, known=np.empty((0, 1))).tolist()
    [1, 2, 0]
    """
    if not len(features):
        return np.empty(0, dtype=np.intp)
    if len(known):
        gap = np.min([_squared(features, k) for k in known], axis=0)
    else:
        gap = -_squared(features, features.mean(axis=0))
    order = []
    for _ in range(min(n, len(features))):
        best = int(gap.argmax())
        order.append(best)
        to_best = _squared(features, features[best])
        gap = to_best if not len(known) and len(order) == 1 else np.minimum(gap, to_best)
        gap[order] = -np.inf
    return np.array(order, dtype=np.intp)


def _squared(
    features: NDArray[np.floating], point: NDArray[np.floating]
) -> NDArray[np.float64]:
    return np.asarray(((features - point) ** 2).sum(axis=1), dtype=np.float64)


def uncertainty(p_particle: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how little is known, 0 (sure) to 1 (P(particle) is a half): the entropy in bits.

    Examples
    --------
    >>> uncertainty(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [0.0, 1.0, 0.0]
    """
    p = np.clip(np.asarray(p_particle, dtype=np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


def uncertain(
    features: NDArray[np.floating],
    p_particle: NDArray[np.floating],
    n: int,
    *,
    groups: NDArray[np.intp] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Choose picks that the model is not sure of, and unlike each other.

    The most uncertain ones alone would be the same doubt many times over. So all picks are
    clustered, each weighing as much as it is uncertain: the centres lie where the doubts are,
    one for each kind.

    Parameters
    ----------
    features : (m, c) float
        Of the picks.
    p_particle : (m,) float
        P(particle) of each.
    n : int
        How many are wanted.
    groups : (m,) int, optional
        Micrograph of each pick.
    seed : int
        Seed of the clustering.

    Returns
    -------
    positions : (min(n, m),) int
        The most uncertain first.
    scores : (min(n, m),) float64
        Their `uncertainty`.
    """
    doubt = uncertainty(p_particle)
    weights = np.maximum(doubt, LEAST_WEIGHT)
    positions = diverse(features, n, groups=groups, weights=weights, seed=seed)
    positions = positions[np.argsort(-doubt[positions], kind="stable")]
    return positions, doubt[positions]


def mixed(
    features: NDArray[np.floating],
    p_particle: NDArray[np.floating],
    n: int,
    *,
    known: NDArray[np.floating] | None = None,
    groups: NDArray[np.intp] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Choose `uncertain` picks and `diverse` ones in turn.

    Doubts alone are hard cases, and among the hard cases are those that people get wrong too:
    labels of nothing else can teach a model less than none. Ordinary picks keep it steady.

    Parameters are those of the two; the first is an uncertain one.

    Returns
    -------
    positions : (min(n, m),) int
        The most useful first.
    is_doubt : (min(n, m),) bool
        Which of them were chosen as uncertain.
    """
    doubts, _ = uncertain(features, p_particle, math.ceil(n / 2), groups=groups, seed=seed)
    known = features[:0] if known is None else known
    rest = np.setdiff1d(np.arange(len(features)), doubts)
    others = rest[
        diverse(
            features[rest],
            n - len(doubts),
            known=np.concatenate([known, features[doubts]]),
            groups=None if groups is None else groups[rest],
            seed=seed,
        )
    ]
    positions = np.concatenate([doubts, others])
    turn = np.concatenate([2 * np.arange(len(doubts)), 2 * np.arange(len(others)) + 1])
    order = np.argsort(turn)
    return positions[order], order < len(doubts)


@dataclass(frozen=True)
class Disagreement:
    """Picks on which picker and model differ, the clearest first.

    Parameters
    ----------
    positions : (n,) int
        Which picks.
    picker_sure : (n,) bool
        True where the picker's score is high and P(particle) low, False for the reverse.
    strength : (n,) float64
        How far apart the two are, 0..1.
    """

    positions: NDArray[np.intp]
    picker_sure: NDArray[np.bool_]
    strength: NDArray[np.float64]


def disagreements(
    picker_score: NDArray[np.floating], p_particle: NDArray[np.floating], n: int
) -> Disagreement:
    """Choose picks that the picker scored high and the model rejects, and the reverse, in turn.

    A picker's score has a scale of its own, so its rank among the picks is compared: a pick in
    the upper half that the model rejects, or in the lower half that the model keeps.

    Parameters
    ----------
    picker_score, p_particle : (m,) float
        Of the picks; one without a score (NaN) is left out.
    n : int
        How many are wanted; fewer come where fewer disagree.

    Examples
    --------
    >>> found = disagreements(np.array([9.0, 7, 3, 1]), np.array([0.1, 0.9, 0.2, 0.8]), 4)
    >>> found.positions.tolist(), found.picker_sure.tolist()
    ([0, 3], [True, False])
    """
    there = np.flatnonzero(np.isfinite(picker_score) & np.isfinite(p_particle))
    ranks = rankdata(picker_score[there]) - 0.5
    u, p = ranks / max(len(there), 1), np.asarray(p_particle, dtype=np.float64)[there]
    picker_sure = np.where((u > 0.5) & (p < 0.5), u * (1 - p), 0.0)
    picker_unsure = np.where((u < 0.5) & (p >= 0.5), (1 - u) * p, 0.0)
    turns = []
    for sure, strength in ((True, picker_sure), (False, picker_unsure)):
        order = np.argsort(-strength, kind="stable")
        order = order[strength[order] > 0]
        turns += [(turn, not sure, i, strength[i]) for turn, i in enumerate(order)]
    turns = sorted(turns, key=lambda t: t[:2])[:n]
    return Disagreement(
        there[np.array([i for _, _, i, _ in turns], dtype=np.intp)],
        np.array([not unsure for _, unsure, _, _ in turns], dtype=bool),
        np.array([strength for *_, strength in turns], dtype=np.float64),
    )
