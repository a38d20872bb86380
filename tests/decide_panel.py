"""The page Decide in a real window, as tests use it."""

from __future__ import annotations

import numpy as np

PLUGIN = "napari-pickeroptimizer"


def panel(viewer):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Decide")
    widget.device.value = "cpu"
    return widget


def score_all(qtbot, widget) -> None:
    widget.start.click()
    qtbot.waitUntil(lambda: not widget.job.running)


def rest(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not (widget.refresh_timer.waiting or widget._soon.isActive()))


def halving(p_particle: np.ndarray) -> float:
    """Return a threshold in the widest gap of the middle scores: after 5 steps they lie close.

    The panel scores in smaller batches than the core, which moves scores by a millionth.
    """
    p = np.sort(p_particle[np.isfinite(p_particle)])[
        len(p_particle) // 4 : -len(p_particle) // 4
    ]
    i = int(np.diff(p).argmax())
    return round(float(p[i] + p[i + 1]) / 2, 3)
