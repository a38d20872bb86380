"""Micrographs with what is kept of each: sorted in numpy, thousands of rows without lag."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QSizePolicy, QTableView, QWidget

from napari_pickeroptimizer.plugin.panels.style import warning_color
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors
from napari_pickeroptimizer.prune.counts import ByMicrograph


@dataclass(frozen=True)
class _Column:
    title: str
    tip: str
    widest: str


COLUMNS = (
    _Column("Micrograph", "Click a row to go there.", "micrograph"),
    _Column("Picks", "All picks of the micrograph.", "00000"),
    _Column("Kept", "Picks that are kept at this threshold.", "00000"),
    _Column("%", "Share of the decided picks that is kept.", "100"),
    _Column("Score", "Mean P(particle) of the scored picks.", "0.00"),
    _Column("Note", "What stands out. Sorted by it, outliers come first.", "unreadable"),
)
# the whole of it is in the tooltip
NOTES = {None: "", "nearly all rejected": "few kept", "nothing rejected": "all kept"}
NAME, PICKS, KEPT, SHARE, SCORE, NOTE = range(6)


class MicrographModel(QAbstractTableModel):
    """The rows of the table; it keeps them in the order that was asked for."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._by: ByMicrograph | None = None
        self._failures: Mapping[str, str] = {}
        self._flags: tuple[str | None, ...] = ()
        self._order = np.zeros(0, dtype=np.intp)
        self._sorted_by = (NOTE, Qt.SortOrder.AscendingOrder)
        self._colors: ThemeColors | None = None

    def set_rows(self, by: ByMicrograph | None, failures: Mapping[str, str]) -> None:
        """Show other micrographs."""
        self.beginResetModel()
        self._by, self._failures = by, failures
        self._flags = () if by is None else by.check().flags
        self._order = np.arange(0 if by is None else len(by.names))
        self._sort()
        self.endResetModel()

    def set_counts(self, by: ByMicrograph) -> None:
        """Show other counts of the same micrographs, their order kept: a drag's step."""
        self._by = by
        last = len(self._order) - 1
        self.dataChanged.emit(self.index(0, KEPT), self.index(last, SHARE))

    def refresh(self, failures: Mapping[str, str]) -> None:
        """Look for outliers anew, and sort by what changed."""
        if self._by is None:
            return
        self._failures, self._flags = failures, self._by.check().flags
        self.sort(*self._sorted_by)

    def set_colors(self, colors: ThemeColors) -> None:
        """Follow napari's theme."""
        self._colors = colors

    def name_at(self, row: int) -> str:
        """Return the micrograph in a row, as the picks spell it."""
        assert self._by is not None  # else there is no row
        return self._by.names[self._order[row]]

    def row_of(self, name: str) -> int | None:
        """Return the row of a micrograph."""
        if self._by is None or name not in self._by.names:
            return None
        return int(np.flatnonzero(self._order == self._by.names.index(name))[0])

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of micrographs."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Any, role: int = 0) -> Any:
        """Return a column's title, or what it is about."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section].title
        return COLUMNS[section].tip if role == Qt.ItemDataRole.ToolTipRole else None

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return what a cell shows."""
        if self._by is None or not index.isValid():
            return None
        i, column = int(self._order[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(i, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(i)
        if role == Qt.ItemDataRole.TextAlignmentRole and PICKS <= column <= SCORE:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ForegroundRole and self._colors is not None:
            return self._color(i, column)
        return None

    def sort(self, column: int, order: Any = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; the rows that are selected stay with their micrographs."""
        self._sorted_by = (column, order)
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        at = [(int(self._order[x.row()]), x.column()) for x in kept]
        self._sort()
        row_of = np.empty(len(self._order), dtype=np.intp)
        row_of[self._order] = np.arange(len(self._order))
        moved = [self.index(int(row_of[i]), c) for i, c in at]
        self.changePersistentIndexList(kept, moved)
        self.layoutChanged.emit()

    def _sort(self) -> None:
        if self._by is None:
            return
        column, direction = self._sorted_by
        n = len(self._by.names)
        share = self._by.share_kept
        if column == NAME:
            order = np.array(sorted(range(n), key=self._by.names.__getitem__), dtype=np.intp)
        elif column == NOTE:
            failed = np.array([name not in self._failures for name in self._by.names])
            flagged = np.array([flag is None for flag in self._flags], dtype=bool)
            usual = np.nanmedian(share) if np.isfinite(share).any() else 0.0
            away = -np.abs(np.nan_to_num(share - usual))
            # unreadable ones last: there is nothing to look at
            order = np.lexsort((away, flagged, ~failed))
        else:
            values = {
                PICKS: self._by.n_picks,
                KEPT: self._by.n_kept,
                SHARE: share,
                SCORE: self._by.mean_score,
            }[column]
            order = np.argsort(values, kind="stable")
        if direction == Qt.SortOrder.DescendingOrder:
            order = order[::-1]
        self._order = order

    def _text(self, i: int, column: int) -> str:
        by = self._by
        assert by is not None
        failed = by.names[i] in self._failures
        if column == NAME:
            return PurePosixPath(by.names[i]).stem  # of long names the ends differ
        if column == PICKS:
            return str(by.n_picks[i])
        if column == NOTE:
            return "unreadable" if failed else NOTES[self._flags[i]]
        share = by.share_kept[i]
        if column == KEPT:
            return "" if np.isnan(share) else str(by.n_kept[i])
        if column == SHARE:
            return "" if np.isnan(share) else f"{share:.0%}".removesuffix("%")
        return "" if np.isnan(by.mean_score[i]) else f"{by.mean_score[i]:.2f}"

    def _tip(self, i: int) -> str:
        assert self._by is not None
        name = self._by.names[i]
        more = self._failures.get(name) or self._flags[i]
        return f"{name}\n{more}" if more else name

    def _color(self, i: int, column: int) -> QColor | None:
        assert self._by is not None
        assert self._colors is not None
        if self._by.names[i] in self._failures:
            grey = QColor(self._colors.text)
            grey.setAlphaF(0.55)
            return grey
        if column == NOTE and self._flags[i]:
            return QColor(warning_color(self._colors))
        return None


class MicrographTable(QTableView):
    """The table itself: a click, or Enter, goes to a micrograph."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = MicrographModel(self)
        self.setModel(self.rows)
        self.setAccessibleName("Micrographs")
        self.setSortingEnabled(True)
        self.sortByColumn(NOTE, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setTextElideMode(Qt.TextElideMode.ElideLeft)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.setAlternatingRowColors(False)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(120)
        metrics = QFontMetrics(self.font())
        rows: Any = self.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(metrics.height() + 8)
        header: Any = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for column in range(PICKS, NOTE + 1):
            texts = (COLUMNS[column].widest, COLUMNS[column].title)
            width = max(metrics.horizontalAdvance(text) for text in texts)
            self.setColumnWidth(column, width + 8)
        self.clicked.connect(self._choose)
        self.activated.connect(self._choose)

    def show_current(self, name: str | None) -> None:
        """Select the micrograph that is seen, and bring it into view."""
        row = None if name is None else self.rows.row_of(name)
        selection: Any = self.selectionModel()
        if row is None:
            self.clearSelection()
        elif self.currentIndex().row() != row or not selection.hasSelection():
            self.setCurrentIndex(self.rows.index(row, NAME))

    def _choose(self, index: QModelIndex) -> None:
        self.chosen.emit(self.rows.name_at(index.row()))
