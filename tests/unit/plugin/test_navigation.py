"""Going to picks and micrographs, and through a queue; without a window."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, navigation, session
from napari_pickeroptimizer.plugin.layer_state import TO_CHECK, picks_state
from napari_pickeroptimizer.plugin.navigation import (
    advance_after_label,
    current_micrograph,
    go_to_micrograph,
    go_to_named,
    go_to_pick,
    queue_of,
    set_queue,
    step_queue,
)
from napari_pickeroptimizer.plugin.preferences import Preferences
from napari_pickeroptimizer.plugin.transforms import rows_on_slice, show_slice


def camera(viewer):
    return viewer.scene.camera if hasattr(viewer, "scene") else viewer.camera


@pytest.fixture(autouse=True)
def _auto_advance(monkeypatch):
    advancing = Preferences(auto_advance=True)
    monkeypatch.setattr(navigation, "preferences", lambda: advancing)


def test_going_to_a_pick_shows_centres_selects_and_tells(viewer, layer):
    visited = []
    session.session_of(viewer).pick_visited.connect(lambda _, row: visited.append(row))
    go_to_pick(viewer, layer, 1)  # (30, 40) px on m2, 2 A a pixel
    assert viewer.dims.current_step[0] == 2
    np.testing.assert_allclose(camera(viewer).center[-2:], (80, 60))
    assert layer.selected_data == {1}
    assert viewer.layers.selection.active is layer
    assert visited == [1]
    assert current_micrograph(viewer, layer) == "Micrographs/m2.mrc"


def test_a_label_key_means_the_pick_that_was_gone_to(viewer, layer):
    from napari_pickeroptimizer.plugin.targets import targets

    viewer.cursor.position = layer.data_to_world(layer.data[0])  # the mouse rests elsewhere
    go_to_pick(viewer, layer, 1)
    assert targets(viewer, layer).rows.tolist() == [1]


def test_zooming_keeps_a_zoom_that_is_good(viewer, layer):
    actions.set_diameter(layer, 20)  # 40 A
    for zoom, kept in ((0.1, False), (2.0, True), (100.0, False)):
        camera(viewer).zoom = zoom
        go_to_pick(viewer, layer, 0, zoom=True)
        ring_screen_px = 40 * camera(viewer).zoom
        assert ring_screen_px >= navigation.LEAST_RING_SCREEN_PX
        assert ring_screen_px <= navigation.MOST_RING_SCREEN_PX
        assert (camera(viewer).zoom == zoom) is kept


def test_a_hidden_layer_is_shown_again(viewer, layer):
    layer.visible = False
    go_to_pick(viewer, layer, 0)
    assert layer.visible


@pytest.mark.parametrize("row", [-1, 4, 10**9])
def test_a_pick_that_is_not_there_is_refused(viewer, layer, row):
    with pytest.raises(LabelError, match="has no pick"):
        go_to_pick(viewer, layer, row)


def test_other_layers_are_refused(viewer):
    layer = viewer.add_points(np.zeros((2, 3)), name="theirs")
    with pytest.raises(LabelError, match="'theirs' holds no picks"):
        go_to_pick(viewer, layer, 0)
    assert current_micrograph(viewer, layer) is None


def test_micrographs_without_picks_are_passed_over(viewer, project):
    actions.open_micrographs(viewer, project / "Micrographs")
    picks = Picks.from_arrays(["m0.mrc", "m2.mrc"], x=[1, 2], y=[3, 4])
    layer = actions.open_picks(viewer, picks)
    show_slice(viewer, 0)
    assert go_to_micrograph(viewer, layer, 1) == "m2.mrc"
    assert go_to_micrograph(viewer, layer, 1) is None
    assert viewer.status == "This is the last micrograph with picks."
    assert viewer.dims.current_step[0] == 2
    assert go_to_micrograph(viewer, layer, -1) == "m0.mrc"


def test_micrographs_are_gone_to_by_name(viewer, layer):
    go_to_named(viewer, layer, "Micrographs/m1.mrc")
    assert viewer.dims.current_step[0] == 1
    assert rows_on_slice(layer, 1).tolist() == [3]
    with pytest.raises(LabelError, match="no picks of"):
        go_to_named(viewer, layer, "other.mrc")


def test_picks_without_micrographs_can_be_gone_to(viewer):
    layer = actions.open_picks(viewer, Picks.from_arrays(["a", "b"], x=[1, 2], y=[3, 4]))
    go_to_pick(viewer, layer, 1)
    assert current_micrograph(viewer, layer) == "b"


def test_a_queue_is_gone_through_both_ways(viewer, layer):
    changed = []
    session.session_of(viewer).queue_changed.connect(changed.append)
    set_queue(viewer, layer, [3, 1, 0])
    assert layer.selected_data == {3}
    assert [step_queue(viewer, layer, 1) for _ in range(3)] == [1, 0, None]
    assert viewer.status == "This is the last one of 3 suggested."
    assert queue_of(layer).text == "3 of 3 suggested"
    assert step_queue(viewer, layer, -1) == 1
    assert layer.selected_data == {1}
    assert len(changed) == 4
    picks_state(layer).set_queue(None)
    assert queue_of(layer) is None


def test_without_a_queue_the_picks_are_stepped_through(viewer, layer):
    show_slice(viewer, 2)
    assert step_queue(viewer, layer, 1) == 0  # the first one of this micrograph
    assert step_queue(viewer, layer, 1) == 1
    assert step_queue(viewer, layer, -1) == 0
    assert step_queue(viewer, layer, -1) is None


def test_no_picks_at_all_have_no_next_one(viewer):
    layer = actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]))
    assert step_queue(viewer, layer, 1) is None
    assert go_to_micrograph(viewer, layer, 1) is None
    assert set_queue(viewer, layer, []).rows.size == 0
    assert queue_of(layer) is None


def test_a_label_goes_on_to_the_next_one_without_a_label(viewer, layer):
    set_queue(viewer, layer, [0, 1, 2, 3])
    actions.label_picks(layer, [1], 2)  # not the one that is looked at: nothing moves
    assert layer.selected_data == {0}
    actions.label_picks(layer, [0], 1)
    assert layer.selected_data == {2}
    actions.label_picks(layer, [2], 1)
    actions.label_picks(layer, [3], 1)
    assert viewer.status == "All 4 suggested are done."
    assert layer.selected_data == {3}


def test_an_undone_label_is_gone_back_to(viewer, layer):
    set_queue(viewer, layer, [0, 1, 2, 3])
    actions.label_picks(layer, [0], 1)
    actions.undo(layer)
    assert (layer.selected_data, queue_of(layer).position) == ({0}, 0)


def test_labels_to_check_are_gone_through_though_they_are_labelled(viewer, layer):
    actions.label_picks(layer, [0, 1, 2], 1)
    set_queue(viewer, layer, [0, 1, 2], TO_CHECK)
    actions.label_picks(layer, [0], 2)
    assert layer.selected_data == {1}


def test_auto_advance_can_be_switched_off(viewer, layer, monkeypatch):
    monkeypatch.setattr(navigation, "preferences", lambda: Preferences(auto_advance=False))
    set_queue(viewer, layer, [0, 1])
    actions.label_picks(layer, [0], 1)
    assert layer.selected_data == {0}
    assert advance_after_label(viewer, layer, np.array([0])) is None


@pytest.mark.parametrize("rows", [[0, 4], [-1]])
def test_a_queue_of_picks_that_are_not_there_is_refused(viewer, layer, rows):
    with pytest.raises(LabelError, match="there is no pick"):
        set_queue(viewer, layer, rows)


def test_two_viewers_have_a_queue_each(viewer, layer, project):
    from napari.components import ViewerModel

    other = ViewerModel()
    theirs = actions.open_picks(other, project / "picks.star")
    set_queue(viewer, layer, [3])
    assert queue_of(theirs) is None
    set_queue(other, theirs, [1, 2])
    actions.label_picks(theirs, [1], 1)
    assert (layer.selected_data, theirs.selected_data) == ({3}, {2})
