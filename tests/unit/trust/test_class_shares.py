"""Shares of classes are found again from probabilities that know nothing of them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.trust.class_shares import LIMITS, class_shares, particle_share


def calibrated(shares: list[float], n: int = 4000, apart: float = 1.5) -> np.ndarray:
    """Return P(class), each class held for as likely, of n draws in given shares.

    Class c is a normal distribution around `apart` on an axis of its own.
    """
    rng = np.random.default_rng(0)
    classes = rng.choice(len(shares), n, p=shares)
    values = rng.normal(size=(n, len(shares)))
    values[np.arange(n), classes] += apart
    likelihood = np.exp(apart * values)
    return likelihood / likelihood.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    "shares", [[0.5, 0.5], [0.75, 0.25], [0.2, 0.8], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]]
)
def test_known_shares_are_recovered(shares: list[float]) -> None:
    found = class_shares(calibrated(shares))
    np.testing.assert_allclose(found, shares, atol=0.04)
    assert found.sum() == pytest.approx(1)


def test_the_plain_mean_of_the_probabilities_would_be_too_even() -> None:
    probabilities = calibrated([0.8, 0.2])
    assert probabilities.mean(axis=0)[0] < 0.75
    assert class_shares(probabilities)[0] == pytest.approx(0.8, abs=0.04)


def test_probabilities_that_tell_nothing_leave_the_classes_alike() -> None:
    np.testing.assert_allclose(class_shares(np.full((60, 3), 1 / 3)), 1 / 3)


def test_no_class_is_ever_sure_nor_gone() -> None:
    only_particles = np.tile([0.999, 0.001], (100, 1))
    np.testing.assert_allclose(class_shares(only_particles), [0.9, 0.1])
    of_three = np.tile([1.0, 0.0, 0.0], (100, 1))
    np.testing.assert_allclose(class_shares(of_three), np.array([0.9, 0.1, 0.1]) / 1.1)


def test_float32_with_impossible_classes_is_no_trouble() -> None:
    probabilities = np.array([[1, 0], [0, 1], [0, 0]], dtype=np.float32)
    assert np.isfinite(class_shares(probabilities)).all()


def expectation_maximisation(likelihoods: np.ndarray) -> np.ndarray:
    """The shares by the rounds of Saerens, Latinne and Decaestecker, without limits."""
    shares = np.full(likelihoods.shape[1], 1 / likelihoods.shape[1])
    for _ in range(20_000):
        weighted = likelihoods * shares
        shares = (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
    return shares


@pytest.mark.parametrize("n_classes", [2, 3, 4, 6])
@pytest.mark.parametrize("contrast", [1.0, 3.0])
def test_it_is_the_maximum_that_expectation_maximisation_converges_to(n_classes, contrast):
    rng = np.random.default_rng(n_classes)
    classes = rng.choice(n_classes, 300)
    logits = rng.standard_normal((300, n_classes))
    logits[np.arange(300), classes] += contrast
    probabilities = np.exp(contrast * logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    limited = np.clip(expectation_maximisation(probabilities), *LIMITS)
    expected = limited / limited.sum()
    np.testing.assert_allclose(class_shares(probabilities), expected, atol=1e-9)


def test_of_two_classes_both_functions_find_the_same_share() -> None:
    p = calibrated([0.7, 0.3])
    of_two = particle_share(np.log(p[:, 0] / p[:, 1])[None], np.ones(len(p)))[0]
    assert class_shares(p)[0] == pytest.approx(of_two, abs=1e-5)
