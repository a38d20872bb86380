"""Buttons, texts, rows and folds that the panels are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, TypeVar

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QAbstractButton,
    QBoxLayout,
    QButtonGroup,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QElidingLabel

from napari_pickeroptimizer.errors import PickerOptimizerError

Button = TypeVar("Button", bound=QAbstractButton)

# ------------------------------------------------------------------------- layouts


def fill(layout: QBoxLayout, *parts: Any, spacing_px: int | None = None) -> QBoxLayout:
    """Put parts into a layout without margins, and return it.

    Parameters
    ----------
    layout : QBoxLayout
        A row or a column.
    *parts : QWidget, QLayout, magicgui widget or None
        None is room that stretches.
    spacing_px : int, optional
        Between the parts, by default the style's.
    """
    layout.setContentsMargins(0, 0, 0, 0)
    if spacing_px is not None:
        layout.setSpacing(spacing_px)
    for part in parts:
        if part is None:
            layout.addStretch(1)
        elif isinstance(part, QLayout):
            layout.addLayout(part)
        else:
            layout.addWidget(part if isinstance(part, QWidget) else part.native)
    return layout


def row_of(*parts: Any, equal: bool = False) -> QBoxLayout:
    """Return parts side by side (see `fill`), of equal width if `equal`."""
    row = fill(QHBoxLayout(), *parts, spacing_px=6)
    for i in range(len(parts) if equal else 0):
        row.setStretch(i, 1)
    return row


def column_of(*parts: Any, spacing_px: int | None = None) -> QWidget:
    """Return a widget of parts below each other (see `fill`)."""
    column = QWidget()
    fill(QVBoxLayout(column), *parts, spacing_px=spacing_px)
    return column


def clear_layout(layout: QLayout) -> None:
    """Take all widgets out of a layout, for good."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()


# --------------------------------------------------------------------------- texts


class Note(QLabel):
    """A text that breaks lines instead of widening the panel, and is hidden while empty.

    Parameters
    ----------
    name : str
        How it is set: ``quiet`` for small print, ``warning``, or as a plain text.
    text : str
        Initial text.
    """

    def __init__(self, name: str = "", text: str = "") -> None:
        super().__init__(text)
        self.setObjectName(name)
        self.setWordWrap(True)
        # else Qt guesses a narrow column for long texts and leaves the panel's width unused
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def say(self, text: str) -> None:
        """Show another text."""
        self.setText(text)
        self.setVisible(bool(text))

    def attempt(self, action: Callable[[], Any], prefix: str = "") -> bool:
        """Run an action and show its error; return whether it succeeded."""
        try:
            action()
        except (OSError, PickerOptimizerError) as error:
            self.say(f"{prefix}{error}")
            return False
        return True


def shows_errors(method: Callable[..., Any]) -> Callable[..., None]:
    """Let `attempt` of a method's object run it, so that its error is shown."""

    @wraps(method)
    def shown(self: Any, *args: Any) -> None:
        self.attempt(partial(method, self, *args))

    return shown


class ElidedLabel(QElidingLabel):
    """A line that leaves out its middle where there is no room; the tooltip has all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.setElideMode(Qt.TextElideMode.ElideMiddle)
        self.setEllipsesWidth(10)  # napari's style indents labels
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, text: str, tooltip: str = "") -> None:
        """Show another text."""
        self.setText(text)
        self.setToolTip(tooltip or text)


class TextTable(QWidget):
    """Rows of short texts, of which the last column takes the room; hidden without rows.

    Parameters
    ----------
    *columns : str
        How each column is set, as in `Note`; a ``number`` is at the right.
    gap_px : int
        Between columns.
    """

    def __init__(self, *columns: str, gap_px: int) -> None:
        super().__init__()
        self._columns, self._labels = columns, list[QLabel]()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(gap_px)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(len(columns) - 1, 1)

    @property
    def text(self) -> str:
        """All that is shown, in a line."""
        return " ".join(str(label.text()) for label in self._labels if label.text())

    def show_rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Show other rows."""
        texts = [text for row in rows for text in row]
        while len(self._labels) < len(texts):
            self._add_label()
        for i, label in enumerate(self._labels):
            label.setText(texts[i] if i < len(texts) else "")
            label.setVisible(i < len(texts))
        self.setVisible(bool(texts))

    def _add_label(self) -> None:
        row, column = divmod(len(self._labels), len(self._columns))
        label, name = QLabel(), self._columns[column]
        label.setObjectName(name)
        label.setWordWrap(column == len(self._columns) - 1)
        sides = Qt.AlignmentFlag
        side = sides.AlignRight if name == "number" else sides.AlignLeft
        label.setAlignment(side | sides.AlignTop)
        self._grid.addWidget(label, row, column)
        self._labels.append(label)


# ------------------------------------------------------------------------- buttons


def button(
    text: str, tooltip: str, action: Callable[[], Any] | None = None, name: str = ""
) -> QPushButton:
    """Return a button; a click leaves the focus, and with it the keys, where it was."""
    return _prepared(QPushButton(text), tooltip, action, name)


def arrow(text: str, tooltip: str, action: Callable[[], Any]) -> QToolButton:
    """Return a square button with a sign on it."""
    made = _prepared(QToolButton(), tooltip, action)
    made.setText(text)
    made.setFixedSize(28, 28)
    return made


def _prepared(
    made: Button, tooltip: str, action: Callable[[], Any] | None, name: str = ""
) -> Button:
    made.setToolTip(tooltip)
    made.setObjectName(name)
    made.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if action is not None:
        made.clicked.connect(lambda *_: action())
    return made


class Switch(QWidget):
    """A few buttons of which one is down.

    Parameters
    ----------
    choices : mapping of str to (str, str)
        Text and tooltip by key; the first is down at first.
    chosen : callable
        Called with the key of the button that was clicked.
    """

    def __init__(
        self, choices: Mapping[str, tuple[str, str]], chosen: Callable[[str], None]
    ) -> None:
        super().__init__()
        group = QButtonGroup(self)
        self._buttons: dict[str, QPushButton] = {}
        for key, (text, tip) in choices.items():
            made = button(text, tip, partial(chosen, key), "switch")
            made.setCheckable(True)
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            group.addButton(made)
            self._buttons[key] = made
        fill(QHBoxLayout(self), *self._buttons.values(), spacing_px=2)
        self.choose(next(iter(choices)))

    def choose(self, key: str) -> None:
        """Put a button down, without doing what it does."""
        self._buttons[key].setChecked(True)

    def press(self, key: str) -> None:
        """Do what a click on a button does."""
        self._buttons[key].click()


class Fold(QWidget):
    """A part with a title that can be folded away, and is at first."""

    def __init__(self, title: str, *parts: Any) -> None:
        super().__init__()
        self._title = title
        self.content = column_of(*parts, spacing_px=4)
        self.toggle = button("", "Show or fold away.", name="fold")
        self.toggle.setCheckable(True)
        self.toggle.toggled.connect(self._show)
        fill(QVBoxLayout(self), self.toggle, self.content, spacing_px=4)
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


def single_shot(parent: QWidget, action: Callable[[], Any], ms: int = 0) -> QTimer:
    """Return a timer that fires once whenever it is started, and ends with its parent."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(ms)
    timer.timeout.connect(action)
    return timer
