"""What can be expected of a run, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.report.page import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.model.checkpoint import ModelCard
    from napari_pickeroptimizer.trust import Expectation, PerformanceForecast


def forecast_part(
    forecast: PerformanceForecast | None,
    card: ModelCard,
    threshold: float,
    counts: Mapping[str, Any],
    by_other_rules: str = "",
) -> dict[str, Any]:
    """Return what the user can expect, in sentences.

    Parameters
    ----------
    forecast : PerformanceForecast or None
        None where nothing can be promised.
    card : ModelCard
        Of the model, for the reason why.
    threshold : float
        That of the run.
    counts : mapping
        The record's counts of picks.
    by_other_rules : str
        What labels and distances decided, whatever the score.
    """
    if forecast is None:
        n, n_kept = counts["picks"], counts["kept"]
        return {
            "state": "none",
            "sentence": f"At {threshold:.2f} you keep {n_kept:,} of {n:,} picks "
            f"({percent(n_kept / max(n, 1))}). How good these are cannot be promised.",
            "lines": [why_no_forecast(card), *([by_other_rules] if by_other_rules else [])],
        }
    lines = []
    held_out = card.held_out_scores
    if held_out is not None:
        lines.append(
            f"The 90 % intervals in brackets come from your labels, {held_out.n_particles} "
            f"particles and {held_out.n_others} others, each judged by a model that had not "
            "seen it."
        )
    lines.append(
        f"About {percent(forecast.share.mean)} of all picks "
        f"({percent(forecast.share.low)} to {percent(forecast.share.high)}) should be particles. "
        "Recall is the share of these that is kept; particles that were never picked are "
        "nowhere in it."
    )
    if by_other_rules:
        lines.append(by_other_rules)
    if not forecast.reliable:
        lines.insert(0, "Take these figures as a hint, not as a promise: see the warnings.")
    expected = forecast.at(threshold)
    return {
        "state": "good" if forecast.reliable else "weak",
        "sentence": expectation_sentence(expected),
        "lines": lines,
    }


def expectation_sentence(expected: Expectation) -> str:
    """Return what a threshold is expected to give, in one sentence."""
    part = percent(expected.n_kept / max(expected.n_picks, 1))
    return (
        f"At {expected.threshold:.2f} you keep {expected.n_kept:,} of {expected.n_picks:,} picks "
        f"({part}); expected precision {expected.precision}, recall {expected.recall}."
    )


def why_no_forecast(card: ModelCard) -> str:
    """Return why nothing can be said of precision and recall, and what to do about it."""
    settings = card.training.get("settings") or {}
    if settings.get("n_folds") in (0, 1):
        return (
            "The model was trained without cross-validation (--folds 0): no label was judged "
            "by a model that had not seen it. Fine-tune again with --folds 3 for expected "
            "precision and recall."
        )
    return (
        "The model holds no scores of labels that it had not seen: it was written by an earlier "
        "version, or there were too few labels of a class to hold some out. Fine-tune again, "
        "with at least ten labels of particles and ten of others."
    )
