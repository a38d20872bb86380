"""The command line before the first label: `--model bundled` with a diameter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks

Run = Callable[..., tuple[int, str, str]]

DIAMETER = ("--diameter-px", 24)


def inputs(spots, model: object = "bundled") -> list[object]:
    return ["-m", spots.micrographs, "-p", spots.picks, "--model", model]


def words(text: str) -> str:
    return " ".join(text.split())


def test_prune_scores_without_labels_and_says_what_the_scores_are_worth(
    run: Run, spot_project, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said, warned = run("prune", *inputs(spot_project), *DIAMETER, "-o", out)
    assert code == 0
    assert "The order of the scores is meaningful".lower() in words(warned).lower()
    assert "no calibrated probabilities" in words(warned)
    assert "recall" not in said.lower()
    record = json.loads((out / "run.json").read_text())
    assert record["expectation"] is None
    assert record["inputs"]["model"] == "bundled"
    assert record["model"]["training"]["kind"] == "before labels"
    assert record["counts"]["unscored"] == 0
    report = words((out / "report.html").read_text())
    assert "no expected precision" in report
    assert "Scored without labels, by a pretrained network" in report
    assert "use their order, not their values" in report
    assert np.isfinite(read_picks(out / "scored.star").particle_probability).all()


def test_scores_wait_for_another_threshold(run: Run, spot_project, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, warned = run("score", *inputs(spot_project), *DIAMETER, "-o", out)
    assert (code, "Scored 72 of 72 picks" in said) == (0, True)
    assert "no calibrated probabilities" in words(warned)
    code, said, warned = run("decide", "-o", out, "-t", 0.2, "--no-report")
    assert code == 0
    assert "no calibrated probabilities" in words(warned)
    code, _, warned = run("decide", "-o", out, "--precision", 0.9, "--overwrite")
    assert (code, "none before the first label" in words(warned)) == (2, True)


@pytest.mark.parametrize(
    "rule", [("--threshold", "auto"), ("--precision", 0.9), ("--recall", 0.9)]
)
def test_what_needs_a_forecast_is_refused_before_anything_is_scored(
    run: Run, spot_project, tmp_path: Path, rule: tuple[object, ...]
) -> None:
    out = tmp_path / "out"
    code, _, said = run("prune", *inputs(spot_project), *DIAMETER, "-o", out, *rule)
    assert (code, out.exists()) == (2, False)
    assert "there is none before the first label: label some picks, fine-tune" in words(said)


@pytest.mark.parametrize("verb", ["prune", "score", "suggest"])
def test_a_diameter_is_needed_by_the_bundled_network_alone(
    run: Run, spot_project, model: Path, tmp_path: Path, verb: str
) -> None:
    out = tmp_path / ("out.star" if verb == "suggest" else "out")
    code, _, said = run(verb, *inputs(spot_project), "-o", out)
    assert (code, "give --diameter-px or --diameter-angstrom" in words(said)) == (2, True)
    code, _, said = run(verb, *inputs(spot_project, model), *DIAMETER, "-o", out)
    assert (code, "has its own diameter" in words(said)) == (2, True)
    both = (*DIAMETER, "--diameter-angstrom", 48)
    code, _, said = run(verb, *inputs(spot_project), *both, "-o", out)
    assert (code, "not both" in words(said)) == (2, True)
    assert not out.exists()


def test_suggest_takes_the_bundled_network_for_a_model(
    run: Run, spot_project, tmp_path: Path
) -> None:
    out = tmp_path / "next.star"
    code, said, _ = run(
        "suggest", *inputs(spot_project), *DIAMETER, "--by", "uncertainty", "-n", 4,
        "--json", "-o", out,
    )  # fmt: skip
    suggestions = json.loads(said)["suggestions"]
    assert (code, len(suggestions)) == (0, 4)
    assert all(0 <= pick["p_particle"] <= 1 for pick in suggestions)
