"""What is printed reaches a strict terminal, whatever letters a path is made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_pickeroptimizer.cli.app import main
from napari_pickeroptimizer.model.checkpoint import Classifier

PROGRAM = "from napari_pickeroptimizer.cli.app import main; main()"
NO_TEXT = os.fsdecode(b"a\xe9 \xff")  # Latin-1, as old disks have it
SHOWN = r"a\udce9 \udcff"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="file names of other systems are text"
)


@pytest.fixture(params=["utf-8:strict", "ascii:strict"])
def run(request: pytest.FixtureRequest):
    """Run the program in a process of its own, whose output has an encoding."""

    def call(*arguments: object) -> tuple[int, str, str]:
        words = [os.fsencode(str(a)) for a in arguments]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            env=os.environ | {"PYTHONIOENCODING": request.param},
            capture_output=True,
            check=False,
        )
        encoding = request.param.partition(":")[0]
        return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)

    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / NO_TEXT
    place.mkdir()
    return place


def test_an_error_names_a_path_that_is_no_text(run, folder: Path) -> None:
    code, said, told = run(
        "evaluate", "-p", folder / "gone.star", "--truth", folder / "t.star", "--radius-px", 3
    )
    assert (code, said) == (2, "")
    assert f"{SHOWN}/gone.star" in told
    assert "Traceback" not in told


def test_results_name_paths_that_are_no_text(
    run, folder: Path, spot_project, model: Path
) -> None:
    copy = folder / "model.safetensors"
    copy.write_bytes(model.read_bytes())
    code, said, told = run(
        "prune", "-m", spot_project.micrographs, "-p", spot_project.picks, "--model", copy,
        "-o", folder / "out",
    )  # fmt: skip
    assert code == 0, told
    assert f"{SHOWN}/out" in said
    assert (folder / "out" / "report.html").is_file()
    assert json.loads((folder / "out" / "run.json").read_text())["inputs"]["model"] == str(
        copy
    )


def test_a_model_is_written_from_and_to_a_path_that_is_no_text(
    folder: Path, spot_project, model: Path
) -> None:
    base = folder / "base.safetensors"
    base.write_bytes(model.read_bytes())
    with pytest.raises(SystemExit) as left:
        main(
            ["finetune", "-m", str(spot_project.micrographs), "-l", str(spot_project.labels),
             "--diameter-px", "24", "--steps", "1", "--folds", "0", "--device", "cpu",
             "--base", str(base), "-o", str(folder / "new.safetensors")]
        )  # fmt: skip
    assert not left.value.code
    settings = Classifier.load(folder / "new.safetensors").card.training["settings"]
    assert settings["base"].endswith(f"{SHOWN}/base.safetensors")
