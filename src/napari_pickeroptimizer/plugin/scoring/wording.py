"""What is scored and decided, in the user's words. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.prune.counts import Counts
from napari_pickeroptimizer.prune.threshold import DEFAULT_THRESHOLD

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard
    from napari_pickeroptimizer.plugin.outputs import Pruned
    from napari_pickeroptimizer.plugin.scores import Scores
    from napari_pickeroptimizer.plugin.session import Session
    from napari_pickeroptimizer.trust import PerformanceForecast
    from napari_pickeroptimizer.trust.forecast import Expectation, Interval

Preset = Literal["half", "balanced", "precision", "recall"]
OLD_SCORES = "The scores were of the model before: score again."


def what_is_missing_to_score(session: Session) -> str:
    """Return what keeps scoring from starting, in the user's words; empty when ready."""
    if session.stack_layer is None:
        return "Picks are scored on their micrographs: open micrographs first."
    if session.picks_layer is None:
        return "Open picks first."
    if session.model is None:
        return "Fine-tune a model (Learn), or load a model file."
    return ""


def kept_text(counts: Counts) -> str:
    """Return the one line that matters: how many picks are kept."""
    decided = counts.kept + counts.rejected
    share = f" ({counts.kept / decided:.0%})" if decided else ""
    return f"{counts.kept:,} of {counts.n_picks:,} picks kept{share}"


def rejected_text(counts: Counts, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return what became of the others, and what labels and places had to do with it."""
    classes = ", ".join(
        f"{n:,} {vocabulary.name(c)}" for c, n in counts.rejected_by_class.items()
    )
    parts = [f"{counts.rejected:,} rejected" + (f": {classes}" if classes else "")]
    if counts.rejected_by_place:
        parts.append(f"{counts.rejected_by_place:,} for their place")
    if counts.unscored:
        parts.append(f"{counts.unscored:,} not scored")
    by_label = counts.kept_by_label + counts.rejected_by_label
    if by_label:
        parts.append(f"{by_label:,} decided by your labels")
    return " · ".join(parts)


def expectation_text(expected: Expectation | None) -> str:
    """Return expected precision and recall; empty where nothing is known."""
    if expected is None:
        return ""
    if not expected.n_kept:
        return "No score reaches this threshold."
    return f"Expected precision {_percent(expected.precision)}, recall {_percent(expected.recall)}"


def no_expectation_text(scores: Scores) -> str:
    """Return why no precision and recall can be told."""
    if not scores.complete:
        return "Precision and recall are told once all picks are scored."
    if scores.card.held_out_scores is None:
        return (
            "Precision and recall are not known: the model was not cross-validated. Fine-tune "
            "it with 2 folds or more, and some labels of each kind."
        )
    return "No pick is scored."


def outside_text(outside: Mapping[str, int]) -> str:
    """Return how many picks are not on their micrograph; empty for none."""
    n = sum(outside.values())
    if not n:
        return ""
    return (
        f"{n:,} picks lie outside their micrograph and are not scored: were they picked on "
        "binned or other micrographs?"
    )


def summary_text(pruned: Pruned, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return what was kept and rejected, in one or two lines."""
    counts, n = pruned.counts, len(pruned.picks)
    n_kept = counts.get(PARTICLE, 0)
    rejected = ", ".join(f"{counts[i]} {vocabulary.name(i)}" for i in counts if i > PARTICLE)
    text = f"Kept {n_kept} of {n} picks ({n_kept / n:.0%}). Rejected: {rejected or 'none'}."
    n_labels = int((pruned.picks.labels != UNLABELLED).sum())
    if n_labels:
        text += f" Your {n_labels} labels went before the scores."
    if counts.get(UNLABELLED):
        text += f" Not scored: {counts[UNLABELLED]}"
        text += f" ({pruned.n_outside} outside their micrograph)." if pruned.n_outside else "."
    return text


def preset_threshold(
    preset: Preset, share: float, forecast: PerformanceForecast | None, card: ModelCard
) -> float:
    """Return the threshold that is asked for by what it shall give.

    Parameters
    ----------
    preset : str
        ``half`` for 0.5, ``balanced`` for the best F1, or at least so much ``precision`` or
        ``recall``.
    share : float
        How much of these two, above 0 and at most 1.
    forecast : PerformanceForecast or None
        What thresholds are expected to give.
    card : ModelCard
        Of the model that scored.

    Raises
    ------
    SettingsError
        Nothing is known, or no threshold is expected to give it.
    """
    if preset == "half":
        return DEFAULT_THRESHOLD
    if forecast is None:
        why = (
            "the model was not cross-validated. Fine-tune it with 2 folds or more."
            if card.held_out_scores is None
            else "no pick is scored."
        )
        raise SettingsError(f"Precision and recall are not known: {why}")
    if preset == "balanced":
        return forecast.best_f1()
    if preset == "precision":
        return forecast.threshold_for_precision(share)
    return forecast.threshold_for_recall(share)


def _percent(interval: Interval) -> str:
    low, mean, high = (f"{100 * v:.0f}" for v in (interval.low, interval.mean, interval.high))
    return f"{mean} % ({low}–{high})"
