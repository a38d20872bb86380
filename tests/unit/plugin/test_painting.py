"""Picks as points: where they are and how they look."""

from __future__ import annotations

import numpy as np

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import painting
from napari_pickeroptimizer.plugin.layer_state import LayerState


def test_points_are_micrograph_y_x_with_micrographs_in_order_of_appearance(state):
    points, attributes, kind = painting.points_data(state, "picks")
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
    forwards = painting.appearance(LayerState.of_picks(picks))
    backwards = painting.appearance(LayerState.of_picks(picks.select(np.array([2, 1, 0]))))
    np.testing.assert_array_equal(forwards["border_color"], backwards["border_color"][::-1])


def test_classes_differ_by_more_than_colour(state):
    look = painting.appearance(state)
    labelled, unlabelled = look["border_width"][[0, 2]], look["border_width"][1]
    assert (labelled > 1.5 * unlabelled).all()
    assert look["symbol"][0] != look["symbol"][2]


def test_the_users_label_is_shown_before_the_prediction(picks):
    predicted = picks.with_columns(predicted=np.array([3, 3, 3], dtype=np.int8))
    assert painting.shown_class(LayerState.of_picks(predicted)).tolist() == [
        PARTICLE,
        CARBON,
        CONTAMINANT,
    ]
    # a prediction is drawn thin, so that it is not taken for a label
    assert (
        painting.appearance(LayerState.of_picks(predicted))["border_width"][1]
        == painting.RING_WIDTH
    )


def test_an_empty_pick_set_can_be_shown():
    state = LayerState.of_picks(Picks.from_arrays([], x=[], y=[]))
    points, _, _ = painting.points_data(state, "empty")
    assert points.shape == (0, 3)
