"""The gallery's controls: order, filter, size, contrast, and a button for each class."""

from enum import StrEnum
from typing import Any

from qtpy.QtCore import QPoint, QRect, QSize, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QSizePolicy,
    QSlider,
    QWidget,
)
from superqt.utils import QFlowLayout

from napari_pickeroptimizer.plugin.labels.vocabulary import ClassStyle, Vocabulary
from napari_pickeroptimizer.plugin.panels.controls import button, fill
from napari_pickeroptimizer.plugin.panels.gallery.box_area import MAX_BOX_PX, MIN_BOX_PX
from napari_pickeroptimizer.plugin.panels.gallery.model import count_text
from napari_pickeroptimizer.plugin.panels.gallery.order import SORT_HELP, Show, Sort
from napari_pickeroptimizer.plugin.panels.symbols import class_icon
from napari_pickeroptimizer.plugin.preferences import preferences

ZOOM_STEP_PX = 16
MANY_SELECTED = 999
GAP_PX = 5  # between the controls, and between their rows


class GalleryTools(QWidget):
    """A toolbar that takes as many rows as the panel is narrow."""

    labelled = Signal(int)
    """The button of a class was pressed; 0 for the one that clears."""

    def __init__(self) -> None:
        super().__init__()
        self.sort_box = _choice(Sort, "Order of the picks.")
        for i, sort in enumerate(Sort):
            self.sort_box.setItemData(i, SORT_HELP[sort], Qt.ItemDataRole.ToolTipRole)
        self.show_box = _choice(Show, "Which picks are shown.")
        self.resort = button(
            "Re-sort", "Sort and filter anew, by labels and scores as they are now (F5)."
        )
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(MIN_BOX_PX, MAX_BOX_PX)
        self.size_slider.setPageStep(ZOOM_STEP_PX)
        self.size_slider.setValue(preferences().gallery_box_px)
        self.size_slider.setFixedWidth(76)
        self.size_slider.setToolTip("Size of the boxes on the screen (Ctrl and the wheel).")
        self.size_slider.setAccessibleName("Size of the boxes")
        self.contrast_box = QCheckBox("Contrast by box")
        self.contrast_box.setToolTip(
            "On: each box from its own black to its own white, so that faint particles stand "
            "out. Off: by micrograph, so that carbon and thick ice look as they are."
        )
        self.counts = QLabel()
        self.counts.setToolTip("Picks that are shown, of all; and those selected.")
        self.class_buttons: dict[int, QPushButton] = {}
        self._flow = FlowLayout(self)
        for part in (
            _labelled("Sort", self.sort_box),
            self.resort,
            _labelled("Show", self.show_box),
            _labelled("Size", self.size_slider),
            self.contrast_box,
            self.counts,
        ):
            self._flow.addWidget(part)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def choice(self) -> tuple[Sort, Show]:
        """Order and filter that are chosen."""
        return Sort(self.sort_box.currentText()), Show(self.show_box.currentText())

    def set_choice(self, sort: Sort, show: Show) -> None:
        """Choose an order and a filter."""
        self.sort_box.setCurrentText(sort)
        self.show_box.setCurrentText(show)

    def show_counts(self, n_shown: int, n_all: int, n_selected: int) -> None:
        """Tell how many picks are shown and selected; room is kept for the latter.

        Otherwise the toolbar would need another row when a pick is selected, and move the
        boxes away from under the mouse.
        """
        widest = count_text(n_shown, n_all, min(n_all, MANY_SELECTED)) if n_all else ""
        self.counts.setMinimumWidth(self.counts.fontMetrics().horizontalAdvance(widest))
        self.counts.setText(count_text(n_shown, n_all, n_selected) if n_all else "")

    def show_classes(self, vocabulary: Vocabulary) -> None:
        """Offer the classes that there are."""
        for old in self.class_buttons.values():
            self._flow.removeWidget(old)
            old.hide()
            old.deleteLater()
        styles = (*vocabulary.classes, vocabulary.style(0))
        self.class_buttons = {style.class_id: self._class_button(style) for style in styles}
        for made in self.class_buttons.values():
            self._flow.addWidget(made)
        self._flow.keep_together(list(self.class_buttons.values()))

    def _class_button(self, style: ClassStyle) -> QPushButton:
        text = f"{style.name if style.class_id else 'clear'} {style.key}"
        made = button(text, style.label_tip, lambda: self.labelled.emit(style.class_id))
        if style.class_id:
            made.setIcon(class_icon(style, self.devicePixelRatioF(), filled=True))
            made.setIconSize(QSize(12, 12))
        # a bit narrower than usual: four of them fit into a panel at the side
        made.setStyleSheet("QPushButton { padding: 3px 2px; }")
        return made


def _choice(kinds: type[StrEnum], tip: str) -> QComboBox:
    box = QComboBox()
    box.addItems([kind.value for kind in kinds])
    box.setToolTip(tip)
    box.setAccessibleName(tip.rstrip("."))
    return box


def _labelled(text: str, widget: QWidget) -> QWidget:
    both = QWidget()
    label = QLabel(text)
    label.setBuddy(widget)
    label.setToolTip(widget.toolTip())
    fill(QHBoxLayout(both), label, widget, spacing_px=4)
    return both


class FlowLayout(QFlowLayout):
    """Parts from left to right, in as many rows as they need, each row centred in its height.

    Parts that `keep_together` names go on in the next row together, where that helps.

    Parameters
    ----------
    parent : QWidget
        As in Qt.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setContentsMargins(0, 0, 0, 0)
        self._together: list[QWidget] = []

    def keep_together(self, widgets: list[QWidget]) -> None:
        """Let some parts begin a new row rather than be torn apart."""
        self._together = widgets
        self.invalidate()

    def expandingDirections(self) -> Any:
        """Return that no more height is wanted than needed."""
        return Qt.Orientation(0)

    def heightForWidth(self, width: int) -> int:
        """Return the height of the rows."""
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Put the parts into their places."""
        QLayout.setGeometry(self, rect)
        self._arrange(rect, move=True)

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        rows: list[list[tuple[QLayoutItem, QSize]]] = [[]]
        x = 0
        items: list[Any] = [self.itemAt(i) for i in range(self.count())]
        for item in items:
            if item.isEmpty():  # hidden
                continue
            hint = item.sizeHint()
            size = QSize(min(hint.width(), max(1, rect.width())), hint.height())
            needed = size.width()
            if self._together and item.widget() is self._together[0]:
                whole = sum(w.sizeHint().width() + GAP_PX for w in self._together) - GAP_PX
                needed = whole if whole <= rect.width() else needed
            if rows[-1] and x + needed > rect.width():
                rows.append([])
                x = 0
            rows[-1].append((item, size))
            x += size.width() + GAP_PX
        y = rect.top()
        for row in filter(None, rows):
            height = max(size.height() for _, size in row)
            x = rect.left()
            for item, size in row if move else ():
                item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + GAP_PX
            y += height + GAP_PX
        return y - GAP_PX - rect.top()
