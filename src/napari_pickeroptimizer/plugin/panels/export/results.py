"""What was written."""

from pathlib import Path

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFrame, QLabel, QVBoxLayout

from napari_pickeroptimizer.plugin.panels.controls import (
    ElidedLabel,
    Note,
    button,
    fill,
    row_of,
)
from napari_pickeroptimizer.plugin.panels.export.export import Exported


class ResultBox(QFrame):
    """What was written, where, and what to do with it; hidden before there is anything."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("framed")
        self._exported: Exported | None = None
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.place = ElidedLabel()
        self.place.setContentsMargins(4, 0, 4, 0)  # napari's style indents labels so
        self.open_report = button("Open report", "In the browser.", self._open_report)
        self.open_folder = button("Open folder", "In the file manager.", self._open_folder)
        self.steps = Note("quiet")
        self.steps.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = row_of(self.open_report, self.open_folder, None)
        buttons.setContentsMargins(4, 0, 0, 0)
        column = fill(
            QVBoxLayout(self), self.text, self.place, buttons, self.steps, spacing_px=6
        )
        column.setContentsMargins(10, 8, 10, 8)
        self.hide()

    def show_exported(self, exported: Exported | None) -> None:
        """Show what was written last; None for nothing."""
        self._exported = exported
        self.setVisible(exported is not None)
        if exported is not None:
            self.text.setText(exported.text)
            self.place.show_text(str(exported.output))
            self.open_report.setVisible(exported.report is not None)
            self.steps.say("\n".join(exported.short_steps))

    def _open_report(self) -> None:
        if self._exported is not None and self._exported.report is not None:
            _open(self._exported.report)

    def _open_folder(self) -> None:
        if self._exported is not None:
            _open(self._exported.folder)


def _open(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
