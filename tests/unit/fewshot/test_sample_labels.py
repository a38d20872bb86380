"""Of too many labels a sample: even over micrographs, and no class is forgotten."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from napari_pickeroptimizer.fewshot.sample_labels import sample_labels
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs


def micrographs(n: int) -> list[Micrograph]:
    found = Micrographs.named([f"m{i}.mrc" for i in range(n)])
    return [found.resolve(f"m{i}.mrc") for i in range(n)]


def labelled(*classes: list[int]) -> tuple[dict[Micrograph, np.ndarray], np.ndarray]:
    """Labels of the given classes, a list for each micrograph, in consecutive rows."""
    ends = np.cumsum([0, *map(len, classes)])
    rows = [np.arange(a, b) for a, b in pairwise(ends)]
    every_class = np.array([c for some in classes for c in some], dtype=np.int8)
    return dict(zip(micrographs(len(classes)), rows, strict=True)), every_class


def sampled(given, n_labels: int, n_micrographs: int, seed: int = 0) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [r.tolist() for r in sample_labels(*given, n_labels, n_micrographs, rng).values()]


def test_labels_that_are_few_all_stay_where_they_are() -> None:
    given = labelled([1, 2, 1], [], [2, 2])
    assert sampled(given, 3, 3) == [[0, 1, 2], [3, 4]]


def test_a_crowded_micrograph_gives_no_more_than_the_others() -> None:
    given = labelled([1] * 100 + [2] * 100, [1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2])
    parts = sampled(given, 9, 3)
    assert [len(part) for part in parts] == [6, 6, 6]
    assert [int((given[1][part] == 1).sum()) for part in parts] == [3, 3, 3]


def test_what_a_micrograph_lacks_the_others_give() -> None:
    given = labelled([1] * 100 + [2] * 20, [1] + [2] * 20)
    first, second = sampled(given, 10, 2)
    assert int((given[1][first] == 1).sum()) == 9
    assert int((given[1][second] == 1).sum()) == 1


@pytest.mark.parametrize("seed", range(5))
def test_of_many_micrographs_some_are_taken_that_hold_every_class(seed: int) -> None:
    given = labelled(*[[1, 1, 2]] * 40, [3])
    parts = sampled(given, 1000, 8, seed)
    assert len(parts) == 8
    assert set(given[1][np.concatenate(parts)].tolist()) == {1, 2, 3}


def test_a_seed_always_draws_the_same_sample_and_another_one_another() -> None:
    given = labelled(*[[1, 2] * 10] * 20)
    assert sampled(given, 30, 5, 1) == sampled(given, 30, 5, 1) != sampled(given, 30, 5, 2)
