"""Closing the window while a network learns or scores: the program ends, quietly and soon."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest

pytestmark = pytest.mark.gui

SCRIPT = """
    import os, sys, threading
    import napari
    from napari_pickeroptimizer.micrographs import Micrograph
    from napari_pickeroptimizer.plugin import actions
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QDialog

    project, model, kind = sys.argv[1:]
    viewer = napari.Viewer()
    actions.open_micrographs(viewer, project + "/Micrographs")
    layer = actions.open_picks(viewer, project + "/labels.star", diameter_px=40)
    _, panel = viewer.window.add_plugin_dock_widget("napari-pickeroptimizer", kind)
    if kind == "Decide":
        panel.load_model(model)
    else:
        panel.steps.value = 100_000
    panel.device.value = "cpu"

    # Scoring is held at its first micrograph until the window is being closed. Learning needs
    # no holding: so many steps take hours.
    reading, closing = threading.Event(), threading.Event()
    read = Micrograph.read

    def held_read(micrograph, *args, **options):
        if kind == "Decide" and threading.current_thread() is not threading.main_thread():
            reading.set()
            closing.wait()
        return read(micrograph, *args, **options)

    Micrograph.read = held_read

    def close():
        if not panel.job.running:
            print("not running:", panel.status.value, flush=True)
            os._exit(1)
        if kind == "Decide" and not reading.is_set():
            return
        if kind == "Learn" and "step" not in panel.job.text:
            return
        watch_job.stop()
        print("closing", flush=True)
        QTimer.singleShot(0, closing.set)  # once napari's dialog, or the end, has been reached
        viewer.close()
        closing.set()

    def confirm():  # napari asks whether to close while something runs
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QDialog) and widget.isVisible():
                widget.accept()

    watch_dialogs, watch_job = QTimer(), QTimer()
    watch_dialogs.timeout.connect(confirm)
    watch_dialogs.start(100)
    watch_job.timeout.connect(close)
    watch_job.start(20)
    panel.start.click()
    napari.run()
    print("ended", flush=True)
"""


@pytest.mark.parametrize("panel", ["Learn", "Decide"])
def test_closing_the_window_ends_a_job(panel, qapp, project, untrained_model):
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            textwrap.dedent(SCRIPT),
            str(project),
            str(untrained_model),
            panel,
        ],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.stdout.split() == ["closing", "ended"], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr


def test_a_job_that_napari_ends_is_closed_in_its_own_thread(qtbot):
    """A window that is gone takes no word from it any more."""
    from napari_pickeroptimizer.plugin.background import Loading
    from napari_pickeroptimizer.plugin.panels.job_bar import JobBar

    closed_in = []

    def endless():
        try:
            while True:
                yield Loading(0.5)
                threading.Event().wait(0.01)
        finally:
            closed_in.append(threading.current_thread())

    bar, seen = JobBar("endless"), []
    qtbot.addWidget(bar)
    bar.run(endless(), on_event=seen.append, on_failed=lambda _: None, on_end=lambda: None)
    qtbot.waitUntil(lambda: bool(seen))
    bar._worker.quit()
    qtbot.waitUntil(lambda: bool(closed_in))
    assert closed_in[0] is not threading.main_thread()


class FrameClosed:
    """The event of a window's frame: tests cannot make one of Qt's own."""

    def __init__(self) -> None:
        self.ignored = False

    def type(self):
        from qtpy.QtCore import QEvent

        return QEvent.Type.Close

    def spontaneous(self) -> bool:
        return True

    def ignore(self) -> None:
        self.ignored = True


def test_one_question_says_what_becomes_of_the_job(viewer, gate, project, qtbot, monkeypatch):
    from qtpy.QtWidgets import QMessageBox

    from napari_pickeroptimizer.plugin import actions
    from napari_pickeroptimizer.plugin.panels.closing import ClosingQuestion

    asked = []
    monkeypatch.setattr(
        QMessageBox, "question", lambda _parent, _title, text, *_: asked.append(text)
    )
    actions.open_micrographs(viewer, project / "Micrographs")
    actions.open_picks(viewer, project / "labels.star", diameter_px=40)
    _, panel = viewer.window.add_plugin_dock_widget("napari-pickeroptimizer", "Learn")
    panel.start.click()
    qtbot.waitUntil(lambda: gate.n_held > 0)
    window = panel.window()
    question, event = window.findChild(ClosingQuestion), FrameClosed()
    assert question.eventFilter(window, event)
    assert event.ignored
    assert asked == [
        "Running: fine-tuning. Closing ends it: its model is lost, your labels are kept."
    ]
    panel.job.cancel()
    assert not question.eventFilter(window, event)  # nothing runs: napari asks as ever
    assert len(asked) == 1
