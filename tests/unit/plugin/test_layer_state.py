"""Picks as points and back: what is shown, and what an edited layer may change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin import layer_state as layers


@pytest.fixture
def picks() -> Picks:
    return concatenate(
        [
            Picks.from_arrays("b.mrc", x=[10.0, 30.0], y=[20.0, 40.0], label=[1, 0]),
            Picks.from_arrays("a.mrc", x=[50.0], y=[60.0], label=[2]),
        ]
    )


@pytest.fixture
def view(picks: Picks) -> layers.PicksView:
    return layers.make_view(picks, diameter_px=20)


def test_points_are_micrograph_y_x_with_micrographs_in_order_of_appearance(view):
    points, attributes, kind = layers.points_data(view, "picks")
    assert kind == "points"
    np.testing.assert_array_equal(points, [[0, 20, 10], [0, 40, 30], [1, 60, 50]])
    assert attributes["size"] == 20
    assert attributes["face_color"] == "transparent"
    assert attributes["features"]["label"].tolist() == [
        "particle",
        "unlabelled",
        "contaminant",
    ]
    assert attributes["features"]["pick_id"].tolist() == [0, 1, 2]


def test_a_class_has_its_colour_whatever_comes_first(picks):
    forwards = layers.appearance(layers.make_view(picks))
    backwards = layers.appearance(layers.make_view(picks.select(np.array([2, 1, 0]))))
    np.testing.assert_array_equal(forwards["border_color"], backwards["border_color"][::-1])


def test_classes_differ_by_more_than_colour(view):
    look = layers.appearance(view)
    labelled, unlabelled = look["border_width"][[0, 2]], look["border_width"][1]
    assert (labelled > 1.5 * unlabelled).all()
    assert look["symbol"][0] != look["symbol"][2]


def test_the_users_label_is_shown_before_the_prediction(picks):
    predicted = picks.with_columns(predicted=np.array([3, 3, 3], dtype=np.int8))
    assert layers.shown_classes(predicted).tolist() == [PARTICLE, CARBON, CONTAMINANT]
    # a prediction is drawn thin, so that it is not taken for a label
    assert (
        layers.appearance(layers.make_view(predicted))["border_width"][1] == layers.RING_WIDTH
    )


def test_labels_are_read_back_by_pick_id_not_by_order(view):
    points, attributes, _ = layers.points_data(view, "picks")
    order = [2, 0, 1]
    features = attributes["features"].iloc[order].reset_index(drop=True)
    features.loc[0, "label"] = "carbon"
    back = layers.read_back(view, points[order], features)
    assert back.picks.labels.tolist() == [1, 0, 3]


def test_a_removed_or_dragged_point_changes_no_pick(view):
    points, attributes, _ = layers.points_data(view, "picks")
    back = layers.read_back(view, points[1:] + 7, attributes["features"].iloc[1:])
    assert back.picks is view.picks


def test_an_added_point_is_a_pick_of_its_slice(view):
    points, attributes, _ = layers.points_data(view, "picks")
    points = np.vstack([points, [1, 5, 6]])
    features = pd.concat([attributes["features"], pd.DataFrame({"label": ["particle"]})])
    back = layers.read_back(view, points, features.reset_index(drop=True))
    new = back.picks.table.iloc[3]
    assert (new["micrograph"], new["y"], new["x"], new["label"]) == ("a.mrc", 5, 6, PARTICLE)
    assert new["source"] == -1


def test_a_pasted_point_is_a_new_pick_though_napari_copies_its_features(view):
    points, attributes, _ = layers.points_data(view, "picks")
    features = pd.concat([attributes["features"], attributes["features"].iloc[[0]]])
    back = layers.read_back(
        view,
        np.vstack([points, np.add(points[:1], [0, 3, 3])]),
        features.reset_index(drop=True),
    )
    assert len(back.picks) == 4


def test_a_point_beyond_the_micrographs_is_refused(view):
    with pytest.raises(LabelError, match="slice 9, which has no micrograph"):
        layers.read_back(view, np.array([[9.0, 1, 1]]), pd.DataFrame())


def test_foreign_points_become_picks_of_the_stack():
    view = layers.adopt(np.array([[1, 5, 6], [0, 7, 8]]), pd.DataFrame(), ("a.mrc", "b.mrc"))
    assert view.picks.table["micrograph"].tolist() == ["b.mrc", "a.mrc"]
    assert view.picks.labels.tolist() == [UNLABELLED, UNLABELLED]


def test_foreign_points_without_micrograph_axis_are_refused():
    with pytest.raises(LabelError, match="expected 3"):
        layers.adopt(np.zeros((4, 2)), pd.DataFrame(), ("a.mrc",))


def test_rings_start_at_the_usual_distance_of_neighbours(picks):
    grid = np.arange(0, 500, 50.0)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    assert layers.guess_diameter_px(Picks.from_arrays("a.mrc", x=x, y=y)) == 50
    alone = Picks.from_arrays("a.mrc", x=[1.0], y=[1.0])
    assert layers.guess_diameter_px(alone) == layers.FALLBACK_DIAMETER_PX


def test_label_counts_leave_unlabelled_out(picks):
    assert layers.count_labels(picks) == {PARTICLE: 1, CONTAMINANT: 1}


def test_an_empty_pick_set_can_be_shown():
    view = layers.make_view(Picks.from_arrays([], x=[], y=[]))
    points, _, _ = layers.points_data(view, "empty")
    assert points.shape == (0, 3)
