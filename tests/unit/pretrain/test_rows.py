"""Rows are held out of every category; a step's rows depend on seed and step alone."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.pretrain.rows import RowSampler, split_rows

TARGETS = np.repeat([0, 1, 2], [100, 10, 1])


def test_the_held_out_share_is_taken_of_every_category() -> None:
    training, held_out = split_rows(TARGETS, 0.2, seed=0)
    assert np.bincount(TARGETS[held_out], minlength=3).tolist() == [20, 2, 0]
    assert sorted([*training, *held_out]) == list(range(111))
    again, _ = split_rows(TARGETS, 0.2, seed=0)
    other, _ = split_rows(TARGETS, 0.2, seed=1)
    assert np.array_equal(training, again)
    assert not np.array_equal(training, other)


def test_a_small_share_is_one_row_and_none_is_none() -> None:
    assert np.bincount(TARGETS[split_rows(TARGETS, 0.01, 0)[1]]).tolist() == [1, 1]
    training, held_out = split_rows(TARGETS, 0, 0)
    assert (len(training), len(held_out)) == (111, 0)


@pytest.mark.parametrize(
    ("balance", "expected"), [("category", [1, 1, 1]), ("class", [1.5, 0.75, 0.75])]
)
def test_what_is_balanced_is_drawn_equally_often(balance, expected) -> None:
    # categories 1 and 2 are of one class
    sampler = RowSampler(np.arange(111), TARGETS, (1, 3, 3), balance, seed=0)
    drawn = np.concatenate([sampler.draw(step, 30) for step in range(100)])
    shares = np.bincount(TARGETS[drawn]) / 1000
    np.testing.assert_allclose(shares, expected, atol=0.06)


def test_without_balance_large_categories_are_drawn_more() -> None:
    sampler = RowSampler(np.arange(111), TARGETS, (1, 3, 3), "row", seed=0)
    drawn = np.concatenate([sampler.draw(step, 30) for step in range(100)])
    np.testing.assert_allclose(
        np.bincount(TARGETS[drawn]) / 3000, [0.9, 0.09, 0.01], atol=0.02
    )


def test_categories_without_a_class_are_classes_of_their_own() -> None:
    sampler = RowSampler(np.arange(111), TARGETS, (0, 0, 1), "class", seed=0)
    assert np.bincount(TARGETS[sampler.draw(1, 30)]).tolist() == [10, 10, 10]


def test_a_steps_rows_depend_on_seed_and_step_alone() -> None:
    first, second = (
        RowSampler(np.arange(111), TARGETS, (1, 2, 3), "category", seed=5) for _ in range(2)
    )
    for step in range(3):
        first.draw(step, 16)
    assert np.array_equal(first.draw(9, 16), second.draw(9, 16))
    assert not np.array_equal(first.draw(9, 16), first.draw(10, 16))


def test_only_given_rows_are_drawn() -> None:
    rows = np.array([3, 50, 105, 110])
    sampler = RowSampler(rows, TARGETS[rows], (1, 2, 3), "category", seed=0)
    assert set(sampler.draw(0, 60)) == set(rows)
