"""Of each panel one dock: napari's menus and a script know the same panel by two names."""

from typing import Any
from weakref import ref

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

from napari_pickeroptimizer.plugin.layer_state import unwrap
from napari_pickeroptimizer.plugin.panels.controls import single_shot
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.key_forwarding import dock_of
from napari_pickeroptimizer.plugin.preferences import DISPLAY_NAME, PLUGIN

# How napari calls a dock after its panel: one from its menus, one of `add_plugin_dock_widget`.
BY_MENU, BY_SCRIPT = f" ({DISPLAY_NAME})", f" ({PLUGIN})"


class OnlyOne(QObject):
    """Closes one of two docks of the same panel, once the second is shown.

    That of a script stays, which may go on to use it; but a dock whose job runs stays whatever
    opened it. A dock that a script has named otherwise is its own business.

    Parameters
    ----------
    native : QWidget
        The panel's widget, which keeps this object.
    viewer : napari.Viewer
        Whose window it is in.
    """

    def __init__(self, native: QWidget, viewer: Any) -> None:
        super().__init__(native)
        self._native, self._viewer = native, ref(unwrap(viewer))
        self._soon = single_shot(native, self._look)
        native.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Look for another dock when the panel is shown."""
        if event is not None and event.type() == QEvent.Type.Show:
            self._soon.start()  # once napari has put it into the window
        return False

    def _look(self) -> None:
        viewer, dock = self._viewer(), dock_of(self._native)
        other = None if dock is None else _other_dock(dock)
        if viewer is None or dock is None or other is None:
            return
        docks = sorted((dock, other), key=_stays)
        docks[1].show()
        docks[1].raise_()
        viewer.window.remove_dock_widget(docks[0])


def _stays(dock: QDockWidget) -> tuple[bool, bool]:
    """Return what makes a dock stay: a job that runs, then a script that opened it."""
    is_busy = any(bar.running for bar in dock.findChildren(JobBar))
    return is_busy, dock.windowTitle().endswith(BY_SCRIPT)


def _other_dock(dock: QDockWidget) -> QDockWidget | None:
    """Return the dock of the same panel under napari's other name, None without one."""
    title, window = dock.windowTitle(), dock.parentWidget()
    if not isinstance(window, QMainWindow):
        return None
    for own, others in ((BY_MENU, BY_SCRIPT), (BY_SCRIPT, BY_MENU)):
        if title.endswith(own):
            wanted = title.removesuffix(own) + others
            docks = window.findChildren(QDockWidget)
            return next((x for x in docks if x.windowTitle() == wanted), None)
    return None
