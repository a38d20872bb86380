"""Query strategies of active learning: which picks to label next.

Functions of plain arrays (features, probabilities, scores) that return positions, the most
informative first.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

N_STARTS = 3
# No micrograph gets more than this multiple of its even share of the suggestions.
CROWDING = 2
# Weight in the clustering of a pick that the model is certain of.
LEAST_WEIGHT = 1e-6


def diverse(
    features: NDArray[np.floating],
    n: int,
    *,
    label_features: NDArray[np.floating] | None = None,
    groups: NDArray[np.intp] | None = None,
    weights: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Choose picks unlike each other and unlike the labels: centres of clusters.

    Picks and labels are clustered by k-means, k being the number of labels and requested picks
    together; from each cluster without a label comes the pick nearest to its centre.

    Parameters
    ----------
    features : (m, c) float
        Of the picks.
    n : int
        Number of picks requested; fewer are returned where there are fewer.
    label_features : (k, c) float, optional
        Features of the labels.
    groups : (m,) int, optional
        Micrograph of each pick: none gets more than `CROWDING` times its share.
    weights : (m,) float, optional
        Weight of each pick in the clustering, by default equal.
    seed : int
        Seed of the clustering.

    Returns
    -------
    (min(n, m),) int
        Positions, ordered so that the first few are unlike each other too.

    Examples
    --------
    Three kinds of picks, one of them labelled:

    >>> kinds = np.array([[0.0], [0.1], [5.0], [5.1], [5.2], [9.0]])
    >>> sorted(diverse(kinds, 2, label_features=np.array([[0.05]])).tolist())
    [3, 5]
    """
    n = min(n, len(features))
    label_features = features[:0] if label_features is None else label_features
    if n == 0:
        return np.empty(0, dtype=np.intp)
    points = np.concatenate([features, label_features])
    mass = np.ones(len(points))
    if weights is not None:
        mass[: len(features)] = weights
    n_clusters = min(n + len(label_features), len(points))
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
    nearest = _nearest(free, cluster, distance, groups, room, n)
    chosen = _with_farthest(nearest, n, features, label_features, groups, room)
    order = spread(features[chosen], n, label_features)
    return np.array(chosen, dtype=np.intp)[order]


