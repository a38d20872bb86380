"""Labels from other layers: areas drawn over carbon, points that were clicked."""

from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.plugin.other_layers import (
    is_areas,
    other_layers,
    proposed_class,
    take_from,
)
from napari_pickeroptimizer.plugin.panels.controls import Note, button, fill, shows_errors
from napari_pickeroptimizer.plugin.panels.fields import Fields, silenced
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.session import Session

HELP = {
    True: "Labels the picks inside the polygons, rectangles and ellipses of this layer.",
    False: "Labels the picks that points of this layer lie on. Points on no pick are added.",
}
NO_CLASS = "without a label"


class OtherLayersBox(QWidget):
    """Choose a layer of points or shapes, and what its points or areas are.

    Parameters
    ----------
    session : Session
        Whose picks get the labels.
    status : Note
        Where messages are shown.
    """

    def __init__(self, session: Session, status: Note) -> None:
        super().__init__()
        self._session, self._say, self.attempt = session, status.say, status.attempt
        self.source = ComboBox(
            choices=(), label="From", tooltip="Your own points, or areas that you drew."
        )
        self.kind = ComboBox(
            choices=(), label="These are", tooltip="The label that they give."
        )
        self.note = Note("quiet")
        self.start = button("Label picks", "Undone as one step (Ctrl+Z).", self._start)
        fill(
            QVBoxLayout(self),
            Fields(self.source, self.kind),
            self.note,
            self.start,
            spacing_px=4,
        )
        self.source.changed.connect(self._show_kind)
        changes = (session.layers_changed, session.target_changed, session.vocabulary_changed)
        follow(self, self.show_state, *changes)
        self.show_state()

    @property
    def has_layers(self) -> bool:
        """Whether there is a layer to take labels from."""
        return bool(self.source.choices)

    def show_state(self, *_: object) -> None:
        """Show the layers that there are, the newest chosen where one came."""
        layer, viewer = self._session.picks_layer, self._session.viewer
        layers = [] if layer is None else other_layers(viewer, layer)
        before, choices = self.source.value, [(x.name, x) for x in layers]
        known = list(self.source.choices)
        with silenced(self.source):
            self.source.choices = choices
            if layers:
                is_known = before in layers and all(x in known for x in layers)
                self.source.value = before if is_known else layers[0]
        self._show_kind(keep=self.source.value is before)

    def _show_kind(self, *_: object, keep: bool = False) -> None:
        source, vocabulary = self.source.value, self._session.vocabulary
        if source is None:
            self.note.say("")
            return
        classes = [(style.name, style.class_id) for style in vocabulary]
        if not is_areas(source):
            classes.append((NO_CLASS, UNLABELLED))
        before = self.kind.value
        with silenced(self.kind):
            self.kind.choices = classes
            known = before in [class_id for _, class_id in classes]
            self.kind.value = before if keep and known else proposed_class(source, vocabulary)
        self.note.say(HELP[is_areas(source)])

    @shows_errors
    def _start(self) -> None:
        layer: Any = self._session.picks_layer
        said = take_from(self._session.viewer, layer, self.source.value, self.kind.value)
        self._say(said)
        self._session.viewer.status = said
