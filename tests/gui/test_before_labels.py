"""The button that scores before the first label, in a real window."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.plugin.before_labels import BY_ORDER, are_before_labels
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture
def panel(viewer):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Label")
    return widget


@pytest.fixture
def layer(viewer, panel, project, picks_star):
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    return layer


def click(qtbot, button):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_one_click_puts_the_gallery_in_order(viewer, panel, layer, qtbot, untrained_model):
    _, gallery = viewer.window.add_plugin_dock_widget(PLUGIN, "Gallery")
    box = panel.first_scores
    assert not box.note.isVisibleTo(panel)
    click(qtbot, box.start)
    assert not box.start.isEnabled()
    qtbot.waitUntil(lambda: not box.job.running)
    scores = picks_state(layer).scores
    assert are_before_labels(scores)
    assert BY_ORDER in box.note.text()
    assert box.note.isVisibleTo(panel)
    qtbot.waitUntil(lambda: gallery.tools.sort_box.currentText() == "Score, high first")
    shown = scores.p_particle[gallery.grid.display.rows]
    assert (shown[:-1] >= shown[1:]).all()
    assert gallery.status.text() == BY_ORDER

    _, decide = viewer.window.add_plugin_dock_widget(PLUGIN, "Decide")
    assert "no model of your own yet" in decide.status.text()
    assert "before the first label" in decide.summary.expected.text()
    assert not decide.start.isEnabled()
    _, exporting = viewer.window.add_plugin_dock_widget(PLUGIN, "Export")
    assert "no model of your own yet" in exporting.status.text()
    assert not exporting.options["model"].enabled

    decide.load_model(untrained_model)
    assert picks_state(layer).scores is None
    assert not box.isVisibleTo(panel)
    assert decide.start.isEnabled()


def test_a_cancel_and_a_model_that_is_learned_meanwhile_leave_no_scores(
    viewer, panel, layer, qtbot, gate, untrained_model
):
    from napari_pickeroptimizer.plugin import jobs

    box = panel.first_scores
    click(qtbot, box.start)
    qtbot.waitUntil(lambda: gate.n_held > 0)
    click(qtbot, box.job.stop)
    assert picks_state(layer).scores is None
    assert "Cancelled" in panel.status.text()
    assert box.start.isEnabled()
    click(qtbot, box.start)
    jobs.load_model(viewer, untrained_model)
    assert not box.job.running
    assert picks_state(layer).scores is None
    assert not box.isVisibleTo(panel)
    gate.open()
