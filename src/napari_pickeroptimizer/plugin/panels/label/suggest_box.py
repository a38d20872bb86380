"""Suggestions and the queue: which picks to label next, one after the other."""

from collections.abc import Callable
from typing import Any

from magicgui.widgets import SpinBox
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped
from napari_pickeroptimizer.fewshot.suggest import Suggested
from napari_pickeroptimizer.plugin import navigation, suggestions
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.qt_parts import arrow, button, row_of
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.session import Session


class SuggestBox(QWidget):
    """Have picks suggested, and go through them.

    Parameters
    ----------
    for_session : Session
        Whose picks.
    say : callable
        Called with what the user shall read.
    """

    def __init__(self, for_session: Session, say: Callable[[str], None]) -> None:
        super().__init__()
        self._session, self._say = for_session, say
        self.n = SpinBox(
            value=preferences().n_suggestions,
            min=1,
            max=1000,
            tooltip="How many picks are suggested at a time.",
        )
        self.suggest = button("Suggest", "", self._suggest)
        self.job = JobBar()
        self.job.visible = False
        self.queue_text = QLabel()
        self.back = arrow("◂", "Back in the queue (B).", lambda: self._step(-1))
        self.next = arrow("▸", "Next in the queue (N).", lambda: self._step(1))
        self.check = button(
            "", "Labels that the model takes for another class: a second look.", self._check
        )
        self.queue = QWidget()
        queue = QHBoxLayout(self.queue)
        queue.setContentsMargins(0, 0, 0, 0)
        queue.addWidget(self.queue_text, 1)
        queue.addWidget(self.back)
        queue.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        words = QLabel("picks to label next")
        column.addLayout(row_of(self.suggest, self.n.native, words, None))
        for part in (self.job.native, self.queue, self.check):
            column.addWidget(part)
        follow(self, for_session.target_changed, self._show)
        follow(self, for_session.layers_changed, self._show)
        follow(self, for_session.model_changed, self._show)
        follow(self, for_session.queue_changed, self._show_queue)
        follow(self, for_session.labels_changed, self._show_check)
        self._show()

    @property
    def _layer(self) -> Any | None:
        return self._session.picks_layer

    def _show(self) -> None:
        """Say what suggestions would be, or what they need."""
        self._show_queue()
        self._show_check()
        if self.job.running:
            return
        ready = self._layer is not None and self._session.stack_layer is not None
        self.suggest.setEnabled(ready)
        how = (
            "those the model is unsure of, and some unlike all others"
            if self._session.model is not None
            else "picks unlike each other and unlike those that are labelled"
        )
        self.suggest.setToolTip(
            f"Choose the picks whose labels teach most: {how}."
            if ready
            else "Open the micrographs first: picks are compared by how they look."
        )

    def _show_queue(self, layer: Any = None) -> None:
        if layer is not None and layer is not self._layer:
            return
        queue = navigation.queue_of(self._session.viewer, self._layer)
        self.queue.setVisible(queue is not None)
        if queue is not None:
            self.queue_text.setText(queue.text)
            self.back.setEnabled(queue.position > 0)
            self.next.setEnabled(queue.position < len(queue) - 1)

    def _show_check(self, *_: Any) -> None:
        layer = self._layer
        n = 0 if layer is None else len(suggestions.doubtful_rows(layer))
        self.check.setVisible(n > 0)
        self.check.setText(f"Check {n} label{'' if n == 1 else 's'} the model doubts")

    def _step(self, step: int) -> None:
        if self._layer is not None:
            navigation.step_queue(self._session.viewer, self._layer, step)

    def _check(self) -> None:
        try:
            suggestions.check_labels(self._session.viewer, self._layer)
        except PickerOptimizerError as error:
            self._say(str(error))

    def _suggest(self) -> None:
        layer = self._layer
        try:
            events = suggestions.suggest_events(
                self._session.viewer, layer, self.n.value, device=preferences().device
            )
        except PickerOptimizerError as error:
            self._say(str(error))
            return
        self.suggest.setEnabled(False)
        self.job.visible = True
        self._say("Looking for picks ...")
        self.job.run(
            events,
            on_event=lambda event: self._on_event(layer, event),
            on_failed=self._say,
            on_cancelled=lambda: self._say("Cancelled: nothing changed."),
            on_end=self._on_end,
        )

    def _on_event(self, layer: Any, event: Any) -> None:
        match event:
            case BoxesRead():
                self._say(f"Reading micrograph {event.n_read} of {event.n_total} ...")
            case MicrographSkipped():
                self._say(f"Left out {event.micrograph}: {event.reason}")
            case Suggested() if layer not in self._session.viewer.layers:
                self._say("The picks layer was deleted meanwhile.")
            case Suggested():
                self._show_suggested(layer, event)

    def _show_suggested(self, layer: Any, event: Suggested) -> None:
        n = len(event.rows)
        if not n:
            self._say("There is nothing to suggest: no pick is without a label.")
            return
        suggestions.show_suggestions(self._session.viewer, layer, event)
        fewer = " (there are no more)" if n < event.n_wanted else ""
        self._say(
            f"{n:,} pick{'' if n == 1 else 's'}{fewer}, chosen from {event.n_compared:,}. "
            "Label them by key."
        )

    def _on_end(self) -> None:
        self.job.visible = False
        self._show()
