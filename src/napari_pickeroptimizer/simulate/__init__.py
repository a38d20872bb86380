"""Micrographs whose truth is known, to demonstrate and to test with."""

from napari_pickeroptimizer.simulate.project import (
    MicrographSimulated,
    ProjectWritten,
    simulate_project,
)
from napari_pickeroptimizer.simulate.settings import SimulationSettings
from napari_pickeroptimizer.simulate.simulate import SimulatedMicrograph, simulate_micrograph

__all__ = [
    "MicrographSimulated",
    "ProjectWritten",
    "SimulatedMicrograph",
    "SimulationSettings",
    "simulate_micrograph",
    "simulate_project",
]
