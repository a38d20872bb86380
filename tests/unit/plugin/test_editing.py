"""What an edited layer may change: labels, and added points; never a pick's place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_pickeroptimizer.classes import CARBON, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.plugin import actions, editing, painting


def test_labels_are_read_back_by_pick_id_not_by_order(state):
    points, attributes, _ = painting.points_data(state, "picks")
    order = [2, 0, 1]
    features = attributes["features"].iloc[order].reset_index(drop=True)
    features.loc[0, "label"] = "carbon"
    back = editing.read_back(state, points[order], features)
    assert back.labels.tolist() == [1, 0, 3]


def test_a_removed_or_dragged_point_changes_no_pick(state):
    points, attributes, _ = painting.points_data(state, "picks")
    back = editing.read_back(state, points[1:] + 7, attributes["features"].iloc[1:])
    assert back is state.picks


def test_an_added_point_is_a_pick_of_its_slice(state):
    points, attributes, _ = painting.points_data(state, "picks")
    points = np.vstack([points, [1, 5, 6]])
    features = pd.concat([attributes["features"], pd.DataFrame({"label": ["particle"]})])
    back = editing.read_back(state, points, features.reset_index(drop=True))
    new = back.table.iloc[3]
    assert (new["micrograph"], new["y"], new["x"], new["label"]) == ("a.mrc", 5, 6, PARTICLE)
    assert new["source"] == -1


def test_a_pasted_point_is_a_new_pick_though_napari_copies_its_features(state):
    points, attributes, _ = painting.points_data(state, "picks")
    features = pd.concat([attributes["features"], attributes["features"].iloc[[0]]])
    back = editing.read_back(
        state,
        np.vstack([points, np.add(points[:1], [0, 3, 3])]),
        features.reset_index(drop=True),
    )
    assert len(back) == 4


def test_a_point_that_napari_adds_has_no_label_of_the_pick_selected_before(viewer, project):
    layer = actions.open_picks(viewer, project / "picks.star")
    actions.label_picks(layer, [0], CARBON)
    layer.selected_data = {0}  # napari makes its features those of the next point
    layer.add(layer.data[0] + [0, 9, 9])
    assert actions.picks_of(layer).labels.tolist() == [CARBON, *[UNLABELLED] * 4]
    assert layer.features["label"].iloc[-1] == "unlabelled"
    assert layer.symbol[-1] == layer.symbol[-2]
    np.testing.assert_array_equal(layer.border_color[-1], layer.border_color[-2])


def test_a_point_beyond_the_micrographs_is_refused(state):
    with pytest.raises(LabelError, match="slice 9, which has no micrograph"):
        editing.read_back(state, np.array([[9.0, 1, 1]]), pd.DataFrame())


def test_foreign_points_become_picks_of_the_stack():
    state = editing.adopt(np.array([[1, 5, 6], [0, 7, 8]]), pd.DataFrame(), ("a.mrc", "b.mrc"))
    assert state.picks.table["micrograph"].tolist() == ["b.mrc", "a.mrc"]
    assert state.picks.labels.tolist() == [UNLABELLED, UNLABELLED]


def test_foreign_points_without_micrograph_axis_are_refused():
    with pytest.raises(LabelError, match="expected 3"):
        editing.adopt(np.zeros((4, 2)), pd.DataFrame(), ("a.mrc",))
