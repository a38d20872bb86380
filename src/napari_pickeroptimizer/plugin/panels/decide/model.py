"""Model of the decide panel: scoring, threshold, expected precision and recall. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import numpy as np

from napari_pickeroptimizer.classes import (
    PARTICLE,
    UNLABELLED,
    counted,
    plural,
)
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import outputs
from napari_pickeroptimizer.plugin.before_labels import BY_ORDER, are_before_labels
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    Vocabulary,
)
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.outputs import LayerOutputs
from napari_pickeroptimizer.plugin.panels.scoring_model import ScoringModel
from napari_pickeroptimizer.plugin.readiness import missing_to_score
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.counts import Counts
from napari_pickeroptimizer.prune.settings import PlaceRules
from napari_pickeroptimizer.prune.threshold import NAMED_RULES
from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.trust.forecast import Expectation, Interval, no_forecast_reason

NO_OWN_MODEL = (
    "There is no model of your own yet: label some picks, and fine-tune on them (Learn)."
)
OUTDATED = "The scores were from the previous model: score the picks again."
BY_HAND = "by hand"
PRESETS = (BY_HAND, *NAMED_RULES)


@dataclass(frozen=True)
class ThresholdText:
    """Description of a threshold's result.

    Parameters
    ----------
    kept, expected, rejected : str
        How many picks are kept; expected precision and recall, or why there are none; the
        rejected and unscored picks.
    warnings : str
        Warnings, a line each.
    """

    kept: str
    expected: str
    rejected: str
    warnings: str

    @classmethod
    def of(
        cls, state: LayerState, vocabulary: Vocabulary = DEFAULT_VOCABULARY, note: str = ""
    ) -> ThresholdText:
        """Describe the threshold of a layer's picks, which are scored; `note` is a warning too."""
        counts = state.decision.counts(state.threshold)
        expected = state.decision.expectation(state.threshold)
        scores = state.scores
        assert scores is not None  # there is a decision
        warnings = [] if scores.forecast is None else [*scores.forecast.warnings]
        warnings += [outside_text(scores.outside), note]
        return cls(
            kept_text(counts, so_far=not scores.complete),
            expectation_text(expected) or no_expectation_text(scores),
            rejected_text(counts, vocabulary),
            "\n".join(text[:1].upper() + text[1:] for text in warnings if text),
        )


class DecideModel(ScoringModel):
    """Scores and threshold of the picks that a session works on.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._were_scored: WeakSet[Any] = WeakSet()  # Any: napari's layers are not typed here

    @property
    def state(self) -> LayerState | None:
        """The state of the picks where they are scored, or being scored; else None."""
        state = super().state
        if state is None or state.scores is None:
            return None
        self._were_scored.add(self.layer)
        return state

    def status(self) -> str:
        """Return what scoring still needs, or that it can start."""
        missing, scores = missing_to_score(self.session), self.scores
        if are_before_labels(scores):
            return BY_ORDER if self.session.model else f"{BY_ORDER} {NO_OWN_MODEL}"
        if self.session.model is None and scores is None and (before := self._scored_before()):
            return before
        if missing:
            return f"{missing} The existing scores can be used." if scores else missing
        if scores is not None:
            return ""
        return OUTDATED if self.layer in self._were_scored else "Ready to score."

    def next_step(self) -> str:
        """Return what can be done with the decision; empty before all picks are scored."""
        scores = self.scores
        if scores is None or not scores.complete:
            return ""
        return "Decided: write what is kept, and what is not."

    def folder(self) -> str:
        """Return the folder of the picks' file, where the model that scored them may be."""
        state = self.session.picks_state
        sources = () if state is None else state.picks.sources
        return str(sources[0].path.parent) if sources else ""

    def _scored_before(self) -> str:
        """Return that the picks' own file holds scores, and what can be done with them."""
        state = self.session.picks_state
        p = np.empty(0) if state is None else state.picks.particle_probability
        n = int(np.count_nonzero(~np.isnan(p)))
        if not n:
            return ""
        return (
            f"{plural(n, 'pick')} of this file {'is' if n == 1 else 'are'} scored already: the "
            "colours show what was decided. For another threshold load the model that scored "
            "them, and score again; or fine-tune one (Learn)."
        )

    def can_start(self) -> bool:
        """Whether scoring can start."""
        return not missing_to_score(self.session)

    def start_text(self) -> str:
        """Return the text of the button that starts it."""
        is_first = self.scores is None or are_before_labels(self.scores)
        return "Score picks" if is_first else "Score picks again"

    # --------------------------------------------------------------------- threshold

    def threshold_for(self, preset: str, share: float) -> float | None:
        """Return the threshold of a preset; None before all picks are scored.

        Parameters
        ----------
        preset : str
            One of `PRESETS`.
        share : float
            Share to reach, for presets in `RULES_WITH_SHARE`; above 0 and at most 1.

        Raises
        ------
        SettingsError
            There is no forecast, or no threshold is expected to reach the share.
        """
        scores = self.scores
        if preset == BY_HAND or scores is None or not scores.complete:
            return None
        rule = NAMED_RULES[preset](share)
        if rule.needs_forecast and scores.forecast is None:
            raise SettingsError(no_expectation_text(scores))
        return rule.choose(scores.forecast)

    def move_threshold(self, threshold: float) -> None:
        """Follow a threshold that is dragged or typed."""
        if self.state is not None:
            self.state.set_threshold(threshold)

    def set_place_rules(self, rules: PlaceRules) -> None:
        """Set the distances that reject picks, once all picks are scored.

        Raises
        ------
        SettingsError
            A distance in Å needs a pixel size.
        """
        state, scores = self.state, self.scores
        if state and scores and scores.complete and rules != state.rules:
            outputs.set_place_rules(self.session.viewer, self.layer, rules)


