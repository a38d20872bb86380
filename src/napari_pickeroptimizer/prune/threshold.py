"""Threshold rules, and the forecast for scored picks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.settings import DEFAULT_THRESHOLD, ThresholdRule
from napari_pickeroptimizer.trust import forecast_performance
from napari_pickeroptimizer.trust.forecast import no_forecast_reason

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.trust import PerformanceForecast

# Rules as a user picks them from a list, each for a share from 0 to 1.
NAMED_RULES: dict[str, Callable[[float], ThresholdRule]] = {
    "balanced (best F1)": lambda _share: ThresholdRule("auto"),
    "precision at least": lambda share: ThresholdRule(precision=share),
    "recall at least": lambda share: ThresholdRule(recall=share),
    f"{DEFAULT_THRESHOLD:g}": lambda _share: ThresholdRule(),
}
RULES_WITH_SHARE = ("precision at least", "recall at least")


def check_finds_particles(card: ModelCard) -> None:
    """Refuse a model without a particle class.

    Raises
    ------
    SettingsError
        It has no class 1.
    """
    if PARTICLE not in card.class_ids:
        raise SettingsError(
            "the model has no class 1 (particle), so no pick could be kept: it was trained on "
            f"{', '.join(card.class_names)}."
        )


def check_rule(rule: ThresholdRule, card: ModelCard) -> None:
    """Check, before scoring, that a model supports a rule.

    Raises
    ------
    SettingsError
        The rule needs a forecast, and the model was not cross-validated.
    """
    if rule.needs_forecast and card.is_before_labels:
        raise SettingsError(
            f"{rule} needs a forecast, and there is none before the first label: label some "
            "picks, fine-tune on them, and give that model."
        )
    if rule.needs_forecast and card.held_out_scores is None:
        raise SettingsError(
            f"{rule} needs a model that was cross-validated. {no_forecast_reason(card)} Or "
            "give --threshold 0.5."
        )


def forecast_for(
    card: ModelCard, p_particle: NDArray[np.float64]
) -> PerformanceForecast | None:
    """Return the expected precision and recall of every threshold for these picks.

    Parameters
    ----------
    card : ModelCard
        Of the model that scored them.
    p_particle : (n,) float64
        P(particle), NaN where a pick was not scored; these are ignored.

    Returns
    -------
    PerformanceForecast or None
        None for a model that was not cross-validated, or without scored picks.
    """
    scored = p_particle[np.isfinite(p_particle)]
    if card.held_out_scores is None or not len(scored):
        return None
    return forecast_performance(card.held_out_scores, card.calibration, scored)
