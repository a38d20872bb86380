"""The scoring job of the decide panel: scores come in as they are made, or none at all."""

from collections.abc import Callable
from typing import Any

from napari_pickeroptimizer.plugin import outputs
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary
from napari_pickeroptimizer.plugin.scoring import jobs
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.score import PicksScored


class ScoringJob:
    """Scores the picks of a layer in a worker; one that ends early leaves what was before.

    Parameters
    ----------
    for_session : Session
        Whose model scores.
    bar : JobBar
        Runs the job, and shows how far it is.
    on_scored : callable
        Called once all picks are scored and summarised.
    on_end : callable
        Called last in every case, with what went wrong in words; empty for nothing.
    say : callable
        Called with a text that is worth more than that.
    """

    def __init__(
        self,
        for_session: Session,
        bar: JobBar,
        *,
        on_scored: Callable[[], None],
        on_end: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._session = for_session
        self._bar = bar
        self._on_scored, self._ended, self._say = on_scored, on_end, say
        self._layer: Any = None
        self._before: Scores | None = None
        self._scored: PicksScored | None = None
        self._outcome = ""

    def start(self, layer: Any, device: str) -> None:
        """Score the picks of a layer, those of the micrograph that is seen first.

        Raises
        ------
        PickerOptimizerError
            At once, where something is missing.
        """
        viewer = self._session.viewer
        scores, events = jobs.score_events(
            viewer,
            layer,
            stack_layer=self._session.stack_layer,
            device=device,
            first=jobs.micrographs_first(viewer, layer),
        )
        self._layer, self._scored = layer, None
        self._outcome = ""
        self._before = outputs.begin(viewer, layer, scores)
        self._bar.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_cancelled=lambda: self._on_failed("Cancelled: nothing changed."),
            on_end=self._on_end,
        )

    def put_back(self) -> None:
        """Give the layer of an unfinished job the scores that it had before."""
        layer, before = self._layer, self._before
        self._layer, self._before = None, None
        viewer = self._session.viewer_ref()
        if viewer is None or layer is None or layer not in viewer.layers:
            return
        scores = self._session.scores.get(layer)
        if scores is not None and not scores.complete:
            outputs.restore(viewer, layer, before)

    def _on_event(self, event: Any) -> None:
        viewer, layer = self._session.viewer, self._layer
        if layer not in viewer.layers:
            self._bar.cancel()
            self._say("The picks layer was deleted meanwhile.")
            return
        match event:
            case PicksScored():
                self._scored = event
                self._bar.say("Weighing the scores")
            case ScoreSummary():
                assert self._scored is not None  # it comes after
                outputs.finish(viewer, layer, self._scored, event)
                self._before = None
                self._on_scored()
            case _:
                outputs.receive(viewer, layer, event)
                self._bar.say(f"Micrograph {event.n_done} of {event.n_total}")

    def _on_failed(self, text: str) -> None:
        self.put_back()
        self._outcome = text

    def _on_end(self) -> None:
        self._layer, self._before = None, None
        self._ended(self._outcome)
