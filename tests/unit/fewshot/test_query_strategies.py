"""Of many picks those worth a label: one of each kind, doubts first, nothing twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_pickeroptimizer.fewshot.query_strategies import (
    disagreements,
    diverse,
    mixed,
    spread,
    uncertain,
    uncertainty,
)

KINDS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


def clusters(*sizes: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return features of well separated kinds of picks, and the kind of each."""
    rng = np.random.default_rng(0)
    kind = np.repeat(np.arange(len(sizes)), sizes)
    return KINDS[kind] + rng.normal(0, 0.2, (len(kind), 2)), kind


def test_one_pick_of_each_kind_comes_though_most_are_of_one() -> None:
    features, kind = clusters(170, 10, 10, 10)
    assert sorted(kind[diverse(features, 4)]) == [0, 1, 2, 3]


def test_kinds_that_are_labelled_are_left_out() -> None:
    features, kind = clusters(50, 20, 20, 20)
    chosen = diverse(features, 2, label_features=KINDS[[0, 3]])
    assert sorted(kind[chosen]) == [1, 2]


def test_the_first_few_are_unlike_each_other_too() -> None:
    features, kind = clusters(100, 5, 5, 5)
    chosen = diverse(features, 12)
    assert sorted(kind[chosen[:4]]) == [0, 1, 2, 3]


def test_no_pick_comes_twice_and_none_looks_like_another_while_there_are_others() -> None:
    features = np.repeat(np.arange(6.0), 4)[:, None]  # four of each, all alike
    chosen = diverse(features, 6)
    assert sorted(features[chosen, 0]) == [0, 1, 2, 3, 4, 5]
    everything = diverse(features, 24)
    assert sorted(everything) == list(range(24))


@pytest.mark.parametrize("n", [5, 6])
def test_all_come_where_there_are_no_more_than_wanted(n: int) -> None:
    assert sorted(diverse(np.arange(5.0)[:, None], n)) == [0, 1, 2, 3, 4]


def test_nothing_comes_from_nothing() -> None:
    assert diverse(np.empty((0, 3)), 5).tolist() == []
    assert uncertain(np.empty((0, 3)), np.empty(0), 5)[0].tolist() == []
    assert spread(np.empty((0, 3)), 5, np.empty((0, 3))).tolist() == []


def test_picks_that_all_look_the_same_do_not_disturb() -> None:
    assert len(set(diverse(np.ones((30, 4)), 10).tolist())) == 10


def test_no_micrograph_gives_much_more_than_its_share() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(90, 4))
    features[:30] *= 20  # the odd ones are all on micrograph 0
    groups = np.repeat([0, 1, 2], 30)
    counts = np.bincount(groups[diverse(features, 9, groups=groups)], minlength=3)
    assert counts.sum() == 9
    assert counts[0] == 6  # twice three, not nine


def test_the_same_seed_chooses_the_same_and_another_does_not() -> None:
    features = np.random.default_rng(0).normal(size=(200, 8))
    first = diverse(features, 10, seed=1)
    np.testing.assert_array_equal(first, diverse(features, 10, seed=1))
    assert set(first) != set(diverse(features, 10, seed=2))


def test_spread_goes_to_the_farthest_first() -> None:
    line = np.array([[0.0], [1.0], [2.0], [10.0]])
    assert spread(line, 2, label_features=np.array([[0.0]])).tolist() == [3, 2]


def test_a_half_is_the_greatest_uncertainty() -> None:
    doubt = uncertainty(np.array([0.01, 0.3, 0.5, 0.7, 1.0]))
    assert doubt.argmax() == 2
    assert doubt[1] == pytest.approx(doubt[3])
    assert doubt[4] == pytest.approx(0, abs=1e-9)


def test_uncertain_picks_come_the_most_uncertain_first() -> None:
    features = np.random.default_rng(0).normal(size=(100, 3))
    p = np.full(100, 0.999)
    p[[7, 21, 40]] = 0.5, 0.4, 0.7
    positions, scores = uncertain(features, p, 3)
    assert positions.tolist() == [7, 21, 40]
    np.testing.assert_allclose(scores, uncertainty(p[positions]))


def test_each_kind_of_doubt_comes_once_before_one_comes_twice() -> None:
    features, kind = clusters(40, 8, 8, 8)
    p = np.where(kind == 0, 0.99, 0.4)
    p[kind == 1] = 0.5  # alone, these eight would be the most uncertain
    positions, _ = uncertain(features, p, 3)
    assert sorted(kind[positions]) == [1, 2, 3]


def test_doubts_and_kinds_that_are_not_labelled_come_in_turn() -> None:
    features, kind = clusters(60, 20, 20, 20)
    p = np.where(kind == 0, 0.5, 1.0)
    positions, is_doubt = mixed(features, p, 3, label_features=KINDS[[1]])
    assert is_doubt.tolist() == [True, False, True]
    assert kind[positions[is_doubt]].tolist() == [0, 0]
    assert kind[positions[1]] in (2, 3)
    everything, _ = mixed(features, p, 200)
    assert sorted(everything) == list(range(120))


def test_picker_and_model_differ_in_turn_the_clearest_first() -> None:
    score = np.array([6.0, 5, 4, 3, 2, 1])
    p = np.array([0.3, 0.1, 0.9, 0.1, 0.6, 0.9])
    positions, picker_sure, strength = disagreements(score, p, 6)
    assert positions.tolist() == [1, 5, 0, 4]
    assert picker_sure.tolist() == [True, False, True, False]
    assert (np.diff(strength[::2]) < 0).all()
    assert (np.diff(strength[1::2]) < 0).all()


def test_the_scale_of_the_score_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    score, p = rng.normal(size=50), rng.uniform(size=50)
    np.testing.assert_array_equal(
        disagreements(score, p, 10)[0],
        disagreements(np.exp(5 * score) - 100, p, 10)[0],
    )


def test_picks_without_a_score_and_agreement_give_nothing() -> None:
    positions, _, _ = disagreements(np.array([np.nan, 2, 1]), np.array([0.1, 0.9, 0.1]), 3)
    assert positions.size == 0
