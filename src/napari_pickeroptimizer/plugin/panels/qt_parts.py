"""Small Qt parts of the panels: buttons, folds, lines that shorten themselves."""

from collections.abc import Callable, Iterable
from typing import Any

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QPainter
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)


class ElidedLabel(QLabel):
    """A line that leaves the middle out where there is no room; the tooltip tells all."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, tooltip: str = "") -> None:
        """Show another text."""
        self.setText(text)
        self.setToolTip(tooltip or text)

    def minimumSizeHint(self) -> QSize:
        """No width is too narrow."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, _event: Any) -> None:
        """Draw what there is room for."""
        painter = QPainter(self)
        room = self.contentsRect()
        shown = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideMiddle, room.width()
        )
        painter.drawText(
            room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown
        )


def button(text: str, tooltip: str, action: Callable[[], Any]) -> QPushButton:
    """Return a button with a tooltip."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the canvas
    made.clicked.connect(lambda *_: action())
    return made


def arrow(text: str, tooltip: str, action: Callable[[], Any]) -> QToolButton:
    """Return a square button with a sign on it."""
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tooltip)
    made.setFixedSize(28, 28)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    made.clicked.connect(lambda *_: action())
    return made


class Fold(QWidget):
    """A part with a title that can be folded away, and is at first."""

    def __init__(self, title: str, *parts: QWidget) -> None:
        super().__init__()
        self._title = title
        self.content = QWidget()
        inside = QVBoxLayout(self.content)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        for part in parts:
            inside.addWidget(part)
        self.toggle = QPushButton()
        self.toggle.setObjectName("fold")
        self.toggle.setCheckable(True)
        self.toggle.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.toggle.setToolTip("Show or fold away.")
        self.toggle.toggled.connect(self._show)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.toggle)
        column.addWidget(self.content)
        self._show(False)

    def expand(self) -> None:
        """Show the content."""
        self.toggle.setChecked(True)

    def set_title(self, title: str) -> None:
        """Show another title."""
        self._title = title
        self._show(self.toggle.isChecked())

    def _show(self, shown: bool) -> None:
        self.content.setVisible(shown)
        # text, not an icon: it has the theme's colour
        self.toggle.setText(f"{'▾' if shown else '▸'}  {self._title}")


def quiet_label(text: str = "") -> QLabel:
    """Return a text in small print."""
    label = QLabel(text)
    label.setObjectName("quiet")
    label.setWordWrap(True)
    return label


def row_of(*widgets: QWidget | None) -> QHBoxLayout:
    """Return a row of widgets; None is room that gives."""
    row = QHBoxLayout()
    for widget in widgets:
        if widget is None:
            row.addStretch(1)
        else:
            row.addWidget(widget)
    return row


def fill_keys(table: QWidget, keys: Iterable[tuple[str, str]]) -> None:
    """Show keys and what they mean, a line each."""
    grid = table.layout()
    if not isinstance(grid, QGridLayout):
        grid = QGridLayout(table)
        grid.setContentsMargins(2, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
    while (item := grid.takeAt(0)) is not None:
        if (old := item.widget()) is not None:
            old.hide()
            old.deleteLater()
    for row, (key, meaning) in enumerate(keys):
        cap, words = QLabel(key), QLabel(meaning)
        words.setWordWrap(True)
        cap.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        grid.addWidget(cap, row, 0)
        grid.addWidget(words, row, 1)
