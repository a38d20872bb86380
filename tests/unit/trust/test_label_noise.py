"""The share of wrong labels is read off their scores, and the evidence is put right."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.trust import HeldOutScores
from napari_pickeroptimizer.trust.label_noise import estimate_noise, without_noise


def scores(n: int, distance: float, of_particles: float, of_others: float, seed: int = 0):
    """Held-out scores of n labels of each class, some of them wrong, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([True, False], n)
    logits = np.where(truth, distance, -distance) + rng.normal(size=2 * n)
    wrong = rng.random(2 * n) < np.where(truth, of_particles, of_others)
    return HeldOutScores(logits, truth ^ wrong), truth


def test_both_rates_are_estimated_each_for_itself() -> None:
    noise = estimate_noise(scores(2000, 3.0, 0.05, 0.20)[0])
    assert noise is not None
    assert noise.of_particles == pytest.approx(0.05, abs=0.02)
    assert noise.of_others == pytest.approx(0.20, abs=0.03)


@pytest.mark.parametrize("distance", [1.0, 2.0, 4.0])
def test_errors_of_the_model_are_not_taken_for_wrong_labels(distance: float) -> None:
    assert estimate_noise(scores(2000, distance, 0.0, 0.0)[0]) is None


def test_few_labels_do_not_tell(  # twenty of each, a fifth wrong
) -> None:
    assert estimate_noise(scores(20, 3.0, 0.2, 0.2)[0]) is None


def test_evidence_becomes_that_of_right_labels_model_errors_included() -> None:
    given, truth = scores(5000, 1.5, 0.15, 0.15)
    rng = np.random.default_rng(0)
    corrected = without_noise(given, estimate_noise(given), rng).is_particle
    kept = given.logits > 0
    assert truth[kept].mean() == pytest.approx(0.933, abs=0.01)
    assert given.is_particle[kept].mean() == pytest.approx(0.80, abs=0.02)
    assert corrected[kept].mean() == pytest.approx(truth[kept].mean(), abs=0.025)
    assert kept[corrected].mean() == pytest.approx(kept[truth].mean(), abs=0.025)


def test_without_noise_the_evidence_is_that_of_the_labels() -> None:
    given, _ = scores(200, 3.0, 0.0, 0.0)
    assert without_noise(given, None, np.random.default_rng(0)) is given


def test_labels_of_suggested_picks_are_neither_counted_nor_changed() -> None:
    given, _ = scores(500, 4.0, 0.2, 0.2)
    suggested = HeldOutScores(given.logits, given.is_particle, np.ones(1000, dtype=bool))
    assert estimate_noise(suggested) is None
    some = HeldOutScores(given.logits, given.is_particle, np.arange(1000) % 10 == 0)
    corrected = without_noise(some, estimate_noise(given), np.random.default_rng(0))
    changed = corrected.is_particle != given.is_particle
    assert changed.any()
    assert not changed[some.suggested].any()


def test_where_other_labels_contradict_many_less_evidence_is_enough() -> None:
    """Clearly wrong labels do not stand out where the classes' scores overlap."""
    given, _ = scores(150, 1.3, 0.15, 0.15, seed=4)
    assert estimate_noise(given, contradicted_share=0.02) is None
    noise = estimate_noise(given, contradicted_share=0.14)
    assert noise is not None
    assert noise.of_particles == pytest.approx(0.15, abs=0.06)
    assert noise.of_others == pytest.approx(0.15, abs=0.06)
