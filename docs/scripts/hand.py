"""Mouse and keyboard of a napari window, as real Qt events: no function of ours is called.

What a script does with it, a user could do. Used by the recorded walk and its test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QTabBar, QWidget

NO_KEYS = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


class Hand:
    """Moves, clicks, drags and types.

    Parameters
    ----------
    viewer : napari.Viewer
        A viewer with a window.
    on_move : callable, optional
        Called after every visible step, for a recording.
    pause : float
        Seconds that Qt gets after every step.
    """

    def __init__(
        self,
        viewer: Any,
        on_move: Callable[[], None] | None = None,
        pause: float = 0.05,
    ) -> None:
        self.viewer = viewer
        self.pause = pause
        self.on_move = on_move or (lambda: None)
        self.at: tuple[QWidget, QPoint] | None = None

    @property
    def canvas(self) -> QWidget:
        """The widget that takes the canvas's events: the largest visible one of its kind."""
        found = [
            w
            for w in QApplication.allWidgets()
            if type(w).__name__.startswith("CanvasBackend") and w.isVisible()
        ]
        return max(found, key=lambda w: w.width() * w.height())

    def settle(self, seconds: float | None = None) -> None:
        """Process pending Qt events."""
        end = time.monotonic() + (self.pause if seconds is None else seconds)
        while True:
            QApplication.processEvents()
            if time.monotonic() >= end:
                return
            time.sleep(0.005)

    def wait(
        self, until: Callable[[], Any], seconds: float = 600, *, tick: float = 0.2
    ) -> None:
        """Wait for something visible, while Qt events are processed."""
        end = time.monotonic() + seconds
        while not until():
            if time.monotonic() > end:
                raise TimeoutError("what was waited for did not happen")
            self.settle(tick)
            self.on_move()

    # -------------------------------------------------------------------------- mouse

    def move(
        self, widget: QWidget, x: float, y: float, *, held: bool = False, settle: bool = True
    ) -> None:
        """Move the pointer to a place in a widget; without `settle` nothing is drawn yet."""
        place = QPoint(round(x), round(y))
        buttons = LEFT if held else Qt.MouseButton.NoButton
        # QTest's own mouseMove tells no buttons, without which nothing can be dragged
        event = QMouseEvent(
            QMouseEvent.Type.MouseMove,
            QPointF(place),
            QPointF(widget.mapToGlobal(place)),
            Qt.MouseButton.NoButton,
            buttons,
            NO_KEYS,
        )
        QApplication.sendEvent(widget, event)
        self.at = (widget, place)
        if settle:
            self.settle(self.pause / 5)
            self.on_move()

    def click(
        self,
        widget: QWidget,
        x: float | None = None,
        y: float | None = None,
        keys: Any = NO_KEYS,
    ) -> None:
        """Click a widget, at its centre by default."""
        place = _place(widget, x, y)
        self.move(widget, place.x(), place.y())
        QTest.mouseClick(widget, LEFT, keys, place)
        self.settle()
        self.on_move()

    def double_click(self, widget: QWidget, x: float, y: float) -> None:
        """Double-click a place in a widget."""
        place = _place(widget, x, y)
        self.move(widget, place.x(), place.y())
        QTest.mouseClick(widget, LEFT, NO_KEYS, place)
        QTest.mouseDClick(widget, LEFT, NO_KEYS, place)
        self.settle()
        self.on_move()

    def drag(
        self, widget: QWidget, start: Sequence[float], end: Sequence[float], n_steps: int = 8
    ) -> None:
        """Drag from one place in a widget, (x, y) in its pixels, to another."""
        self.move(widget, *start)
        QTest.mousePress(widget, LEFT, NO_KEYS, _place(widget, *start))
        for i in range(1, n_steps + 1):
            part = i / n_steps
            at = [a + (b - a) * part for a, b in zip(start, end, strict=True)]
            self.move(widget, *at, held=True)
        QTest.mouseRelease(widget, LEFT, NO_KEYS, _place(widget, *end))
        self.settle()
        self.on_move()

    # ------------------------------------------------------------------------- canvas

    def on_canvas(self, world_yx: Sequence[float]) -> tuple[float, float]:
        """Return where a place of the world is on the canvas, (x, y) in its pixels."""
        camera = getattr(
            self.viewer, "scene", self.viewer
        ).camera  # its place since napari 0.9
        zoom = camera.zoom / self.canvas.devicePixelRatioF()
        centre_y, centre_x = camera.center[-2:]
        x = self.canvas.width() / 2 + (world_yx[1] - centre_x) * zoom
        y = self.canvas.height() / 2 + (world_yx[0] - centre_y) * zoom
        return x, y

    def point_at(self, layer: Any, row: int) -> None:
        """Put the pointer on a point of a layer."""
        self.move(self.canvas, *self.on_canvas(layer.data_to_world(layer.data[row])[-2:]))

    # ----------------------------------------------------------------------- keyboard

    def press(self, key: Any, keys: Any = NO_KEYS, *, widget: QWidget | None = None) -> None:
        """Press a key, on the canvas by default."""
        QTest.keyClick(widget or self.canvas, key, keys)
        self.settle()
        self.on_move()

    def write(self, widget: QWidget, text: str) -> None:
        """Replace the text of a field."""
        self.click(widget)
        QTest.keyClick(widget, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(widget, text)
        QTest.keyClick(widget, Qt.Key.Key_Return)
        self.settle()
        self.on_move()

    # ------------------------------------------------------------------------- panels

    def tab(self, bar: QTabBar, name: str) -> None:
        """Click a tab by its name."""
        index = next(i for i in range(bar.count()) if bar.tabText(i).replace("&", "") == name)
        middle = bar.tabRect(index).center()
        self.click(bar, middle.x(), middle.y())


def _place(widget: QWidget, x: float | None, y: float | None) -> QPoint:
    middle = widget.rect().center()
    return QPoint(middle.x() if x is None else round(x), middle.y() if y is None else round(y))
