"""A key acts on the picks that are seen, or says why it acted on none; without a window.

Of the four picks of `layer` two are on m2 (rows 0 and 1), one is on m0 (2), one on m1 (3).
"""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin import actions, keys
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.targets import acting_layer, selected, targets
from napari_pickeroptimizer.plugin.transforms import show_slice, slice_shown


def labels(layer):
    return picks_state(layer).picks.labels.tolist()


def rows(viewer, layer):
    return targets(viewer, layer).rows.tolist()


def point_at(viewer, layer, row):
    viewer.mouse_over_canvas = True
    viewer.cursor.position = layer.data_to_world(layer.data[row])


@pytest.fixture
def layer(viewer, layer):
    show_slice(viewer, 2)
    layer.mode = "select"
    point_at(viewer, layer, 2)  # the pointer rests where no pick of m2 is
    return layer


@pytest.mark.parametrize("key", ["K", "J", "C", "U", "1", "Delete", "Backspace"])
def test_a_selection_on_another_micrograph_is_not_what_a_key_means(viewer, layer, key):
    layer.selected_data = {0, 1}
    actions.label_picks(layer, [0, 1, 2, 3], CARBON)
    show_slice(viewer, 0)
    viewer.cursor.position = (0, 0, 0)
    keys.press(viewer, layer, key)
    assert labels(layer) == [CARBON] * 4
    assert "2 selected picks are on m2.mrc" in viewer.status
    assert "nothing was labelled" in viewer.status
    show_slice(viewer, 2)  # back, where they are seen again
    keys.press(viewer, layer, "K")
    assert labels(layer) == [PARTICLE, PARTICLE, CARBON, CARBON]


def test_selections_on_several_micrographs_are_counted(viewer, layer):
    layer.selected_data = {0, 1, 2}
    show_slice(viewer, 1)
    assert "3 selected picks are on 2 micrographs" in targets(viewer, layer).why_none


def test_what_is_selected_here_is_labelled_and_the_rest_is_said_to_be_left(viewer, layer):
    layer.selected_data = {0, 3}
    keys.press(viewer, layer, "J")
    assert labels(layer) == [CONTAMINANT, 0, 0, 0]
    assert "1 pick labelled contaminant" in viewer.status
    assert "1 selected elsewhere" in viewer.status


def test_a_pick_under_the_pointer_is_meant_though_others_are_selected_elsewhere(viewer, layer):
    layer.selected_data = {2, 3}
    point_at(viewer, layer, 1)
    assert rows(viewer, layer) == [1]


@pytest.mark.parametrize(("mode", "wanted"), [("select", 0), ("add", 0), ("pan_zoom", 1)])
def test_while_selecting_the_selection_comes_first(viewer, layer, mode, wanted):
    layer.mode = mode
    layer.selected_data = {0}
    point_at(viewer, layer, 1)
    assert rows(viewer, layer) == [wanted]


def test_a_pointer_that_has_left_the_canvas_points_at_nothing(viewer, layer):
    point_at(viewer, layer, 1)
    assert rows(viewer, layer) == [1]
    viewer.mouse_over_canvas = False
    assert rows(viewer, layer) == []
    keys.press(viewer, layer, "K")
    assert "nothing was labelled" in viewer.status
    viewer.mouse_over_canvas = True
    assert rows(viewer, layer) == [1]


@pytest.mark.parametrize("key", ["K", "Delete", "Control-Z", "Control-Shift-Z", "N", "B"])
def test_on_a_hidden_layer_no_key_does_anything(viewer, layer, key):
    actions.label_picks(layer, [0], PARTICLE)
    actions.label_picks(layer, [0], CARBON)
    actions.undo(layer)
    layer.selected_data = {0}
    layer.visible = False
    keys.press(viewer, layer, key)
    assert labels(layer) == [PARTICLE, 0, 0, 0]
    assert layer.selected_data == {0}
    assert "is hidden" in viewer.status


def test_picks_that_napari_does_not_draw_are_not_labelled(viewer, layer):
    layer.shown = np.array([False, True, True, True])
    layer.selected_data = {0, 1}
    assert rows(viewer, layer) == [1]


def test_in_three_dimensions_all_selected_picks_are_seen_and_none_is_pointed_at(viewer, layer):
    viewer.dims.ndisplay = 3
    layer.selected_data = {0, 3}
    assert rows(viewer, layer) == [0, 3]
    layer.selected_data = set()
    point_at(viewer, layer, 1)
    assert targets(viewer, layer).why_none.startswith("No pick is selected")


def test_in_a_grid_only_selected_picks_are_meant(viewer, layer):
    (viewer.canvas if hasattr(viewer, "canvas") else viewer).grid.enabled = True
    point_at(viewer, layer, 1)
    assert rows(viewer, layer) == []
    layer.selected_data = {0}
    assert rows(viewer, layer) == [0]


def test_without_anything_selected_a_key_says_so(viewer, layer):
    keys.press(viewer, layer, "K")
    assert viewer.status.startswith("No pick is selected here or under the pointer")


def test_undo_and_redo_go_where_they_change_something(viewer, layer):
    actions.label_picks(layer, [0, 1], PARTICLE)
    show_slice(viewer, 0)
    keys.press(viewer, layer, "Control-Z")
    assert slice_shown(viewer) == 2
    assert viewer.status == "Undone: 2 labels, on m2.mrc."
    keys.press(viewer, layer, "Control-Shift-Z")
    assert viewer.status == "Redone: 2 labels."
    keys.press(viewer, layer, "Control-Shift-Z")
    assert viewer.status == "There is nothing to redo."


def test_an_undo_on_several_micrographs_stays_where_one_of_them_is_seen(viewer, layer):
    actions.label_picks(layer, [0, 2, 3], PARTICLE)
    keys.press(viewer, layer, "Control-Z")
    assert slice_shown(viewer) == 2
    assert viewer.status == "Undone: 3 labels, on 3 micrographs."


def test_the_next_pick_is_counted_from_one_that_is_seen(viewer, layer):
    layer.selected_data = {3}  # on m1
    keys.press(viewer, layer, "N")
    assert layer.selected_data == {0}  # the first one here, on m2


def test_two_layers_are_told_apart(viewer, layer, project):
    other = actions.open_picks(viewer, project / "picks.star", name="other")
    other.mode = "select"
    other.selected_data = {0}
    keys.press(viewer, other, "K")
    assert viewer.status == "1 pick labelled particle, in other."
    assert acting_layer(viewer, layer) is layer  # `other` is active, and no output of it


def test_a_million_selected_picks_are_looked_through_at_once(viewer, layer):
    """They are arrays on the way: no pick is looked at by itself."""
    layer.selected_data = {1, 0, 3}
    here, elsewhere = selected(viewer, layer)
    assert (here.dtype, here.tolist(), elsewhere.tolist()) == (np.dtype(np.intp), [0, 1], [3])
