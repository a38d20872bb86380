"""Precision and recall on an example small enough to count by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError, SettingsError
from napari_pickeroptimizer.evaluate.evaluation import evaluate_picks
from napari_pickeroptimizer.picks import Picks, concatenate

TRUTH = Picks.from_arrays("Micrographs/a.mrc", x=[100, 200, 300, 400], y=[50, 50, 50, 50])
# on the first, 5 px beside the second, two false ones; nothing at the third and the fourth
PICKS = Picks.from_arrays("a.mrc", x=[100, 205, 600, 700], y=[50, 50, 50, 50]).with_columns(
    probability_1=[0.9, 0.4, 0.6, 0.1], predicted=[1, 2, 1, 2]
)


def test_counts_before_and_after() -> None:
    result = evaluate_picks(PICKS, TRUTH, radius_px=10)
    assert (result.before.precision, result.before.recall) == (0.5, 0.5)
    assert (result.after.precision, result.after.recall) == (0.5, 0.25)
    assert result.kept_true == 0.5
    assert result.removed_false == 0.5
    assert result.roc_auc == 0.75


def test_the_radius_decides_what_is_true() -> None:
    assert evaluate_picks(PICKS, TRUTH, radius_px=4.9).before.n_true == 1
    assert evaluate_picks(PICKS, TRUTH, radius_px=5).before.n_true == 2


def test_a_threshold_overrides_what_was_decided() -> None:
    assert evaluate_picks(PICKS, TRUTH, 10, threshold=0.3).after.n_picks == 3


def test_x_and_y_are_not_mixed_up() -> None:
    swapped = Picks.from_arrays("a.mrc", x=[50] * 4, y=[100, 200, 300, 400])
    assert evaluate_picks(swapped, TRUTH, 10).before.n_true == 0


def test_only_the_particles_of_a_labelled_truth_count() -> None:
    labelled = TRUTH.with_labels([1, 2, 3, 0])
    assert evaluate_picks(PICKS, labelled, 10).before.n_truth == 1


def test_micrographs_known_to_one_side_are_listed_and_left_out() -> None:
    extra_picks = Picks.from_arrays("b.mrc", x=[1.0], y=[1.0])
    extra_truth = Picks.from_arrays("Micrographs/c.mrc", x=[1.0], y=[1.0])
    picks = concatenate([PICKS, extra_picks.with_columns(probability_1=0.5, predicted=1)])
    result = evaluate_picks(picks, concatenate([TRUTH, extra_truth]), 10)
    assert result.matches.without_truth == ["b.mrc"]
    assert result.matches.without_picks == ["Micrographs/c.mrc"]
    assert result.before.n_picks == 4


def test_picks_read_back_are_judged_by_their_labels() -> None:
    plain = Picks.from_arrays("a.mrc", x=[100, 205], y=[50, 50], label=[1, 2])
    assert evaluate_picks(plain, TRUTH, 10).after.n_picks == 1


def test_without_probabilities_there_is_no_auc() -> None:
    plain = Picks.from_arrays("a.mrc", x=[100, 205], y=[50, 50])
    result = evaluate_picks(plain, TRUTH, 10)
    assert math.isnan(result.roc_auc)
    assert result.summary()["roc_auc"] is None
    assert result.after == result.before


def test_nothing_kept_is_no_error() -> None:
    nothing = PICKS.with_columns(predicted=np.array([2, 2, 2, 2]))
    result = evaluate_picks(nothing, TRUTH, 10)
    assert result.after.n_picks == 0
    assert result.summary()["after"]["precision"] is None
    assert result.after.f1 == 0.0


def test_a_radius_must_be_positive() -> None:
    with pytest.raises(SettingsError, match="must be positive"):
        evaluate_picks(PICKS, TRUTH, 0)


def test_a_threshold_needs_probabilities() -> None:
    with pytest.raises(SettingsError, match=r"pass scored\.star"):
        evaluate_picks(Picks.from_arrays("a.mrc", x=[1.0], y=[1.0]), TRUTH, 10, threshold=0.5)


def test_no_common_micrograph_is_refused() -> None:
    other = Picks.from_arrays("z.mrc", x=[1.0], y=[1.0])
    with pytest.raises(PickFormatError, match=r"'z\.mrc', the truth 'Micrographs/a\.mrc'"):
        evaluate_picks(other, TRUTH, 10)


def test_picks_without_a_score_are_neither_kept_nor_removed() -> None:
    picks = PICKS.with_columns(
        probability_1=[0.9, np.nan, np.nan, 0.1], predicted=[1, 0, 0, 2]
    )
    for threshold in (None, 0.5, 0.05):
        result = evaluate_picks(picks, TRUTH, 10, threshold)
        assert result.kept_true == 1.0  # one of the two true ones was judged
    assert evaluate_picks(picks, TRUTH, 10).removed_false == 1.0
    assert evaluate_picks(picks, TRUTH, 10, threshold=0.0).after.n_picks == 2


def test_two_spellings_of_a_micrograph_are_one_on_both_sides() -> None:
    picks = Picks.from_arrays(["a", "a.mrc"], x=[100, 200], y=[50, 50])
    truth = Picks.from_arrays(["x/a.mrc", "a", "a"], x=[100, 200, 300], y=[50] * 3)
    result = evaluate_picks(picks, truth, 10)
    assert (result.before.n_picks, result.before.n_true, result.before.n_found) == (2, 2, 2)
    assert result.matches.without_picks == []


def test_of_a_pruned_truth_the_kept_picks_count() -> None:
    pruned = TRUTH.with_columns(predicted=[1, 2, 1, 0])
    assert evaluate_picks(PICKS, pruned, 10).before.n_truth == 2
