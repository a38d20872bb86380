"""Callbacks for the destruction of a widget, in whichever thread it happens."""

from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QWidget

_PENDING: "set[_OnDestroyed]" = set()


def when_destroyed(widget: QWidget, callback: Callable[[], Any]) -> None:
    """Call `callback` once, when a widget is destroyed.

    Do not connect functions to ``destroyed`` directly. A closed panel is part of a reference
    cycle, which Python may collect in a worker thread. A function that only the widget refers
    to is cleared with it, but the widget itself is destroyed later, by the main thread; to
    call the cleared function then ends napari with a segmentation fault.

    Parameters
    ----------
    widget : QWidget
        The widget.
    callback : callable
        It must not refer to the widget, which would then never be collected.
    """
    _OnDestroyed(widget, callback)


class _OnDestroyed:
    """A callback that is referenced from outside the widget, and so not collected with it."""

    def __init__(self, widget: QWidget, callback: Callable[[], Any]) -> None:
        self._callback = callback
        _PENDING.add(self)
        widget.destroyed.connect(self.call)

    def call(self, *_: Any) -> None:
        """Call the callback, and drop the reference."""
        _PENDING.discard(self)
        self._callback()
