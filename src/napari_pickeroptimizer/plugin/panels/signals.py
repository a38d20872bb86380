"""Signals that are followed for as long as a widget lives, and what is done when it is gone."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakMethod

from qtpy.QtWidgets import QWidget


def follow(widget: QWidget, method: Callable[..., None], *signals: Any) -> None:
    """Call a method on some signals for as long as a Qt widget lives.

    The method's object is held weakly, here and by the signals: a panel stays free to go.

    Parameters
    ----------
    widget : QWidget
        The widget.
    method : callable
        A bound method.
    *signals : psygnal.SignalInstance or napari.utils.events.EventEmitter
        What is followed. Any: the two have connect and disconnect in common, but no base.
    """
    for signal in signals:
        signal.connect(method)
    weak = WeakMethod(method)

    def disconnect() -> None:
        alive = weak()
        for signal in signals if alive is not None else ():
            with suppress(ValueError):  # it is not connected any more
                signal.disconnect(alive)

    when_destroyed(widget, disconnect)


# Callbacks are referenced from outside their widgets, and so not collected with them.
_PENDING: set[Callable[..., None]] = set()


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

    def call(*_: Any) -> None:
        _PENDING.discard(call)
        callback()

    _PENDING.add(call)
    widget.destroyed.connect(call)
