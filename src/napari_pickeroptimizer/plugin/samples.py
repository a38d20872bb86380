"""Sample data of napari: simulated micrographs, their picks, and a few labels."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import make_stack
from napari_pickeroptimizer.plugin.invitation import invite
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.opening import points_on
from napari_pickeroptimizer.plugin.session import asking_viewer
from napari_pickeroptimizer.prune.label_matching import match_labels_by_name
from napari_pickeroptimizer.simulate.project import ProjectWritten, simulate_project
from napari_pickeroptimizer.simulate.settings import SimulationSettings

# Small enough to be there in a few seconds, without a download.
SAMPLE = SimulationSettings(
    n_micrographs=3,
    n_particles=50,
    shape_px=(960, 1024),
    pixel_size_ang=3.6,
    labels_per_class=8,
)


LayerData = tuple[Any, ...]


@dataclass(frozen=True)
class Sample:
    """The last event of simulating the sample: the data of its layers."""

    layers: list[LayerData]
    progress: float = 1.0


def simulated() -> list[LayerData]:
    """Return a micrograph stack and its partly labelled picks as layer data.

    The files lie in a temporary folder until Python ends.
    """
    viewer = asking_viewer()
    *_, last = simulated_events()
    assert isinstance(last, Sample)  # the last event
    invite(viewer)
    return last.layers


def simulated_events() -> Iterator[Any]:
    """Simulate the sample: events with a `progress`, `Sample` last. It touches no layer."""
    folder = Path(tempfile.mkdtemp(prefix="napari-pickeroptimizer-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for event in simulate_project(folder, SAMPLE):
        if not isinstance(event, ProjectWritten):
            yield event
            continue
        micrographs, picks = _micrographs_and_picks(event)
        stack = make_stack(micrographs, name="simulated micrographs")
        state = LayerState.of_picks(picks, diameter_px=SAMPLE.diameter_px)
        yield Sample([stack, points_on(state, stack, "simulated picks")])


def simulated_project(folder: Path, settings: SimulationSettings) -> tuple[Micrographs, Picks]:
    """Simulate a project into `folder`; return micrographs, and picks with its hand labels."""
    *_, written = simulate_project(folder, settings)
    assert isinstance(written, ProjectWritten)  # the last event
    return _micrographs_and_picks(written)


def _micrographs_and_picks(written: ProjectWritten) -> tuple[Micrographs, Picks]:
    labels = read_picks(written.labels)
    picks = match_labels_by_name(read_picks(written.picks), labels).picks
    return Micrographs.find(written.micrographs), picks
