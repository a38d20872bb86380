"""A threshold by what it is expected to give; what cannot be had is said, not guessed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.special import expit

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.prune.settings import ThresholdRule
from napari_pickeroptimizer.prune.threshold import check_rule, forecast_for
from napari_pickeroptimizer.trust import HeldOutScores

CARD = ModelCard((1, 2), ("particle", "contaminant"), "resnet18", BoxSettings(diameter_px=9))


def held_out(n: int = 60) -> HeldOutScores:
    """Labels whose logits are spread as those of `picks`: around -2 and 2."""
    rng = np.random.default_rng(0)
    is_particle = np.arange(2 * n) % 2 == 0
    return HeldOutScores(2 * rng.normal(np.where(is_particle, 1.0, -1.0), 1.0), is_particle)


def picks(n: int = 3000) -> tuple[np.ndarray, np.ndarray]:
    """P(particle) of picks, 60 % of them particles, and which they are."""
    rng = np.random.default_rng(1)
    truth = rng.random(n) < 0.6
    return expit(rng.normal(np.where(truth, 1.0, -1.0), 1.0) * 2), truth


WITH = dataclasses.replace(CARD, held_out_scores=held_out())


def test_the_threshold_is_what_was_said_and_half_by_default() -> None:
    assert ThresholdRule().choose(None) == 0.5
    assert ThresholdRule(threshold=0.7).choose(None) == 0.7
    assert ThresholdRule(threshold=0.7).choose(forecast_for(WITH, picks()[0])) == 0.7


def test_precision_and_recall_are_about_what_was_wished_for() -> None:
    p, truth = picks()
    forecast = forecast_for(WITH, p)
    kept = p >= ThresholdRule(precision=0.95).choose(forecast)
    assert truth[kept].mean() == pytest.approx(0.95, abs=0.04)
    kept = p >= ThresholdRule(recall=0.9).choose(forecast)
    assert kept[truth].mean() == pytest.approx(0.9, abs=0.06)


def test_auto_is_about_the_best_f1() -> None:
    p, truth = picks()

    def f1(threshold: float) -> float:
        kept = p >= threshold
        return 2 * (kept & truth).sum() / (kept.sum() + truth.sum())

    best = max(f1(t) for t in np.linspace(0, 1, 101))
    assert f1(ThresholdRule(threshold="auto").choose(forecast_for(WITH, p))) > best - 0.02


def test_picks_without_a_score_count_nowhere() -> None:
    p, _ = picks()
    unscored = np.concatenate([p, np.full(500, np.nan)])
    forecast = forecast_for(WITH, unscored)
    assert forecast is not None
    assert forecast.n_picks == len(p)
    assert forecast.at(0.0).n_kept == len(p)
    assert forecast_for(WITH, np.full(5, np.nan)) is None


def test_what_no_threshold_reaches_is_refused_with_the_most_there_is() -> None:
    rng = np.random.default_rng(2)
    hopeless = expit(rng.normal(-2, 0.3, 2000))  # all picks alike, and like no particle
    with pytest.raises(SettingsError, match="no threshold is expected to reach a precision"):
        ThresholdRule(precision=0.99).choose(forecast_for(WITH, hopeless))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (ThresholdRule(precision=0.95), "--precision 0.95 needs"),
        (ThresholdRule(recall=0.9), "--recall 0.9 needs"),
        (ThresholdRule(threshold="auto"), "--threshold auto needs"),
    ],
)
def test_without_evidence_a_wish_is_refused_and_says_what_to_do(
    rule: ThresholdRule, words: str
) -> None:
    with pytest.raises(SettingsError, match=f"{words}.*Fine-tune again"):
        check_rule(rule, CARD)
    check_rule(rule, WITH)
    check_rule(ThresholdRule(threshold=0.5), CARD)
    assert forecast_for(CARD, picks()[0]) is None
