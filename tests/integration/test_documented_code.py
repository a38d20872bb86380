"""Examples and code in the documentation run: on small data, with the trainings cut short."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

import napari_pickeroptimizer as po
from napari_pickeroptimizer.pretrain.settings import PretrainSettings
from napari_pickeroptimizer.pretrain.write import WINDOW_SIDE, write_windows

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
WITH_BASH = pytest.mark.skipif(sys.platform == "win32", reason="the examples are for bash")
IN_A_VIEWER = {"script-napari.md"}  # run by tests/gui/test_examples.py

# What a block asks for that takes long, and what takes seconds.
SHORTER = {
    "FineTuneSettings(diameter_ang=150)": (
        "FineTuneSettings(diameter_px=24, n_steps=2, n_folds=0, device='cpu')"
    ),
    "diameter_px=108": "diameter_px=24",
    "PretrainSettings(n_steps=5000)": (
        "PretrainSettings(n_steps=2, batch_size=8, validation_share=0, device='cpu')"
    ),
}


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
            cwd=tmp_path, check=True, timeout=500, capture_output=True,
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
    assert len(po.read_picks(tmp_path / "out" / "02_picks" / "kept.star")) == rows[1]["kept"]
    assert len((tmp_path / "out" / "lists.csv").read_text().splitlines()) == 3


def test_backbones_are_compared_on_the_same_folds(spot_project):
    settings = po.FineTuneSettings(diameter_px=24, n_steps=2, n_folds=2, device="cpu")
    found = script("custom_backbone").run(
        po.Micrographs.find(spot_project.micrographs),
        po.read_picks(spot_project.labels),
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
    assert set(po.Classifier.load(tmp_path / "base.safetensors").card.class_names) == set(
        counts
    )


@WITH_BASH
def test_a_job_of_relion_by_script(
    spot_project, model: Path, commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(spot_project.micrographs, "Micrographs")
    lines = "".join(f"Micrographs/m{i}.mrc\n" for i in range(spot_project.n_micrographs))
    Path("mics.star").write_text(f"data_micrographs\n\nloop_\n_rlnMicrographName\n{lines}\n")
    ((verb, *_),) = commands(
        "relion_external_job.sh", "mics.star", spot_project.picks, model, "External/job008/"
    )
    assert verb == "relion"
    assert Path("External/job008/RELION_JOB_EXIT_SUCCESS").is_file()
    assert Path("External/job008/autopick.star").is_file()


@WITH_BASH
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


def blocks(page: Path, *kinds: str) -> list[str]:
    """Return the code blocks of a page that are of these languages."""
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(text) for _, kind, text in found if kind in kinds]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def with_blocks(*kinds: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *kinds) and page.name not in IN_A_VIEWER]


@pytest.fixture
def folder(spot_project, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what the pages name."""
    for name in ("MotionCorr/job002", "mics"):
        shutil.copytree(spot_project.micrographs, tmp_path / name)
    for name in (
        "AutoPick/job006/autopick.star", "picks/a.star", "boxes/a.star", "particles.star",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(spot_project.picks, tmp_path / name)
    shutil.copy(spot_project.labels, tmp_path / "labels.star")
    shutil.copy(model, tmp_path / "model.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", with_blocks("python"), ids=name_of)
def test_python(page: Path, folder: Path) -> None:
    if "read_categories" in page.read_text(encoding="utf-8"):
        rng = np.random.default_rng(0)
        for file in ("particle_a/a", "contaminant_a/a", "particle_b/empiar10017"):
            windows = rng.normal(0, 1, (10, WINDOW_SIDE, WINDOW_SIDE))
            write_windows(folder / "set" / f"{file}.mrcs", windows)
    known = {
        "po": po,
        "micrographs": po.Micrographs.find("mics"),
        "picks": po.read_picks("picks"),
        "model": po.Classifier.load("model.safetensors"),
    }
    for text in blocks(page, "python"):
        for long, short in SHORTER.items():
            text = text.replace(long, short)
        exec(compile(text, name_of(page), "exec"), known)


@WITH_BASH
@pytest.mark.parametrize("page", with_blocks("sh", "bash"), ids=name_of)
def test_shell_can_be_parsed(page: Path) -> None:
    for text in blocks(page, "sh", "bash"):
        done = subprocess.run(
            ["bash", "-n"],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=500,
        )
        assert done.returncode == 0, f"{text}\n{done.stderr}"


@pytest.mark.parametrize("page", with_blocks("json", "yaml"), ids=name_of)
def test_data_can_be_read(page: Path) -> None:
    for text in blocks(page, "json"):
        assert json.loads(text)
    for text in blocks(page, "yaml"):
        assert yaml.safe_load(text)


@pytest.mark.slow
def test_the_tutorial_from_its_first_command_to_its_last(
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "\n".join(blocks(ROOT / "docs/tutorials/first-pruning.md", "sh"))
    commands = [
        shlex.split(line, comments=True) for line in text.replace("\\\n", " ").splitlines()
    ]
    commands = [words[1:] for words in commands if words and words[0] == "pickeroptimizer"]
    smaller = {"--micrographs 6": "--micrographs 3", "--particles 150": "--particles 60"}
    for words in commands:
        if words[0] == "demo":  # the same commands at once
            continue
        line = shlex.join(words)
        for large, small in smaller.items():
            line = line.replace(large, small)
        more = ["--steps", "15", "--folds", "2"] if words[0] == "finetune" else []
        code, _, said = run(*shlex.split(line), *more)
        assert code == 0, said
    assert [words[0] for words in commands][-1] == "evaluate"
