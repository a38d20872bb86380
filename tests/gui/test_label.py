"""The label panel on a real viewer, with real mouse and key events."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture(autouse=True)
def _own_journal(tmp_path, monkeypatch):
    monkeypatch.setenv("PICKEROPTIMIZER_STATE", str(tmp_path / "state"))


@pytest.fixture
def panel(viewer):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Label")
    return widget


@pytest.fixture
def layer(viewer, panel, project, picks_star):
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    viewer.dims.set_current_step(0, 0)  # where the picks are that are labelled here
    return layer


def click(qtbot, button):
    from qtpy.QtCore import Qt

    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def counts(panel):
    return {i: int(label.text().replace(",", "")) for i, label in panel.classes.counts.items()}


def picks_of(layer):
    return layer.metadata["pickeroptimizer"].picks


def test_without_picks_the_panel_says_how_to_begin(viewer, panel):
    assert panel.empty.isVisibleTo(panel)
    assert not panel.classes.isVisibleTo(panel)
    assert not panel.banner.isVisibleTo(panel)
    viewer.add_points(np.zeros((3, 2)), name="theirs")  # no picks of ours
    assert panel.empty.isVisibleTo(panel)


def test_a_sample_is_one_click_away(viewer, panel, qtbot):
    click(qtbot, panel.open_sample)
    assert panel.opening.running  # the window stays alive
    qtbot.waitUntil(lambda: not panel.opening.running)
    assert not panel.empty.isVisibleTo(panel)
    assert counts(panel)[PARTICLE] > 0


def test_a_click_on_a_class_labels_the_selected_picks(panel, layer, qtbot):
    from napari_pickeroptimizer.plugin import actions

    click(qtbot, panel.classes.names[PARTICLE])
    assert "No pick is selected" in panel.status.text()
    actions.label_picks(layer, [0], PARTICLE)  # as by key, on the image
    assert panel.status.text() == ""
    layer.selected_data = {0, 4}
    click(qtbot, panel.classes.names[PARTICLE])
    click_carbon = panel.classes.names[CARBON]
    layer.selected_data = {5}
    click(qtbot, click_carbon)
    assert picks_of(layer).labels[[0, 4, 5]].tolist() == [PARTICLE, PARTICLE, CARBON]
    n = len(layer.data)
    assert counts(panel) == {1: 2, 2: 0, 3: 1, 0: n - 3}
    layer.selected_data = {4}
    click(qtbot, panel.classes.names[0])
    assert counts(panel)[PARTICLE] == 1


def test_keys_work_while_the_panel_has_the_focus(panel, layer, qtbot):
    from qtpy.QtCore import Qt

    layer.mode = "select"
    layer.selected_data = {2}
    panel.undo.setFocus()
    qtbot.keyClick(panel.undo, Qt.Key.Key_J)
    assert picks_of(layer).labels[2] == CONTAMINANT


def test_undo_and_redo_show_whether_they_can(panel, layer, qtbot):
    assert not panel.undo.isEnabled()
    layer.selected_data = {0}
    click(qtbot, panel.classes.names[CARBON])
    assert (panel.undo.isEnabled(), panel.redo.isEnabled()) == (True, False)
    click(qtbot, panel.undo)
    assert counts(panel)[CARBON] == 0
    assert (panel.undo.isEnabled(), panel.redo.isEnabled()) == (False, True)
    click(qtbot, panel.redo)
    assert counts(panel)[CARBON] == 1


def test_a_class_is_added_named_recoloured_and_removed(viewer, panel, layer, qtbot):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import session

    click(qtbot, panel.classes.add)
    editor = panel.classes.editor
    editor.clear()
    qtbot.keyClicks(editor, "ice")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert session.session_of(viewer).vocabulary.name(4) == "ice"
    assert panel.classes.names[4].text() == "ice"
    panel.classes.recolour(4, "#123456")
    layer.selected_data = {3}
    click(qtbot, panel.classes.names[4])
    np.testing.assert_allclose(layer.border_color[3][:3], np.array([0x12, 0x34, 0x56]) / 255)
    panel.classes._remove(4)
    assert "1 pick labelled ice" in panel.status.text()
    click(qtbot, panel.undo)
    panel.classes._remove(4)
    assert 4 not in panel.classes.names


def test_names_that_are_taken_are_refused_in_words(panel, layer, qtbot):
    from qtpy.QtCore import Qt

    panel.classes.rename(CARBON)
    panel.classes.editor.setText("contaminant")
    qtbot.keyClick(panel.classes.editor, Qt.Key.Key_Return)
    assert "contaminant" in panel.status.text()
    assert panel.classes.names[CARBON].text() == "carbon"
    assert panel.classes.names[CARBON].isVisibleTo(panel)


def test_escape_leaves_a_name_as_it_is(panel, layer, qtbot):
    from qtpy.QtCore import Qt

    panel.classes.rename(CARBON)
    panel.classes.editor.setText("else")
    qtbot.keyClick(panel.classes.editor, Qt.Key.Key_Escape)
    assert panel.classes.editor is None
    assert panel.classes.names[CARBON].text() == "carbon"


def test_six_classes_are_enough(panel, layer, qtbot):
    for _ in range(3):
        click(qtbot, panel.classes.add)
        panel.classes._close_editor()
    assert not panel.classes.add.isEnabled()
    assert "maximum in RELION" in panel.classes.add.toolTip()


def test_labels_of_a_killed_session_are_offered(viewer, panel, layer, picks_star, qtbot):
    from napari_pickeroptimizer.plugin import actions

    actions.label_picks(layer, [1, 2, 3], CARBON)
    viewer.layers.remove(layer)
    (again,) = viewer.open(str(picks_star), plugin=PLUGIN)
    assert panel.banner.isVisibleTo(panel)
    assert panel.banner_text.text().startswith("3 labels of ")
    assert counts(panel)[CARBON] == 0
    click(qtbot, panel.restore)
    assert counts(panel)[CARBON] == 3
    assert not panel.banner.isVisibleTo(panel)
    viewer.layers.remove(again)
    viewer.open(str(picks_star), plugin=PLUGIN)
    click(qtbot, panel.discard)
    assert not panel.banner.isVisibleTo(panel)
    assert counts(panel)[CARBON] == 0


def test_micrographs_are_stepped_through(viewer, panel, layer, qtbot):
    viewer.dims.set_current_step(0, 0)
    first = panel.micrograph_name.text()
    assert panel.micrograph_text.text().startswith("1 of 3: ")
    click(qtbot, panel.next_micrograph)
    assert panel.micrograph_name.text() != first
    assert panel.micrograph_text.text().startswith("2 of 3: ")
    click(qtbot, panel.previous_micrograph)
    assert panel.micrograph_name.text() == first


def test_missing_micrographs_are_listed(viewer, panel, layer):
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin import actions

    assert not panel.missing.isVisibleTo(panel)
    picks = Picks.from_arrays(["elsewhere.mrc", "gone.mrc"], x=[1, 2], y=[3, 4])
    with pytest.warns(UserWarning, match="none of the micrographs"):
        actions.open_picks(viewer, picks)
    assert panel.missing.isVisibleTo(panel)
    listed = panel.missing_list
    names = [listed.topLevelItem(i).text(0) for i in range(listed.topLevelItemCount())]
    assert names == ["elsewhere.mrc", "gone.mrc"]
    assert "open" in listed.topLevelItem(0).toolTip(0)
    assert "image missing" in panel.micrograph_text.text()


def test_the_low_pass_is_toggled_and_set(panel, layer, viewer, qtbot):
    from napari_pickeroptimizer.plugin.images.stack import stack_of

    stack = viewer.layers["Micrographs"]
    box = panel.view
    assert box.low_pass.value
    assert box.resolution.value == 20
    box.low_pass.value = False
    qtbot.waitUntil(lambda: stack_of(stack.metadata).low_pass_ang is None)
    assert not box.resolution.enabled
    box.low_pass.value = True
    box.resolution.value = 40
    qtbot.waitUntil(lambda: stack_of(stack.metadata).low_pass_ang == 40)
    assert not box.full.enabled  # these are small: every pixel is shown anyway


def test_the_diameter_follows_whoever_sets_it(panel, layer):
    from napari_pickeroptimizer.plugin import actions

    box, state = panel.view.diameter, layer.metadata["pickeroptimizer"]
    assert box.unit.value == "Å"  # as in Learn, with 4 Å a pixel
    box.number.value = 132
    assert state.diameter_px == 33
    assert box.hint.text() == "= 33 px"
    actions.set_diameter(layer, 21)
    assert box.diameter_px == 21
    box.unit.value = "px"
    assert box.hint.text() == "= 84 Å"


def test_a_diameter_that_nobody_has_set_is_called_a_guess(viewer, project, picks_star):
    from napari_pickeroptimizer.plugin import actions

    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Label")
    actions.open_micrographs(viewer, project / "Micrographs")
    first = actions.open_picks(viewer, picks_star).metadata["pickeroptimizer"]
    box = panel.view.diameter
    assert box.hint.text().endswith("px, a guess")
    box.number.value = 160
    assert (first.diameter_px, box.hint.text()) == (40, "= 40 px")
    again = actions.open_picks(viewer, project / "labels.star").metadata["pickeroptimizer"]
    assert (again.diameter_px, again.diameter_is_guess) == (40, False)


@pytest.mark.slow
def test_suggestions_fill_the_queue_and_labels_go_through_it(panel, layer, viewer, qtbot):
    box = panel.suggesting
    box.n.value = 3
    click(qtbot, box.suggest)
    assert box.job.running
    qtbot.waitUntil(lambda: not box.job.running)
    assert box.queue_text.text() == "1 of 3 suggested"
    assert picks_of(layer).was_suggested.sum() == 3
    (first,) = layer.selected_data
    click(qtbot, panel.classes.names[PARTICLE])
    assert picks_of(layer).labels[first] == PARTICLE
    assert box.queue_text.text() == "2 of 3 suggested"
    click(qtbot, box.next)
    assert not box.next.isEnabled()
    click(qtbot, box.back)
    assert box.queue_text.text() == "2 of 3 suggested"


def test_suggestions_say_what_they_need(viewer, panel, picks_star, tmp_path, monkeypatch):
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin import actions

    actions.open_picks(viewer, Picks.from_arrays(["a.mrc"], x=[1], y=[2]))
    assert not panel.suggesting.suggest.isEnabled()
    assert "Open the micrographs first" in panel.suggesting.suggest.toolTip()


def test_no_picks_at_all_are_no_trouble(viewer, panel, qtbot, project):
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.plugin import actions

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]))
    assert sum(counts(panel).values()) == 0
    click(qtbot, panel.suggesting.suggest)
    qtbot.waitUntil(lambda: "no picks to choose from" in panel.status.text())
    click(qtbot, panel.next_micrograph)


def test_deleted_and_renamed_layers_are_followed(viewer, panel, layer):
    layer.name = "renamed"
    assert panel.layers.picks.current_choice == "renamed"
    viewer.layers.remove("Micrographs")
    assert not panel.suggesting.suggest.isEnabled()
    viewer.layers.clear()
    assert panel.empty.isVisibleTo(panel)


def test_a_closed_panel_leaves_nothing_behind(viewer, panel, layer, qtbot):
    from napari_pickeroptimizer.plugin import actions, session

    dock = viewer.window.dock_widgets
    assert dock
    viewer.window.remove_dock_widget("all")
    with qtbot.waitSignal(panel.destroyed):
        panel.deleteLater()
    del panel
    actions.label_picks(layer, [0], CARBON)
    viewer.dims.set_current_step(0, 1)
    viewer.theme = "light"
    actions.set_diameter(layer, 12)
    session.session_of(viewer).layers_changed.emit()
