"""Calibration of scores, and the expected precision and recall of every threshold."""

from napari_pickeroptimizer.trust.calibration import Calibration, fit_calibration
from napari_pickeroptimizer.trust.forecast import (
    Band,
    Expectation,
    Interval,
    PerformanceForecast,
    forecast_performance,
)
from napari_pickeroptimizer.trust.held_out import HeldOutScores, match_scale
from napari_pickeroptimizer.trust.reliability import Reliability, reliability

__all__ = [
    "Band",
    "Calibration",
    "Expectation",
    "HeldOutScores",
    "Interval",
    "PerformanceForecast",
    "Reliability",
    "fit_calibration",
    "forecast_performance",
    "match_scale",
    "reliability",
]
