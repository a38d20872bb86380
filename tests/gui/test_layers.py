"""Files into layers and back, through napari's own menus' paths, on a real viewer."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.mark.parametrize("picks_first", [False, True])
def test_opened_files_fit_in_either_order(viewer, project, picks_star, picks_first):
    from napari_pickeroptimizer import read_picks

    places = [str(project / "Micrographs"), str(picks_star)]
    for place in reversed(places) if picks_first else places:
        viewer.open(place, plugin=PLUGIN)
    stack, points = viewer.layers  # picks bring their micrographs: the folder adds nothing
    assert (stack.name, points.name) == ("Micrographs", "picks")
    names = [m.path.name for m in stack.metadata["pickeroptimizer"].micrographs]
    slices = [names[int(z)] for z in points.data[:, 0]]
    wanted = read_picks(picks_star).table["micrograph"].str.removeprefix("Micrographs/")
    assert slices == wanted.tolist()
    assert points.units == stack.units
    assert viewer.layers.index(points) > viewer.layers.index(stack)
    np.testing.assert_allclose(points.scale, stack.scale)  # small micrographs: no binning


def test_keys_label_and_never_delete(viewer, project, picks_star, qtbot):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QApplication

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    viewer.layers.selection.active = layer
    n = len(layer.data)
    widgets = QApplication.allWidgets()
    canvas = next(w for w in widgets if type(w).__name__.startswith("CanvasBackend"))
    pressed = {
        Qt.Key.Key_K: PARTICLE,
        Qt.Key.Key_C: CARBON,
        Qt.Key.Key_1: CONTAMINANT,
        Qt.Key.Key_U: 0,
        Qt.Key.Key_Delete: CONTAMINANT,
        Qt.Key.Key_J: CONTAMINANT,
    }
    layer.mode = "select"
    viewer.dims.set_current_step(0, 0)
    layer.selected_data = {0, 3}
    for key, class_id in pressed.items():
        qtbot.keyClick(canvas, key)
        picks = layer.metadata["pickeroptimizer"].picks
        assert picks.labels[[0, 3]].tolist() == [class_id, class_id]
        assert (picks.labels != 0).sum() == 2 * (class_id != 0)
        assert len(layer.data) == n


def test_a_pick_under_the_cursor_is_labelled_without_a_click(viewer, project, picks_star):
    from napari_pickeroptimizer.plugin.targets import targets

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    viewer.dims.set_current_step(0, int(layer.data[5, 0]))
    viewer.cursor.position = layer.data_to_world(layer.data[5])
    assert targets(viewer.__wrapped__, layer).rows.tolist() == [5]


def test_saving_and_reading_back_through_napari(viewer, project, picks_star, tmp_path):
    from napari_pickeroptimizer import read_picks

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    output = tmp_path / "saved.star"
    assert layer.save(str(output), plugin=PLUGIN) == [str(output)]
    assert output.read_text() == picks_star.read_text()
    layer.selected_data = set(range(len(layer.data)))
    from napari_pickeroptimizer.plugin import actions

    actions.label_picks(layer, range(len(layer.data)), CARBON)
    layer.save(str(output), plugin=PLUGIN)
    back = read_picks(output)
    assert (back.labels == CARBON).all()
    np.testing.assert_array_equal(back.coords_yx_px(), read_picks(picks_star).coords_yx_px())


def test_saving_all_layers_writes_the_picks_and_says_what_not(
    viewer, project, picks_star, tmp_path
):
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    viewer.open(str(picks_star), plugin=PLUGIN)
    output = tmp_path / "all.star"
    with pytest.warns(UserWarning, match="Micrographs not written"):
        viewer.layers.save(str(output), plugin=PLUGIN)
    assert output.read_text() == picks_star.read_text()


def test_the_sample_is_labelled_picks_on_their_micrographs(viewer):
    viewer.open_sample(PLUGIN, "simulated")
    stack, points = viewer.layers
    assert stack.data.shape[0] == len(np.unique(points.data[:, 0])) == 3
    labels = points.metadata["pickeroptimizer"].picks.labels
    assert {PARTICLE, CONTAMINANT} <= set(labels.tolist())
    assert 0 < (labels != 0).mean() < 0.5
    viewer.layers.selection.active = points
    assert points.keymap  # our keys are bound
