"""Signals that are followed for as long as a widget lives, and what is done when it is gone."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakMethod

from qtpy.QtWidgets import QWidget


def follow(widget: QWidget, signal: Any, method: Callable[..., None]) -> None:
    """Call a method on a signal for as long as a Qt widget lives.

    The method's object is held weakly, here and by the signal: a panel stays free to go.

    Parameters
    ----------
    widget : QWidget
        The widget.
    signal : psygnal.SignalInstance or napari.utils.events.EventEmitter
        What is followed. Any: the two have connect and disconnect in common, but no base.
    method : callable
        A bound method.
    """
    signal.connect(method)
    weak = WeakMethod(method)

    def disconnect() -> None:
        alive = weak()
        if alive is not None:
            with suppress(ValueError):  # it is not connected any more
                signal.disconnect(alive)

    when_destroyed(widget, disconnect)


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
