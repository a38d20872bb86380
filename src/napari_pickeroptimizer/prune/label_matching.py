"""Labels of a file, given to the picks that they were given for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.reading import group_by_micrograph

if TYPE_CHECKING:
    from napari_pickeroptimizer.boxes import BoxSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.reading import MicrographRows

# Labels are given to these very picks, or by hand to the same particles: on EMPIAR-10017
# two thirds of the hand labels lie this near to a pick, and never two of them on one.
LABEL_RADIUS_DIAMETERS = 0.2


@dataclass(frozen=True)
class LabelMatch:
    """How labels and picks fit.

    Parameters
    ----------
    picks : Picks
        The picks with the labels that found one.
    n_labels : int
        Labels there were.
    n_matched : int
        Labels that found a pick.
    n_conflicts : int
        Labels on a pick that a nearer label of another class has.
    lost : (k,) int
        Rows of the labels that fit no pick.
    n_lost_particles : int
        Those among them of class 1: no pick is made of them.
    """

    picks: Picks
    n_labels: int
    n_matched: int
    n_conflicts: int
    lost: NDArray[np.intp]
    n_lost_particles: int

    @property
    def warnings(self) -> list[str]:
        """What the user should know, in sentences."""
        said = []
        if len(self.lost):
            said.append(
                f"{len(self.lost)} of {self.n_labels} labels fit no pick "
                f"({self.n_lost_particles} of them particles): no pick is made of a label. "
                "Were these picks labelled, on these micrographs, in this frame?"
            )
        if self.n_conflicts:
            said.append(
                f"{self.n_conflicts} labels lie on a pick that has a nearer label of another "
                "class, which counts."
            )
        return said


def match_labels(
    groups: Iterable[MicrographRows],
    picks: Picks,
    labels: Picks,
    micrographs: Micrographs,
    boxes: BoxSettings,
) -> LabelMatch:
    """Give each pick the label that lies on it.

    Parameters
    ----------
    groups : iterable of MicrographRows
        The picks by micrograph.
    picks : Picks
        What is to be labelled; labels that they have already stay where no other comes.
    labels : Picks
        Labelled picks; unlabelled ones are passed over.
    micrographs : Micrographs
        Where both lie.
    boxes : BoxSettings
        For the particle diameter: a label counts within a fifth of it, or one pixel.

    Raises
    ------
    LabelError
        There is no label at all.
    """
    given = np.flatnonzero(labels.labels != UNLABELLED)
    if not len(given):
        decisions = "predicted" in labels.table and (labels.table["predicted"] > 0).any()
        raise LabelError(
            "there is no label in the labels"
            + (
                ": their classes are decisions of an earlier pruning. Pass what you labelled."
                if decisions
                else ": expected a column rlnParticleSelectionType (1 particle, 2 contaminant)."
            )
        )
    pick_rows = {group.micrograph: group.rows for group in groups}
    result, distance_of = picks.labels.copy(), np.full(len(picks), np.inf)
    matched = np.zeros(len(labels), dtype=bool)
    n_conflicts = 0
    coords, label_coords = picks.coords_yx_px(), labels.coords_yx_px()
    for group in group_by_micrograph(micrographs, labels):
        micrograph = group.micrograph
        rows = group.rows[labels.labels[group.rows] != UNLABELLED]
        places = pick_rows.get(micrograph)
        if micrograph is None or places is None or not len(rows):
            continue
        diameter_px = boxes.diameter_in(micrograph.pixel_size_ang)
        distance, nearest = KDTree(coords[places]).query(label_coords[rows])
        near = distance <= max(1.0, LABEL_RADIUS_DIAMETERS * diameter_px)
        matched[rows[near]] = True
        order = np.argsort(distance[near], kind="stable")
        for row, pick, far in zip(
            rows[near][order],
            places[nearest[near]][order],
            distance[near][order],
            strict=True,
        ):
            if np.isfinite(distance_of[pick]):  # a nearer label came before
                n_conflicts += int(result[pick] != labels.labels[row])
            else:
                result[pick], distance_of[pick] = labels.labels[row], far
    lost = given[~matched[given]]
    return LabelMatch(
        picks.with_labels(result),
        len(given),
        int(matched[given].sum()),
        n_conflicts,
        lost,
        int((labels.labels[lost] == PARTICLE).sum()),
    )
