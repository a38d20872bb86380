"""Figures of probabilities whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.pretrain.validate import figures

NAMES = ("carbon_a", "particle_a", "particle_b", "thing")
CLASSES = (3, 1, 1, 0)


def test_a_particle_of_the_wrong_kind_is_a_particle_still() -> None:
    probabilities = np.eye(4)[[0, 0, 2, 1, 3, 3]]
    found = figures(probabilities, np.array([0, 0, 1, 2, 3, 3]), NAMES, CLASSES)
    assert found.by_category == {
        "carbon_a": 1, "particle_a": 0, "particle_b": 0, "thing": 1,
    }  # fmt: skip
    assert found.accuracy == 0.5
    assert (found.particle_accuracy, found.particle_auc) == (1, 1)
    assert found.summary()["n_boxes"] == 6


def test_categories_without_class_do_not_count_for_particle_or_not() -> None:
    # "thing" has most of the probability; of the rest the particles have more than half
    probabilities = np.array([[0.1, 0.2, 0.0, 0.7], [0.2, 0.05, 0.05, 0.7]])
    found = figures(probabilities, np.array([1, 0]), NAMES, CLASSES)
    assert found.particle_accuracy == 1


def test_particle_accuracy_weighs_particles_and_the_rest_alike() -> None:
    probabilities = np.eye(4)[[1] * 10]
    found = figures(probabilities, np.array([1] * 9 + [0]), NAMES, CLASSES)
    assert found.particle_accuracy == pytest.approx(0.5)


def test_without_both_kinds_there_is_no_such_figure() -> None:
    found = figures(np.eye(4)[[0, 3]], np.array([0, 3]), NAMES, CLASSES)
    assert (found.particle_accuracy, found.particle_auc) == (None, None)
    assert found.accuracy == 1
