"""The examples that need no window run, on discs, and do what they say."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from napari_pickeroptimizer import Classifier, FineTuneSettings, Micrographs, read_picks
from napari_pickeroptimizer.pretrain.settings import PretrainSettings

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def commands(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> Callable[..., list[list[str]]]:
    """Run a shell example, whose commands are then run in this process; return them."""
    stub, log = tmp_path / "bin" / "pickeroptimizer", tmp_path / "commands"
    stub.parent.mkdir()
    stub.write_text(f'#!/bin/bash\nprintf "%s\\0" "$@" >> {log}\nprintf "\\n" >> {log}\n')
    stub.chmod(0o755)

    def run_it(name: str, *arguments: object, **variables: object) -> list[list[str]]:
        log.unlink(missing_ok=True)
        environment = os.environ | {"PATH": f"{stub.parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(
            ["bash", EXAMPLES / name, *map(str, arguments)],
            env=environment | {key: str(value) for key, value in variables.items()},
            cwd=tmp_path, check=True, timeout=60, capture_output=True,
        )  # fmt: skip
        found = [line.split("\0")[:-1] for line in log.read_text().splitlines()]
        for command in found:
            code, _, said = run(*command)
            assert code == 0, said
        return found

    return run_it


def test_a_batch_goes_on_after_a_list_that_is_broken(
    spot_project, model: Path, tmp_path: Path
):
    broken = tmp_path / "broken.star"
    broken.write_text("data_\nloop_\n_rlnCoordinateX\n1\n")
    rows = script("headless_batch").run(
        model, spot_project.micrographs, [broken, spot_project.picks], tmp_path / "out"
    )
    assert [row["of"] for row in rows] == ["", 72]
    assert "broken.star" in rows[0]["said"]
    assert len(read_picks(tmp_path / "out" / "02_picks" / "kept.star")) == rows[1]["kept"]
    assert len((tmp_path / "out" / "lists.csv").read_text().splitlines()) == 3


def test_backbones_are_compared_on_the_same_folds(spot_project):
    settings = FineTuneSettings(diameter_px=24, n_steps=2, n_folds=2, device="cpu")
    found = script("custom_backbone").run(
        Micrographs.find(spot_project.micrographs),
        read_picks(spot_project.labels),
        None,
        ["bundled", "none:mobilenet_v3_small"],
        settings,
    )
    assert found["bundled"][0] > 0.9
    assert found["none:mobilenet_v3_small"][1].card.backbone == "mobilenet_v3_small"


def test_boxes_of_two_projects_become_a_base(spot_project, tmp_path: Path):
    module = script("pretraining_set")
    projects = [
        module.Project(name, spot_project.micrographs, spot_project.labels, 48.0)
        for name in ("first", "second")
    ]
    settings = PretrainSettings(n_steps=2, batch_size=8, validation_share=0, device="cpu")
    counts = module.run(projects, tmp_path / "set", tmp_path / "base.safetensors", settings)
    assert counts == {
        f"{kind}_{name}": 36
        for kind in ("contaminant", "particle")
        for name in ("first", "second")
    }
    assert set(Classifier.load(tmp_path / "base.safetensors").card.class_names) == set(counts)


def test_a_job_of_relion_by_script(
    spot_project, model: Path, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("Micrographs").symlink_to(spot_project.micrographs)
    lines = "".join(f"Micrographs/m{i}.mrc\n" for i in range(spot_project.n_micrographs))
    Path("mics.star").write_text(f"data_micrographs\n\nloop_\n_rlnMicrographName\n{lines}\n")
    ((verb, *_),) = commands(
        "relion_external_job.sh", "mics.star", spot_project.picks, model, "External/job008/"
    )
    assert verb == "relion"
    assert Path("External/job008/RELION_JOB_EXIT_SUCCESS").is_file()
    assert Path("External/job008/autopick.star").is_file()


def test_a_job_array_scores_in_parts_that_are_put_together(
    spot_project, model: Path, commands, tmp_path: Path
):
    given = {
        "MICROGRAPHS": spot_project.micrographs,
        "PICKS": spot_project.picks,
        "MODEL": model,
        "OUTPUT": tmp_path / "pruned",
        "PARTS": 2,
    }
    for task in (1, 2):
        commands("cluster_array.sh", "score", SLURM_ARRAY_TASK_ID=task, **given)
    commands("cluster_array.sh", "decide", "--threshold", 0.5, **given)
    counts = json.loads((tmp_path / "pruned" / "run.json").read_text())["counts"]
    assert counts["picks"] == 72
    assert counts["unscored"] == 0
