"""Threshold rules, and the forecast for scored picks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.trust import forecast_performance
from napari_pickeroptimizer.trust.forecast import no_forecast_reason

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard
    from napari_pickeroptimizer.trust import PerformanceForecast

DEFAULT_THRESHOLD = 0.5


def check_probability(name: str, value: float) -> None:
    """Raise an error unless a value is from 0 to 1.

    Raises
    ------
    SettingsError
        It is not.
    """
    if not 0 <= value <= 1:
        raise SettingsError(f"{name} is a probability from 0 to 1, got {value}.")


@dataclass(frozen=True)
class ThresholdRule:
    """Rule for the threshold: a value, or a precision, recall or F1 to reach.

    Parameters
    ----------
    threshold : float or "auto" or None
        Least P(particle) of a kept pick; ``auto`` for the best expected F1. By default 0.5
        if neither precision nor recall is given.
    precision, recall : float, optional
        Expected share of particles among the kept picks, of kept ones among the particles.

    Raises
    ------
    SettingsError
        More than one is given, or one is out of range.
    """

    threshold: float | Literal["auto"] | None = None
    precision: float | None = None
    recall: float | None = None

    def __post_init__(self) -> None:
        given = [w for w in (self.threshold, self.precision, self.recall) if w is not None]
        if len(given) > 1:
            raise SettingsError(
                "give one of threshold, precision and recall (--threshold, --precision, "
                "--recall): each of them sets the threshold."
            )
        if self.threshold not in (None, "auto"):
            if isinstance(self.threshold, str):
                raise SettingsError(
                    f"the threshold is a probability from 0 to 1, or auto, got "
                    f"{self.threshold!r}."
                )
            check_probability("the threshold", float(self.threshold))
        for name, share in (("precision", self.precision), ("recall", self.recall)):
            if share is not None and not 0 < share <= 1:
                raise SettingsError(
                    f"a {name} is a share above 0 and at most 1, got {share}: 95 % is 0.95."
                )

    @property
    def needs_forecast(self) -> bool:
        """Whether the threshold depends on the forecast of precision and recall."""
        return (
            self.threshold == "auto" or self.precision is not None or self.recall is not None
        )

    def check(self, card: ModelCard) -> None:
        """Check, before scoring, that a model supports the rule.

        Raises
        ------
        SettingsError
            The rule needs a forecast, and the model was not cross-validated.
        """
        if self.needs_forecast and card.is_before_labels:
            raise SettingsError(
                f"{self} needs a forecast, and there is none before the first label: label some "
                "picks, fine-tune on them, and give that model."
            )
        if self.needs_forecast and card.held_out_scores is None:
            raise SettingsError(
                f"{self} needs a model that was cross-validated. {no_forecast_reason(card)} Or "
                "give --threshold 0.5."
            )

    def __str__(self) -> str:
        """Return the rule as a command-line option."""
        for name in ("precision", "recall", "threshold"):
            value = getattr(self, name)
            if value is not None:
                return f"--{name} {value}"
        return f"--threshold {DEFAULT_THRESHOLD}"

    def choose(self, forecast: PerformanceForecast | None) -> float:
        """Return the threshold.

        Raises
        ------
        SettingsError
            No threshold is expected to reach it; the message gives the best that can be
            reached.
        """
        if forecast is None or not self.needs_forecast:
            return DEFAULT_THRESHOLD if self.threshold is None else float(self.threshold)
        if self.precision is not None:
            return forecast.threshold_for_precision(self.precision)
        if self.recall is not None:
            return forecast.threshold_for_recall(self.recall)
        return forecast.best_f1()


# Rules as a user picks them from a list, each for a share from 0 to 1.
NAMED_RULES: dict[str, Callable[[float], ThresholdRule]] = {
    "balanced (best F1)": lambda _share: ThresholdRule("auto"),
    "precision at least": lambda share: ThresholdRule(precision=share),
    "recall at least": lambda share: ThresholdRule(recall=share),
    f"{DEFAULT_THRESHOLD:g}": lambda _share: ThresholdRule(),
}
RULES_WITH_SHARE = ("precision at least", "recall at least")


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
