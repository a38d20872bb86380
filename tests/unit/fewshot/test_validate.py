"""Folds are honest: held-out labels are not trained on, nor their micrographs where possible."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.fewshot.validate import Folds, Validation, label_folds


def halves(grouped: bool) -> Folds:
    """Four labels in two folds: the first and third held out, then the others."""
    first, second = np.array([0, 2]), np.array([1, 3])
    return Folds([(second, first), (first, second)], 1, grouped)


def held_out(
    probabilities: np.ndarray, picks: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What both folds of `halves` say of the labels they did not see, and of three picks."""
    judged = np.full((2, 4, 2), np.nan, np.float32)
    judged[0, [0, 2]], judged[1, [1, 3]] = probabilities[[0, 2]], probabilities[[1, 3]]
    return judged, np.zeros((2, 0, 2), np.float32) if picks is None else picks


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


def test_the_only_label_of_a_class_prevents_no_folds() -> None:
    particle, dirt, carbon = 0, 1, 2
    targets = np.array([particle] * 6 + [dirt] * 5 + [carbon])
    folds, grouped = label_folds(targets, np.arange(12) % 3, 3, seed=0, particle=particle)
    assert len(folds) == 3
    assert sorted(np.concatenate([b for _, b in folds])) == list(range(11))
    # trained on but for the fold that holds its whole micrograph out
    assert grouped
    assert sum(11 in a for a, _ in folds) == 2
    folds, grouped = label_folds(targets, np.zeros(12, int), 3, seed=0, particle=particle)
    assert not grouped
    assert all(11 in a for a, _ in folds)


def test_others_of_a_label_each_are_held_out_in_turn() -> None:
    targets = np.array([0, 0, 0, 1, 2, 3])
    folds, _ = label_folds(targets, np.zeros(6, int), 3, seed=0, particle=0)
    assert sorted(np.concatenate([b for _, b in folds])) == list(range(6))
    assert all((targets[a] == 0).any() and (targets[a] != 0).any() for a, _ in folds)


@pytest.mark.parametrize("targets", [[0, 1, 1, 1], [0, 1, 2, 3], [0, 0, 0, 1]])
def test_a_single_label_of_particles_or_of_all_others_allows_no_folds(
    targets: list[int],
) -> None:
    groups = np.arange(len(targets))
    assert label_folds(np.array(targets), groups, 3, seed=0, particle=0) == ([], False)


def test_fewer_folds_where_they_keep_micrographs_whole() -> None:
    # both classes are on two of three micrographs
    targets, groups = (
        np.array([0] * 6 + [1] * 6),
        np.array([0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 1, 1]),
    )
    folds, grouped = label_folds(targets, groups, 3, seed=0, particle=0)
    assert grouped
    assert all(set(targets[a]) == {0, 1} for a, _ in folds)


def test_labels_that_were_never_held_out_are_not_judged() -> None:
    judged, picks = held_out(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]]))
    judged[:, 3] = np.nan
    validation = Validation(halves(True), np.array([0, 0, 1, 1]), judged, picks)
    assert validation.accuracy == pytest.approx(2 / 3)
    scores = validation.held_out_scores(
        0, np.zeros((0, 2), np.float32), np.zeros(4, bool), np.array([4, 5, 6, 7])
    )
    assert scores.is_particle.tolist() == [True, True, False]
    assert scores.micrograph is not None
    assert scores.micrograph.tolist() == [4, 5, 6]


def test_the_summary_of_a_known_case() -> None:
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], np.float32)
    targets = np.array([0, 0, 1, 1])
    validation = Validation(halves(True), targets, *held_out(probabilities))
    assert validation.summary() == {
        "n_folds": 2,
        "n_repeats": 1,
        "grouped_by_micrograph": True,
        "accuracy": 0.75,
        "macro_f1": pytest.approx((2 / 3 + 0.8) / 2, abs=1e-4),
    }


def test_repeats_split_the_labels_anew() -> None:
    settings = FineTuneSettings(diameter_px=1, n_folds=2, n_repeats=3)
    folds = Folds.of(np.arange(24) % 2, np.zeros(24, int), settings)
    assert len(folds) == 6
    held = [tuple(b) for _, b in folds]
    assert len(set(held)) == 6
    assert sorted(np.concatenate([b for _, b in folds])) == sorted([*range(24)] * 3)


def test_evidence_is_on_the_scale_of_the_final_model() -> None:
    targets = np.array([0, 0, 1, 1])
    p = np.array([0.9, 0.8, 0.2, 0.1], np.float32)
    picks = np.array([0.1, 0.5, 0.9], np.float32)
    both = lambda x: np.stack([x, 1 - x], axis=-1)  # noqa: E731
    # the first model is as sure as the final one, the second half as sure (in the logit)
    odds = np.sqrt(picks / (1 - picks))
    seen = np.stack([both(picks), both(odds / (1 + odds))])
    validation = Validation(halves(False), targets, *held_out(both(p), seen))
    scores = validation.held_out_scores(0, both(picks), np.array([False, True, False, False]))
    logits = np.log(p / (1 - p))
    np.testing.assert_allclose(scores.logits[[0, 2]], logits[[0, 2]], rtol=1e-5)
    np.testing.assert_allclose(scores.logits[1], np.log(9) + 0.287682, rtol=1e-4)
    assert scores.is_particle.tolist() == [True, True, False, False]
    assert scores.suggested.tolist() == [False, True, False, False]
