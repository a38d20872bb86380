"""A text to copy, as it is typed: commands and scripts."""

from qtpy.QtGui import QFontDatabase, QTextOption
from qtpy.QtWidgets import QApplication, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin.panels.qt_parts import button, row_of

N_LINES = 14


class CodeBox(QWidget):
    """A monospaced text with a Copy button.

    Parameters
    ----------
    what : str
        What the text is, for the button's tooltip.
    """

    def __init__(self, what: str) -> None:
        super().__init__()
        self.field = QPlainTextEdit()
        self.field.setReadOnly(True)
        self.field.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.field.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.field.setToolTip(f"The {what} for what is shown here.")
        self.field.setFixedHeight(N_LINES * self.field.fontMetrics().lineSpacing() + 14)
        self.copy: QPushButton = button(
            "Copy", f"Put the {what} on the clipboard.", self._copy
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(self.field)
        layout.addLayout(row_of(None, self.copy))

    @property
    def text(self) -> str:
        """The text."""
        return str(self.field.toPlainText())

    def show_text(self, text: str) -> None:
        """Show another text; where it was scrolled to stays if it is the same."""
        if text != self.text:
            self.field.setPlainText(text)
            self.copy.setText("Copy")

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.text)
            self.copy.setText("Copied")
