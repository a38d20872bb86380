"""Scores before the first label: a button that puts the gallery in order."""

from typing import Any

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.before_labels import bundled_model
from napari_pickeroptimizer.plugin.panels.controls import (
    Note,
    button,
    fill,
    row_of,
    shows_errors,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.label.first_scores import FirstScoresModel
from napari_pickeroptimizer.plugin.panels.scoring_model import LAYER_DELETED
from napari_pickeroptimizer.plugin.panels.signals import follow, when_destroyed
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.session import Session


class FirstScoresBox(QWidget):
    """Score the picks by the bundled network; hidden once there is a model of one's own.

    Parameters
    ----------
    session : Session
        Whose picks.
    status : Note
        Where messages are shown.
    """

    def __init__(self, session: Session, status: Note) -> None:
        super().__init__()
        self.model = FirstScoresModel(session)
        self._say, self.attempt = status.say, status.attempt
        self.start = button("Score without labels", "", self._start)
        self.job = JobBar("scoring. Closing ends it, your labels are kept.")
        self.note = Note("quiet")
        fill(
            QVBoxLayout(self),
            row_of(self.start, QLabel("to sort the gallery"), None),
            self.job,
            self.note,
        )
        follow(self, self.show_state, session.target_changed, session.layers_changed)
        follow(self, self.show_state, session.scores_changed, session.diameter_changed)
        follow(self, self._on_model, session.model_changed)
        when_destroyed(self, self.model.put_back)
        self.show_state()

    def show_state(self, *_: object) -> None:
        """Show whether there are such scores, and what is missing for them."""
        self.setVisible(self.model.is_offered())
        self.note.say("" if self.job.running else self.model.note())
        if not self.job.running:
            self.start.setEnabled(not self.model.missing())
            self.start.setToolTip(self.model.tip())

    def _on_model(self) -> None:
        self.job.cancel()  # the scores of one's own model take their place
        self.show_state()

    def _start(self) -> None:
        self.job.when_loaded(self._begin, self.start, self._say)

    @shows_errors
    def _begin(self) -> None:
        events = self.model.begin(preferences().device, bundled_model(self.model.layer))
        self.start.setEnabled(False)
        self._say("")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_end=self.show_state,
        )
        self.show_state()

    def _on_event(self, event: Any) -> str:
        if self.model.layer_was_deleted():
            self.job.cancel()
            self._say(LAYER_DELETED)
            return ""
        return self.model.take(event)

    def _on_failed(self, text: str) -> None:
        self.model.put_back()
        self._say(text)
