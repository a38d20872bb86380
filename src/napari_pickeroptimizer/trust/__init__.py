"""What a score is worth: calibrated probabilities, and thresholds with a promise."""

from napari_pickeroptimizer.trust.calibration import Calibration
from napari_pickeroptimizer.trust.evidence import Evidence, on_scale_of
from napari_pickeroptimizer.trust.fit import fit_calibration
from napari_pickeroptimizer.trust.forecast import (
    Band,
    Expectation,
    Interval,
    PerformanceForecast,
    forecast_performance,
)
from napari_pickeroptimizer.trust.reliability import Reliability, reliability

__all__ = [
    "Band",
    "Calibration",
    "Evidence",
    "Expectation",
    "Interval",
    "PerformanceForecast",
    "Reliability",
    "fit_calibration",
    "forecast_performance",
    "on_scale_of",
    "reliability",
]
