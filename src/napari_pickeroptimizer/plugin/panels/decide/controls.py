"""Small parts of the decide panel."""

from typing import Any

from magicgui.widgets import ComboBox, Container, FloatSpinBox
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

from napari_pickeroptimizer.prune.place_rules import Length

UNITS = {"px": "px", "Å": "ang", "diameters": "diameters"}


class LengthBox(Container):
    """A distance and its unit."""

    def __init__(self, label: str, tooltip: str) -> None:
        self.number = FloatSpinBox(value=0, min=0, max=100_000, step=1, tooltip=tooltip)
        self.number.native.setKeyboardTracking(False)
        self.unit = ComboBox(choices=[*UNITS], value="px", tooltip="px of the micrograph.")
        super().__init__(
            widgets=[self.number, self.unit], layout="horizontal", labels=False, label=label
        )
        self.margins = (0, 0, 0, 0)

    def length(self) -> Length:
        """Return what the box shows."""
        return Length(float(self.number.value), UNITS[self.unit.value])  # type: ignore[arg-type]


class Switch(QWidget):
    """A few buttons of which one is down."""

    def __init__(self, choices: dict[str, tuple[str, str]], chosen: Any) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        group = QButtonGroup(self)
        group.setExclusive(True)
        self._buttons: dict[str, QPushButton] = {}
        for key, (text, tip) in choices.items():
            made = QPushButton(text)
            made.setObjectName("switch")
            made.setCheckable(True)
            made.setToolTip(tip)
            made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            made.clicked.connect(lambda *_, key=key: chosen(key))
            group.addButton(made)
            row.addWidget(made, 1)
            self._buttons[key] = made
        self._buttons["all"].setChecked(True)

    def choose(self, key: str) -> None:
        """Put a button down, without doing what it does."""
        self._buttons[key].setChecked(True)

    def press(self, key: str) -> None:
        """Do what a click on a button does."""
        self._buttons[key].click()


def single_shot(parent: QWidget, action: Any) -> QTimer:
    """Return a timer that fires once, when it is started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(action)
    return timer
