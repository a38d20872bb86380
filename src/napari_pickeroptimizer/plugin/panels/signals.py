"""Signals that are followed for as long as a widget lives, and how long a panel does.

napari takes a panel out of a dock that is closed, and leaves it to Python. It is part of
reference cycles, so it would go on following signals until it is collected, perhaps by a worker
thread, in an order that Qt knows nothing of. Panels therefore end when their dock is closed
(`EndsWithDock`): Qt destroys them, in the main thread, and Python keeps all their parts until
then.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from inspect import signature
from typing import Any
from weakref import WeakMethod

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QWidget


def follow(widget: QWidget, method: Callable[..., None], *signals: Any) -> Callable[[], None]:
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

    Returns
    -------
    callable
        Ends it earlier.
    """
    slot = weakly(method)
    for signal in signals:
        signal.connect(slot)

    def disconnect() -> None:
        for signal in signals:
            with suppress(ValueError):  # it is not connected any more
                signal.disconnect(slot)

    forget = when_destroyed(widget, disconnect)

    def end() -> None:
        forget()
        disconnect()

    return end


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return a function that calls a method for as long as its object is there.

    To disconnect a method, napari compares its object with others, and napari 0.6 fails at
    that if Qt has destroyed one of them. Functions are compared by what they are.
    """
    weak = WeakMethod(method)

    def call(*arguments: Any) -> None:
        alive = weak()
        if alive is not None:
            alive(*arguments)

    # both kinds of signals count the method's parameters, and give it no more
    call.__signature__ = signature(method)  # type: ignore[attr-defined]
    return call


# Callbacks are referenced from outside their widgets, and so not collected with them.
_PENDING: set[Callable[..., None]] = set()


def when_destroyed(widget: QWidget, callback: Callable[[], Any]) -> Callable[[], None]:
    """Call `callback` once, when Qt destroys a widget.

    Do not connect functions to ``destroyed`` directly. A function that only the widget refers to
    is cleared with it by Python's collector, perhaps in a worker thread, but the widget itself
    is destroyed later, by the main thread; to call the cleared function then ends napari with a
    segmentation fault.

    Parameters
    ----------
    widget : QWidget
        The widget.
    callback : callable
        It must not refer to the widget, which would then never be collected.

    Returns
    -------
    callable
        Takes it back.
    """

    def call(*_: Any) -> None:
        if call in _PENDING:
            _PENDING.discard(call)
            callback()

    _PENDING.add(call)
    widget.destroyed.connect(call)

    def forget() -> None:
        if call in _PENDING:
            _PENDING.discard(call)
            widget.destroyed.disconnect(call)

    return forget


class EndsWithDock(QObject):
    """Destroys a panel when it has been taken out of its dock.

    From when it is docked until then all of it is referenced from here: what Qt still has is
    never collected by Python. A panel that goes to another dock at once, or is shown as a
    window, stays.

    Parameters
    ----------
    native : QWidget
        The panel's widget, which keeps this object.
    panel : object
        What its slots belong to, the widget itself or the magicgui widget around it.
    """

    def __init__(self, native: QWidget, panel: object) -> None:
        super().__init__(native)
        self._native, self._panel = native, panel
        self._is_kept = False
        self._alone = QTimer(self)
        self._alone.setSingleShot(True)
        self._alone.timeout.connect(self._end)
        native.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Note when the panel is docked, and when it is taken out."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self._native.parentWidget() is None:
                self._alone.start()
            elif not self._is_kept:
                self._is_kept = True
                when_destroyed(self._native, partial(_let_go, self._panel))
        return False

    def _end(self) -> None:
        native = self._native
        if native.parentWidget() is None and not native.isVisible():
            native.deleteLater()


def _let_go(_panel: object) -> None:
    """Keep a reference no longer: it was an argument of this."""
