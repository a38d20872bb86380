"""Grid of boxes of which only the visible ones are made, however many picks there are."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QFont, QHelpEvent, QPainter
from qtpy.QtWidgets import QAbstractScrollArea, QSizePolicy, QToolTip, QWidget

from napari_pickeroptimizer.plugin.panels.controls import single_shot
from napari_pickeroptimizer.plugin.panels.gallery.box_painter import MARGIN_PX, BoxPainter
from napari_pickeroptimizer.plugin.panels.gallery.order import CellLook
from napari_pickeroptimizer.plugin.panels.gallery.selection import (
    NOTHING,
    Display,
    Grid,
    Selection,
)
from napari_pickeroptimizer.plugin.panels.gallery.thumbnail_loader import ThumbnailLoader
from napari_pickeroptimizer.plugin.panels.signals import when_destroyed
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors

MIN_BOX_PX, MAX_BOX_PX = 40, 320
POLL_MS = 30  # how often finished thumbnails are collected
SETTLE_MS = 40  # how long the view is at rest before thumbnails are requested


class BoxArea(QAbstractScrollArea):
    """Boxes side by side, to be scrolled through; `BoxGrid` takes the mouse and keys.

    Parameters
    ----------
    loader : ThumbnailLoader
        Where thumbnails come from.
    looks : callable
        Rows to their `CellLook`, for the cells that are being painted.
    tip : callable
        Row to the text of its tooltip.
    parent : QWidget, optional
        As in Qt.
    """

    selection_changed = Signal()

    def __init__(
        self,
        loader: ThumbnailLoader,
        looks: Callable[[Any], list[CellLook]],
        tip: Callable[[int], str],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.loader, self._looks, self._tip = loader, looks, tip
        # Any: Qt's types say that they may be missing
        self._port: Any = self.viewport()
        self._bar: Any = self.verticalScrollBar()
        self.display = Display(np.empty(0, np.intp), np.empty(0, np.int32))
        self.selection = Selection.none(0)
        self.message = ""
        self.box_px = 96
        self._painter = BoxPainter()
        self._poll = QTimer(self)
        self._poll.setInterval(POLL_MS)
        self._poll.timeout.connect(self._collect)
        self._settle = single_shot(self, self.ask, SETTLE_MS)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setAccessibleName("Boxes around the picks")
        when_destroyed(self, loader.close)

    # ------------------------------------------------------------------- contents

    def set_theme(self, theme: ThemeColors) -> None:
        """Paint in the colours of a theme."""
        self._painter.set_theme(theme)
        self._port.update()

    def set_display(self, display: Display, *, keep_place: bool = False) -> None:
        """Show picks in an order; with `keep_place` the current pick stays in sight."""
        self.display = display
        self.selection = self.selection.resized(len(display.position)).within(display)
        self._fit()
        if not keep_place:
            self._bar.setValue(0)
        elif self.selection.current != NOTHING:
            self.reveal(self.selection.current)
        self._changed_view()

    def set_box_px(self, box_px: int) -> None:
        """Make boxes larger or smaller; the current one, or the first, goes to the middle."""
        current = self.display.at(self.selection.current)
        middle = current if current in self.seen else self.seen.start
        self.box_px = box_px
        self._fit()
        if len(self.display):
            _, y = self.grid.corner(min(middle, len(self.display) - 1))
            height = self._port.height()
            self._bar.setValue(y - max(0, height - self.grid.cell_px) // 2)
        self._changed_view()

    def set_message(self, text: str) -> None:
        """Show why there are no boxes."""
        self.message = text
        self._port.update()

    def set_selection(self, selection: Selection) -> None:
        """Select other picks; only visible cells that change are repainted."""
        before, self.selection = self.selection, selection
        rows = self._seen_rows
        changed = before.mask[rows] != selection.mask[rows]
        changed |= (rows == before.current) | (rows == selection.current)
        self.update_rows(rows[changed])
        self.selection_changed.emit()

    @property
    def grid(self) -> Grid:
        """Where the cells are."""
        size = self._port.size()
        cell_px = self.box_px + 2 * MARGIN_PX
        return Grid(len(self.display), size.width(), size.height(), cell_px)

    @property
    def seen(self) -> range:
        """Positions of the cells that are visible, at least in part."""
        grid, top = self.grid, self._top
        return grid.within(top, top + max(0, grid.height_px - 1))

    @property
    def _seen_rows(self) -> NDArray[np.intp]:
        return self.display.rows[self.seen.start : self.seen.stop]

    def cell_rect(self, position: int) -> QRect:
        """Return where a cell is in the viewport."""
        grid = self.grid
        x, y = grid.corner(position)
        return QRect(x, y - self._top, grid.cell_px, grid.cell_px)

    def position_at(self, point: QPoint) -> int:
        """Return the position of the cell under a point of the viewport, -1 for none."""
        return self.grid.at(point.x(), point.y() + self._top)

    def reveal(self, row: int) -> bool:
        """Scroll as little as needed to show a pick; return whether it is among the displayed."""
        position = self.display.at(row)
        if position == NOTHING:
            return False
        rect, bar = self.cell_rect(position), self._bar
        height = self._port.height()
        if rect.top() < 0 or rect.height() > height:
            bar.setValue(bar.value() + rect.top())
        elif rect.bottom() >= height:
            bar.setValue(bar.value() + rect.bottom() - height + 1)
        return True

    def update_rows(self, rows: Any) -> None:
        """Repaint picks that are visible."""
        for i in np.flatnonzero(np.isin(self._seen_rows, rows)):
            self._port.update(self.cell_rect(self.seen.start + int(i)))

    # ------------------------------------------------------------------- thumbnails

    @property
    def thumbnail_side(self) -> int:
        """Pixels of the screen along a box: thumbnails are made to be drawn one to one."""
        return max(1, round(self.box_px * self.devicePixelRatioF()))

    def ask(self) -> None:
        """Request the visible thumbnails, and a page around them."""
        if not self.isVisible():  # closed, or behind another tab
            return
        seen, page = self.seen, self.grid.page
        rows = self.display.rows
        after = rows[seen.stop : seen.stop + page]
        before = rows[max(0, seen.start - page // 2) : seen.start]
        self.loader.want(self._seen_rows.tolist(), [*after.tolist(), *before.tolist()])
        if self.loader.busy:
            self._poll.start()

    def _collect(self) -> None:
        self.update_rows(self.loader.take())
        if not self.loader.busy:
            self._poll.stop()

    # ------------------------------------------------------------------- view

    @property
    def _top(self) -> int:
        return int(self._bar.value())

    def _fit(self) -> None:
        grid, bar = self.grid, self._bar
        bar.setRange(0, max(0, grid.total_height_px - grid.height_px))
        bar.setPageStep(max(1, grid.height_px))
        bar.setSingleStep(max(1, grid.cell_px // 3))

    def _changed_view(self) -> None:
        self._port.update()
        self._settle.start()

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        """Move what is painted, so that only what comes into sight is painted anew."""
        self._port.scroll(dx, dy)
        if not self._settle.isActive():  # not started anew: a long scroll shows boxes as well
            self._settle.start()

    def resizeEvent(self, event: Any) -> None:
        """Arrange the cells for another width."""
        super().resizeEvent(event)
        old = event.oldSize()
        self._fit()
        before = replace(self.grid, width_px=old.width())
        if old.width() > 0 and before.columns != self.grid.columns and len(self.display):
            first = self._top // self.grid.cell_px * before.columns
            _, y = self.grid.corner(min(first, len(self.display) - 1))
            self._bar.setValue(y)
        self._changed_view()

    def showEvent(self, event: Any) -> None:
        """Ask for the boxes that were not cut while the gallery was hidden."""
        super().showEvent(event)
        self._settle.start()

    def sizeHint(self) -> QSize:
        """Ask for some columns and two rows."""
        return QSize(360, 240)

    def minimumSizeHint(self) -> QSize:
        """Fit into a narrow or a low dock."""
        return QSize(MIN_BOX_PX + 40, MIN_BOX_PX + 2 * MARGIN_PX)

    def paintEvent(self, event: Any) -> None:
        """Paint the cells in the exposed part."""
        painter = QPainter(self._port)
        try:
            painter.fillRect(event.rect(), self._painter.background)
            if not len(self.display):
                self._painter.message(painter, self._port.rect(), self.message)
                return
            top, rect = self._top, event.rect()
            positions = self.grid.within(top + rect.top(), top + rect.bottom())
            self._paint_cells(painter, positions)
        finally:
            painter.end()

    def _paint_cells(self, painter: QPainter, positions: range) -> None:
        rows = self.display.rows[positions.start : positions.stop]
        selected = self.selection.mask[rows]
        font = QFont(self.font())
        font.setPixelSize(min(13, max(9, self.box_px // 8)))
        painter.setFont(font)
        looks = self._looks(rows)
        for position, row, look, chosen in zip(positions, rows, looks, selected, strict=True):
            self._painter.cell(
                painter,
                QRectF(self.cell_rect(position)),
                look,
                self.loader.get(int(row)),
                selected=bool(chosen),
                current=int(row) == self.selection.current,
                focused=self.hasFocus(),
            )

    def viewportEvent(self, event: Any) -> bool:
        """Show the tooltip of the cell under the mouse."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            position = self.position_at(event.pos())
            if position == NOTHING:
                QToolTip.hideText()
            else:
                text = self._tip(int(self.display.rows[position]))
                QToolTip.showText(
                    event.globalPos(), text, self._port, self.cell_rect(position)
                )
            return True
        return bool(super().viewportEvent(event))

    def focusInEvent(self, event: Any) -> None:
        """Show which cell the keys mean."""
        super().focusInEvent(event)
        self._port.update()

    def focusOutEvent(self, event: Any) -> None:
        """Show that keys go elsewhere."""
        super().focusOutEvent(event)
        with suppress(RuntimeError):  # the window is being taken down
            self._port.update()
