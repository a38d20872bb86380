"""A place labelled as two classes does not count; one that is labelled twice counts once."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.label_places import LabelPlaces, label_places
from napari_pickeroptimizer.picks import Picks


def places(x: list[float], label: list[int], names: list[str] | None = None) -> LabelPlaces:
    labels = Picks.from_arrays(names or "a.mrc", x, np.full(len(x), 7.0), label=label)
    return label_places(labels, labels.rows_by_micrograph().values())


def test_ordinary_labels_count() -> None:
    found = places([10, 20, 30], [1, 0, 2])
    assert found.counts.tolist() == [True, False, True]
    assert not found.clashing.any()
    assert found.clash_note == ""


@pytest.mark.parametrize("apart", [0.0, 0.4, 1.0])
def test_labels_of_two_classes_within_a_pixel_do_not_count(apart: float) -> None:
    found = places([50, 10, 10 + apart, 30], [1, 2, 1, 2])
    assert found.counts.tolist() == [True, False, False, True]
    assert found.clashing.tolist() == [False, True, True, False]
    assert found.n_clashes == 1
    assert found.clash_note == (
        "1 places are labelled as two classes, first a.mrc, x = 10.0, y = 7.0 (contaminant and "
        "particle): their 2 labels are left out. Give each place one class."
    )


def test_further_apart_they_are_two_places() -> None:
    assert places([10, 11.01], [1, 2]).counts.all()


def test_the_same_place_on_two_micrographs_is_two_places() -> None:
    assert places([10, 10], [1, 2], ["a.mrc", "b.mrc"]).counts.all()


def test_an_unlabelled_pick_contradicts_nothing() -> None:
    assert places([10, 10], [1, 0]).counts.tolist() == [True, False]


def test_a_place_that_is_labelled_twice_alike_counts_once() -> None:
    found = places([10, 10, 10, 20], [1, 1, 1, 2])
    assert found.counts.tolist() == [True, False, False, True]
    assert found.clash_note == ""


def test_places_are_counted_not_labels() -> None:
    x = [10, 10, 10, 10.5, 40, 40, 70]
    found = places(x, [1, 2, 3, 1, 1, 2, 1])
    assert (found.n_clashes, int(found.clashing.sum())) == (2, 6)
    assert found.counts.tolist() == [False] * 6 + [True]


def test_the_first_clash_is_that_of_the_first_row() -> None:
    found = places([10, 30, 30, 10], [1, 1, 3, 2], ["b.mrc"] * 4)
    assert "first b.mrc, x = 10.0, y = 7.0 (particle and contaminant)" in found.clash_note


def test_many_labels_at_one_place_are_no_matter() -> None:
    n = 50_000
    for x in (np.full(n, 10.0), 10.0 + np.linspace(0, 0.9, n)):
        found = places(x.tolist(), [1 + i % 2 for i in range(n)])
        assert found.clashing.all()
