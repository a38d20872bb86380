"""Signals and events that are followed for as long as a widget lives, and no longer."""

from collections.abc import Callable
from typing import Any
from weakref import WeakMethod

from qtpy.QtWidgets import QWidget

from napari_pickeroptimizer.plugin.panels.destruction import when_destroyed


def follow(native: QWidget, signal: Any, callback: Callable[..., None]) -> None:
    """Call `callback` on a psygnal signal for as long as the Qt widget lives.

    A method of a panel is held weakly, as by psygnal itself: the panel stays free to go.
    """
    signal.connect(callback)
    held = WeakMethod(callback) if hasattr(callback, "__self__") else lambda: callback

    def disconnect() -> None:
        slot = held()
        if slot is not None:
            signal.disconnect(slot, missing_ok=True)

    when_destroyed(native, disconnect)


def follow_event(native: QWidget, emitter: Any, callback: Callable[..., None]) -> None:
    """Call a method on one of napari's own events for as long as the Qt widget lives.

    They are no psygnal signals; the method's object is held as weakly as by `follow`.
    """
    emitter.connect(callback)
    held = WeakMethod(callback)

    def disconnect() -> None:
        slot = held()
        if slot is not None:
            emitter.disconnect(slot)

    when_destroyed(native, disconnect)


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return a call of a method that leaves its object free to go; then it does nothing."""
    held = WeakMethod(method)

    def call(*args: Any) -> None:
        alive = held()
        if alive is not None:
            alive(*args)

    return call
