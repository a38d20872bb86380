"""The table of counts, and what was written."""

from pathlib import Path

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.panels.controls import (
    ElidedLabel,
    Note,
    button,
    fill,
    row_of,
)
from napari_pickeroptimizer.plugin.panels.export.export import Exported
from napari_pickeroptimizer.plugin.panels.export.model import CountRow

N_COLUMNS, NUMBER, DETAILS = 3, 1, 2


class CountTable(QWidget):
    """Rows of a name, a number and details; hidden without rows."""

    def __init__(self) -> None:
        super().__init__()
        self._labels: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(DETAILS, 1)

    @property
    def text(self) -> str:
        """All that is shown, in a line."""
        return " ".join(str(label.text()) for label in self._labels if label.text())

    def show_rows(self, rows: list[CountRow]) -> None:
        """Show other rows."""
        texts = [text for row in rows for text in row]
        while len(self._labels) < len(texts):
            self._add_label()
        for i, label in enumerate(self._labels):
            label.setText(texts[i] if i < len(texts) else "")
            label.setVisible(i < len(texts))
        self.setVisible(bool(rows))

    def _add_label(self) -> None:
        row, column = divmod(len(self._labels), N_COLUMNS)
        label = QLabel()
        label.setWordWrap(column == DETAILS)
        side = Qt.AlignmentFlag.AlignLeft
        if column == NUMBER:
            label.setObjectName("number")
            side = Qt.AlignmentFlag.AlignRight
        label.setAlignment(side | Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(label, row, column)
        self._labels.append(label)


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
