"""Reports from the command line, and the demo that ends with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.cli import demo as demo_module
from napari_pickeroptimizer.cli import evaluate as evaluate_module
from napari_pickeroptimizer.cli.command_record import running_as, running_command
from napari_pickeroptimizer.io import read_picks, write_picks

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scored(spot_project, tmp_path: Path) -> Path:
    """``pruned/scored.star`` as a run writes it, and the record of a run with a forecast."""
    truth = read_picks(spot_project.picks)
    is_particle = read_picks(spot_project.labels).labels == 1
    p = np.where(is_particle, 0.8, 0.2) + np.linspace(-0.1, 0.1, len(truth))
    path = tmp_path / "pruned" / "scored.star"
    columns = {
        "rlnParticleSelectionType": np.where(p >= 0.5, 1, 2).astype(np.int8),
        "poParticleProbability": p,
    }
    write_picks(truth, path, columns=columns)
    interval = {"mean": 0.97, "low": 0.93, "high": 1.0}
    record = {
        "command": "prune",
        "threshold": 0.5,
        "expectation": {"threshold": 0.5, "precision": interval, "recall": interval},
    }
    (path.parent / "run.json").write_text(json.dumps(record))
    return path


def test_evaluate_writes_a_report_with_pictures_and_the_forecast(
    run: Run, spot_project, scored: Path, tmp_path: Path
) -> None:
    report = tmp_path / "new" / "evaluation.html"
    code, said, _ = run(
        "evaluate", "--picks", scored, "--truth", spot_project.labels, "--radius-px", 5,
        "--report", report, "--micrographs", spot_project.micrographs,
    )  # fmt: skip
    text = report.read_text()
    assert code == 0
    assert f"Report: {report}" in said
    assert (
        "Expected precision: 0.970 (0.930–1.000); measured 1.000, within the interval." in text
    )
    assert "data:image/jpeg" in text


def test_the_report_does_not_disturb_json(
    run: Run, spot_project, scored: Path, tmp_path: Path
) -> None:
    code, said, _ = run(
        "evaluate", "--picks", scored, "--truth", spot_project.labels, "--radius-px", 5,
        "--report", tmp_path / "e.html", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(said)["after"]["precision"] == 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--report", "."], "is a folder"),
        (["--report", "report.pdf"], "call it .html"),
        (["--micrographs", "nowhere"], "give --report too"),
    ],
)
def test_bad_report_options_end_with_code_2(
    options: list[str], words: str, run: Run, spot_project, scored: Path
) -> None:
    code, said, warned = run(
        "evaluate", "--picks", scored, "--truth", spot_project.labels, "--radius-px", 5,
        *options,
    )  # fmt: skip
    assert code == 2
    assert words in warned
    assert said == ""


def test_the_record_is_found_beside_files_and_above_folders(scored: Path) -> None:
    find = evaluate_module.run_record_beside
    tree = scored.parent / "scored" / "autopick.star"
    for place in (scored, tree, tree.parent):
        assert find([str(place)])["threshold"] == 0.5
    assert find([str(scored.parent.parent / "elsewhere" / "deep" / "picks.star")]) is None
    (scored.parent / "run.json").write_text("{damaged")
    assert find([str(scored)]) is None


def test_the_recorded_command_is_the_command_line_or_the_one_it_stands_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/pickeroptimizer", "prune", "--picks", "a b"])
    assert running_command() == "pickeroptimizer prune --picks 'a b'"
    with running_as("pickeroptimizer finetune"):
        assert running_command() == "pickeroptimizer finetune"
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest", "-x"])
    assert running_command() is None


@pytest.mark.slow
def test_the_demo_ends_with_its_reports(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_module, "FOLDS", 0)  # what is learned is not what is tested
    quick = demo_module.finetune
    monkeypatch.setattr(
        demo_module, "finetune", lambda *a, **k: quick(*a, **{**k, "steps": 2})
    )
    code, said, _ = run("demo", "--output", tmp_path / "demo", "--device", "cpu")
    assert code == 0
    named = [Path(line.strip()) for line in said.splitlines()[-2:]]
    assert [p.name for p in named] == ["report.html", "evaluation.html"]
    for path in named:
        text = path.read_text()
        assert "<pre" in text
        assert "pickeroptimizer prune" in text or "pickeroptimizer evaluate" in text
