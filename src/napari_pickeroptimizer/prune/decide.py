"""From probabilities to kept, rejected and unscored picks."""

from __future__ import annotations

import numpy as np

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import PROBABILITY_PREFIX, Picks


def decide(picks: Picks, threshold: float = 0.5) -> Picks:
    """Return the picks with a column ``predicted``.

    1 (particle) where P(particle) >= `threshold`, otherwise the most probable of the other
    classes, 0 where a pick was not scored.

    Parameters
    ----------
    picks : Picks
        Scored picks.
    threshold : float
        Least P(particle) of a kept pick, 0 to 1.

    Raises
    ------
    SettingsError
        The threshold is no probability, or the picks were not scored for particles.
    """
    if not 0 <= threshold <= 1:
        raise SettingsError(f"the threshold is a probability from 0 to 1, got {threshold}.")
    if PARTICLE not in picks.class_ids:
        raise SettingsError(
            "the picks have no P(particle): score them with a model whose labels included "
            "class 1, particle."
        )
    others = [c for c in picks.class_ids if c != PARTICLE]
    columns = [f"{PROBABILITY_PREFIX}{c}" for c in others]
    p_particle = picks.particle_probability
    p_others = picks.table[columns].to_numpy(dtype=np.float64)
    best_other = np.asarray(others, dtype=np.int8)[np.nan_to_num(p_others).argmax(axis=1)]
    predicted = np.where(p_particle >= threshold, PARTICLE, best_other)
    predicted[np.isnan(p_particle)] = UNLABELLED
    return picks.with_columns(predicted=predicted.astype(np.int8))


def kept(picks: Picks) -> Picks:
    """Return the decided picks that are particles."""
    return picks.select(picks.table["predicted"].to_numpy() == PARTICLE)


def rejected(picks: Picks) -> Picks:
    """Return the decided picks of every other class."""
    return picks.select(picks.table["predicted"].to_numpy() > PARTICLE)


def unscored(picks: Picks) -> Picks:
    """Return the picks that could not be scored."""
    return picks.select(picks.table["predicted"].to_numpy() == UNLABELLED)
