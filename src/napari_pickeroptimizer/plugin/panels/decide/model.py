"""Model of the decide panel: scoring, threshold, expected precision and recall. No Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import jobs, outputs
from napari_pickeroptimizer.plugin.jobs import missing_to_score
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state
from napari_pickeroptimizer.plugin.outputs import LayerOutputs
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.counts import Counts
from napari_pickeroptimizer.prune.events import PicksScored, ScoreEvent
from napari_pickeroptimizer.prune.place_rules import PlaceRules
from napari_pickeroptimizer.prune.threshold import NAMED_RULES
from napari_pickeroptimizer.trust.forecast import Expectation, Interval, no_forecast_reason

LAYER_DELETED = "The picks layer was deleted meanwhile."
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
        cls, state: LayerState, vocabulary: Vocabulary = DEFAULT_VOCABULARY
    ) -> ThresholdText:
        """Describe the threshold of a layer's picks, which are scored."""
        counts = state.decision.counts(state.threshold)
        expected = state.decision.expectation(state.threshold)
        scores = state.scores
        assert scores is not None  # there is a decision
        warnings = [] if scores.forecast is None else [*scores.forecast.warnings]
        warnings.append(outside_text(scores.outside))
        return cls(
            kept_text(counts),
            expectation_text(expected) or no_expectation_text(scores),
            rejected_text(counts, vocabulary),
            "\n".join(text[:1].upper() + text[1:] for text in warnings if text),
        )


class DecideModel(PanelModel):
    """Scores and threshold of the picks that a session works on.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._were_scored: WeakSet[Any] = WeakSet()  # Any: napari's layers are not typed here
        # the layer that is being scored, its previous scores, and the last event
        self._scoring: Any | None = None
        self._before: Scores | None = None

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
        if missing:
            return f"{missing} The existing scores can be used." if scores else missing
        if scores is not None:
            return ""
        return OUTDATED if self.layer in self._were_scored else "Ready to score."

    def can_start(self) -> bool:
        """Whether scoring can start."""
        return not missing_to_score(self.session)

    def start_text(self) -> str:
        """Return the text of the button that starts it."""
        return "Score picks" if self.scores is None else "Score picks again"

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

    # ----------------------------------------------------------------------- scoring

    def begin(self, device: str) -> Iterator[ScoreEvent | ScoreSummary]:
        """Return the job that scores the picks, those of the micrograph on the screen first.

        Raises
        ------
        PickerOptimizerError
            At once, where something is missing.
        """
        viewer, layer = self.session.viewer, self.layer
        scores, events = jobs.score_events(
            viewer,
            layer,
            stack_layer=self.session.stack_layer,
            device=device,
            first=jobs.micrographs_first(viewer, layer),
        )
        self._scoring = layer
        self._before = picks_state(layer).begin_scores(scores)
        return events

    def layer_was_deleted(self) -> bool:
        """Whether the layer that is being scored is gone."""
        return self._scoring not in self.session.viewer.layers

    def take(self, event: ScoreEvent | ScoreSummary) -> str:
        """Handle an event of scoring; return its stage."""
        viewer, layer = self.session.viewer, self._scoring
        match event:
            case PicksScored():
                return "Estimating precision and recall"
            case ScoreSummary():
                outputs.take_scores(viewer, layer, event)
                self._end()
                return ""
        outputs.take_scores(viewer, layer, event)
        return f"Micrograph {event.n_done} of {event.n_total}"

    def put_back(self) -> None:
        """Restore the previous scores after an unfinished scoring."""
        layer, before = self._scoring, self._before
        self._end()
        viewer = self.session.viewer_ref()
        if viewer is None or layer is None or layer not in viewer.layers:
            return
        scores = picks_state(layer).scores
        if scores is not None and not scores.complete:
            jobs.restore_scores(viewer, layer, before)

    def _end(self) -> None:
        self._scoring, self._before = None, None


def kept_text(counts: Counts) -> str:
    """Return the headline: how many picks are kept."""
    decided = counts.kept + counts.rejected
    share = f" ({counts.kept / decided:.0%})" if decided else ""
    return f"{counts.kept:,} of {counts.n_picks:,} picks kept{share}"


def rejected_text(counts: Counts, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the counts of rejected and unscored picks, and of decisions by label and place."""
    classes = ", ".join(
        f"{n:,} {vocabulary.name(c)}" for c, n in counts.rejected_by_class.items()
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
    rejected = ", ".join(f"{counts[i]} {vocabulary.name(i)}" for i in counts if i > PARTICLE)
    text = f"Kept {n_kept} of {n} picks ({n_kept / n:.0%}). Rejected: {rejected or 'none'}."
    n_labels = int((made.picks.labels != UNLABELLED).sum())
    if n_labels:
        text += f" Your {n_labels} labels take precedence over the scores."
    if counts.get(UNLABELLED):
        text += f" Not scored: {counts[UNLABELLED]}"
        text += f" ({made.n_outside} outside their micrograph)." if made.n_outside else "."
    return text


def _percent(interval: Interval) -> str:
    low, mean, high = (f"{100 * v:.0f}" for v in (interval.low, interval.mean, interval.high))
    return f"{mean} % ({low}–{high})"
