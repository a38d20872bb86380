"""Evaluation reports: measured figures beside the expected ones."""

from __future__ import annotations

import dataclasses
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from report_page import read

from napari_pickeroptimizer import Picks, evaluate_picks
from napari_pickeroptimizer.report import write_evaluation_report


def judged(n_micrographs: int = 6) -> tuple[Picks, Picks]:
    """Picks of which those at x < 60 are true, and as many centres more that nobody picked."""
    rng = np.random.default_rng(0)
    names = np.repeat([f"mics/m{i:04d}.mrc" for i in range(n_micrographs)], 20)
    x = np.tile(np.arange(20) * 6.0 + 3, n_micrographs)
    y = np.full(len(x), 50.0)
    is_true = x < 60
    p = np.clip(np.where(is_true, 0.8, 0.2) + rng.normal(0, 0.15, len(x)), 0.01, 0.99)
    predicted = np.where(p >= 0.5, 1, 2).astype(np.int8)
    picks = Picks.from_arrays(names, x, y).with_columns(probability_1=p, predicted=predicted)
    truth = Picks.from_arrays(
        np.concatenate([names[is_true], names[is_true]]),
        np.concatenate([x[is_true], x[is_true]]),
        np.concatenate([y[is_true], y[is_true] + 40]),
    )
    return picks, truth


def expectation(precision: float, recall: float, threshold: float = 0.5) -> dict:
    def around(v: float) -> dict[str, float]:
        return {"mean": v, "low": v - 0.05, "high": v + 0.05}

    return {"threshold": threshold, "precision": around(precision), "recall": around(recall)}


def test_an_evaluation_tells_what_was_found(make_run, tmp_path: Path) -> None:
    picks, truth = judged()
    evaluation = evaluate_picks(picks, truth, 2)
    _, micrographs, _ = make_run(n_micrographs=6)
    text, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluation, micrographs,
            inputs={"picks": ["scored.star"]}, command="pickeroptimizer evaluate",
        )
    )  # fmt: skip
    assert f"Of {evaluation.after.n_picks} kept picks" in page.words
    assert f"AUC {evaluation.roc_auc:.4f}" in page.words
    assert "Kept, but false" in page.words
    assert "True, but rejected" in page.words
    assert all(f"m000{i}.mrc" in page.words for i in range(6))
    assert "No run.json lies beside the picks" in page.words
    assert page.refers
    for tag, target in page.refers:
        assert target.startswith(("#", "data:image/")), (tag, target)
    for chart in re.findall(r"<svg class=\"chart.*?</svg>", text, flags=re.DOTALL):
        ET.fromstring(chart)


@pytest.mark.parametrize(
    ("forecast", "position"),
    [((0.95, 0.95), "within the"), ((0.5, 0.95), "above the"), ((0.95, 0.2), "above the")],
)
def test_expected_stands_beside_measured(
    forecast: tuple[float, float], position: str, tmp_path: Path
) -> None:
    picks, truth = judged()
    record = {"command": "prune", "threshold": 0.5, "expectation": expectation(*forecast)}
    evaluation = evaluate_picks(picks, truth, 2)
    path = tmp_path / "e.html"
    _, page = read(write_evaluation_report(path, evaluation, record=record))
    assert f"Expected precision: {forecast[0]:.3f}" in page.words
    # what a run calls recall is among its picks
    assert f"measured {evaluation.kept_true:.3f}" in page.words
    assert position in page.words
    assert "data:image" not in path.read_text().replace("img-src data:", "")


def test_a_forecast_is_compared_at_its_own_threshold(tmp_path: Path) -> None:
    picks, truth = judged()
    record = {"command": "prune", "expectation": expectation(0.9, 0.9, threshold=0.7)}
    _, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluate_picks(picks, truth, 2, 0.5), record=record
        )
    )  # fmt: skip
    p, x = picks.particle_probability, picks.table["x"].to_numpy()
    assert f"measured {(p[x < 60] >= 0.7).mean():.3f}" in page.words
    assert "at the run's threshold of 0.70" in page.words


def test_warnings_of_the_evaluation_are_shown(tmp_path: Path) -> None:
    picks, truth = judged()
    evaluation = dataclasses.replace(
        evaluate_picks(picks, truth, 2), warnings=("it is flipped",)
    )
    _, page = read(write_evaluation_report(tmp_path / "e.html", evaluation))
    assert "1 warning it is flipped" in page.words


@pytest.mark.parametrize(
    "damaged",
    [None, "words", {}, {"threshold": "x"}, {"threshold": 0.5, "precision": 3},
     {"threshold": 0.5, "precision": {"mean": None}, "recall": {}}],
)  # fmt: skip
def test_a_damaged_record_has_no_forecast(damaged: object, tmp_path: Path) -> None:
    picks, truth = judged()
    record = json.loads(json.dumps({"command": "prune", "expectation": damaged}))
    _, page = read(
        write_evaluation_report(
            tmp_path / "e.html", evaluate_picks(picks, truth, 2), record=record
        )
    )
    assert "The run has no expected precision" in page.words


def test_picks_without_scores_have_figures_but_no_charts(tmp_path: Path) -> None:
    picks, truth = judged()
    bare = Picks(picks.table.drop(columns=["probability_1"]))
    text, page = read(
        write_evaluation_report(tmp_path / "e.html", evaluate_picks(bare, truth, 2))
    )
    assert "hold no probabilities" in page.words
    assert '<svg class="chart' not in text
