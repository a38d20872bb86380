"""Keys on the canvas, undo, and the journal, with real key events."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture
def canvas():
    """Return how to find the widget that takes the canvas's keys and clicks."""
    from qtpy.QtWidgets import QApplication

    def find():
        widgets = QApplication.allWidgets()
        return next(w for w in widgets if type(w).__name__.startswith("CanvasBackend"))

    return find


@pytest.fixture
def layer(viewer, project, picks_star):
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    viewer.layers.selection.active = layer
    layer.mode = "select"
    viewer.dims.set_current_step(0, 0)  # where the picks are that are labelled here
    return layer


def labels_of(layer) -> np.ndarray:
    return layer.metadata["pickeroptimizer"].picks.labels


def test_labels_are_undone_and_redone_by_key(layer, canvas, qtbot):
    from qtpy.QtCore import Qt

    control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
    layer.selected_data = {1, 4}
    qtbot.keyClick(canvas(), Qt.Key.Key_K)
    layer.selected_data = {4}
    qtbot.keyClick(canvas(), Qt.Key.Key_C)
    assert labels_of(layer)[[1, 4]].tolist() == [PARTICLE, CARBON]
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, control)
    assert labels_of(layer)[[1, 4]].tolist() == [PARTICLE, PARTICLE]
    assert layer.features["label"][4] == "particle"
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, control)
    assert not labels_of(layer).any()
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, control | shift)
    qtbot.keyClick(canvas(), Qt.Key.Key_Z, control | shift)
    assert labels_of(layer)[[1, 4]].tolist() == [PARTICLE, CARBON]


def test_no_key_is_one_that_napari_uses(viewer, layer):
    """But for those that delete points, which is why they are taken."""
    from napari.components import ViewerModel
    from napari.layers import Points

    ours = {str(key) for key in layer.keymap}
    taken = {str(key) for kind in (Points, ViewerModel) for key in kind.class_keymap}
    assert "Ctrl+Y" in taken  # it is a list of what napari has, and spelled as ours
    assert "Ctrl+Z" in ours
    assert ours & taken == {"1", "Delete", "Backspace"}


def test_a_rejection_by_deleting_is_undone_too(layer):
    from napari_pickeroptimizer.plugin import actions

    n = len(layer.data)
    layer.selected_data = {0, 2}
    layer.remove_selected()
    assert labels_of(layer)[[0, 2]].tolist() == [CONTAMINANT, CONTAMINANT]
    assert actions.undo(layer)
    assert not labels_of(layer).any()
    assert len(layer.data) == n


def test_the_key_of_a_class_that_is_not_there_says_so(viewer, layer, canvas, qtbot):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import actions, session

    layer.selected_data = {0}
    qtbot.keyClick(canvas(), Qt.Key.Key_D)
    assert not labels_of(layer).any()
    assert "no class 4 yet" in viewer.status
    vocabulary = session.session_of(viewer).vocabulary
    actions.set_vocabulary(viewer, vocabulary.added("edge", "#00ff00"))
    qtbot.keyClick(canvas(), Qt.Key.Key_D)
    assert labels_of(layer)[0] == 4
    assert layer.features["label"][0] == "edge"
    np.testing.assert_allclose(layer.border_color[0], [0, 1, 0, 1])


def test_a_class_is_drawn_in_its_colour_and_symbol_everywhere(viewer, layer):
    from napari_pickeroptimizer.plugin import actions, session

    actions.label_picks(layer, [0], CARBON)
    assert str(layer.symbol[0].value) == "diamond"
    vocabulary = session.session_of(viewer).vocabulary
    actions.set_vocabulary(viewer, vocabulary.recoloured(CARBON, "#ff0000"))
    np.testing.assert_allclose(layer.border_color[0], [1, 0, 0, 1])


def test_labels_of_an_earlier_viewer_are_offered_and_taken(viewer, layer, picks_star):
    from napari_pickeroptimizer.plugin import actions

    actions.label_picks(layer, [0, 3], PARTICLE)
    actions.label_picks(layer, [5], CARBON)
    layer.add(np.add(layer.data[7], [0, 9, 9]))
    n = len(layer.data)
    viewer.layers.remove(layer.name)  # labels outlive their layer
    (again,) = viewer.open(str(picks_star), plugin=PLUGIN)
    assert not labels_of(again).any()
    found = actions.recoverable(again)
    assert len(found) == 4
    actions.label_picks(again, [3], CONTAMINANT)  # what is newer wins
    assert found.what == "3 labels and 1 pick that you added"
    assert actions.recover(viewer, again) == 2  # the pick that was added has no label
    assert labels_of(again)[[0, 3, 5]].tolist() == [PARTICLE, CONTAMINANT, CARBON]
    assert len(again.data) == n
    assert actions.recoverable(again) is None
    assert actions.undo(again)
    assert labels_of(again)[[0, 3, 5]].tolist() == [0, CONTAMINANT, 0]


def test_discarded_labels_are_not_offered_again(viewer, layer, picks_star):
    from napari_pickeroptimizer.plugin import actions

    actions.label_picks(layer, [0], PARTICLE)
    viewer.layers.remove(layer.name)
    (again,) = viewer.open(str(picks_star), plugin=PLUGIN)
    actions.label_picks(again, [2], CARBON)
    actions.discard_recovery(again)
    viewer.layers.remove(again.name)
    (third,) = viewer.open(str(picks_star), plugin=PLUGIN)
    assert actions.recover(viewer, third) == 1
    assert labels_of(third)[[0, 2]].tolist() == [0, CARBON]


def test_a_journal_that_cannot_be_written_is_told_once(layer, monkeypatch, tmp_path):
    from napari_pickeroptimizer.plugin import actions
    from napari_pickeroptimizer.plugin.labels import journal

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(journal.Journal, "_append", full)
    with pytest.warns(UserWarning, match="Save them yourself"):
        actions.label_picks(layer, [0], PARTICLE)
    actions.label_picks(layer, [1], PARTICLE)  # no second warning: they are errors here
    assert labels_of(layer)[[0, 1]].tolist() == [PARTICLE, PARTICLE]


def test_the_newest_picks_are_worked_on_until_others_are_chosen(viewer, layer, labelled):
    from napari_pickeroptimizer.plugin import actions, session

    state = session.session_of(viewer)
    told = []
    state.target_changed.connect(lambda: told.append(state.picks_layer))
    assert state.picks_layer is session.unwrap(layer)
    other = session.unwrap(actions.open_picks(viewer, labelled, name="other"))
    assert told == [other]
    state.choose(picks_layer=layer)
    assert state.picks_layer is session.unwrap(layer)
    viewer.layers.remove(layer.name)
    assert told == [other, session.unwrap(layer), other]


def test_two_viewers_keep_to_themselves(viewer, layer, picks_star):
    from napari.components import ViewerModel

    from napari_pickeroptimizer.plugin import actions, session

    second = ViewerModel()
    theirs = actions.open_picks(second, picks_star)
    actions.set_vocabulary(second, session.session_of(second).vocabulary.added("edge"))
    actions.label_picks(theirs, [0], 4)
    assert not labels_of(layer).any()
    assert 4 not in session.session_of(viewer).vocabulary
    assert not actions.undo(layer)
