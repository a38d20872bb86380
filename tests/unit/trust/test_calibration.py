"""A line in the logit, and back."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.trust import Calibration, HeldOutScores, fit_calibration
from napari_pickeroptimizer.trust.calibration import MAX_LOGIT, bounded_logit

P = np.array([0.001, 0.2, 0.5, 0.9, 0.999])


def test_the_line_is_drawn_in_the_logit() -> None:
    calibrated = Calibration(slope=2.0, intercept=-1.0).apply(P)
    np.testing.assert_allclose(bounded_logit(calibrated), 2 * bounded_logit(P) - 1)


def test_undoing_gives_back_what_the_network_said() -> None:
    line = Calibration(slope=0.4, intercept=0.7)
    np.testing.assert_allclose(line.undo(line.apply(P)), P, rtol=1e-9)


def test_probabilities_of_zero_and_one_stay_finite_in_the_logit_and_nan_stays_nan() -> None:
    assert bounded_logit([0.0, 1.0]).tolist() == [-MAX_LOGIT, MAX_LOGIT]
    assert np.isnan(Calibration(2.0, 1.0).apply([np.nan])).all()


def test_the_other_classes_share_the_rest_as_before() -> None:
    given = np.array([[0.6, 0.3, 0.1], [1.0, 0.0, 0.0]], np.float32)
    found = Calibration(intercept=-1.0).apply_to_classes(given, 0)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    assert found[0, 0] == pytest.approx(Calibration(intercept=-1.0).apply([0.6])[0])
    assert found[0, 1] / found[0, 2] == pytest.approx(3, rel=1e-5)
    assert found[1, 1] == pytest.approx(found[1, 2])  # nothing told them apart


def test_the_particle_may_be_any_column() -> None:
    given = np.array([[0.3, 0.6, 0.1]], np.float32)
    found = Calibration(intercept=2.0).apply_to_classes(given, 1)
    assert found.argmax() == 1
    assert found[0, 0] / found[0, 2] == pytest.approx(3, rel=1e-5)


def test_without_a_calibration_probabilities_are_handed_through() -> None:
    given = np.array([[0.3, 0.7]], np.float32)
    assert Calibration().apply_to_classes(given, 0) is given


@pytest.mark.parametrize("line", [(0.0, 0.0), (-1.0, 0.0), (1.0, np.nan), (np.inf, 0.0)])
def test_a_line_that_orders_scores_otherwise_is_none(line: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="slope must be positive"):
        Calibration(*line)


def test_a_list_that_looks_pure_is_taken_for_nine_tenths_particles() -> None:
    rng = np.random.default_rng(0)
    is_particle = np.arange(400) < 200
    labels = HeldOutScores(
        np.where(is_particle, 2, -2) + rng.normal(size=400),
        is_particle,
        micrograph=np.arange(400),
    )
    line = fit_calibration(labels, 1 / (1 + np.exp(-2 - rng.normal(size=1000))))
    even = fit_calibration(labels, 1 / (1 + np.exp(-2 - rng.normal(size=1000))), even=True)
    assert line.intercept - even.intercept == pytest.approx(np.log(0.9 / 0.1), abs=0.3)
