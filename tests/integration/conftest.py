"""What the tests of the command line share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from live_session import Session

from napari_pickeroptimizer.cli import main

# signals, limits and servers of Linux: elsewhere they cannot even be imported
collect_ignore = [] if sys.platform == "linux" else ["test_faults.py", "test_workers.py"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the program and return its exit code, standard output and standard error."""

    def run_it(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return int(left.value.code or 0), captured.out, captured.err

    return run_it


@pytest.fixture(scope="session")
def model(spot_project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that the command line has fine-tuned on the discs, within seconds."""
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    with pytest.raises(SystemExit) as left:
        main(
            ["finetune", "--micrographs", str(spot_project.micrographs), "--labels",
             str(spot_project.labels), "--picks", str(spot_project.picks),
             "--diameter-px", "24", "--steps", "10", "--folds", "2", "--device", "cpu",
             "--output", str(path)]
        )  # fmt: skip
    assert not left.value.code
    return path


@pytest.fixture
def session(spot_project, model: Path, tmp_path: Path) -> Session:
    return Session(tmp_path / "live", spot_project, model)
