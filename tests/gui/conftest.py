"""A small simulated project, and this plugin alone in a real viewer on a virtual screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.simulate.settings import SimulationSettings

PLUGIN = "napari-pickeroptimizer"
SMALL = SimulationSettings(
    n_micrographs=3,
    n_particles=12,
    shape_px=(480, 512),
    pixel_size_ang=4.0,
    labels_per_class=5,
    carbon_chance=1.0,
    seed=3,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            # napari, npe2 and Qt deprecate things of their own, release by release
            for category in (
                "DeprecationWarning",
                "FutureWarning",
                "PendingDeprecationWarning",
            ):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Many small steps on few cores are fastest so, and the same in every thread."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a simulated project: micrographs.star, labels.star, picks."""
    from napari_pickeroptimizer.simulate.project import simulate_project

    folder = tmp_path_factory.mktemp("project")
    for _ in simulate_project(folder, SMALL):
        pass
    return folder


@pytest.fixture(scope="session")
def picks_star(project: Path) -> Path:
    return project / "AutoPick" / "simulated" / "picks.star"


@pytest.fixture(scope="session")
def labelled(project: Path, picks_star: Path) -> Picks:
    """All picks, with the project's hand labels."""
    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.plugin.labels.transfer import transfer_labels

    return transfer_labels(read_picks(picks_star), read_picks(project / "labels.star"))[0]


@pytest.fixture
def make_viewer(request: pytest.FixtureRequest, npe2pm: Any) -> Any:
    """Return how to make a viewer as plugins get it, this plugin the only foreign one."""
    from npe2 import PluginManifest

    try:
        make = request.getfixturevalue("make_napari_viewer_proxy")
    except pytest.FixtureLookupError:  # napari before 0.5
        make = request.getfixturevalue("make_napari_viewer")
    npe2pm.register(PluginManifest.from_distribution(PLUGIN))
    return make


@pytest.fixture
def viewer(make_viewer: Any) -> Any:
    """Return a viewer whose window is not shown."""
    return make_viewer()


@pytest.fixture
def shown_viewer(make_viewer: Any) -> Any:
    """Return a viewer that a mouse and a keyboard can work on."""
    return make_viewer(show=True)
