"""Boxes of the export panel: what was written, and the same as commands and a script to copy."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QUrl
from qtpy.QtGui import QDesktopServices, QFontDatabase, QTextOption
from qtpy.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QPlainTextEdit,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin.panels.controls import (
    ElidedLabel,
    Fold,
    Note,
    button,
    fill,
    row_of,
    single_shot,
)
from napari_pickeroptimizer.plugin.panels.export.export import Exported
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    command_line,
    python_snippet,
)

# A dragged threshold moves many times a second; commands are updated when the mouse stops.
REST_MS = 150
N_LINES = 14


class ResultBox(QFrame):
    """What was written, where, and what to do with it; hidden before there is anything."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("framed")
        self._exported: Exported | None = None
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.place = ElidedLabel()
        self.open_report = button(
            "Open report", "In the browser.", lambda: self._open("report")
        )
        self.open_folder = button(
            "Open folder", "In the file manager.", lambda: self._open("folder")
        )
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

    def _open(self, what: str) -> None:
        path = getattr(self._exported, what)
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))


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
        # an option a line: a path that is broken in two cannot be read
        self.field.setWordWrapMode(QTextOption.WrapMode.NoWrap)
        self.field.setToolTip(f"The {what} for what is shown here.")
        self.field.setFixedHeight(N_LINES * self.field.fontMetrics().lineSpacing() + 14)
        self.copy = button("Copy", f"Put the {what} on the clipboard.", self._copy)
        column = fill(QVBoxLayout(self), row_of(None, self.copy), self.field)
        column.setContentsMargins(6, 6, 6, 6)

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
        clipboard: Any = QApplication.clipboard()
        clipboard.setText(self.text)
        self.copy.setText("Copied")


class ReproduceBox(Fold):
    """The command line and the Python script of what a panel shows, folded away at first.

    Parameters
    ----------
    panel : QWidget
        The panel; nothing is updated while it is hidden.
    recipe : callable
        Returns what the panel shows, None before there is anything.
    """

    def __init__(self, panel: QWidget, recipe: Callable[[], Recipe | None]) -> None:
        self.command = CodeBox("command line")
        self.snippet = CodeBox("Python script")
        texts = QTabWidget()
        texts.setDocumentMode(True)
        bar: Any = texts.tabBar()  # Any: it may be missing, as far as Qt's types go
        bar.setDrawBase(False)
        texts.addTab(self.command, "Command line")
        texts.addTab(self.snippet, "Python")
        super().__init__("Command line and Python", texts)
        self._panel, self._recipe = panel, recipe
        self._rest = single_shot(self, self._show_texts, REST_MS)
        self.toggle.toggled.connect(self._show_texts)

    def show_soon(self, *_: object) -> None:
        """Follow the panel, once the mouse stops."""
        if self.toggle.isChecked():
            self._rest.start()

    def _show_texts(self, *_: object) -> None:
        if not self.toggle.isChecked() or self._panel.isHidden():
            return
        try:
            recipe = self._recipe()
            if recipe is None:
                command = snippet = "Open picks first."
            else:
                command, snippet = command_line(recipe), python_snippet(recipe)
        except (OSError, PickerOptimizerError) as error:
            command = snippet = f"# {error}"
        self.command.show_text(command)
        self.snippet.show_text(snippet)
