"""Tiny micrographs: the whole chain in a tenth of a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from napari_pickeroptimizer.simulate import SimulationSettings


@pytest.fixture(scope="session")
def tiny() -> Callable[..., SimulationSettings]:
    """Settings of a 320 x 400 px micrograph, particles 30 px across; override any."""

    def make(**changes: Any) -> SimulationSettings:
        defaults: dict[str, Any] = {
            "n_micrographs": 2,
            "n_particles": 12,
            "shape_px": (320, 400),
            "pixel_size_ang": 4.0,
            "diameter_ang": 120.0,
            "seed": 3,
        }
        return SimulationSettings(**{**defaults, **changes})

    return make
