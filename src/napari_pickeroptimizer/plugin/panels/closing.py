"""One question before a window is closed while jobs run, with what becomes of each.

napari asks twice then: first by the names of its tasks, and then whether to close at all.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QMainWindow, QMessageBox, QWidget


class ClosingQuestion(QObject):
    """Asks before the window is closed by its frame, as long as jobs run.

    Parameters
    ----------
    window : QMainWindow
        The window, which keeps it.
    running : callable
        Returns what runs, and what becomes of it, in words; nothing where nothing runs.
    """

    def __init__(self, window: QMainWindow, running: Callable[[], Sequence[str]]) -> None:
        super().__init__(window)
        self._running = running
        window.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take the event of the frame; what closes the window by a call is not asked."""
        if event.type() != QEvent.Type.Close or not event.spontaneous():
            return False
        names = self._running()
        if not names:
            return False
        event.ignore()
        text = "\n".join(f"Running: {name}" for name in names)
        choices = QMessageBox.StandardButton
        answer = QMessageBox.question(
            watched, "Close the window?", text, choices.Close | choices.Cancel, choices.Cancel
        )
        if answer == choices.Close:
            QTimer.singleShot(0, watched.close)  # this time it is not the frame that asks
        return True


def ask_before_closing(
    widget: QWidget, running: Callable[[QMainWindow], Sequence[str]]
) -> None:
    """Ask before the window of a widget is closed; does nothing the second time.

    Parameters
    ----------
    widget : QWidget
        In a window, or in a floating dock of one.
    running : callable
        As in `ClosingQuestion`, of a window.
    """
    parent: QWidget | None = widget
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    if parent is not None and parent.findChild(ClosingQuestion) is None:
        ClosingQuestion(parent, partial(running, parent))
