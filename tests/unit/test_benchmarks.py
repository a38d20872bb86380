"""What the benchmarks share: figures, draws, and taking up a run that was stopped."""

from __future__ import annotations

import doctest
import json
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.picks import Picks

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NAMES_OF_SEED_0 = ["9.mrc", "8.mrc", "0.mrc"]
ROWS_OF_SEED_0 = [425, 477, 469, 414, 423, 487, 492, 30, 449, 45]
SHARED = ("empiar10017", "grid", "measures", "summarise")


@pytest.fixture(scope="module")
def shared() -> Iterator[dict[str, ModuleType]]:
    """Import the scripts' modules, which are no part of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield {name: import_module(name) for name in SHARED}
        for name in SHARED:
            sys.modules.pop(name)


@pytest.fixture(scope="module")
def labels() -> Picks:
    """Ten micrographs of 30 particles and 20 negatives; carbon on the first only."""
    names = np.repeat([f"{i}.mrc" for i in range(10)], 50)
    label = np.tile(np.repeat([PARTICLE, CONTAMINANT], [30, 20]), 10)
    label[45:50] = CARBON
    return Picks.from_arrays(names, np.arange(500.0), np.zeros(500), label=label)


@pytest.mark.parametrize("name", SHARED)
def test_examples(shared: dict[str, ModuleType], name: str) -> None:
    assert doctest.testmod(shared[name]).failed == 0


def test_no_calibration_error_where_confidence_is_accuracy(
    shared: dict[str, ModuleType],
) -> None:
    truth = np.array([True] * 4 + [False])
    error = shared["measures"].expected_calibration_error(truth, np.full(5, 0.8))
    assert error == pytest.approx(0)


def test_calibration_error_weighs_bins_by_their_size(shared: dict[str, ModuleType]) -> None:
    truth = np.array([True, True, True, False])
    probability = np.array([1.0, 1.0, 1.0, 0.6])  # gaps: 0, and 0.6 for one in four
    error = shared["measures"].expected_calibration_error(truth, probability)
    assert error == pytest.approx(0.15)


def test_typed_figures_take_the_most_likely_class(shared: dict[str, ModuleType]) -> None:
    truth = np.array([1, 1, 2, 3], np.int8)
    probabilities = np.array([[0.8, 0.1, 0.1], [0.3, 0.6, 0.1], [0.2, 0.5, 0.3], [0, 0, 1]])
    found = shared["measures"].typed_measures(truth, np.array([1, 2, 3]), probabilities, 1)
    assert found["accuracy"] == 0.75
    assert found["auc"] == 1.0
    assert found["f1_particle"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("k", [5, 20])
def test_a_draw_holds_k_of_each_from_three_micrographs(
    shared: dict[str, ModuleType], labels: Picks, k: int
) -> None:
    train, test, names = shared["empiar10017"].draw_labels(labels, k, seed=3)
    micrograph = labels.table["micrograph"].to_numpy(dtype=str)
    assert (labels.labels[train] == PARTICLE).sum() == k
    assert len(set(train.tolist())) == 2 * k
    assert set(micrograph[train]) <= set(names)
    assert "0.mrc" in names, "the only one with carbon"
    assert set(test) == set(np.flatnonzero(~np.isin(micrograph, names)))


def test_draws_stay_what_they_were(shared: dict[str, ModuleType], labels: Picks) -> None:
    """Figures of different versions are compared seed by seed."""
    train, _, names = shared["empiar10017"].draw_labels(labels, 5, seed=0)
    assert names == NAMES_OF_SEED_0
    assert train.tolist() == ROWS_OF_SEED_0


def test_a_share_of_the_labels_is_flipped(shared: dict[str, ModuleType]) -> None:
    before = np.repeat(np.array([PARTICLE, CONTAMINANT, CARBON], np.int8), [20, 10, 10])
    after = shared["empiar10017"].flipped(before, 0.1, np.random.default_rng(0))
    changed = before != after
    assert changed.sum() == 4
    assert ((before == PARTICLE) != (after == PARTICLE))[changed].all()


def test_a_job_whose_row_is_there_is_not_run_again(
    shared: dict[str, ModuleType], tmp_path: Path
) -> None:
    run_grid = shared["grid"].run_grid
    output = tmp_path / "rows.json"
    other = {"job": {"seed": 0, "method": "other"}, "auc": 0.1}
    output.write_text(json.dumps([{"job": {"seed": 0}, "auc": 0.9}, other]))
    (row,) = run_grid(dict, [{"seed": 0}], output=output)
    assert (row["seed"], row["auc"]) == (0, 0.9)
    assert json.loads(output.read_text())[1] == other


@pytest.mark.slow
def test_rows_come_back_in_the_order_of_their_jobs(
    shared: dict[str, ModuleType], tmp_path: Path
) -> None:
    output = tmp_path / "rows.json"
    jobs = [{"seed": seed} for seed in (2, 1)]
    rows = shared["grid"].run_grid(dict, jobs, output=output)
    assert [row["seed"] for row in rows] == [2, 1]
    assert len(json.loads(output.read_text())) == 2
