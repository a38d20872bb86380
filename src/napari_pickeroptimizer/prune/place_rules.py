"""Place rules: rejection of picks too near to a better one or to the micrograph's edge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    MicrographReadError,
    SettingsError,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.prune.settings import PlaceRules
    from napari_pickeroptimizer.reading import MicrographRows

# Beyond so many neighbours of a pick, on average, picks are a crowd.
PAIRS_A_PICK = 64


@dataclass(frozen=True)
class Frame:
    """One micrograph as the place rules need it.

    Parameters
    ----------
    rows : (m,) int
        Its picks, rows of the table.
    shape_px : tuple of int or None
        (ny, nx); None for a micrograph that cannot be read.
    min_distance_px, edge_distance_px : float
        Least distances on this micrograph.
    """

    rows: NDArray[np.intp]
    shape_px: tuple[int, int] | None
    min_distance_px: float
    edge_distance_px: float


def frames_of(
    groups: Iterable[MicrographRows],
    boxes: BoxSettings,
    rules: PlaceRules,
    shapes_px: Mapping[str, tuple[int, int] | None] | None = None,
) -> list[Frame]:
    """Return the frames of micrographs; at most their headers are read.

    Picks of micrographs that are missing, or lack a pixel size that is needed, are in no frame:
    they cannot be scored either.

    Parameters
    ----------
    groups : iterable of MicrographRows
        The micrographs and their picks.
    boxes : BoxSettings
        For the particle diameter.
    rules : PlaceRules
        The distances.
    shapes_px : mapping of str to (ny, nx), optional
        Shapes of micrographs by name, if known: then no file is opened.

    Raises
    ------
    SettingsError
        A distance is in Å and a micrograph's pixel size is unknown.
    """
    if rules.are_off:
        return []
    frames = []
    for group in groups:
        micrograph = group.micrograph
        if micrograph is None:
            continue
        size = micrograph.pixel_size_ang
        try:
            diameter_px = boxes.diameter_in(size)
        except SettingsError:
            continue  # scoring reports it
        shape_px = None
        if shapes_px is not None:
            shape_px = shapes_px.get(group.name)
        elif rules.edge_distance.value:
            # scoring has reported those that cannot be read
            with suppress(MicrographNotFoundError, MicrographReadError):
                shape_px = micrograph.shape_px()
        frames.append(
            Frame(
                group.rows,
                shape_px,
                rules.min_distance.in_px(size, diameter_px),
                rules.edge_distance.in_px(size, diameter_px),
            )
        )
    return frames


def near_edge(coords_yx_px: NDArray[np.float64], frames: Sequence[Frame]) -> NDArray[np.bool_]:
    """Return which of (n, 2) centres are nearer to an edge than their frame allows."""
    near = np.zeros(len(coords_yx_px), dtype=bool)
    for frame in frames:
        if frame.shape_px is None or frame.edge_distance_px <= 0:
            continue
        # pixel 0 is centred half a pixel inside the edge
        from_start = coords_yx_px[frame.rows] + 0.5
        from_end = np.asarray(frame.shape_px, dtype=np.float64) - from_start
        least = np.minimum(from_start, from_end).min(axis=1)
        near[frame.rows] = least < frame.edge_distance_px
    return near


def too_close(
    coords_yx_px: NDArray[np.float64],
    score: NDArray[np.float64],
    fixed: NDArray[np.bool_],
    groups: Iterable[tuple[NDArray[np.intp], float]],
) -> NDArray[np.bool_]:
    """Return which picks are nearer than a distance to a better pick (non-maximum suppression).

    The best pick is kept and removes its near neighbours, then the best of the remaining ones,
    and so on. Equal scores are ordered by position (y, then x), so that the order of the
    rows does not matter; of two picks at the same position the earlier row is kept.

    Parameters
    ----------
    coords_yx_px : (n, 2) float64
        Centres.
    score : (n,) float64
        The higher the better.
    fixed : (n,) bool
        Picks that are always kept, and come before all others.
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
    removed = np.zeros(len(score), dtype=bool)
    close_pairs = []
    for rows, distance in groups:
        if distance <= 0 or len(rows) < 2:
            continue
        coords = coords_yx_px[rows]
        tree = cKDTree(coords)
        # pairs of a crowd grow as the square of its size
        if tree.count_neighbors(tree, distance) > PAIRS_A_PICK * len(rows):
            in_turn = np.argsort(rank[rows])
            removed[rows[in_turn]] = _too_close_in_turn(
                coords[in_turn], fixed[rows[in_turn]], distance
            )
            continue
        pairs = tree.query_pairs(distance, output_type="ndarray")
        between = coords[pairs[:, 0]] - coords[pairs[:, 1]]
        pairs = pairs[(between**2).sum(axis=1) < distance**2]  # a pick at the distance stays
        if len(pairs):
            close_pairs.append(rows[pairs])
    if not close_pairs:
        return removed
    pairs = np.concatenate(close_pairs)
    swap = rank[pairs[:, 0]] > rank[pairs[:, 1]]
    better, worse = np.where(swap[:, None], pairs[:, ::-1], pairs).T
    free = ~fixed[worse]
    better, worse = better[free], worse[free]
    # All picks without a better neighbour are kept in one round, and their neighbours removed
    # for the next. The result is that of the sequential rule, in a few rounds for any number
    # of picks.
    while len(worse):
        waits = np.zeros(len(score), dtype=bool)
        waits[worse] = True
        goes = np.zeros(len(score), dtype=bool)
        goes[worse[~waits[better]]] = True
        removed |= goes
        open_ = ~(goes[better] | goes[worse])
        better, worse = better[open_], worse[open_]
    return removed


def _too_close_in_turn(
    coords_yx_px: NDArray[np.float64], fixed: NDArray[np.bool_], distance: float
) -> NDArray[np.bool_]:
    """Return which of (n, 2) picks, the best first, `too_close` removes.

    Work and memory grow as n: few kept picks are near to any one pick, and only kept ones ask
    for their neighbours; the fixed ones, which may be a crowd, are asked for the nearest.
    """
    removed = np.zeros(len(coords_yx_px), dtype=bool)
    free = np.flatnonzero(~fixed)
    if fixed.any() and len(free):
        places = np.unique(coords_yx_px[fixed], axis=0)
        nearest = cKDTree(places).query(coords_yx_px[free])[1]
        between = coords_yx_px[free] - places[nearest]
        removed[free] = (between**2).sum(axis=1) < distance**2
    free = free[~removed[free]]
    coords = coords_yx_px[free]
    tree, gone = cKDTree(coords), np.zeros(len(free), dtype=bool)
    for i in range(len(free)):
        if not gone[i]:
            near = np.array(tree.query_ball_point(coords[i], distance), dtype=np.intp)
            between = coords[near] - coords[i]
            gone[near[(between**2).sum(axis=1) < distance**2]] = True
            gone[i] = False
    removed[free] = gone
    return removed
