"""Keys that label and step, wherever the focus is: how they are spelt, and handed on."""

from typing import Any

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
    QWidget,
)

from napari_pickeroptimizer.plugin import keys, session

# Widgets that use letters, digits and Delete themselves.
TEXT_FIELDS = (QLineEdit, QAbstractSpinBox, QTextEdit, QPlainTextEdit)
# As app-model and napari spell them; letters and digits are themselves.
KEY_NAMES = {
    Qt.Key.Key_Delete: "Delete",
    Qt.Key.Key_Backspace: "Backspace",
    Qt.Key.Key_PageUp: "PageUp",
    Qt.Key.Key_PageDown: "PageDown",
}


class KeyForwarder(QObject):
    """Lets the label keys work while a panel has the focus, except in its text fields.

    Parameters
    ----------
    native : QWidget
        The panel, which keeps the forwarder.
    for_session : Session
        Whose picks layer gets the keys.
    """

    def __init__(self, native: QWidget, for_session: session.Session) -> None:
        super().__init__(native)
        self._session = for_session
        self._watch(native)

    def _watch(self, widget: QWidget) -> None:
        for part in (widget, *widget.findChildren(QWidget)):
            part.removeEventFilter(self)  # never twice
            part.installEventFilter(self)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Take key presses; watch widgets that are added later."""
        if event.type() == QEvent.Type.ChildPolished:
            child = event.child()
            if isinstance(child, QWidget):
                self._watch(child)
        elif event.type() == QEvent.Type.KeyPress:
            return self._press(watched, event)
        return False

    def _press(self, watched: QObject, event: Any) -> bool:
        # a key that a button ignores goes on to the parents: only the first is asked
        focused = QApplication.focusWidget()
        if isinstance(focused, TEXT_FIELDS) or isinstance(watched, TEXT_FIELDS):
            return False
        if watched is not (focused or watched):
            return False
        if isinstance(focused, QComboBox) and focused.isEditable():
            return False
        key = key_name(event)
        if key is None or (
            isinstance(focused, QAbstractItemView) and key in ("PageUp", "PageDown")
        ):
            return False
        layer = self._session.picks_layer
        viewer = self._session.viewer_ref()
        if layer is None or viewer is None:
            return False
        return bool(keys.press(viewer, layer, key))


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
