"""A table of picks, decided on, and its parts: kept, rejected and unscored picks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.prune.threshold import check_probability

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.place_rules import Frame
from napari_pickeroptimizer.prune.decision import Decision


def decide(picks: Picks, threshold: float = 0.5, frames: Sequence[Frame] = ()) -> Picks:
    """Return the picks with the columns ``predicted`` and ``decided_by``, see `Decision`.

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
    return Decision.of_picks(picks, frames=frames).decided(picks, threshold)


def kept(picks: Picks) -> Picks:
    """Return the decided picks that are particles."""
    return picks.select(picks.table["predicted"].to_numpy() == PARTICLE)


def rejected(picks: Picks) -> Picks:
    """Return the decided picks of every other class."""
    return picks.select(picks.table["predicted"].to_numpy() > PARTICLE)


def unscored(picks: Picks) -> Picks:
    """Return the picks that could not be scored, and have no label."""
    return picks.select(picks.table["predicted"].to_numpy() == UNLABELLED)
