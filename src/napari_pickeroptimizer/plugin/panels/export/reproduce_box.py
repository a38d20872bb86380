"""How to have the same export without a window: as commands, and as a script."""

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QTabWidget, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin.panels.export.code_box import CodeBox
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    command_line,
    python_snippet,
)
from napari_pickeroptimizer.plugin.panels.qt_parts import Fold

# A dragged threshold moves many times a second; commands are read when the hand rests.
REST_MS = 150


class ReproduceBox(Fold):
    """The command line and the Python script of what a panel shows, folded away at first.

    Parameters
    ----------
    panel : QWidget
        The panel; nothing is written down while it is hidden.
    recipe : callable
        Returns what the panel shows, None before there is anything.
    """

    def __init__(self, panel: QWidget, recipe: Callable[[], Recipe | None]) -> None:
        self.command = CodeBox("command line")
        self.snippet = CodeBox("Python script")
        texts = QTabWidget()
        texts.setDocumentMode(True)
        bar = texts.tabBar()
        if bar is not None:
            bar.setDrawBase(False)
        texts.addTab(self.command, "Command line")
        texts.addTab(self.snippet, "Python")
        super().__init__("Command line and Python", texts)
        self._panel, self._recipe = panel, recipe
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self._show_texts)
        self.toggle.toggled.connect(self._show_texts)

    def show_soon(self, *_: Any) -> None:
        """Follow the panel, once the hand rests."""
        if self.toggle.isChecked():
            self._rest.start()

    def _show_texts(self, *_: Any) -> None:
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