def kept_text(counts: Counts, *, so_far: bool = False) -> str:
    """Return the headline: how many picks are kept, of those that are decided on."""
    decided = counts.kept + counts.rejected
    share = f" ({percent(counts.kept / decided)})" if decided else ""
    picks = "picks so far" if so_far else "scored picks" if counts.unscored else "picks"
    return f"{counts.kept:,} of {decided:,} {picks} kept{share}"


def rejected_text(counts: Counts, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the counts of rejected and unscored picks, and of decisions by label and place."""
    classes = ", ".join(
        counted(n, vocabulary.name(c)) for c, n in counts.rejected_by_class.items()
    )
    parts = [f"{counts.rejected:,} rejected" + (f": {classes}" if classes else "")]
    if counts.rejected_by_place:
        parts.append(f"{counts.rejected_by_place:,} of them for their place")
    if counts.unscored:
        parts.append(f"{counts.unscored:,} not scored")
    by_label = counts.kept_by_label + counts.rejected_by_label
    if by_label:
        parts.append(f"{by_label:,} decided by your labels")
    return " · ".join(parts)


def expectation_text(expected: Expectation | None) -> str:
    """Return expected precision and recall; empty without a forecast."""
    if expected is None:
        return ""
    if not expected.n_kept:
        return "No score reaches this threshold."
    return f"Expected precision {_percent(expected.precision)}, recall {_percent(expected.recall)}"


def no_expectation_text(scores: Scores) -> str:
    """Return why there is no expected precision and recall."""
    if are_before_labels(scores):
        return "No precision is expected before the first label."
    if not scores.complete:
        return "Expected precision and recall follow once all picks are scored."
    if scores.card.held_out_scores is None:
        return no_forecast_reason(scores.card)
    return "No expected precision: no pick is scored."


def outside_text(outside: Mapping[str, int]) -> str:
    """Return how many picks are not on their micrograph; empty for none."""
    n = sum(outside.values())
    if not n:
        return ""
    return (
        f"{n:,} picks lie outside their micrograph and are not scored: were they picked on "
        "binned or other micrographs?"
    )


def summary_text(made: LayerOutputs, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return what was kept and rejected, in one or two lines."""
    counts, n = made.counts, len(made.picks)
    n_kept = counts.get(PARTICLE, 0)
    rejected = ", ".join(
        counted(counts[i], vocabulary.name(i)) for i in counts if i > PARTICLE
    )
    text = (
        f"Kept {n_kept} of {n} picks ({percent(n_kept / n)}). Rejected: {rejected or 'none'}."
    )
    n_labels = int((made.picks.labels != UNLABELLED).sum())
    if n_labels:
        text += f" Your {n_labels} labels take precedence over the scores."
    if counts.get(UNLABELLED):
        text += f" Not scored: {counts[UNLABELLED]}"
        text += f" ({made.n_outside} outside their micrograph)." if made.n_outside else "."
    return text


def _percent(interval: Interval) -> str:
    low, high = (f"{100 * v:.0f}" for v in (interval.low, interval.high))
    return f"{percent(interval.mean)} ({low}–{high})"
