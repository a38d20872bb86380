"""A closed panel that Python collects in a worker thread takes nothing down with it."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from psygnal import Signal

pytestmark = pytest.mark.gui


class Sender:
    sent = Signal()


def panel(sender: Sender, done: list[str]) -> None:
    """Make a widget in a cycle, as panels are, and let it go."""
    from qtpy.QtWidgets import QWidget

    from napari_pickeroptimizer.plugin.panels.signals import follow, when_destroyed

    class Panel:
        def __init__(self) -> None:
            self.native = QWidget()
            self.native.panel = self
            follow(self.native, self.slot, sender.sent)
            when_destroyed(self.native, lambda: done.append("done"))

        def slot(self) -> None: ...

    Panel()


def test_what_is_collected_by_another_thread_is_told_and_disconnected(qtbot: Any) -> None:
    from qtpy.QtCore import QCoreApplication, QEvent

    sender, done = Sender(), []
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            panel(sender, done)
        worker = threading.Thread(target=gc.collect)
        worker.start()
        worker.join()
    finally:
        gc.enable()
    # the wrappers are gone, the widgets wait for the main thread: a crash without care
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: len(done) == 20)
    assert len(sender.sent) == 0
