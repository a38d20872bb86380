"""The threshold as numbers: by hand, or by what it shall give."""

from typing import Any

from magicgui.widgets import ComboBox, FloatSpinBox
from qtpy.QtCore import Signal

from napari_pickeroptimizer.plugin.panels.form_parts import Fields
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.scoring import wording

BY_HAND = "by hand"
PRESETS: dict[str, Any] = {
    BY_HAND: BY_HAND,
    "balanced (best F1)": "balanced",
    "precision at least": "precision",
    "recall at least": "recall",
    "0.5": "half",
}


class ThresholdFields(Fields):
    """A threshold, what it is set for, and how much of that."""

    typed = Signal(float)
    """A threshold typed in; those that are shown are no news."""
    preset_changed = Signal()
    """Another preset, or another share of it."""

    def __init__(self) -> None:
        self.preset = ComboBox(
            choices=[*PRESETS],
            value=BY_HAND,
            label="Set for",
            tooltip="What the threshold shall give, as far as the labels can tell.",
        )
        self.share = FloatSpinBox(value=95, min=1, max=100, step=1, label="Percent")
        self.threshold = FloatSpinBox(
            value=0.5,
            min=0,
            max=1,
            step=0.01,
            label="Threshold",
            tooltip="Least P(particle) of a kept pick.",
        )
        for field in (self.threshold, self.share):
            field.native.setKeyboardTracking(False)  # its first digit is no number yet
        self.threshold.native.setDecimals(3)
        self.share.native.setDecimals(0)
        self._following = False
        super().__init__(self.threshold, self.preset, self.share)
        self.threshold.changed.connect(self._on_threshold)
        self.preset.changed.connect(self._on_preset)
        self.share.changed.connect(self._on_preset)

    @property
    def by_hand(self) -> bool:
        """Whether nothing is asked of the threshold."""
        return bool(self.preset.value == BY_HAND)

    def set_by_hand(self) -> None:
        """Ask nothing of the threshold any more."""
        self.preset.value = BY_HAND

    def show_threshold(self, threshold: float) -> None:
        """Show a threshold that is set already."""
        self._following = True
        try:
            self.threshold.value = threshold
        finally:
            self._following = False

    def show_share(self) -> None:
        """Show the share where the preset has one."""
        self.show_row(self.share, PRESETS[self.preset.value] in ("precision", "recall"))

    def wanted(self, scores: Scores) -> float:
        """Return the threshold that gives what is asked for.

        Raises
        ------
        SettingsError
            No threshold is known to.
        """
        return wording.preset_threshold(
            PRESETS[self.preset.value], self.share.value / 100, scores.forecast, scores.card
        )

    def _on_threshold(self, threshold: float) -> None:
        if not self._following:
            self.typed.emit(threshold)

    def _on_preset(self, *_: Any) -> None:
        self.preset_changed.emit()
