"""Folds are honest: held-out labels are not trained on, nor their micrographs where possible."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.fewshot.validate import Validation, label_folds


def test_every_label_is_held_out_once_and_never_trained_on_then() -> None:
    targets, groups = np.arange(30) % 3, np.arange(30) // 10
    folds, _ = label_folds(targets, groups, n_folds=3, seed=0)
    assert sorted(np.concatenate([b for _, b in folds])) == list(range(30))
    assert all(not set(a) & set(b) for a, b in folds)


def test_micrographs_are_held_out_whole_where_all_have_all_classes() -> None:
    targets, groups = np.arange(24) % 2, np.arange(24) // 6
    folds, grouped = label_folds(targets, groups, n_folds=3, seed=0)
    assert grouped
    assert all(not set(groups[a]) & set(groups[b]) for a, b in folds)


def test_labels_are_split_within_micrographs_where_a_class_is_on_one_only() -> None:
    targets = np.array([0] * 10 + [1] * 10)
    groups = np.array([0] * 5 + [1] * 15)
    folds, grouped = label_folds(targets, groups, n_folds=2, seed=0)
    assert not grouped
    assert all(set(targets[a]) == {0, 1} for a, _ in folds)


def test_a_class_of_few_labels_makes_fewer_folds() -> None:
    targets = np.array([0] * 10 + [1] * 2)
    assert len(label_folds(targets, np.zeros(12, int), n_folds=5, seed=0)[0]) == 2


@pytest.mark.parametrize("n_folds", [0, 1])
def test_fewer_than_two_folds_are_none(n_folds: int) -> None:
    assert label_folds(np.arange(8) % 2, np.zeros(8, int), n_folds, seed=0) == ([], False)


def test_one_label_of_a_class_allows_no_folds() -> None:
    assert label_folds(np.array([0, 0, 0, 1]), np.zeros(4, int), 3, seed=0) == ([], False)


def test_the_summary_of_a_known_case() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    validation = Validation(2, True, np.array([0, 0, 1, 1]), probabilities)
    assert validation.summary() == {
        "n_folds": 2,
        "grouped_by_micrograph": True,
        "accuracy": 0.75,
        "macro_f1": pytest.approx((2 / 3 + 0.8) / 2, abs=1e-4),
    }
