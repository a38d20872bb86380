"""What a score is worth: calibrated probabilities, and thresholds with a promise."""

from napari_pickeroptimizer.calibration.evidence import Evidence, on_scale_of
from napari_pickeroptimizer.calibration.fit import fit_calibration
from napari_pickeroptimizer.calibration.platt import Calibration
from napari_pickeroptimizer.calibration.promises import (
    Band,
    Expectation,
    Interval,
    Promise,
    promise,
)
from napari_pickeroptimizer.calibration.reliability import Reliability, reliability

__all__ = [
    "Band",
    "Calibration",
    "Evidence",
    "Expectation",
    "Interval",
    "Promise",
    "Reliability",
    "fit_calibration",
    "on_scale_of",
    "promise",
    "reliability",
]
