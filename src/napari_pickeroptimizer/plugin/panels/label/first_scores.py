"""Model of the scores before the first label: what they need, and what they are worth. No Qt."""

from __future__ import annotations

from napari_pickeroptimizer.plugin.before_labels import BY_ORDER, are_before_labels
from napari_pickeroptimizer.plugin.panels.scoring_model import ScoringModel
from napari_pickeroptimizer.plugin.readiness import missing_layers
from napari_pickeroptimizer.plugin.scores import ScoreSummary
from napari_pickeroptimizer.prune.events import PicksScored, ScoreEvent


class FirstScoresModel(ScoringModel):
    """The scoring by the bundled network, as the label panel offers it.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    def is_offered(self) -> bool:
        """Whether there are picks, and no model of the user's own that scores them better."""
        return self.layer is not None and self.session.model is None

    def missing(self) -> str:
        """Return what the scoring needs; empty when it can start."""
        return missing_layers(self.session)

    def note(self) -> str:
        """Return what the scores are worth; empty before there are any."""
        scores = self.scores
        if scores is None or not scores.complete or not are_before_labels(scores):
            return ""
        return f"{BY_ORDER} The gallery shows the likeliest particles first."

    def tip(self) -> str:
        """Return what is done, or what is needed for it."""
        if missing := self.missing():
            return missing
        assert self.state is not None  # nothing is missing
        return (
            "Sort the picks before you label any: the bundled network, which has seen none of "
            "your data, scores them as particles of the rings' size "
            f"({self.state.diameter_px:.0f} px). Label where it errs."
        )

    def take(self, event: ScoreEvent | ScoreSummary) -> str:
        """Handle an event of scoring; return its stage."""
        stage = super().take(event)
        return "Sorting the picks" if isinstance(event, PicksScored) else stage
