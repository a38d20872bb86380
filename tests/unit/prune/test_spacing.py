"""Greedy non-maximum suppression against the definition, one pick after the other."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from napari_pickeroptimizer.prune import place_rules
from napari_pickeroptimizer.prune.place_rules import too_close


def by_definition(coords, score, fixed, distance: float) -> np.ndarray:
    """Best first; every pick against every pick that stays."""
    place = sorted(
        range(len(score)), key=lambda i: (not fixed[i], -score[i], *coords[i].tolist(), i)
    )
    stays: list[int] = []
    removed = np.zeros(len(score), dtype=bool)
    for i in place:
        near = any(((coords[i] - coords[j]) ** 2).sum() < distance**2 for j in stays)
        if near and not fixed[i]:
            removed[i] = True
        else:
            stays.append(i)
    return removed


@pytest.mark.parametrize(
    "pairs_a_pick", [0, place_rules.PAIRS_A_PICK]
)  # all are a crowd; none
@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_one_by_one_gives(seed: int, pairs_a_pick: int, monkeypatch) -> None:
    monkeypatch.setattr(place_rules, "PAIRS_A_PICK", pairs_a_pick)
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 150))
    # whole pixels and few scores: many ties, and many pairs at the very distance
    coords = rng.integers(0, 40, (n, 2)).astype(float)
    score = rng.integers(0, 5, n) / 4
    fixed = rng.random(n) < 0.1
    distance = float(rng.choice([1, 3, 5, 10]))
    removed = too_close(coords, score, fixed, [(np.arange(n), distance)])
    np.testing.assert_array_equal(removed, by_definition(coords, score, fixed, distance))


def test_the_order_of_the_rows_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    coords = rng.permutation([(y, x) for y in range(20) for x in range(20)]).astype(float)
    score = rng.integers(0, 3, 400) / 2
    fixed = np.zeros(400, dtype=bool)
    order = rng.permutation(400)
    straight = too_close(coords, score, fixed, [(np.arange(400), 2.5)])
    mixed = too_close(coords[order], score[order], fixed, [(np.arange(400), 2.5)])
    np.testing.assert_array_equal(mixed, straight[order])


def test_a_chain_loses_every_second_pick() -> None:
    x = np.arange(7.0)
    removed = too_close(np.column_stack([x * 0, x]), -x, x < 0, [(np.arange(7), 1.5)])
    assert removed.tolist() == [False, True, False, True, False, True, False]


def test_two_picks_at_the_very_distance_both_stay() -> None:
    coords, score = np.array([[0.0, 0], [0, 30]]), np.array([0.9, 0.8])
    none = np.zeros(2, dtype=bool)
    assert not too_close(coords, score, none, [(np.arange(2), 30.0)]).any()
    assert too_close(coords, score, none, [(np.arange(2), 30.1)]).tolist() == [False, True]


def test_picks_of_two_micrographs_are_no_neighbours() -> None:
    coords, none = np.zeros((4, 2)), np.zeros(4, dtype=bool)
    score = np.array([0.1, 0.2, 0.3, 0.4])
    groups = [(np.array([0, 2]), 5.0), (np.array([1, 3]), 0.0)]
    assert too_close(coords, score, none, groups).tolist() == [True, False, False, False]


@pytest.mark.parametrize("n_fixed", [0, 3_000])
@pytest.mark.parametrize("spread_px", [0.0, 1.0, 30.0])
def test_memory_of_a_crowd_grows_as_its_number(spread_px: float, n_fixed: int) -> None:
    n = 30_000  # 450 million pairs
    rng = np.random.default_rng(0)
    coords = 500 + spread_px * rng.random((n, 2))
    score, fixed = rng.random(n), np.arange(n) < n_fixed
    tracemalloc.start()
    removed = too_close(coords, score, fixed, [(np.arange(n), 50.0)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (~removed).sum() == max(1, n_fixed)
    assert peak < 2_000 * n
