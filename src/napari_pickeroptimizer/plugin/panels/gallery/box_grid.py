"""Mouse and keys on the boxes, as in a file manager."""

from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, Qt, Signal

from napari_pickeroptimizer.plugin.panels.gallery.box_area import BoxArea
from napari_pickeroptimizer.plugin.panels.gallery.selection import NOTHING, Selection

STEP_KEYS = {
    Qt.Key.Key_Left: "left",
    Qt.Key.Key_Right: "right",
    Qt.Key.Key_Up: "up",
    Qt.Key.Key_Down: "down",
    Qt.Key.Key_PageUp: "page_up",
    Qt.Key.Key_PageDown: "page_down",
    Qt.Key.Key_Home: "home",
    Qt.Key.Key_End: "end",
}


class BoxGrid(BoxArea):
    """Boxes side by side: click, keys and the wheel as in a file manager; see `BoxArea`."""

    visited = Signal(int)
    """A pick was double-clicked, or Enter pressed on it."""
    zoomed = Signal(int)
    """Ctrl and the wheel: by so many steps."""

    _before_click: Selection | None = None
    _pressed_at = NOTHING

    # ------------------------------------------------------------------- mouse

    def mousePressEvent(self, event: Any) -> None:
        """Toggle a pick; with Shift select all up to it; beside the cells select none."""
        if event.button() != Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self._before_click = self.selection
        self._pressed_at = self.position_at(event.position().toPoint())
        if self._pressed_at == NOTHING:
            self.set_selection(self.selection.cleared())
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.set_selection(self.selection.extended(self.display, self._pressed_at))
        else:
            self.set_selection(
                self.selection.toggled(int(self.display.rows[self._pressed_at]))
            )

    def mouseMoveEvent(self, event: Any) -> None:
        """Select all cells between the pressed one and the one under the mouse."""
        position = self.position_at(event.position().toPoint())
        if self._pressed_at == NOTHING or position in (NOTHING, self._pressed_at):
            return
        if not event.buttons() & Qt.MouseButton.LeftButton or self._before_click is None:
            return
        start = self._before_click.moved(int(self.display.rows[self._pressed_at]), keep=True)
        self.set_selection(start.extended(self.display, position))

    def mouseReleaseEvent(self, event: Any) -> None:
        """End a drag."""
        self._pressed_at = NOTHING
        event.accept()

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Select a pick alone, and go to its micrograph."""
        position = self.position_at(event.position().toPoint())
        if position == NOTHING or event.button() != Qt.MouseButton.LeftButton:
            return
        row = int(self.display.rows[position])
        self.set_selection(self.selection.only(row))
        self._pressed_at = NOTHING
        self.visited.emit(row)

    def wheelEvent(self, event: Any) -> None:
        """Scroll, or zoom with Ctrl."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            delta = event.angleDelta().y()
            if delta:
                self.zoomed.emit(1 if delta > 0 else -1)
            event.accept()
            return
        super().wheelEvent(event)

    # ------------------------------------------------------------------- keys

    def event(self, event: Any) -> bool:
        """Keep the keys of the grid from napari's shortcuts while it has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and self._is_ours(event):
            event.accept()
            return True
        return bool(super().event(event))

    @staticmethod
    def _is_ours(event: Any) -> bool:
        key, held = event.key(), event.modifiers()
        if held & Qt.KeyboardModifier.ControlModifier:
            return key == Qt.Key.Key_A or key in STEP_KEYS
        plain = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
        return key in STEP_KEYS or key in plain

    def keyPressEvent(self, event: Any) -> None:
        """Step, select and visit; other keys are the gallery's."""
        if not self._is_ours(event):
            event.ignore()
            return
        key, current = event.key(), self.selection.place
        if key == Qt.Key.Key_A:
            self.set_selection(self.selection.with_all(self.display))
        elif key == Qt.Key.Key_Escape:
            self.set_selection(self.selection.cleared())
        elif key in STEP_KEYS:
            held = event.modifiers()
            extend = bool(held & Qt.KeyboardModifier.ShiftModifier)
            keep = bool(held & Qt.KeyboardModifier.ControlModifier)
            self.step(STEP_KEYS[key], extend=extend, keep=keep)
        elif self.display.at(current) != NOTHING:
            if key == Qt.Key.Key_Space:
                self.set_selection(self.selection.toggled(current))
            else:
                self.set_selection(self.selection.only(current))
                self.visited.emit(current)
        event.accept()

    def step(self, step: str, *, extend: bool = False, keep: bool = False) -> None:
        """Go on with the keyboard: ``left``, ``page_down``, ... as in `Grid.stepped`.

        The selection grows up to there (`extend`), stays (`keep`), or is given up.
        """
        before = self.display.at(self.selection.place)
        position = self.grid.stepped(before, step)
        if position == NOTHING:
            return
        if extend:
            # the range shrinks again on the way back: it is made anew from its anchor
            base = self.selection
            if base.anchor != NOTHING and before != NOTHING:
                base = Selection(np.zeros_like(base.mask), base.current, base.anchor)
            self.set_selection(base.extended(self.display, position))
        else:
            row = int(self.display.rows[position])
            self.set_selection(self.selection.moved(row, keep=keep))
        self.reveal(self.selection.current)
