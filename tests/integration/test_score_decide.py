"""Scores are kept as they come: a killed scoring goes on, shards are put together, decisions are
made again without any micrograph, and what is refused leaves them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_pickeroptimizer.cli import main

PROGRAM = "import sys; from napari_pickeroptimizer.cli import main; main(sys.argv[1:])"


def command(verb: str, spots: object, model: Path, output: Path, *more: str) -> list[str]:
    inputs = ["-m", spots.micrographs, "-p", spots.picks, "--model", model]
    return [str(part) for part in (verb, *inputs, "-o", output, *more)]


def journal(output: Path) -> Path:
    (path,) = (output / "scores").glob("*.log")
    return path


def pick_files(output: Path) -> dict[str, bytes]:
    parts = ("kept.star", "rejected.star", "scored.star")
    return {name: (output / name).read_bytes() for name in parts}


def kill_after(n_records: int, arguments: list[str], output: Path) -> None:
    """Start a scoring and kill it once its journal has so many lines."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])
    try:
        while process.poll() is None:
            paths = list((output / "scores").glob("*.log"))
            if paths and paths[0].read_bytes().count(b"\n") >= n_records:
                break
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("n_records", [1, 3, 4])
def test_a_killed_scoring_goes_on_and_ends_as_an_unbroken_one(
    spot_project, model: Path, tmp_path: Path, n_records: int
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    main_ok(command("score", spot_project, model, whole))
    main_ok(["decide", "-o", str(whole), "--no-report"])
    arguments = command("score", spot_project, model, broken, "--batch-size", "256")
    kill_after(n_records, arguments, broken)
    with journal(broken).open("ab") as file:
        file.write(b"0123abcd {a line that was cut off")
    main_ok(arguments)
    assert journal(broken).read_bytes() == journal(whole).read_bytes()
    main_ok(["decide", "-o", str(broken), "--no-report"])
    assert pick_files(broken) == pick_files(whole)


def main_ok(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert not end.value.code


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    return " ".join(capsys.readouterr().err.split())


def test_shards_are_put_together_and_a_missing_one_is_told(
    spot_project, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    main_ok(command("prune", spot_project, model, whole, "--no-report"))
    main_ok(command("score", spot_project, model, parts, "--shard", "1/2"))
    said = refusal(["decide", "-o", str(parts)], capsys)
    assert "24 picks on 1 micrographs have no scores" in said
    assert "missing: 2/2" in said
    assert sorted(p.name for p in parts.iterdir()) == ["scores"]
    main_ok(["decide", "-o", str(tmp_path / "some"), "--scores", str(parts),
             "--allow-unscored", "--no-report"])  # fmt: skip
    assert json.loads((tmp_path / "some" / "run.json").read_text())["counts"]["unscored"] == 24
    main_ok(command("score", spot_project, model, parts, "--shard", "2/2"))
    main_ok(["decide", "-o", str(parts), "--no-report"])
    assert pick_files(parts) == pick_files(whole)


def test_another_threshold_needs_no_micrograph_and_changed_picks_are_noticed(
    spot_project, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picks, images = tmp_path / "picks.star", tmp_path / "Micrographs"
    picks.write_bytes(spot_project.picks.read_bytes())
    images.mkdir()
    for path in spot_project.micrographs.glob("*.mrc"):
        (images / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "out"
    main_ok(["score", "-m", str(images), "-p", str(picks), "--model", str(model),
             "-o", str(out)])  # fmt: skip
    for path in images.iterdir():
        path.unlink()
    decide = ["decide", "-o", str(out), "--overwrite"]
    for threshold in ("0.3", "0.9"):
        main_ok([*decide, "--threshold", threshold, "--edge-distance", "10"])
        assert json.loads((out / "run.json").read_text())["threshold"] == float(threshold)
    before = pick_files(out)
    lines = picks.read_text().splitlines()
    last = max(i for i, line in enumerate(lines) if line.startswith("Micrographs/"))
    picks.write_text("\n".join([*lines[:last], *lines[last + 1 :]]) + "\n")
    assert "have changed since they were scored" in refusal(decide, capsys)
    assert pick_files(out) == before


def test_a_precision_out_of_reach_leaves_the_scores(
    spot_project, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = command("prune", spot_project, model, out, "--precision", "1")
    said = refusal(arguments, capsys)
    assert "No expected precision" in said or "the most is 0." in said
