"""Suggestions and the queue: which picks to label next, one after the other."""

from typing import Any

from magicgui.widgets import SpinBox
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin import navigation, suggestions
from napari_pickeroptimizer.plugin.panels.controls import (
    Note,
    arrow,
    button,
    fill,
    row_of,
    shows_errors,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.label.model import LabelModel
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.preferences import preferences


class SuggestBox(QWidget):
    """Suggest picks, and step through them.

    Parameters
    ----------
    model : LabelModel
        The picks.
    status : Note
        Where messages are shown.
    """

    def __init__(self, model: LabelModel, status: Note) -> None:
        super().__init__()
        self._model, self._say, self.attempt = model, status.say, status.attempt
        self.n = SpinBox(
            value=preferences().n_suggestions,
            min=1,
            max=1000,
            tooltip="How many picks are suggested at a time.",
        )
        self.suggest = button("Suggest", "", self._suggest)
        self.job = JobBar("choosing picks. Closing ends it, your labels are kept.")
        self.queue_text = QLabel()
        self.back = arrow(
            "◂", "Back to the suggested pick before (B).", lambda: self._step(-1)
        )
        self.next = arrow("▸", "Next suggested pick (N).", lambda: self._step(1))
        self.check = button("", "Review the labels that the model contradicts.", self._check)
        self.queue = QWidget()
        queue = fill(QHBoxLayout(self.queue), self.queue_text, self.back, self.next)
        queue.setStretch(0, 1)
        fill(
            QVBoxLayout(self),
            row_of(self.suggest, self.n, QLabel("picks to label next"), None),
            self.job,
            self.queue,
            self.check,
        )
        session = model.session
        changes = (session.target_changed, session.layers_changed, session.model_changed)
        follow(self, self._show, *changes)
        follow(self, self._show_queue, session.queue_changed)
        follow(self, self._show_check, session.labels_changed)
        self._show()

    def _show(self) -> None:
        """Show what would be suggested, or what is missing."""
        self._show_queue()
        self._show_check()
        if not self.job.running:
            self.suggest.setEnabled(self._model.can_suggest)
            self.suggest.setToolTip(self._model.suggest_tip())

    def _show_queue(self, layer: Any = None) -> None:
        if layer is not None and layer is not self._model.layer:
            return
        queue = navigation.queue_of(self._model.layer)
        self.queue.setVisible(queue is not None)
        if queue is not None:
            self.queue_text.setText(queue.text)
            self.back.setEnabled(queue.position > 0)
            self.next.setEnabled(queue.position < len(queue) - 1)

    def _show_check(self, *_: object) -> None:
        text = self._model.check_text()
        self.check.setVisible(bool(text))
        self.check.setText(text)

    def _step(self, step: int) -> None:
        navigation.step_queue(self._model.session.viewer, self._model.layer, step)

    @shows_errors
    def _check(self) -> None:
        suggestions.check_labels(self._model.session.viewer, self._model.layer)

    def _suggest(self) -> None:
        self.job.when_loaded(self._begin, self.suggest, self._say)

    @shows_errors
    def _begin(self) -> None:
        layer = self._model.layer
        events = suggestions.suggest_events(
            self._model.session.viewer, layer, self.n.value, device=preferences().device
        )
        self.suggest.setEnabled(False)
        self._say("Selecting picks ...")
        self.job.run(
            events,
            on_event=lambda event: self._say(self._model.take_suggested(layer, event)),
            on_failed=self._say,
            on_end=self._show,
        )
