"""A set of boxes as small as one can be: dark discs, bright discs, noise; two entries each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.pretrain.write import WINDOW_SIDE, write_windows

DISCS = {"particle_dark": -4.0, "contaminant_bright": 4.0, "carbon_noise": 0.0}
N_EACH = 20


def disc_windows(grey: float, n: int, rng: np.random.Generator) -> np.ndarray:
    centre = (WINDOW_SIDE - 1) / 2
    y, x = np.indices((WINDOW_SIDE, WINDOW_SIDE)) - centre
    return rng.normal(0, 1, (n, WINDOW_SIDE, WINDOW_SIDE)) + grey * (np.hypot(y, x) < 12)


@pytest.fixture(scope="session")
def disc_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("discs")
    rng = np.random.default_rng(0)
    for name, grey in DISCS.items():
        for entry in ("first", "second-1", "second-2"):
            write_windows(folder / name / f"{entry}.mrcs", disc_windows(grey, N_EACH, rng))
    return folder
