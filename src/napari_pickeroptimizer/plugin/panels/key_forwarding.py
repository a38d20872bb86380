"""Keys that label and step, wherever the focus is: how they are spelt, and handed on."""

from collections.abc import Callable
from string import ascii_uppercase
from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDockWidget,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

from napari_pickeroptimizer.plugin import keys, session
from napari_pickeroptimizer.plugin.targets import acting_layer

# Widgets that use letters, digits and Delete themselves.
TEXT_FIELDS = (QLineEdit, QTextEdit, QPlainTextEdit)
WHEELED = (QAbstractSpinBox, QComboBox, QAbstractSlider)
NOT_OF_NUMBERS = {*ascii_uppercase, *keys.MICROGRAPH_KEYS}
LEAVING_KEYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Escape)
# As app-model and napari spell them; letters and digits are themselves.
KEY_NAMES = {
    Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Backspace: "Backspace",
    Qt.Key.Key_PageUp: "PageUp",
    Qt.Key.Key_PageDown: "PageDown",
}


class KeyForwarder(QObject):
    """Lets the keys of the plugin work while a panel has the focus, except in its text fields.

    A spin box keeps digits and the keys that edit them, and gives up all others: what it cannot
    use, and Page Up and Down, with which it would change by ten. The wheel changes no field
    that does not have the focus: it scrolls the panel.

    Parameters
    ----------
    native : QWidget
        The panel, which keeps the forwarder.
    press : callable
        Does what a key does, by its name; returns whether it does anything.
    """

    def __init__(self, native: QWidget, press: Callable[[str], bool]) -> None:
        super().__init__(native)
        self._native, self._press = native, press
        self._watch(native)

    def _watch(self, widget: QWidget) -> None:
        for part in (widget, *widget.findChildren(QWidget)):
            part.removeEventFilter(self)  # never twice
            part.installEventFilter(self)
            if isinstance(part, WHEELED) and part.focusPolicy() == Qt.FocusPolicy.WheelFocus:
                part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take key presses; watch widgets that are added later."""
        kind = event.type()
        if kind == QEvent.Type.ChildPolished:
            child = event.child()
            if isinstance(child, QWidget):
                self._watch(child)
        elif kind == QEvent.Type.KeyPress:
            return self._on_key(watched, event)
        elif kind == QEvent.Type.Wheel and isinstance(watched, WHEELED):
            if isinstance(watched, QScrollBar) or watched.hasFocus():
                return False
            event.ignore()
            return True
        return False

    def _on_key(self, watched: QWidget, event: Any) -> bool:
        parent = watched.parentWidget()
        is_of_number = isinstance(watched, QLineEdit) and isinstance(parent, QAbstractSpinBox)
        field = parent if is_of_number and parent is not None else watched
        # a key that a button ignores goes on to the parents: only the first is asked
        focused = QApplication.focusWidget() or field
        if focused not in (watched, field):
            return False
        key = key_name(event)
        if isinstance(field, QAbstractSpinBox):
            if event.key() in LEAVING_KEYS:
                field.interpretText()  # what was typed counts
                leave_to_canvas(self._native)
                return True
            return key is not None and key in NOT_OF_NUMBERS and self._press(key)
        if isinstance(field, TEXT_FIELDS) or (
            isinstance(field, QComboBox) and field.isEditable()
        ):
            return False
        if isinstance(field, QAbstractItemView) and key in keys.MICROGRAPH_KEYS:
            return False
        return key is not None and self._press(key)


def press_on_canvas(for_session: session.Session, key: str) -> bool:
    """Do what a key does on the canvas, in the layer that it means; False if it is no key."""
    layer, viewer = for_session.picks_layer, for_session.viewer_ref()
    if layer is None or viewer is None:
        return False
    return keys.press(viewer, acting_layer(viewer, layer), key)


def leave_to_canvas(native: QWidget) -> None:
    """Give the focus, and with it the keys, to the canvas, if a panel or its dock has it."""
    focused = QApplication.focusWidget()
    if focused is None or QApplication.activePopupWidget() or QApplication.activeModalWidget():
        return
    dock = dock_of(native)
    window = None if dock is None else dock.parentWidget()
    if dock is not None and window is not None and dock.isAncestorOf(focused):
        window.setFocus()  # napari's window passes its keys on to the canvas


def dock_of(native: QWidget) -> QDockWidget | None:
    """Return the dock that a widget is in, None where it is in none."""
    parent: QWidget | None = native
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def key_name(event: Any) -> str | None:
    """Return a key press as napari spells it, ``Control-Z``; None for other keys."""
    code = event.key()
    if Qt.Key.Key_A <= code <= Qt.Key.Key_Z or Qt.Key.Key_0 <= code <= Qt.Key.Key_9:
        name = chr(code)
    elif code in set(KEY_NAMES):
        name = KEY_NAMES[Qt.Key(code)]
    else:
        return None
    held = event.modifiers()
    for modifier, prefix in (
        (Qt.KeyboardModifier.ShiftModifier, "Shift"),
        (Qt.KeyboardModifier.AltModifier, "Alt"),
        (Qt.KeyboardModifier.ControlModifier, "Control"),
    ):
        if held & modifier:
            name = f"{prefix}-{name}"
    return name
