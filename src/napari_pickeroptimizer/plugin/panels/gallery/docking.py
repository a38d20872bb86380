"""Where the gallery is docked in napari's window."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_pickeroptimizer.plugin.panels.key_forwarding import dock_of
from napari_pickeroptimizer.plugin.panels.only_one import BY_MENU, BY_SCRIPT

HEIGHT_PX = 280  # two rows of boxes
MOST_OF_WINDOW = 0.36  # in a low window


def dock_below(gallery: QWidget) -> None:
    """Move a gallery that was opened from a menu below the canvas.

    napari docks what comes from its menus at the right. A gallery that a script has docked,
    which says where, stays there. The docks at the right keep the window's whole height: the
    panels beside the gallery would be squeezed otherwise. Those at the left keep it in a window
    that is too low for them above the gallery, which would grow instead.
    """
    dock = dock_of(gallery)
    if dock is None or not dock.windowTitle().endswith((BY_MENU, BY_SCRIPT)):
        return
    window = dock.parentWidget()
    if isinstance(window, QMainWindow):
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        is_low = _left_height_px(window) + dock.minimumSizeHint().height() > window.height()
        area = Qt.DockWidgetArea
        corner = area.LeftDockWidgetArea if is_low else area.BottomDockWidgetArea
        window.setCorner(Qt.Corner.BottomLeftCorner, corner)
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
        height = min(HEIGHT_PX, round(MOST_OF_WINDOW * window.height()))
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)


def _left_height_px(window: QMainWindow) -> int:
    """Return the least height of what is above a dock at the bottom left, and of both bars."""
    heights = [
        dock.minimumSizeHint().height()
        for dock in window.findChildren(QDockWidget)
        if dock.isVisible()
        and not dock.isFloating()
        and window.dockWidgetArea(dock) == Qt.DockWidgetArea.LeftDockWidgetArea
    ]
    bars = [x.sizeHint().height() for x in (window.menuBar(), window.statusBar()) if x]
    return sum(heights) + sum(bars)
