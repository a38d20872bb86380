"""Fields of the threshold (value, or precision, recall or F1 to reach), and its summary."""

from magicgui.widgets import ComboBox, FloatSpinBox
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.panels.controls import Note, fill
from napari_pickeroptimizer.plugin.panels.decide.model import (
    BY_HAND,
    PRESETS,
    ThresholdText,
)
from napari_pickeroptimizer.plugin.panels.fields import Fields, silenced
from napari_pickeroptimizer.prune.threshold import RULES_WITH_SHARE


class ThresholdFields(Fields):
    """Threshold, preset, and the share to reach."""

    def __init__(self) -> None:
        self.preset = ComboBox(
            choices=PRESETS,
            value=BY_HAND,
            label="Set for",
            tooltip="Precision, recall or F1 that the threshold is expected to reach.",
        )
        self.percent = FloatSpinBox(value=95, min=1, max=100, step=1, label="Percent")
        self.threshold = FloatSpinBox(
            value=0.5,
            min=0,
            max=1,
            step=0.01,
            label="Threshold",
            tooltip="Least P(particle) of a kept pick.",
        )
        for field in (self.threshold, self.percent):
            field.native.setKeyboardTracking(False)  # its first digit is no number yet
        self.threshold.native.setDecimals(3)
        self.percent.native.setDecimals(0)
        super().__init__(self.threshold, self.preset, self.percent)

    @property
    def share(self) -> float:
        """Share to reach, above 0 and at most 1."""
        return float(self.percent.value) / 100

    def show_threshold(self, threshold: float) -> None:
        """Show a threshold that is set already."""
        with silenced(self.threshold):
            self.threshold.value = threshold
        self.show_percent()

    def show_percent(self) -> None:
        """Show the percentage where the preset has one."""
        self.show_row(self.percent, self.preset.value in RULES_WITH_SHARE)


class ThresholdSummary(QWidget):
    """The lines below the threshold."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = QLabel()
        self.kept.setObjectName("headline")
        self.rejected, self.expected = Note("quiet"), Note("quiet")
        self.expected.setToolTip(
            "Precision: share of particles among the kept picks. Recall: share of the picked "
            "particles that are kept. In brackets the 90 % interval: fewer labels, wider."
        )
        self.warnings = Note("warning")
        lines = (self.kept, self.expected, self.rejected, self.warnings)
        fill(QVBoxLayout(self), *lines, spacing_px=6)

    def show_text(self, text: ThresholdText) -> None:
        """Show the result of a threshold, at every step of a drag."""
        self.kept.setText(text.kept)
        self.expected.say(text.expected)
        self.rejected.say(text.rejected)
        self.warnings.say(text.warnings)
