"""What raises in a Qt slot, a psygnal slot or a thread ends a wait at once, and fails the test."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from psygnal import Signal

pytestmark = pytest.mark.gui


def raise_in_slot() -> None:
    from qtpy.QtCore import QTimer

    def assertion() -> None:
        assert 1 == 2, "as the test said"

    QTimer.singleShot(0, assertion)


class Sender:
    sent = Signal()


SENDER = Sender()


def raise_in_psygnal_slot() -> None:
    from qtpy.QtCore import QTimer

    def slot() -> None:
        raise KeyError("as the test said")

    SENDER.sent.disconnect()
    SENDER.sent.connect(slot)
    QTimer.singleShot(0, SENDER.sent.emit)


def raise_in_worker() -> None:
    from napari.qt.threading import create_worker

    def work() -> None:
        raise ValueError("as the test said")

    create_worker(work, _start_thread=True)


@pytest.mark.parametrize("raiser", [raise_in_slot, raise_in_psygnal_slot, raise_in_worker])
def test_an_exception_in_a_slot_or_worker_ends_a_wait(qtbot: Any, raiser: Any) -> None:
    raiser()
    with pytest.raises(pytest.fail.Exception, match="as the test said"):
        qtbot.waitUntil(lambda: False)


# pytest itself fails the test for it, once it has ended
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_in_a_thread_ends_a_wait(qtbot: Any) -> None:
    def work() -> None:
        raise ValueError("as the test said")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    with pytest.raises(pytest.fail.Exception, match="as the test said"):
        qtbot.waitUntil(lambda: False)
