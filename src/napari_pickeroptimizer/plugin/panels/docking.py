"""Where a panel is docked."""

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

PLUGIN = "napari-pickeroptimizer"


def dock_below(widget: QWidget, height_px: int) -> None:
    """Move a panel that was opened from a menu below the canvas.

    napari docks what comes from its menus at the right and takes no wish. A panel that a
    script has docked, which says where, stays there.
    """
    dock = widget.parentWidget()
    while dock is not None and not isinstance(dock, QDockWidget):
        dock = dock.parentWidget()
    if dock is None or not dock.windowTitle().endswith(f"({PLUGIN})"):
        return
    main = dock.parentWidget()
    if not isinstance(main, QMainWindow):
        return
    main.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    main.resizeDocks([dock], [height_px], Qt.Orientation.Vertical)
