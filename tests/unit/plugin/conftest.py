"""A small project on disk, and a viewer without a window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin.layer_state import LayerState

N_MICROGRAPHS = 3
STAR = """
# version 30001

data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnSomethingOfTheirs #4
Micrographs/m2.mrc  10.50  20.25  first
Micrographs/m2.mrc  30.00  40.00  second
Micrographs/m0.mrc  50.00  60.00  third
Micrographs/m1.mrc  12.00  34.00  fourth
"""


@pytest.fixture
def picks() -> Picks:
    return concatenate(
        [
            Picks.from_arrays("b.mrc", x=[10.0, 30.0], y=[20.0, 40.0], label=[1, 0]),
            Picks.from_arrays("a.mrc", x=[50.0], y=[60.0], label=[2]),
        ]
    )


@pytest.fixture
def state(picks: Picks) -> LayerState:
    return LayerState.of_picks(picks, diameter_px=20)


@pytest.fixture
def some_model() -> Any:
    """Return a model of two classes that has a card, and no network."""
    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.model.checkpoint import Classifier

    card = ModelCard((1, 2), ("particle", "ice"), "r", BoxSettings(diameter_px=9))
    return Classifier(None, card)  # type: ignore[arg-type]


@pytest.fixture
def viewer() -> Any:
    components = pytest.importorskip("napari.components")
    return components.ViewerModel()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "Micrographs"
    folder.mkdir()
    for i in range(N_MICROGRAPHS):
        with mrcfile.new(folder / f"m{i}.mrc") as mrc:
            mrc.set_data(np.float32(np.full((80, 96), i) + np.tile([-0.25, 0.25], 48)))
            mrc.voxel_size = 2.0
    (tmp_path / "picks.star").write_text(STAR)
    return tmp_path


@pytest.fixture
def layer(viewer: Any, project: Path) -> Any:
    """Four picks: two on m2, one on m0, one on m1; the stack's slices are m0, m1, m2."""
    from napari_pickeroptimizer.plugin import actions

    actions.open_micrographs(viewer, project / "Micrographs")
    return actions.open_picks(viewer, project / "picks.star", diameter_px=20)
