"""The table of micrographs: a click, or Enter, goes to one."""

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView, QWidget

from napari_pickeroptimizer.plugin.panels.decide.micrograph_rows import (
    COLUMNS,
    KEPT,
    NAME,
    NOTE,
    PICKS,
    SCORE,
    SHARE,
    MicrographRows,
)
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors
from napari_pickeroptimizer.prune.counts import ByMicrograph

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class MicrographTableModel(QAbstractTableModel):
    """Qt model of `MicrographRows`."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = MicrographRows()
        self.colors = ThemeColors()

    def set_micrographs(self, by: ByMicrograph | None, failures: Mapping[str, str]) -> None:
        """Show other micrographs."""
        self.beginResetModel()
        self.rows.set_micrographs(by, failures)
        self.endResetModel()

    def set_counts(self, by: ByMicrograph) -> None:
        """Show other counts of the same micrographs, their order kept: a drag's step."""
        self.rows.set_counts(by)
        last = len(self.rows) - 1
        self.dataChanged.emit(self.index(0, KEPT), self.index(last, SHARE))

    def check_again(self, failures: Mapping[str, str]) -> None:
        """Flag outliers again, and sort."""
        self._rearrange(lambda: self.rows.check_again(failures))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of micrographs."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return a column's title or tooltip."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        return COLUMNS[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return the content of a cell."""
        if not index.isValid():
            return None
        row, column = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.rows.text(row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self.rows.tip(row)
        if role == Qt.ItemDataRole.TextAlignmentRole and PICKS <= column <= SCORE:
            return RIGHT
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._color(row, column)
        return None

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; the rows that are selected stay with their micrographs."""
        descending = order == Qt.SortOrder.DescendingOrder
        self._rearrange(lambda: self.rows.sort(column, descending=descending))

    def _rearrange(self, action: Any) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        names = [self.rows.name_at(index.row()) for index in before]
        action()
        after = [
            self.index(self.rows.row_of(name) or 0, index.column())
            for name, index in zip(names, before, strict=True)
        ]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()

    def _color(self, row: int, column: int) -> QColor | None:
        if self.rows.is_unreadable(row):
            grey = QColor(self.colors.text)
            grey.setAlphaF(0.55)
            return grey
        if column == NOTE and self.rows.stands_out(row):
            return QColor(self.colors.warning_text)
        return None


class MicrographTable(QTableView):
    """The table itself."""

    chosen = Signal(str)
    """Emitted with the micrograph that was clicked."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.micrographs = MicrographTableModel(self)
        self.setModel(self.micrographs)
        self.setAccessibleName("Micrographs")
        self.setSortingEnabled(True)
        self.sortByColumn(NOTE, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        metrics = QFontMetrics(self.font())
        vertical: Any = self.verticalHeader()  # Any: Qt's types say that it may be missing
        vertical.hide()
        vertical.setDefaultSectionSize(metrics.height() + 8)
        header: Any = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in range(PICKS, NOTE + 1):
            texts = (COLUMNS[column].widest, COLUMNS[column].title)
            width = max(metrics.horizontalAdvance(text) for text in texts)
            self.setColumnWidth(column, width + 8)
        self.micrographs.modelReset.connect(self._show_notes)
        self.micrographs.layoutChanged.connect(self._show_notes)
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)

    def show_current(self, name: str | None) -> None:
        """Select the micrograph on the screen, and bring it into view."""
        row = None if name is None else self.micrographs.rows.row_of(name)
        selection: Any = self.selectionModel()
        if row is None:
            self.clearSelection()
        elif self.currentIndex().row() != row or not selection.hasSelection():
            self.setCurrentIndex(self.micrographs.index(row, NAME))

    def _show_notes(self, *_: object) -> None:
        """Leave the room of notes to the names while there are none."""
        self.setColumnHidden(NOTE, not self.micrographs.rows.has_notes)

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self.micrographs.rows.name_at(index.row()))
