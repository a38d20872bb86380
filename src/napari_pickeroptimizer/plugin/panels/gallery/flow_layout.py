"""A layout whose parts go on in the next row where the panel is too narrow."""

from typing import Any

from qtpy.QtCore import QPoint, QRect, QSize, Qt
from qtpy.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Parts from left to right, in as many rows as they need.

    Parts that `keep_together` names go on in the next row together, where that helps.

    Parameters
    ----------
    parent : QWidget, optional
        As in Qt.
    spacing_px : int
        Between parts, and between rows.
    """

    def __init__(self, parent: QWidget | None = None, spacing_px: int = 5) -> None:
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._gap = spacing_px
        self._together: list[QWidget] = []

    def addItem(self, item: Any) -> None:
        """Take a part; see Qt."""
        self._items.append(item)

    def keep_together(self, widgets: list[QWidget]) -> None:
        """Let some parts begin a new row rather than be torn apart."""
        self._together = widgets
        self.invalidate()

    def count(self) -> int:
        """Return the number of parts."""
        return len(self._items)

    def itemAt(self, index: int) -> Any:
        """Return a part, None where there is none."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> Any:
        """Remove a part."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Any:
        """Return that no more height is wanted than needed."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return that narrow panels need more rows."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the rows."""
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def setGeometry(self, rect: QRect) -> None:
        """Put the parts into their places."""
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def sizeHint(self) -> QSize:
        """Return the least size."""
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        """Return the size of the widest part."""
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        margins = self.contentsMargins()
        inner = rect.adjusted(margins.left(), margins.top(), -margins.right(), 0)
        rows: list[list[tuple[QLayoutItem, QSize]]] = [[]]
        x = 0
        for item in self._items:
            if item.isEmpty():  # hidden
                continue
            hint = item.sizeHint()
            size = QSize(min(hint.width(), max(1, inner.width())), hint.height())
            needed = size.width()
            if self._together and item.widget() is self._together[0]:
                whole = sum(w.sizeHint().width() + self._gap for w in self._together)
                whole -= self._gap
                needed = whole if whole <= inner.width() else needed
            if rows[-1] and x + needed > inner.width():
                rows.append([])
                x = 0
            rows[-1].append((item, size))
            x += size.width() + self._gap
        y = inner.top()
        for row in filter(None, rows):
            height = max(size.height() for _, size in row)
            x = inner.left()
            for item, size in row if move else ():
                item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self._gap
            y += height + self._gap
        return y - self._gap + margins.bottom() - rect.top()
