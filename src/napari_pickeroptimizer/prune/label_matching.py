"""Matching of labels to picks, by position."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.label_places import label_places
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.reading import group_by_micrograph

if TYPE_CHECKING:
    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.reading import MicrographRows

# Labels are of exactly these picks, or hand picks of the same particles: on EMPIAR-10017 two
# thirds of the hand labels lie this close to a pick, and never two of them on one.
LABEL_RADIUS_DIAMETERS = 0.2


@dataclass(frozen=True)
class LabelMatch:
    """The match of labels and picks.

    Parameters
    ----------
    picks : Picks
        The picks with the matched labels.
    n_labels : int
        Number of labels.
    n_matched : int
        Labels matched to a pick.
    n_conflicts : int
        Labels on a pick that has a nearer label of another class.
    unmatched : (k,) int
        Rows of the labels that match no pick.
    n_unmatched_particles : int
        Those of class 1: they are not added as picks.
    clash_note : str
        A sentence on labels of places that are labelled as two classes, which are left out.
    """

    picks: Picks
    n_labels: int
    n_matched: int
    n_conflicts: int
    unmatched: NDArray[np.intp]
    n_unmatched_particles: int
    clash_note: str = ""

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user."""
        sentences = [self.clash_note] if self.clash_note else []
        if len(self.unmatched):
            sentences.append(
                f"{len(self.unmatched)} of {self.n_labels} labels match no pick "
                f"({self.n_unmatched_particles} of them particles); labels are not added as picks. "
                "Were these picks labelled, on these micrographs, in this frame?"
            )
        if self.n_conflicts:
            sentences.append(
                f"{self.n_conflicts} labels lie on a pick that has a nearer label of another "
                "class, which is used."
            )
        return sentences


def label_radius_px(boxes: BoxSettings, pixel_size_ang: float | None) -> float:
    """Return how far a label may lie from its pick, in pixels of a micrograph."""
    with suppress(SettingsError):  # no pixel size: its picks cannot be scored
        return max(1.0, LABEL_RADIUS_DIAMETERS * boxes.diameter_in(pixel_size_ang))
    return 1.0


def match_labels(
    groups: Iterable[MicrographRows],
    picks: Picks,
    labels: Picks,
    micrographs: Micrographs,
    boxes: BoxSettings,
) -> LabelMatch:
    """Give each pick the label at its position.

    A label follows a pick that was moved by less than the distance at which it counts, see
    `boxes`. Picks at the very same place have the same label. Labels of a place that is
    labelled as two classes are left out.

    Parameters
    ----------
    groups : iterable of MicrographRows
        The picks by micrograph.
    picks : Picks
        Picks to be labelled; labels that they already have are kept where there is no new one.
    labels : Picks
        Labelled picks; unlabelled rows are ignored.
    micrographs : Micrographs
        Their micrographs.
    boxes : BoxSettings
        For the particle diameter: a label counts within a fifth of it, or one pixel.

    Raises
    ------
    LabelError
        There are no labels.
    """
    if not (labels.labels != UNLABELLED).any():
        decisions = "predicted" in labels.table and (labels.table["predicted"] > 0).any()
        raise LabelError(
            "the file holds no labels"
            + (
                ": their classes are decisions of an earlier pruning. Pass the picks that "
                "you labelled."
                if decisions
                else ": expected a column rlnParticleSelectionType (1 particle, 2 contaminant)."
            )
        )
    pick_rows = {group.micrograph: group.rows for group in groups}
    pairs = []
    for group in group_by_micrograph(micrographs, labels, beside=picks):
        if group.micrograph is not None and group.micrograph in pick_rows:
            radius_px = label_radius_px(boxes, group.micrograph.pixel_size_ang)
            pairs.append((pick_rows[group.micrograph], group.rows, radius_px))
    return _match(picks, labels, pairs)


