"""Signals that are followed for as long as a widget lives, and no longer."""

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

    def disconnect(*_: Any) -> None:
        alive = weak()
        if alive is not None:
            with suppress(ValueError):  # it is not connected any more
                signal.disconnect(alive)

    widget.destroyed.connect(disconnect)
