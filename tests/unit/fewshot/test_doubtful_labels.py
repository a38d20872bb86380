"""Labels that the others contradict are found; rare, few or inseparable ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.fewshot.doubtful_labels import (
    contradicted,
    label_margins,
    left_out_margins,
)


def clusters(n: int, n_classes: int = 2, gap: float = 6.0) -> tuple[np.ndarray, np.ndarray]:
    """Features in a cluster for each class, and the classes, in turn."""
    rng = np.random.default_rng(0)
    targets = np.arange(n * n_classes) % n_classes
    centres = gap * np.eye(n_classes, 16)
    return centres[targets] + rng.normal(size=(len(targets), 16)), targets


@pytest.mark.parametrize("n_classes", [2, 3])
def test_wrong_labels_are_found_and_no_others(n_classes: int) -> None:
    features, targets = clusters(20, n_classes)
    wrong = np.array([0, 4, 11, 25])
    given = targets.copy()
    given[wrong] = (given[wrong] + 1) % n_classes
    assert np.flatnonzero(contradicted(features, given)).tolist() == wrong.tolist()
    assert not contradicted(features, targets).any()


def test_few_labels_are_all_believed() -> None:
    features, targets = clusters(9)
    targets[0] = 1 - targets[0]
    assert not contradicted(features, targets).any()


def test_features_that_tell_the_classes_apart_no_better_than_chance_contradict_nothing() -> (
    None
):
    features, targets = clusters(40, gap=0.0)
    assert left_out_margins(features, targets, np.ones(80)).min() < -0.4
    assert not contradicted(features, targets).any()


def test_a_kind_of_its_own_with_several_labels_is_believed() -> None:
    # every fifth label of the second class looks like nothing else, but not like the first
    features, targets = clusters(20)
    kind = np.arange(1, 40, 10)
    features[kind] = 6.0 * np.eye(16)[5] + features[kind] * 0.1
    assert not contradicted(features, targets)[kind].any()


def test_a_label_does_not_vouch_for_itself() -> None:
    # the same as a fit to all labels but this one
    features, targets = clusters(8)
    whole = left_out_margins(features, targets, np.ones(16))
    without = np.ones(16)
    without[3] = 1e-9
    # standardised with all features both times, classes weighing the same
    alone = left_out_margins(features, targets, without)
    assert alone[3] == pytest.approx(whole[3], abs=0.1)
    targets[3] = 1 - targets[3]
    assert left_out_margins(features, targets, np.ones(16))[3] < 0


def test_what_cannot_be_told_has_no_margin() -> None:
    features, targets = clusters(10)
    assert np.isfinite(label_margins(features, targets)).all()
    assert np.isnan(label_margins(features[:-1], targets[:-1])).all()
    assert np.isnan(label_margins(features, np.zeros(20, dtype=np.intp))).all()
