"""Closing the window while a network learns or scores: the program ends, quietly and soon."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.gui

SCRIPT = """
    import sys, time
    import napari
    from napari_pickeroptimizer import FineTuneSettings
    from napari_pickeroptimizer.plugin import finetune_layer, session_of
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication, QDialog

    viewer = napari.Viewer()
    viewer.open_sample("napari-pickeroptimizer", "simulated")
    _, panel = viewer.window.add_plugin_dock_widget("napari-pickeroptimizer", "{panel}")
    layer = session_of(viewer).picks_layer
    if "{panel}" == "Decide":
        finetune_layer(viewer, layer, FineTuneSettings(diameter_px=40, n_steps=2, n_folds=0))
    else:
        panel.steps.value = 5000
    panel.device.value = "cpu"

    def confirm():  # napari asks whether to close while something runs
        for widget in QApplication.topLevelWidgets():
            if isinstance(widget, QDialog) and widget.isVisible():
                widget.accept()

    def close():
        assert panel.job.running, panel.status.text()
        print("closing", flush=True)
        viewer.close()

    watch = QTimer()
    watch.timeout.connect(confirm)
    watch.start(100)
    panel.start.click()
    QTimer.singleShot(1500, close)
    napari.run()
    print("ended", flush=True)
"""


@pytest.mark.parametrize("panel", ["Learn", "Decide"])
def test_closing_the_window_ends_a_job(panel, qapp):
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-c",
            textwrap.dedent(SCRIPT.replace("{panel}", panel)),
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.split() == ["closing", "ended"], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
