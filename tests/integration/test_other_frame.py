"""Corners taken for centres: every command that looks at picks says so, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.write import write_new_star

Run = Callable[..., tuple[int, str, str]]
TOLD = "add half the box side, about 17 pixels"


@pytest.fixture
def corners(spot_project, tmp_path: Path) -> Path:
    """The particles' places, each half a box side off."""
    labels = read_picks(spot_project.labels)
    particles = labels.select(labels.labels == 1)
    y, x = particles.coords_yx_px().T - 17
    return write_new_star(
        particles.with_columns(x=x, y=y), tmp_path / "corners.star", columns={}
    )


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_prune_and_decide_tell_once_and_record_it(
    run: Run, spot_project, model: Path, corners: Path, tmp_path: Path
) -> None:
    code, _, told = run(
        "prune", "--micrographs", spot_project.micrographs, "--picks", corners, "--model", model,
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert in_one_line(told).count(TOLD) == 1
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert TOLD in record["warnings"][0]
    scored = read_picks(tmp_path / "out" / "scored.star")
    assert np.array_equal(scored.coords_yx_px(), read_picks(corners).coords_yx_px())
    _, _, told = run("decide", "--output", tmp_path / "out", "--overwrite")
    assert in_one_line(told).count(TOLD) == 1


def test_score_tells(
    run: Run, spot_project, model: Path, corners: Path, tmp_path: Path
) -> None:
    code, _, told = run(
        "score", "--micrographs", spot_project.micrographs, "--picks", corners, "--model", model,
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0
    assert in_one_line(told).count(TOLD) == 1


def test_finetune_tells_whether_labels_or_picks_are_wrong(
    run: Run, spot_project, corners: Path, tmp_path: Path
) -> None:
    labels = read_picks(spot_project.labels)
    false = labels.select(labels.labels == 2)
    write_new_star(false, tmp_path / "false.star", columns={})
    common = (
        "finetune", "--micrographs", spot_project.micrographs, "--diameter-px", 24, "--steps", 1,
        "--folds", 0, "--device", "cpu", "--output", tmp_path / "model.safetensors",
        "--overwrite",
    )  # fmt: skip
    code, _, told = run(*common, "--positive", corners, "--negative", tmp_path / "false.star")
    assert code == 0
    assert in_one_line(told).count(TOLD) == 1
    code, _, told = run(*common, "--labels", spot_project.labels, "--picks", corners)
    assert code == 0
    assert in_one_line(told).count(TOLD) == 1
    code, _, told = run(*common, "--labels", spot_project.labels)
    assert code == 0
    assert "frame" not in told