def _room(groups: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Return how many of n suggestions each micrograph may get."""
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


def _with_farthest(
    chosen: list[int],
    n: int,
    features: NDArray[np.floating],
    label_features: NDArray[np.floating],
    groups: NDArray[np.intp],
    room: NDArray[np.intp],
) -> list[int]:
    """Return `chosen` and the farthest from them, first where there is `room`, up to n picks."""
    chosen = list(chosen)
    so_far = np.concatenate([label_features, features[chosen]])
    gap = np.min([_squared(features, point) for point in so_far], axis=0)
    gap[chosen] = -np.inf
    while len(chosen) < n:
        allowed = np.where(room[groups] > 0, gap, -np.inf)
        best = int((allowed if np.isfinite(allowed).any() else gap).argmax())
        chosen.append(best)
        room[groups[best]] -= 1
        gap = np.minimum(gap, _squared(features, features[best]))
        gap[chosen] = -np.inf
    return chosen


def spread(
    features: NDArray[np.floating], n: int, label_features: NDArray[np.floating]
) -> NDArray[np.intp]:
    """Order picks so that each is the farthest from all before it, and from `label_features`.

    Without `label_features`, the first is the one nearest to the mean.

    Examples
    --------
    >>> spread(np.array([[0.0], [1.0], [5.0]]), 3, label_features=np.empty((0, 1))).tolist()
    [1, 2, 0]
    """
    if not len(features):
        return np.empty(0, dtype=np.intp)
    n = min(n, len(features))
    first = []
    if not len(label_features):
        first = [int(_squared(features, features.mean(axis=0)).argmin())]
    one_group, room = np.zeros(len(features), dtype=np.intp), np.array([n])
    order = _with_farthest(first, n, features, label_features, one_group, room)
    return np.array(order, dtype=np.intp)


def _squared(
    features: NDArray[np.floating], point: NDArray[np.floating]
) -> NDArray[np.float64]:
    return np.asarray(((features - point) ** 2).sum(axis=1), dtype=np.float64)


def uncertainty(p_particle: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the entropy of P(particle) in bits: 0 if certain, 1 at a half.

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
    """Choose picks that are uncertain and unlike each other.

    The most uncertain picks alone would be many similar ones. Instead all picks are clustered,
    weighted by their uncertainty: the centres then lie among uncertain picks, one of each kind.

    Parameters
    ----------
    features : (m, c) float
        Of the picks.
    p_particle : (m,) float
        P(particle) of each.
    n : int
        Number of picks requested.
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
    entropy = uncertainty(p_particle)
    weights = np.maximum(entropy, LEAST_WEIGHT)
    positions = diverse(features, n, groups=groups, weights=weights, seed=seed)
    positions = positions[np.argsort(-entropy[positions], kind="stable")]
    return positions, entropy[positions]


def mixed(
    features: NDArray[np.floating],
    p_particle: NDArray[np.floating],
    n: int,
    *,
    label_features: NDArray[np.floating] | None = None,
    groups: NDArray[np.intp] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Choose `uncertain` picks and `diverse` ones in turn.

    Uncertain picks are hard cases, which people mislabel more often too, so that training on
    nothing else can make a model worse. Ordinary picks keep it stable.

    The parameters are those of the two functions; the first pick is an uncertain one.

    Returns
    -------
    positions : (min(n, m),) int
        The most informative first.
    is_uncertain : (min(n, m),) bool
        Which of them were chosen as uncertain.
    """
    uncertain_picks, _ = uncertain(
        features, p_particle, math.ceil(n / 2), groups=groups, seed=seed
    )
    label_features = features[:0] if label_features is None else label_features
    rest = np.setdiff1d(np.arange(len(features)), uncertain_picks)
    others = rest[
        diverse(
            features[rest],
            n - len(uncertain_picks),
            label_features=np.concatenate([label_features, features[uncertain_picks]]),
            groups=None if groups is None else groups[rest],
            seed=seed,
        )
    ]
    positions = np.concatenate([uncertain_picks, others])
    turn = np.concatenate(
        [2 * np.arange(len(uncertain_picks)), 2 * np.arange(len(others)) + 1]
    )
    order = np.argsort(turn)
    return positions[order], order < len(uncertain_picks)


def disagreements(
    picker_score: NDArray[np.floating], p_particle: NDArray[np.floating], n: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.float64]]:
    """Choose picks that the picker scored high and the model rejects, and the reverse, in turn.

    Pickers' scores have different scales, so ranks among the picks are compared: picks in the
    upper half that the model rejects, or in the lower half that the model keeps.

    Parameters
    ----------
    picker_score, p_particle : (m,) float
        Of the picks; those without a score (NaN) are ignored.
    n : int
        Number of picks requested; fewer are returned where fewer disagree.

    Returns
    -------
    positions : (k,) int
        The clearest first.
    picker_sure : (k,) bool
        True where the picker's score is high and P(particle) low, False for the reverse.
    strength : (k,) float64
        Size of the disagreement, 0..1.

    Examples
    --------
    >>> score, p_particle = np.array([9.0, 7, 3, 1]), np.array([0.1, 0.9, 0.2, 0.8])
    >>> positions, picker_sure, _ = disagreements(score, p_particle, 4)
    >>> positions.tolist(), picker_sure.tolist()
    ([0, 3], [True, False])
    """
    scored = np.flatnonzero(np.isfinite(picker_score) & np.isfinite(p_particle))
    ranks = rankdata(picker_score[scored]) - 0.5
    u, p = ranks / max(len(scored), 1), np.asarray(p_particle, dtype=np.float64)[scored]
    picker_sure = np.where((u > 0.5) & (p < 0.5), u * (1 - p), 0.0)
    picker_unsure = np.where((u < 0.5) & (p >= 0.5), (1 - u) * p, 0.0)
    turns = []
    for sure, strength in ((True, picker_sure), (False, picker_unsure)):
        order = np.argsort(-strength, kind="stable")
        order = order[strength[order] > 0]
        turns += [(turn, not sure, i, strength[i]) for turn, i in enumerate(order)]
    turns = sorted(turns, key=lambda t: t[:2])[:n]
    return (
        scored[np.array([i for _, _, i, _ in turns], dtype=np.intp)],
        np.array([not unsure for _, unsure, _, _ in turns], dtype=bool),
        np.array([strength for *_, strength in turns], dtype=np.float64),
    )
