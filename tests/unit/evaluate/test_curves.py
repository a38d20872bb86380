"""Truth against thresholds, on picks whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer import Picks, evaluate_picks
from napari_pickeroptimizer.errors import PickFormatError, SettingsError
from napari_pickeroptimizer.evaluate.curves import measure_curves, roc
from napari_pickeroptimizer.evaluate.matches import match_to_truth


def three_picks_two_centres(n_micrographs: int = 1) -> tuple[Picks, Picks]:
    """On each micrograph: a sure hit, a doubtful second on the same centre, a false pick."""
    names = np.repeat([f"m{i}.mrc" for i in range(n_micrographs)], 3)
    picks = Picks.from_arrays(names, np.tile([0.0, 3.0, 50.0], n_micrographs),
                              np.zeros(3 * n_micrographs))  # fmt: skip
    p = np.tile([0.9, 0.6, 0.3], n_micrographs)
    truth = Picks.from_arrays(
        np.repeat([f"m{i}.mrc" for i in range(n_micrographs)], 2),
        np.tile([1.0, 100.0], n_micrographs),
        np.zeros(2 * n_micrographs),
    )
    predicted = np.where(p >= 0.5, 1, 2).astype(np.int8)
    return picks.with_columns(probability_1=p, predicted=predicted), truth


def test_picks_and_centres_find_each_other() -> None:
    picks, truth = three_picks_two_centres()
    (m,) = match_to_truth(picks, truth, 5).micrographs
    assert m.is_true.tolist() == [True, True, False]
    assert m.is_found(np.array([True, False, True])).tolist() == [True, False]
    assert m.best_scores(picks.particle_probability).tolist() == [0.9, -np.inf]


def test_matches_agree_with_the_evaluation() -> None:
    picks, truth = three_picks_two_centres(3)
    evaluation = evaluate_picks(picks, truth, 5)
    matches = match_to_truth(picks, truth, 5).micrographs
    assert sum(m.is_true.sum() for m in matches) == evaluation.before.n_true
    kept = picks.table["predicted"].to_numpy() == 1
    assert sum(m.is_found(kept[m.rows]).sum() for m in matches) == evaluation.after.n_found


def test_the_radius_is_inclusive_and_must_be_positive() -> None:
    picks, truth = three_picks_two_centres()
    assert match_to_truth(picks, truth, 1.0).micrographs[0].is_true.tolist() == [
        True,
        False,
        False,
    ]
    with pytest.raises(SettingsError, match="positive"):
        match_to_truth(picks, truth, 0)


def test_micrographs_must_have_something_in_common() -> None:
    picks, _ = three_picks_two_centres()
    with pytest.raises(PickFormatError, match="no micrograph in common"):
        match_to_truth(picks, Picks.from_arrays("other.mrc", [1.0], [1.0]), 5)


def test_every_threshold_is_measured() -> None:
    picks, truth = three_picks_two_centres()
    measured = measure_curves(
        match_to_truth(picks, truth, 5).micrographs, picks.particle_probability
    )

    def at(threshold: float) -> list[float]:
        i = round(threshold * 200)
        bands = (measured.precision, measured.recall, measured.kept_true)
        return [float(b.mean[i]) for b in bands]

    assert at(0.0) == pytest.approx([2 / 3, 0.5, 1.0])
    assert at(0.5) == pytest.approx([1.0, 0.5, 1.0])
    assert at(0.8) == pytest.approx([1.0, 0.5, 0.5])
    assert np.isnan(at(1.0)[0])  # nothing is kept
    assert at(1.0)[1:] == [0, 0]


def test_few_micrographs_give_no_intervals_and_equal_ones_narrow_ones() -> None:
    picks, truth = three_picks_two_centres(2)
    assert not measure_curves(
        match_to_truth(picks, truth, 5).micrographs, picks.particle_probability
    ).has_bands
    picks, truth = three_picks_two_centres(6)
    measured = measure_curves(
        match_to_truth(picks, truth, 5).micrographs, picks.particle_probability
    )
    assert measured.has_bands
    assert measured.precision.low[0] == pytest.approx(measured.precision.high[0])


def test_unscored_picks_are_never_kept() -> None:
    picks, truth = three_picks_two_centres()
    p = np.array([np.nan, 0.6, 0.3])
    measured = measure_curves(match_to_truth(picks, truth, 5).micrographs, p)
    assert measured.precision.mean[0] == pytest.approx(0.5)


def test_roc_goes_from_corner_to_corner_and_ties_are_one_step() -> None:
    false_rate, true_rate = roc(
        np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])
    )
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 1, 1]


def test_a_long_roc_is_thinned_and_keeps_its_ends() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(5000) < 0.5
    false_rate, true_rate = roc(rng.random(5000) + truth, truth, max_points=100)
    assert len(false_rate) <= 100
    assert (false_rate[0], true_rate[0], false_rate[-1], true_rate[-1]) == (0, 0, 1, 1)
