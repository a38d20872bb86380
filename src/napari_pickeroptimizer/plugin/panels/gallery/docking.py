"""Where the gallery is docked in napari's window."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_pickeroptimizer.plugin.panels.key_forwarding import dock_of
from napari_pickeroptimizer.plugin.preferences import DISPLAY_NAME, PLUGIN

HEIGHT_PX = 280  # two rows of boxes
MOST_OF_WINDOW = 0.36  # in a low window
# napari names the dock by the one in its menus, by the other in `add_plugin_dock_widget`
FROM_MENU = (f"({DISPLAY_NAME})", f"({PLUGIN})")


def dock_below(gallery: QWidget) -> None:
    """Move a gallery that was opened from a menu below the canvas.

    napari docks what comes from its menus at the right. A gallery that a script has docked,
    which says where, stays there. The docks at the right keep the window's whole height: the
    panels beside the gallery would be squeezed otherwise.
    """
    dock = dock_of(gallery)
    if dock is None or not dock.windowTitle().endswith(FROM_MENU):
        return
    window = dock.parentWidget()
    if isinstance(window, QMainWindow):
        window.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
        height = min(HEIGHT_PX, round(MOST_OF_WINDOW * window.height()))
        window.resizeDocks([dock], [height], Qt.Orientation.Vertical)
