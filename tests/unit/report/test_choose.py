"""What is shown of many micrographs and picks."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer import Micrographs, Picks
from napari_pickeroptimizer.report.choose import (
    boxes_by_micrograph,
    choose_micrographs,
    deviations,
    galleries,
    shares,
)


def decided(p: list[float], predicted: list[int], names: list[str] | None = None) -> Picks:
    n = len(p)
    picks = Picks.from_arrays(names or ["a.mrc"] * n, np.arange(n), np.zeros(n))
    return picks.with_columns(
        probability_1=p, probability_2=1 - np.array(p), predicted=np.array(predicted, np.int8)
    )


def test_picks_are_counted_by_micrograph() -> None:
    picks = decided(
        [0.9, 0.1, np.nan, 0.8], [1, 2, 0, 1], ["b.mrc", "b.mrc", "b.mrc", "a.mrc"]
    )
    counted = shares(picks)
    assert counted.names == ["b.mrc", "a.mrc"]
    assert counted.n_kept.tolist() == [1, 1]
    assert counted.n_rejected.tolist() == [1, 0]
    assert counted.n_unscored.tolist() == [1, 0]
    assert counted.share.tolist() == [0.5, 1.0]


def test_a_micrograph_of_two_spellings_is_one() -> None:
    picks = decided([0.9, 0.1], [1, 2], ["mics/a.mrc", "a"])
    counted = shares(picks, Micrographs.named(["mics/a.mrc", "mics/b.mrc"]))
    assert counted.names == ["mics/a.mrc"]
    assert counted.n_scored.tolist() == [2]


def test_few_picks_are_unusual_only_by_chance_and_many_are_truly_so() -> None:
    n_scored = np.array([200] * 20 + [3, 200, 0])
    n_kept = np.array([160, 156, 164, 158] * 5 + [1, 66, 0])
    far = deviations(n_kept, n_scored)
    assert abs(far[20]) < 3
    assert far[21] < -3
    assert np.isnan(far[22])
    assert np.abs(far[:20]).max() < 3


def test_equal_micrographs_are_all_usual() -> None:
    assert deviations(np.full(5, 80), np.full(5, 100)).tolist() == [0] * 5
    assert np.isnan(deviations(np.zeros(2, int), np.zeros(2, int))).all()


def test_the_farthest_come_first_and_typical_ones_from_all_over() -> None:
    far = np.concatenate([[-4.0, 9.0, np.nan], np.tile([0.1, 2.5], 20)])
    unusual, typical = choose_micrographs(far, n_unusual=5, n_typical=4)
    assert unusual == [1, 0]
    assert len(typical) == 4
    assert all(far[i] == 0.1 for i in typical)
    assert typical == sorted(typical)
    assert typical[-1] - typical[0] > 30


def test_galleries_show_the_surest_and_the_most_doubtful() -> None:
    p = [0.99, 0.7, 0.55, 0.45, 0.2, 0.01, np.nan]
    chosen = galleries(decided(p, [1, 1, 1, 2, 2, 3, 0]), 0.5, n=2)
    assert {c.title: c.rows.tolist() for c in chosen} == {
        "Surest kept": [0, 1],
        "Most doubtful": [2, 3],
        "Surest rejected: contaminant": [4, 3],
        "Surest rejected: carbon": [5],
    }


def test_boxes_are_grouped_by_micrograph_each_once() -> None:
    chosen = galleries(decided([0.9, 0.6, 0.4], [1, 1, 2]), 0.5)
    rows = {"a.mrc": np.array([0, 2]), "b.mrc": np.array([1]), "c.mrc": np.array([], int)}
    found = boxes_by_micrograph(chosen, rows)
    assert {name: r.tolist() for name, r in found.items()} == {"a.mrc": [0, 2], "b.mrc": [1]}


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_nothing_rejected_or_nothing_kept_has_no_empty_gallery(threshold: float) -> None:
    predicted = [1, 1] if threshold == 0 else [2, 2]
    assert all(len(c.rows) for c in galleries(decided([0.3, 0.6], predicted), threshold))
