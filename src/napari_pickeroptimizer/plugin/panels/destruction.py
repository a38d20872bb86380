"""What is to be done when a widget is destroyed, whoever destroys it and in whichever thread."""

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

_WAITING: "set[_OnDestroyed]" = set()


def when_destroyed(widget: QWidget, callback: Callable[[], Any]) -> None:
    """Call `callback` once, when a widget is destroyed.

    Connect nothing but a bound method to ``destroyed`` directly. A panel that is closed is part
    of a cycle; Python may collect it in a worker thread. Functions that only the widget refers
    to are emptied with it, the widget itself is destroyed later, by the main thread, and to
    call an emptied function ends napari with a segmentation fault.

    Parameters
    ----------
    widget : QWidget
        The widget.
    callback : callable
        Lives until then; it must not refer to the widget, which would keep it from being
        collected.
    """
    _OnDestroyed(widget, callback)


class _OnDestroyed:
    """Is itself referred to from outside the widget, so that it is not collected with it."""

    def __init__(self, widget: QWidget, callback: Callable[[], Any]) -> None:
        self._callback = callback
        _WAITING.add(self)
        widget.destroyed.connect(self.call)

    def call(self, *_: Any) -> None:
        """Do it, and let go of it."""
        _WAITING.discard(self)
        self._callback()
