"""The table of classes: colour and symbol, name, labels so far, key."""

from collections.abc import Callable, Mapping
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import (
    QColorDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
    QWidgetAction,
)

from napari_pickeroptimizer.classes import MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin.labels.vocabulary import STYLES, ClassStyle, Vocabulary
from napari_pickeroptimizer.plugin.panels.controls import button, clear_layout, fill
from napari_pickeroptimizer.plugin.panels.label.model import add_class_tip, without_class
from napari_pickeroptimizer.plugin.panels.symbols import ICON_PX, class_icon

# Distinguishable with all common kinds of colour vision, and bright enough on a grey micrograph.
SWATCHES = {
    "blue": "#1E9BFF",
    "sky blue": "#7FD0FF",
    "green": "#00B584",
    "yellow": "#F0E442",
    "orange": "#FF9500",
    "vermilion": "#E05A2B",
    "pink": "#F06BD0",
    "white": "#FFFFFF",
}
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignCenter
HEADERS = (("", LEFT), ("Class", LEFT), ("Labels", RIGHT), ("Key", CENTRE))


class ClassTable(QWidget):
    """A row for each class; a click on a name labels the selected picks.

    Parameters
    ----------
    vocabulary : Vocabulary
        The classes to show.
    """

    label_requested = Signal(int)
    """Emitted with the class id whose name was clicked."""
    vocabulary_edited = Signal(object)
    """Emitted with the vocabulary after a class was added, renamed, recoloured, removed."""
    refused = Signal(str)
    """Emitted with the reason why such a change cannot be made."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._vocabulary, self._unlabelled = vocabulary, STYLES[UNLABELLED]
        self._counts: Mapping[int, int] = {}
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self.names: dict[int, QPushButton] = {}
        self.counts: dict[int, QLabel] = {}
        self.editor: QLineEdit | None = None
        self.add = button("Add class", "", self._add)  # the panel puts it where there is room
        self._fill()

    def show_vocabulary(
        self, vocabulary: Vocabulary, unlabelled: ClassStyle = STYLES[UNLABELLED]
    ) -> None:
        """Show other classes, or picks without a label in another style."""
        if (vocabulary, unlabelled) != (self._vocabulary, self._unlabelled):
            self._vocabulary, self._unlabelled = vocabulary, unlabelled
            self._fill()

    def show_counts(self, counts: Mapping[int, int]) -> None:
        """Show how many labels there are of each class, 0 for picks without a label."""
        self._counts = counts
        for class_id, label in self.counts.items():
            label.setText(f"{counts.get(class_id, 0):,}")

    def rename(self, class_id: int) -> None:
        """Let the user type another name of a class, in its place."""
        self._close_editor()
        name = self.names[class_id]
        editor = QLineEdit(self._vocabulary.name(class_id))
        editor.setToolTip("Enter: rename the class. Escape: leave it.")
        self._grid.replaceWidget(name, editor)
        name.hide()
        editor.editingFinished.connect(lambda: self._take_name(class_id))
        self.editor = editor
        editor.selectAll()
        editor.setFocus()

    def recolour(self, class_id: int, color: str) -> None:
        """Draw a class in another colour."""
        self._change(lambda v: v.recoloured(class_id, color))

    def keyPressEvent(self, event: Any) -> None:
        """Escape leaves a name as it is."""
        if event.key() == Qt.Key.Key_Escape and self.editor is not None:
            self._close_editor()
            return
        super().keyPressEvent(event)

    def _fill(self) -> None:
        self._close_editor()
        clear_layout(self._grid)
        self.names, self.counts = {}, {}
        for column, (text, side) in enumerate(HEADERS):
            header = QLabel(text)
            header.setAlignment(side)
            header.setObjectName("quiet")
            self._grid.addWidget(header, 0, column)
        for row, style in enumerate((*self._vocabulary, self._unlabelled), start=1):
            self._add_row(row, style)
        self.add.setEnabled(len(self._vocabulary.classes) < MAX_CLASS)
        self.add.setToolTip(add_class_tip(self._vocabulary))
        self.show_counts(self._counts)

    def _add_row(self, row: int, style: ClassStyle) -> None:
        class_id = style.class_id
        swatch = self._swatch(style)
        swatch.setObjectName("swatch")
        name = button(
            style.name,
            style.label_tip,
            lambda: self.label_requested.emit(class_id),
            "class_name",
        )
        name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        count = QLabel()
        count.setAlignment(RIGHT)
        count.setToolTip(
            f"Picks labelled {style.name}." if class_id else "Picks without a label."
        )
        key = QLabel(style.key)
        key.setObjectName("keycap")
        key.setAlignment(CENTRE)
        key.setToolTip(f"Press {style.key} on a pick.")
        for column, widget in enumerate((swatch, name, count, key)):
            self._grid.addWidget(widget, row, column)
        self.names[class_id], self.counts[class_id] = name, count
        if class_id:
            menu = self._menu(style, swatch)
            swatch.setMenu(menu)
            swatch.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
            swatch.setToolTip(f"Change the colour or the name of {style.name}.")
            name.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            name.customContextMenuRequested.connect(
                lambda at, m=menu, n=name: m.popup(n.mapToGlobal(at))
            )
        else:
            swatch.setEnabled(False)

    def _swatch(
        self, style: ClassStyle, *, color: str = "", filled: bool = False
    ) -> QToolButton:
        swatch = QToolButton()
        ratio = self.devicePixelRatioF()
        swatch.setIcon(class_icon(style, ratio, color=color, filled=filled))
        swatch.setIconSize(QSize(ICON_PX, ICON_PX))
        swatch.setAutoRaise(True)
        swatch.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return swatch

    def _menu(self, style: ClassStyle, parent: QWidget) -> QMenu:
        class_id = style.class_id
        menu = QMenu(parent)
        colors = QWidget()
        row = fill(QHBoxLayout(colors), spacing_px=2)
        row.setContentsMargins(8, 4, 8, 4)
        for name, color in SWATCHES.items():
            swatch = self._swatch(style, color=color, filled=color == style.color)
            swatch.setToolTip(name)
            swatch.clicked.connect(menu.close)
            swatch.clicked.connect(lambda _=False, c=color: self.recolour(class_id, c))
            row.addWidget(swatch)
        action = QWidgetAction(menu)
        action.setDefaultWidget(colors)
        menu.addAction(action)
        menu.addAction("Other colour...", lambda: self._choose_color(class_id))
        menu.addSeparator()
        if class_id != PARTICLE:
            menu.addAction("Rename...", lambda: self.rename(class_id))
            menu.addAction("Remove", lambda: self._remove(class_id))
        return menu

    def _choose_color(self, class_id: int) -> None:
        style = self._vocabulary.style(class_id)
        color = QColorDialog.getColor(QColor(style.color), self, f"Colour of {style.name}")
        if color.isValid():
            self.recolour(class_id, color.name())

    def _add(self) -> None:
        before = set(self._vocabulary.names())
        self._change(lambda v: v.added())
        new = set(self._vocabulary.names()) - before
        if new:
            self.rename(new.pop())

    def _remove(self, class_id: int) -> None:
        self._change(lambda v: without_class(v, class_id, self._counts))

    def _take_name(self, class_id: int) -> None:
        editor = self.editor
        if editor is None:
            return
        name = editor.text()
        self._close_editor()
        if name.strip() and name != self._vocabulary.name(class_id):
            self._change(lambda v: v.renamed(class_id, name))

    def _close_editor(self) -> None:
        editor, self.editor = self.editor, None
        if editor is None:
            return
        for name in self.names.values():
            if name.isHidden():
                self._grid.replaceWidget(editor, name)
                name.show()
        editor.hide()
        editor.deleteLater()

    def _change(self, change: Callable[[Vocabulary], Vocabulary]) -> None:
        try:
            vocabulary = change(self._vocabulary)
        except PickerOptimizerError as error:
            self.refused.emit(str(error))
            return
        self.show_vocabulary(vocabulary, self._unlabelled)
        self.vocabulary_edited.emit(vocabulary)
