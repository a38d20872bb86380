"""Predicted beside observed shares."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from napari_pickeroptimizer.trust import reliability
from napari_pickeroptimizer.trust.reliability import jeffreys_interval


def test_bins_hold_what_falls_into_them() -> None:
    found = reliability([0.05, 0.15, 0.15, 1.0], [False, True, False, True], n_bins=10)
    assert found.counts.tolist() == [1, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.observed[[0, 1, 9]].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(found.observed[5])
    assert found.ece == pytest.approx((0.05 + 2 * 0.35 + 0) / 4)


def test_calibrated_probabilities_have_a_small_error_and_overconfident_ones_have_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=20_000)
    truth = rng.uniform(size=20_000) < p
    assert reliability(p, truth).ece < 0.02
    assert reliability((p > 0.5) * 0.98 + 0.01, truth).ece > 0.2


def test_intervals_hold_the_true_share_nine_times_in_ten() -> None:
    rng = np.random.default_rng(1)
    k = rng.binomial(40, 0.8, size=5000)
    low, high = jeffreys_interval(k, 40)
    assert ((low <= 0.8) & (high >= 0.8)).mean() == pytest.approx(0.9, abs=0.04)


def test_an_interval_reaches_its_end_where_none_or_all_are_true() -> None:
    low, high = jeffreys_interval([0, 10], [10, 10])
    assert (low[0], high[1]) == (0, 1)
    assert high[0] == pytest.approx(beta.ppf(0.95, 0.5, 10.5))


def test_unscored_picks_are_left_out() -> None:
    assert reliability([np.nan, 0.9], [True, True]).counts.sum() == 1
    assert np.isnan(reliability([], []).ece)
