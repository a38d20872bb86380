"""Simulated micrographs with known contents, for demonstration and tests."""

from napari_pickeroptimizer.simulate.project import (
    MicrographSimulated,
    ProjectWritten,
    simulate_project,
)
from napari_pickeroptimizer.simulate.settings import SimulationSettings
from napari_pickeroptimizer.simulate.shapes import ParticleModel
from napari_pickeroptimizer.simulate.simulate import (
    SimulatedMicrograph,
    project_model,
    simulate_micrograph,
)
from napari_pickeroptimizer.simulate.structures import read_structure

__all__ = [
    "MicrographSimulated",
    "ParticleModel",
    "ProjectWritten",
    "SimulatedMicrograph",
    "SimulationSettings",
    "project_model",
    "read_structure",
    "simulate_micrograph",
    "simulate_project",
]
