"""What is promised of a threshold holds, where labels and picks come as they are said to."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.trust import (
    Calibration,
    HeldOutScores,
    PerformanceForecast,
    fit_calibration,
    forecast_performance,
    match_scale,
)
from napari_pickeroptimizer.trust.class_shares import particle_share
from napari_pickeroptimizer.trust.design_effect import CORRELATION, label_weights
from napari_pickeroptimizer.trust.forecast import no_forecast_reason
from napari_pickeroptimizer.trust.posterior import INFORMATIVE_PRIOR, WEAK_PRIOR, posterior

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard

N_PICKS = 3000


def session(
    seed: int, n: tuple[int, int] = (20, 20), share: float = 0.7, scale: float = 1.0
) -> tuple[HeldOutScores, NDArray[np.float64], NDArray[np.bool_]]:
    """Labels, raw P(particle) of picks, and which of these are particles.

    Logits are normal in both classes, so that log f1 / f0 is a line: 4 z / scale. Every label
    is of another micrograph.
    """
    rng = np.random.default_rng(seed)
    is_label = np.arange(sum(n)) < n[0]
    is_pick = rng.uniform(size=N_PICKS) < share

    def logits(is_particle: NDArray[np.bool_]) -> NDArray[np.float64]:
        return scale * (np.where(is_particle, 2, -2) + rng.normal(size=len(is_particle)))

    labels = HeldOutScores(logits(is_label), is_label, micrograph=np.arange(sum(n)))
    return labels, expit(logits(is_pick)), is_pick


def held(
    found: PerformanceForecast, p: NDArray[np.float64], truth: NDArray[np.bool_]
) -> list[bool]:
    inside = []
    for threshold in (0.3, 0.5, 0.8):
        at, kept = found.at(threshold), p >= threshold
        precision, recall = truth[kept].mean(), kept[truth].mean()
        inside += [
            at.precision.low <= precision <= at.precision.high,
            at.recall.low <= recall <= at.recall.high,
        ]
    return inside


def test_the_truth_lies_in_the_interval_about_nine_times_in_ten() -> None:
    inside = []
    for seed, n, share in product(range(15), [(20, 20), (30, 10)], [0.4, 0.8]):
        held_out, p, truth = session(seed, n, share)
        line = fit_calibration(held_out, p)
        p = line.apply(p)
        inside.append(held(forecast_performance(held_out, line, p), p, truth))
    assert 0.82 <= np.mean(inside) <= 0.99


def test_more_labels_promise_more() -> None:
    def width(n: int) -> float:
        held_out, p, _ = session(0, (n, n))
        at = forecast_performance(held_out, Calibration(), p).at(0.5)
        return at.precision.high - at.precision.low

    assert width(400) < 0.5 * width(20)


def test_labels_of_few_micrographs_promise_less_than_as_many_of_different_ones() -> None:
    held_out, p, _ = session(0, (60, 60))

    def width(of: HeldOutScores) -> float:
        at = forecast_performance(of, Calibration(), p).at(0.5)
        return at.precision.high - at.precision.low

    of_three = replace(held_out, micrograph=np.arange(120) % 3)
    assert width(of_three) > 1.3 * width(held_out)
    # a file of an earlier version does not tell: as if they were of three
    assert width(replace(held_out, micrograph=None)) == pytest.approx(width(of_three), rel=0.1)


def test_a_label_counts_less_the_more_there_are_on_its_micrograph() -> None:
    is_particle = np.array([True] * 6 + [False] * 4)
    micrograph = np.array([0, 0, 0, 0, 0, 0, 0, 1, 2, 3])
    weights = label_weights(HeldOutScores(np.zeros(10), is_particle, micrograph=micrograph))
    np.testing.assert_allclose(weights, [1 / (1 + 5 * CORRELATION)] * 6 + [1.0] * 4)


def in_micrographs(seed: int) -> list[bool]:
    """Whether the truth is held where scores of a micrograph are shifted together."""
    rng = np.random.default_rng(seed)
    shifts = rng.normal(0, 0.4, 43)  # a correlation of 0.14 within a class

    def scores(is_particle: NDArray[np.bool_], of: NDArray[np.intp]) -> NDArray[np.float64]:
        noise = rng.normal(size=len(of))
        return np.asarray(np.where(is_particle, 1, -1) * 1.5 + noise + shifts[of])

    is_label, of_label = np.arange(100) < 50, np.arange(100) % 3
    held_out = HeldOutScores(scores(is_label, of_label), is_label, micrograph=of_label)
    truth = rng.uniform(size=N_PICKS) < 0.6
    p = expit(scores(truth, rng.integers(3, 43, N_PICKS)))
    line = fit_calibration(held_out, p)
    p = line.apply(p)
    return held(forecast_performance(held_out, line, p), p, truth)


def test_the_truth_is_held_where_micrographs_differ() -> None:
    assert 0.82 <= np.mean([in_micrographs(seed) for seed in range(20)]) <= 0.99


def test_a_labels_micrograph_survives_json_and_may_be_missing() -> None:
    held_out, _, _ = session(0)
    again = HeldOutScores.from_dict(held_out.to_dict())
    assert again.micrograph is not None
    np.testing.assert_array_equal(again.micrograph, np.arange(40))
    older = held_out.to_dict()
    del older["micrograph"]
    assert HeldOutScores.from_dict(older).micrograph is None
    with pytest.raises(ValueError, match="a micrograph for each of 40 labels, got 1"):
        HeldOutScores.from_dict(older | {"micrograph": [0]})


@pytest.mark.parametrize(
    ("training", "words"),
    [
        ({"settings": {"n_folds": 0}}, "Fine-tune again with 3 folds"),
        ({}, "at least 10 labels of particles and 10 of others"),
        ({"labels": {"particle": 1, "carbon": 20}}, "1 and 20. Label 9 more of particles and"),
        (
            {"labels": {"carbon": 1}},
            "0 and 1. Label 10 more of particles and 9 more of others",
        ),
        ({"labels": {"particle": 20, "carbon": 20}}, "Fine-tune again with the same labels"),
    ],
)
def test_why_there_is_no_forecast_and_which_labels_are_missing(
    training: dict[str, dict[str, int]], words: str
) -> None:
    card = SimpleNamespace(
        training=training, names={1: "particle", 3: "carbon"}, is_before_labels=False
    )
    reason = no_forecast_reason(cast("ModelCard", card))
    assert reason.startswith("No expected precision")
    assert words in reason


def test_calibration_takes_back_overconfidence_and_brings_in_the_share() -> None:
    held_out, p, truth = session(1, (1500, 1500), share=0.8, scale=6.0)
    line = fit_calibration(held_out, p)
    # log f1 / f0 = 4/6 z, and the odds of 0.8
    assert line.slope == pytest.approx(4 / 6, rel=0.15)
    assert line.intercept == pytest.approx(np.log(4), abs=0.5)
    assert line.apply(p).mean() == pytest.approx(truth.mean(), abs=0.02)
    assert fit_calibration(held_out, p, even=True).intercept == pytest.approx(0, abs=0.5)
    assert fit_calibration(held_out, np.array([])).intercept == pytest.approx(0, abs=0.5)


def test_labels_without_an_error_do_not_make_scores_certain() -> None:
    is_particle = np.arange(10) < 5
    held_out = HeldOutScores(np.where(is_particle, 6.0, -6.0), is_particle)
    line = fit_calibration(held_out, expit(np.linspace(-6, 6, 200)))
    assert line.apply([0.5])[0] == pytest.approx(0.5, abs=0.2)
    assert 0.2 < line.slope < 2


def test_a_promise_is_the_same_whatever_the_calibration() -> None:
    held_out, p, _ = session(2)
    line = Calibration(0.7, 0.4)
    plain, calibrated = (
        forecast_performance(held_out, Calibration(), p),
        forecast_performance(held_out, line, line.apply(p)),
    )
    threshold = 0.6
    here, there = plain.at(threshold), calibrated.at(float(line.apply([threshold])[0]))
    assert here.n_kept == there.n_kept
    assert here.precision.mean == pytest.approx(there.precision.mean, abs=1e-6)
    assert here.recall.low == pytest.approx(there.recall.low, abs=1e-6)


def test_the_share_of_particles_is_found_in_the_mixture() -> None:
    rng = np.random.default_rng(0)
    is_particle = rng.uniform(size=5000) < 0.3
    z = np.where(is_particle, 2, -2) + rng.normal(size=5000)
    assert particle_share(4 * z[None], np.ones(5000))[0] == pytest.approx(0.3, abs=0.02)


def test_curves_run_from_all_kept_to_none() -> None:
    held_out, p, _ = session(3)
    found = forecast_performance(held_out, Calibration(), p)
    assert found.n_kept[0] == found.n_picks == N_PICKS
    assert found.recall.mean[0] == pytest.approx(1)
    assert found.n_kept[-1] == 0
    assert np.isnan(found.precision.mean[-1])
    assert (np.diff(found.n_kept) <= 0).all()
    assert found.precision.mean[0] == pytest.approx(found.share.mean, abs=0.02)


def test_thresholds_are_found_for_a_precision_a_recall_and_the_best_f1() -> None:
    held_out, p, _ = session(4, (200, 200))
    found = forecast_performance(held_out, Calibration(), p)
    for_precision = found.threshold_for_precision(0.98)
    assert found.at(for_precision).precision.mean == pytest.approx(0.98, abs=0.01)
    assert found.at(for_precision - 0.02).precision.mean < 0.98
    for_recall = found.threshold_for_recall(0.98)
    assert found.at(for_recall).recall.mean == pytest.approx(0.98, abs=0.01)
    best = found.best_f1()
    others = [found.at(t).f1.mean for t in (0.02, 0.3, 0.7, 0.98)]
    assert found.at(best).f1.mean >= max(others)


def test_what_cannot_be_reached_is_said_with_what_can() -> None:
    held_out, p, _ = session(5, share=0.3)
    noise = replace(held_out, logits=np.zeros(40))  # scores that tell nothing
    with pytest.raises(SettingsError, match=r"precision of 0.99.*the most is 0\.\d+.*suggest"):
        forecast_performance(
            noise, Calibration(), np.full_like(p, 0.5)
        ).threshold_for_precision(0.99)


@pytest.mark.parametrize("wanted", [0.0, -0.1, 1.1, np.nan])
def test_shares_out_of_range_are_refused(wanted: float) -> None:
    held_out, p, _ = session(6)
    with pytest.raises(SettingsError, match="above 0 and at most 1"):
        forecast_performance(held_out, Calibration(), p).threshold_for_recall(wanted)


def test_few_labels_and_few_picks_are_warned_of() -> None:
    held_out, p, _ = session(7, (8, 5))
    found = forecast_performance(held_out, Calibration(), p[:20])
    assert not found.reliable
    labels, picks = found.warnings
    assert "8 labels of particles and 5 of others are too few" in labels
    assert "20 picks" in picks
    assert forecast_performance(session(7)[0], Calibration(), p).reliable


def test_labels_of_clear_cases_only_are_noticed() -> None:
    held_out, p, _ = session(3, (100, 100))
    assert forecast_performance(held_out, Calibration(), p).reliable
    clear = np.abs(held_out.logits) > 2
    of_clear = HeldOutScores(
        held_out.logits[clear], held_out.is_particle[clear], micrograph=np.arange(clear.sum())
    )
    found = forecast_performance(of_clear, Calibration(), p)
    assert len(found.warnings) == 1
    assert "labels are easier cases" in found.warnings[0]
    assert "at random" in found.warnings[0]
    # what was left out of the labels is in the picks, and may be anything
    line = Calibration(slope=4.0)
    at = forecast_performance(of_clear, line, line.apply(p)).at(0.5)
    truth_of_picks = session(3, (100, 100))[2]
    kept = line.apply(p) >= 0.5
    assert at.precision.low <= truth_of_picks[kept].mean() <= at.precision.high
    assert at.precision.high - at.precision.low > 0.1


def test_labels_drawn_from_the_picks_are_rarely_taken_for_clear_cases() -> None:
    sessions = [session(seed) for seed in range(20)]
    noticed = [not forecast_performance(e, Calibration(), p).reliable for e, p, _ in sessions]
    assert np.mean(noticed) <= 0.1


def test_unscored_picks_are_not_counted_and_none_at_all_are_refused() -> None:
    held_out, p, _ = session(8)
    p[:100] = np.nan
    assert forecast_performance(held_out, Calibration(), p).n_picks == N_PICKS - 100
    with pytest.raises(SettingsError, match="no pick has a score"):
        forecast_performance(held_out, Calibration(), np.full(5, np.nan))


def test_labels_of_one_class_promise_nothing() -> None:
    held_out = HeldOutScores(np.zeros(5), np.ones(5, dtype=bool))
    with pytest.raises(SettingsError, match="one class only"):
        forecast_performance(held_out, Calibration(), [0.5])


def test_the_sentence_says_it_all() -> None:
    held_out, p, _ = session(9)
    sentence = forecast_performance(held_out, Calibration(), p).at(0.62).sentence()
    assert sentence.startswith("At 0.62 the scores alone keep 1,9")
    assert "of 3,000 scored picks" in sentence
    assert "expected precision 0.9" in sentence


def test_logits_of_one_model_are_brought_to_the_scale_of_another() -> None:
    here = np.random.default_rng(0).normal(size=500)
    found = match_scale(np.array([-0.5, 0.0, 0.5, here.max() + 1]), here, 3 * here + 1)
    np.testing.assert_allclose(found[:3], [-0.5, 1, 2.5], atol=0.05)
    assert found[3] == pytest.approx(3 * here.max() + 2)
    assert match_scale(np.array([1.0]), np.array([]), np.array([])).tolist() == [1.0]


def test_particles_that_score_like_false_picks_are_reckoned_with_before_one_is_labelled() -> (
    None
):
    """A few per cent of either class are like the other; twenty labels often hold none."""
    inside = []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        held_out, p, truth = session(seed, scale=2)
        turned = rng.uniform(size=N_PICKS) < 0.04
        p, at_all = np.where(turned, 1 - p, p), rng.uniform(size=40) < 0.04
        logits = np.where(at_all, -held_out.logits, held_out.logits)
        held_out = replace(held_out, logits=logits)
        line = fit_calibration(held_out, p)
        inside.append(
            held(forecast_performance(held_out, line, line.apply(p)), line.apply(p), truth)
        )
    assert np.mean(inside) >= 0.78  # 0.63 by a line alone


def test_a_recall_of_all_lies_in_the_interval_where_the_classes_are_far_apart() -> None:
    held_out, p, truth = session(3)
    labels = replace(held_out, logits=held_out.logits + np.where(held_out.is_particle, 6, -6))
    p = expit(logit(p) + np.where(truth, 6, -6))
    recall = forecast_performance(labels, Calibration(), p).at(0.5).recall
    assert recall.high > 0.9999
    assert 0.85 < recall.low < 0.99  # twenty labels cannot promise more


def test_thousands_of_labels_are_taken_together_without_a_difference() -> None:
    held_out, _, _ = session(10, (400, 300))
    grouped = posterior(held_out, WEAK_PRIOR)
    with pytest.MonkeyPatch.context() as each_alone:
        each_alone.setattr("napari_pickeroptimizer.trust.posterior.MOST_SCORES", 1000)
        single = posterior(held_out, WEAK_PRIOR)
    for name in ("slope", "intercept"):
        ours, theirs = getattr(grouped, name), getattr(single, name)
        assert abs(ours.mean() - theirs.mean()) < theirs.std() / 2


def test_draws_of_the_posterior_spread_around_the_line_of_the_labels() -> None:
    held_out, _, _ = session(10, (300, 300))
    lines = posterior(held_out, WEAK_PRIOR)
    assert lines.slope.mean() == pytest.approx(4, rel=0.3)
    assert abs(lines.intercept.mean()) < 1
    again = posterior(held_out, WEAK_PRIOR)
    np.testing.assert_array_equal(lines.slope, again.slope)


def test_few_labels_move_a_close_prior_less_than_an_open_one() -> None:
    held_out, _, _ = session(12, (5, 5), scale=0.1)  # a network much too shy
    assert (
        posterior(held_out, INFORMATIVE_PRIOR).slope.mean()
        < posterior(held_out, WEAK_PRIOR).slope.mean() / 1.5
    )


def test_evidence_survives_json() -> None:
    held_out, _, _ = session(11)
    again = HeldOutScores.from_dict(held_out.to_dict())
    np.testing.assert_allclose(again.logits, held_out.logits, atol=1e-4)
    np.testing.assert_array_equal(again.is_particle, held_out.is_particle)
    with pytest.raises(ValueError, match="2 labels"):
        HeldOutScores.from_dict({"logits": [1.0], "is_particle": [True, False]})


def test_suggested_labels_are_no_evidence_unless_there_are_no_others() -> None:
    held_out, p, _ = session(13)
    odd = HeldOutScores(np.full(10, 0.0), np.arange(10) < 5, np.ones(10, dtype=bool))
    both = HeldOutScores(
        np.concatenate([held_out.logits, odd.logits]),
        np.concatenate([held_out.is_particle, odd.is_particle]),
        np.concatenate([held_out.suggested, odd.suggested]),
        np.arange(50),
    )
    assert forecast_performance(both, Calibration(), p).at(0.5) == forecast_performance(
        held_out, Calibration(), p
    ).at(0.5)
    assert fit_calibration(both, p) == fit_calibration(held_out, p)
    assert odd.representative() is odd
    assert "chosen by `suggest`" in forecast_performance(odd, Calibration(), p).warnings[0]
    assert HeldOutScores.from_dict(both.to_dict()).suggested.sum() == 10
