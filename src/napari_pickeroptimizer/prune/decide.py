"""From probabilities, labels and distances to kept, rejected and unscored picks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    MicrographReadError,
    SettingsError,
)
from napari_pickeroptimizer.prune.lengths import NO_LENGTH, Length
from napari_pickeroptimizer.prune.spacing import too_close
from napari_pickeroptimizer.schema import (
    BY_DISTANCE,
    BY_EDGE,
    BY_LABEL,
    BY_NOTHING,
    BY_SCORE,
    PROBABILITY_PREFIX,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.boxes import BoxSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True)
class PlaceRules:
    """What a pick's place may cost it, whatever its score; off by default.

    Parameters
    ----------
    min_distance : Length
        Of two unlabelled picks nearer than this the less probable one is rejected.
    edge_distance : Length
        Picks whose centre is nearer than this to the micrograph's edge are rejected.
    """

    min_distance: Length = NO_LENGTH
    edge_distance: Length = NO_LENGTH

    @property
    def are_off(self) -> bool:
        """Whether no pick is rejected for its place."""
        return self.min_distance.value == self.edge_distance.value == 0


@dataclass(frozen=True)
class Frame:
    """One micrograph as far as places on it matter.

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
    picks: Picks, micrographs: Micrographs, boxes: BoxSettings, rules: PlaceRules
) -> list[Frame]:
    """Return the frames of the picks' micrographs; of pixels no more than headers are read.

    Picks of micrographs that are not there are in no frame: they could not be scored either.

    Raises
    ------
    SettingsError
        A distance is in Å and a micrograph's pixel size is unknown.
    """
    if rules.are_off:
        return []
    frames = []
    for micrograph, rows in micrographs.rows_of(picks)[0].items():
        size = micrograph.pixel_size_ang
        diameter_px = boxes.diameter_in(size)
        shape_px = None
        if rules.edge_distance.value:
            # scoring has told those that cannot be read
            with suppress(MicrographNotFoundError, MicrographReadError):
                shape_px = micrograph.shape_px()
        frames.append(
            Frame(
                rows,
                shape_px,
                rules.min_distance.in_px(size, diameter_px),
                rules.edge_distance.in_px(size, diameter_px),
            )
        )
    return frames


def decide(picks: Picks, threshold: float = 0.5, frames: Sequence[Frame] = ()) -> Picks:
    """Return the picks with the columns ``predicted`` and ``decided_by``.

    In this order:

    1. a labelled pick has the class of its label, whatever its score or place;
    2. one that was not scored has class 0;
    3. P(particle) below `threshold`: the most probable of the other classes;
    4. too near the edge, or to a better pick that is kept (a labelled particle is better than
       any): again the most probable of the other classes;
    5. all else is a particle.

    Parameters
    ----------
    picks : Picks
        Scored picks; ``label`` are the user's labels.
    threshold : float
        Least P(particle) of a kept pick, 0 to 1.
    frames : sequence of Frame
        For distances, see `frames_of`; none by default.

    Raises
    ------
    SettingsError
        The threshold is no probability, or the picks were not scored for particles.
    """
    check_probability("the threshold", threshold)
    if PARTICLE not in picks.class_ids:
        raise SettingsError(
            "the picks have no P(particle): score them with a model whose labels included "
            "class 1, particle."
        )
    p_particle, labels = picks.particle_probability, picks.labels
    labelled = labels != UNLABELLED
    by = np.full(len(picks), BY_SCORE, dtype=object)
    keeps = (p_particle >= threshold) & ~labelled  # NaN is never at or above
    near_edge = keeps & _near_edge(picks, frames)
    by[near_edge] = BY_EDGE
    keeps &= ~near_edge
    near_other = keeps & _near_better(picks, frames, keeps, labels == PARTICLE)
    by[near_other] = BY_DISTANCE
    keeps &= ~near_other

    predicted = np.where(keeps, PARTICLE, _best_other(picks))
    unscored = np.isnan(p_particle)
    predicted[unscored], by[unscored] = UNLABELLED, BY_NOTHING
    predicted[labelled], by[labelled] = labels[labelled], BY_LABEL
    return picks.with_columns(predicted=predicted.astype(np.int8), decided_by=by)


def check_probability(name: str, value: float) -> None:
    """Refuse what is no number from 0 to 1.

    Raises
    ------
    SettingsError
        It is none.
    """
    if not 0 <= value <= 1:
        raise SettingsError(f"{name} is a probability from 0 to 1, got {value}.")


def kept(picks: Picks) -> Picks:
    """Return the decided picks that are particles."""
    return picks.select(picks.table["predicted"].to_numpy() == PARTICLE)


def rejected(picks: Picks) -> Picks:
    """Return the decided picks of every other class."""
    return picks.select(picks.table["predicted"].to_numpy() > PARTICLE)


def unscored(picks: Picks) -> Picks:
    """Return the picks that could not be scored, and have no label."""
    return picks.select(picks.table["predicted"].to_numpy() == UNLABELLED)


def _best_other(picks: Picks) -> NDArray[np.int8]:
    """Return the most probable class but particle, (n,)."""
    others = [c for c in picks.class_ids if c != PARTICLE]
    if not others:  # probabilities read back from a file: only that of a particle is written
        return np.full(len(picks), CONTAMINANT, dtype=np.int8)
    columns = [f"{PROBABILITY_PREFIX}{c}" for c in others]
    p_others = picks.table[columns].to_numpy(dtype=np.float64)
    best = np.nan_to_num(p_others).argmax(axis=1)
    return np.asarray(np.array(others, dtype=np.int8)[best])


def _near_edge(picks: Picks, frames: Sequence[Frame]) -> NDArray[np.bool_]:
    near = np.zeros(len(picks), dtype=bool)
    coords = picks.coords_yx_px()
    for frame in frames:
        if frame.shape_px is None or frame.edge_distance_px <= 0:
            continue
        # pixel 0 is centred half a pixel inside the edge
        from_start = coords[frame.rows] + 0.5
        from_end = np.asarray(frame.shape_px, dtype=np.float64) - from_start
        least = np.minimum(from_start, from_end).min(axis=1)
        near[frame.rows] = least < frame.edge_distance_px
    return near


def _near_better(
    picks: Picks,
    frames: Sequence[Frame],
    keeps: NDArray[np.bool_],
    is_labelled_particle: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    if not any(f.min_distance_px > 0 for f in frames):
        return np.zeros(len(picks), dtype=bool)
    takes_part = keeps | is_labelled_particle
    groups = ((f.rows[takes_part[f.rows]], f.min_distance_px) for f in frames)
    score = np.nan_to_num(picks.particle_probability)
    return too_close(picks.coords_yx_px(), score, is_labelled_particle, groups)
