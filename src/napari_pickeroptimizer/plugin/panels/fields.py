"""Labelled fields of the panels: devices, files, lengths, the particle diameter."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

from magicgui.widgets import ComboBox, Container, FloatSpinBox, Widget
from magicgui.widgets.bases import BaseValueWidget
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QFileDialog, QGridLayout, QLabel, QWidget

from napari_pickeroptimizer.device import DEVICES
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import actions
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.panels.controls import Note
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.session import Session
from napari_pickeroptimizer.prune.settings import Length

UNITS: dict[str, Literal["px", "ang", "diameters"]] = {
    "px": "px",
    "Å": "ang",
    "diameters": "diameters",
}
MODEL_FILES = "Models (*.safetensors)"
# Diameters are shown with one decimal: a smaller difference is none.
LEAST_DIFFERENCE_PX = 0.06


class Fields(QWidget):
    """Labelled fields, one a row, the fields in one column; rows can be hidden."""

    def __init__(self, *fields: Widget) -> None:
        super().__init__()
        self._fields = fields  # magicgui's own are kept with what they are drawn by
        self._labels: dict[int, QLabel] = {}
        self._grid = grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        # the fields of a page begin below each other
        self._widest = QLabel("Micrographs", self)
        self._widest.hide()
        for field in fields:
            label = QLabel(field.label)
            label.setToolTip(field.tooltip or field.native.toolTip())
            self._labels[id(field)] = label
            self.add_row(label, field.native)
            if isinstance(field, DiameterBox):
                self.add_row(QWidget(), field.hint)

    def add_row(self, head: QWidget, part: QWidget) -> None:
        """Add a row of two widgets: a label, or what switches the part beside it on."""
        row = self._grid.rowCount()
        self._grid.addWidget(head, row, 0)
        self._grid.addWidget(part, row, 1)

    def event(self, event: Any) -> bool:
        """Leave room for the widest label of a page, once its style is known."""
        done = bool(super().event(event))
        if event.type() in (QEvent.Type.Polish, QEvent.Type.StyleChange):
            self._widest.ensurePolished()
            self._grid.setColumnMinimumWidth(0, self._widest.sizeHint().width())
        return done

    def show_row(self, field: Widget, shown: bool) -> None:
        """Show or hide a field with its label."""
        self._labels[id(field)].setVisible(shown)
        field.native.setVisible(shown)


@contextmanager
def silenced(*fields: BaseValueWidget) -> Iterator[None]:
    """Set fields without a signal to those that follow them."""
    with ExitStack() as stack:
        for field in fields:
            stack.enter_context(field.changed.blocked())
        yield


def device_box() -> ComboBox:
    """Return a choice of the devices, the preferred one chosen."""
    return ComboBox(
        choices=DEVICES,
        value=preferences().device,
        label="Device",
        tooltip="Where the network runs; auto takes a GPU if there is one.",
    )


def ask_for_model(parent: QWidget, folder: str = "") -> str:
    """Return the model file that the user chooses, at first in a folder; empty for none."""
    path, _ = QFileDialog.getOpenFileName(parent, "Load model", folder, MODEL_FILES)
    return str(path)


class LengthBox(Container):
    """A length and its unit.

    Parameters
    ----------
    label, tooltip : str
        As in magicgui.
    units : tuple of str
        Units to choose from, of `UNITS`.
    """

    def __init__(
        self, label: str, tooltip: str, units: tuple[str, ...] = tuple(UNITS)
    ) -> None:
        self.number = FloatSpinBox(value=0, min=0, max=100_000, step=1, tooltip=tooltip)
        # "108" is typed as a whole: its first digit is no length
        self.number.native.setKeyboardTracking(False)
        self.unit = ComboBox(choices=units, value="px", tooltip="px of the micrograph.")
        super().__init__(
            widgets=[self.number, self.unit], layout="horizontal", labels=False, label=label
        )
        self.margins = (0, 0, 0, 0)
        self.native.setToolTip(tooltip)

    def length(self) -> Length:
        """Return what the box shows."""
        return Length(float(self.number.value), UNITS[self.unit.value])


class DiameterBox(LengthBox):
    """Particle diameter of the session's picks; their rings follow it, and it follows them.

    It is in Å wherever the pixel size is known. The hint below it (see `Fields`) tells the other
    unit, and that a diameter is a guess.

    Parameters
    ----------
    session : Session
        Whose picks.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(
            "Diameter",
            "Longest particle diameter; the rings show it on the image.",
            ("px", "Å"),
        )
        self.number.native.setDecimals(1)
        self.number.native.setSpecialValueText("not set")
        self.pixel_size_ang: float | None = None
        self._model, self.hint = PanelModel(session), Note("quiet")
        self.hint.setToolTip(
            "A guess is the usual distance of neighbours: set it by the rings on the image."
        )
        self.unit.changed.connect(self._convert)
        self.number.changed.connect(self._set_rings)
        changes = (session.target_changed, session.layers_changed, session.diameter_changed)
        follow(self.native, self._follow_rings, *changes)
        self._follow_rings()

    @property
    def diameter_px(self) -> float | None:
        """Diameter in micrograph pixels; None where Å cannot be converted, or it is unset."""
        try:
            return self.length().in_px(self.pixel_size_ang, None) or None
        except SettingsError:
            return None

    def _follow_rings(self, *_: object) -> None:
        """Show the diameter of the rings, in Å where that is possible."""
        stack, state = self._model.stack, self._model.state
        pixel_size_ang = None if stack is None else stack.pixel_size_ang
        with silenced(self.number):  # else the rings would follow it in turn
            if pixel_size_ang != self.pixel_size_ang:
                self.pixel_size_ang = pixel_size_ang
                self.unit.value = "Å" if pixel_size_ang else "px"
            self.enabled = state is not None
            if state is not None:
                self._show_px(state.diameter_px)
        self._show_hint()

    def _show_hint(self) -> None:
        state = self._model.state
        self.hint.say("" if state is None else self._hint_text(state))

    def _hint_text(self, state: LayerState) -> str:
        """Return the diameter in the other unit, and whether it is a guess."""
        parts = []
        if self.pixel_size_ang and self.unit.value == "Å":
            parts.append(f"= {round(state.diameter_px, 1):g} px")
        elif self.pixel_size_ang:
            parts.append(f"= {round(state.diameter_px * self.pixel_size_ang, 1):g} Å")
        if state.diameter_is_guess:
            parts.append("a guess")
        return ", ".join(parts)

    def _show_px(self, diameter_px: float) -> None:
        shown = self.diameter_px
        if shown is None or abs(shown - diameter_px) > LEAST_DIFFERENCE_PX:
            per_px = self.pixel_size_ang if self.unit.value == "Å" else None
            self.number.value = round(diameter_px * (per_px or 1.0), 1)

    def _set_rings(self, *_: object) -> None:
        layer, diameter_px = self._model.layer, self.diameter_px
        if layer is not None and diameter_px is not None:
            actions.set_diameter(layer, diameter_px)
            self._show_hint()

    def _convert(self, unit: str) -> None:
        if self.pixel_size_ang and self.number.value > 0:
            factor = self.pixel_size_ang if unit == "Å" else 1 / self.pixel_size_ang
            self.number.value = round(self.number.value * factor, 1)
        self._show_hint()
