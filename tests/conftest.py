"""What every test may ask for, and what a machine must have for the tests that are marked."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real micrographs and picks; they are not part of the project, so skip without them."""
    told = os.environ.get("PICKEROPTIMIZER_DATA")
    folder = Path(told) if told else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set PICKEROPTIMIZER_DATA to the folder")
    return folder


@pytest.fixture(scope="session")
def empiar10017(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two micrographs as MRC, hand labels as CSV and Topaz's picks as .box, one file each."""
    import mrcfile
    import numpy as np
    from PIL import Image

    source, root = shared_data / "empiar10017", tmp_path_factory.mktemp("empiar10017")
    for folder in ("Micrographs", "labels", "topaz"):
        (root / folder).mkdir()
    for name in ("Falcon_2012_06_12-14_33_35_0", "Falcon_2012_06_12-15_30_21_0"):
        picture = Image.open(source / "micrographs" / f"{name}.jpg").convert("L")
        rows_of_mrc = np.asarray(picture)[::-1]  # the pictures are flipped
        with mrcfile.new(root / "Micrographs" / f"{name}.mrc") as mrc:
            mrc.set_data(np.ascontiguousarray(rows_of_mrc, dtype=np.float16))
            mrc.voxel_size = 1.77
        shutil.copy(source / "labels" / f"{name}.csv", root / "labels")
        shutil.copy(source / "picks" / "topaz" / f"{name}.box", root / "topaz")
    return root


@pytest.fixture(autouse=True)
def _own_journals(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """No test finds, or leaves, labels of another one or of the user."""
    monkeypatch.setenv("PICKEROPTIMIZER_STATE", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="session", autouse=True)
def _files_in_own_folders(tmp_path_factory: pytest.TempPathFactory):
    """No test leaves a file above the folders of the others: theirs are looked in upwards."""
    yield
    stray = {e.name for e in os.scandir(tmp_path_factory.getbasetemp()) if e.is_file()}
    stray.discard(".lock")  # pytest's own, in a run without workers
    assert not stray, f"tests wrote outside their own folders: {sorted(stray)}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Compute with one thread, shared fixtures too: another number changes last digits."""
    import torch

    torch.set_num_threads(1)


@dataclass(frozen=True)
class SpotProject:
    """Micrographs where particles are dark discs, contaminants bright ones; easy to tell apart."""

    root: Path
    micrographs: Path
    picks: Path
    labels: Path
    diameter_px: float = 24.0
    pixel_size_ang: float = 2.0
    n_micrographs: int = 3
    n_per_class: int = 12  # on each micrograph


@pytest.fixture(scope="session")
def spot_project(tmp_path_factory: pytest.TempPathFactory) -> SpotProject:
    """Three 260 x 380 MRC files with 12 dark and 12 bright discs each, a picks STAR, labels."""
    import mrcfile
    import numpy as np

    root = tmp_path_factory.mktemp("spots")
    project = SpotProject(
        root, root / "Micrographs", root / "picks.star", root / "labels.star"
    )
    project.micrographs.mkdir()
    rng = np.random.default_rng(0)
    rows, columns = np.indices((260, 380))
    lines, labelled = [], []
    for i in range(project.n_micrographs):
        image = rng.normal(0, 1, (260, 380))
        grid = [(y, x) for y in range(35, 240, 62) for x in range(35, 360, 62)]
        for j, (y, x) in enumerate(rng.permutation(grid)):
            class_id = 1 + j % 2
            near = np.hypot(rows - y, columns - x) < project.diameter_px / 2
            image[near] += 4.0 if class_id == 2 else -4.0
            line = f"Micrographs/m{i}.mrc {x:.6f} {y:.6f} {rng.normal():.4f}"
            lines.append(line)
            labelled.append(f"{line} {class_id}")
        with mrcfile.new(project.micrographs / f"m{i}.mrc") as mrc:
            mrc.set_data(image.astype(np.float32))
            mrc.voxel_size = project.pixel_size_ang
    names = (
        "MicrographName CoordinateX CoordinateY AutopickFigureOfMerit ParticleSelectionType"
    )
    header = [f"_rln{name} #{i}" for i, name in enumerate(names.split(), start=1)]
    for path, table, n in ((project.picks, lines, 4), (project.labels, labelled, 5)):
        text = ["", "data_particles", "", "loop_", *header[:n], *table, ""]
        path.write_text("\n".join(text) + "\n")
    return project


@pytest.fixture(scope="session")
def rounds() -> int:
    """How often a test repeats what it does at random: PICKEROPTIMIZER_ROUNDS, by default once."""
    return int(os.environ.get("PICKEROPTIMIZER_ROUNDS", "1"))


@pytest.fixture
def names_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the micrographs whose image was read, in that order; grows during a test."""
    from napari_pickeroptimizer.micrographs import Micrograph

    names: list[str] = []
    read = Micrograph.read

    def counted(self: Micrograph, *into: object) -> object:
        names.append(self.name)
        return read(self, *into)

    monkeypatch.setattr(Micrograph, "read", counted)
    return names


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    without_screen = _why_no_screen()
    for item in items:
        if "gui" in item.keywords and without_screen:
            item.add_marker(pytest.mark.skip(reason=without_screen))
        if "gpu" in item.keywords and not _has_gpu():
            item.add_marker(pytest.mark.skip(reason="no GPU that torch can use"))


def _why_no_screen() -> str | None:
    # Qt does not raise without a screen, it aborts the process and every test with it
    if find_spec("napari") is None or find_spec("pytestqt") is None:
        return "napari or pytest-qt is not installed"
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not shutil.which("Xvfb"):
        return "neither a screen (DISPLAY) nor Xvfb"
    return None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available() or torch.backends.mps.is_available()
