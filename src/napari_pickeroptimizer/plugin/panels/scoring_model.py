"""`ScoringModel`: a scoring that a panel runs, and what it leaves if it does not end. No Qt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.plugin import jobs, outputs
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.events import PicksScored, ScoreEvent

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier

LAYER_DELETED = "The picks layer was deleted meanwhile."


class ScoringModel(PanelModel):
    """The scoring of the picks that a session works on.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        # the layer that is being scored, and its previous scores
        self._scoring: Any | None = None  # Any: napari's layers are not typed here
        self._before: Scores | None = None

    def begin(
        self, device: str, model: Classifier | None = None
    ) -> Iterator[ScoreEvent | ScoreSummary]:
        """Return the job that scores the picks, those of the micrograph on the screen first.

        Parameters
        ----------
        device : str
            Where the network runs.
        model : Classifier, optional
            By default the session's.

        Raises
        ------
        PickerOptimizerError
            At once, where something is missing.
        """
        viewer, layer = self.session.viewer, self.layer
        scores, events = jobs.score_events(
            viewer,
            layer,
            model,
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