def match_labels_by_name(picks: Picks, labels: Picks, radius_px: float = 1.0) -> LabelMatch:
    """Give each pick the label at its position, where the names mean the same micrograph.

    Names are compared as `Micrographs.resolve_each` does: folders count where they are told.

    Parameters
    ----------
    picks : Picks
        Picks to be labelled; labels that they already have are kept where there is no new one.
    labels : Picks
        Labelled picks; unlabelled rows are ignored, and there may be no labels.
    radius_px : float
        How far a label may lie from its pick, in micrograph pixels.

    Examples
    --------
    >>> from napari_pickeroptimizer.picks import Picks
    >>> picks = Picks.from_arrays("a.mrc", x=[10.0, 30.0], y=[20.0, 40.0])
    >>> labels = Picks.from_arrays("a.mrc", x=[30.2], y=[40.0], label=2)
    >>> match_labels_by_name(picks, labels).picks.labels.tolist()
    [0, 2]
    """
    rows_of, label_rows_of = picks.rows_by_micrograph(), labels.rows_by_micrograph()
    found, _ = Micrographs.distinct(rows_of).resolve_each(
        dict.fromkeys([*rows_of, *label_rows_of])
    )
    # a name that fits several micrographs means those of picks that are called exactly so
    pick_rows, label_rows = (
        _joined((found.get(name, name), part) for name, part in parts.items())
        for parts in (rows_of, label_rows_of)
    )
    pairs = [
        (pick_rows[key], rows, radius_px)
        for key, rows in label_rows.items()
        if key in pick_rows
    ]
    return _match(picks, labels, pairs)


def _joined(
    parts: Iterable[tuple[Hashable, NDArray[np.intp]]],
) -> dict[Hashable, NDArray[np.intp]]:
    """Return the rows of each key, ascending."""
    by_key: dict[Hashable, list[NDArray[np.intp]]] = {}
    for key, rows in parts:
        by_key.setdefault(key, []).append(rows)
    return {key: np.sort(np.concatenate(some)) for key, some in by_key.items()}


def _match(
    picks: Picks,
    labels: Picks,
    pairs: Iterable[tuple[NDArray[np.intp], NDArray[np.intp], float]],
) -> LabelMatch:
    """Match labels to picks, given (rows of picks, rows of labels, radius) by micrograph."""
    result, distance_of = picks.labels.copy(), np.full(len(picks), np.inf)
    matched = np.zeros(len(labels), dtype=bool)
    n_conflicts = 0
    coords, label_coords = picks.coords_yx_px(), labels.coords_yx_px()
    pairs = list(pairs)
    of_labels = label_places(labels, [all_rows for _, all_rows, _ in pairs])
    for pick_rows, all_rows, radius_px in pairs:
        counts = ~of_labels.clashing[all_rows] & (labels.labels[all_rows] != UNLABELLED)
        rows = all_rows[counts]
        if not len(rows):
            continue
        # picks at the very same place are one place
        place_of, _ = pd.factorize(coords[pick_rows, 0] + 1j * coords[pick_rows, 1])
        places = pick_rows[np.unique(place_of, return_index=True)[1]]
        distance, nearest = KDTree(coords[places]).query(label_coords[rows])
        near = distance <= radius_px
        matched[rows[near]] = True
        order = np.argsort(distance[near], kind="stable")
        for row, pick, far in zip(
            rows[near][order],
            places[nearest[near]][order],
            distance[near][order],
            strict=True,
        ):
            if np.isfinite(distance_of[pick]):  # it has a nearer label already
                n_conflicts += int(result[pick] != labels.labels[row])
            else:
                result[pick], distance_of[pick] = labels.labels[row], far
        first = places[place_of]
        result[pick_rows] = np.where(
            np.isfinite(distance_of[first]), result[first], result[pick_rows]
        )
    labelled = np.flatnonzero((labels.labels != UNLABELLED) & ~of_labels.clashing)
    unmatched = labelled[~matched[labelled]]
    return LabelMatch(
        picks.with_labels(result),
        int((labels.labels != UNLABELLED).sum()),
        int(matched[labelled].sum()),
        n_conflicts,
        unmatched,
        int((labels.labels[unmatched] == PARTICLE).sum()),
        of_labels.clash_note,
    )
