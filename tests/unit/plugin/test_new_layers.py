"""Several layers in a viewer: they look different, follow each other, and say what a key does not.

Of the four picks of `layer` two are on m2 (rows 0 and 1), one is on m0 (2), one on m1 (3).
"""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import (
    actions,
    foreign,
    keys,
    output_layers,
    outputs,
    painting,
    session,
)
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.matching import micrograph_layers
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.targets import targets
from napari_pickeroptimizer.plugin.transforms import show_slice, slice_shown


@pytest.fixture
def second(viewer, layer, project):
    """Return the same picks from another file, opened second."""
    copy = project / "other.star"
    copy.write_text((project / "picks.star").read_text())
    return actions.open_picks(viewer, copy, diameter_px=20)


def test_two_lists_of_picks_look_different(viewer, layer, second):
    assert not np.allclose(layer.border_color[0], second.border_color[0])
    lightness = [x.border_color[0][:3].mean() for x in (layer, second)]
    assert max(lightness) - min(lightness) > 0.5  # also without seeing colours


def test_classes_have_their_hue_in_two_lists_and_another_lightness(viewer, layer, second):
    for either in (layer, second):
        actions.label_picks(either, [0, 1], [PARTICLE, CONTAMINANT])
    for row in (0, 1):
        colors = [x.border_color[row][:3] for x in (layer, second)]
        hues = [colorsys.rgb_to_hsv(*color)[0] for color in colors]
        assert hues[0] == pytest.approx(hues[1], abs=0.01)
        assert abs(colors[0].max() - colors[1].max()) > 0.25


def test_kept_picks_have_the_colours_of_their_list(viewer, layer, second, some_model):
    for either in (layer, second):
        score(either, some_model)
        kept = outputs.refresh(viewer, either).layers["kept"]
        np.testing.assert_allclose(kept.border_color[0], either.border_color[0])


def test_a_list_whose_other_was_removed_keeps_its_colour(viewer, layer, second):
    before = second.border_color[0].copy()
    viewer.layers.remove(layer)
    np.testing.assert_array_equal(second.border_color[0], before)


def test_micrographs_that_come_after_the_picks_are_shown_where_picks_are(viewer, project):
    picks = actions.open_picks(viewer, Picks.from_arrays("m2", x=[30.0], y=[20.0]))
    actions.open_micrographs(viewer, project / "Micrographs")
    assert picks.data[:, 0].tolist() == [2]
    assert slice_shown(viewer) == 2


def test_picks_that_are_selected_in_the_list_are_those_of_the_panels(viewer, layer, second):
    current = session.session_of(viewer)
    for chosen in (layer, second, layer):
        viewer.layers.selection.active = chosen
        assert current.picks_layer is chosen
    viewer.layers.selection.active = micrograph_layers(viewer)[0]
    assert current.picks_layer is layer  # an image changes nothing


def test_a_key_says_what_to_select_while_no_picks_are(viewer, layer):
    (stack,) = micrograph_layers(viewer)
    viewer.layers.selection.active = stack
    refused = []
    session.session_of(viewer).key_refused.connect(lambda _, why: refused.append(why))
    pressed = {str(key): do for key, do in stack.keymap.items()}
    pressed["K"](stack)
    assert "Select 'picks' there" in viewer.status
    assert refused == [viewer.status]
    assert not picks_state(layer).picks.labels.any()
    actions.label_picks(layer, [0], PARTICLE)
    pressed["Ctrl+Z"](stack)  # what was done is undone all the same
    assert not picks_state(layer).picks.labels.any()


def test_undo_works_while_shapes_are_selected_whose_letters_stay_naparis(viewer, layer):
    shapes = viewer.add_shapes(ndim=3)
    actions.label_picks(layer, [0], PARTICLE)
    pressed = {str(key): do for key, do in shapes.keymap.items()}
    assert "E" not in pressed  # napari's, for ellipses
    pressed["Ctrl+Z"](shapes)
    assert not picks_state(layer).picks.labels.any()


def test_a_key_over_a_pick_of_another_layer_labels_nothing_and_says_whose_it_is(
    viewer, layer, second
):
    show_slice(viewer, 2)
    viewer.layers.selection.active = second
    second.mode = "pan_zoom"
    second.selected_data = {1}
    actions.set_diameter(second, 1)
    viewer.mouse_over_canvas = True
    viewer.cursor.position = layer.data_to_world(layer.data[0] + [0, 8, 0])
    assert f"is of {layer.name!r}" in targets(viewer, second).why_none


def test_selected_picks_are_filled_whatever_their_class(layer):
    actions.label_picks(layer, [1], CONTAMINANT)
    layer.selected_data = {0, 1}
    assert (layer.face_color[:, 3] > 0).tolist() == [True, True, False, False]
    layer.selected_data = {3}
    layer.add([2, 5, 6])  # napari selects it, and gives it the colour of the selected one
    layer.selected_data = set()
    assert not layer.face_color[:, 3].any()


def test_selected_picks_are_far_from_the_colours_of_particles_and_of_napari_s_rim():
    from napari.settings import get_settings

    rim = get_settings().appearance.highlight.highlight_color
    for color in (DEFAULT_VOCABULARY.style(PARTICLE).rgba, rim):
        assert np.abs(np.subtract(painting.SELECTED_RGBA, color)[:3]).max() > 0.7


# ------------------------------------------------------------------------ kept and rejected


def score(layer, model) -> None:
    scores = Scores.begin(picks_state(layer).picks, model)
    scores.probabilities[:, 0] = [0.9, 0.1, 0.8, 0.2]
    scores.probabilities[:, 1] = 1 - scores.probabilities[:, 0]
    scores.complete = True
    picks_state(layer).begin_scores(scores)


@pytest.fixture
def kept(viewer, layer, some_model):
    score(layer, some_model)
    return outputs.refresh(viewer, layer).layers["kept"]


def test_kept_picks_are_called_after_their_picks_unless_the_user_names_them(
    viewer, layer, kept
):
    layer.name = "topaz"
    assert kept.name == "topaz kept"
    kept.name = "good ones"
    layer.name = "crYOLO"
    assert kept.name == "good ones"


def test_what_was_made_of_removed_picks_stays_and_is_told(viewer, layer, kept):
    viewer.layers.remove(layer)
    assert kept in viewer.layers
    assert "'picks' was removed. What was made of it stays as it is" in viewer.status


def test_a_point_added_to_the_kept_ones_is_a_particle_of_the_picks(viewer, layer, kept):
    kept.add([1, 5, 6])
    picks = session.picks_of(layer)
    assert picks.labels.tolist() == [0, 0, 0, 0, PARTICLE]
    assert len(kept.data) == len(output_layers.outputs_of(viewer, layer)["kept"].data) == 3


def test_rows_of_kept_ones_follow_when_a_point_is_taken_away(viewer, layer, kept):
    layer.add([1, 5, 6])
    layer.add([1, 7, 8])
    actions.label_picks(layer, [4, 5], PARTICLE)
    outputs.refresh(viewer, layer)
    layer.selected_data = {4}
    layer.remove_selected()
    actions.label_picks(kept, [2], CONTAMINANT)  # the last one that was added
    assert session.picks_of(layer).labels.tolist() == [0, 0, 0, 0, CONTAMINANT]


def test_an_added_pick_shows_no_hidden_layer(viewer, layer, kept):
    layer.add([1, 5, 6])
    made = outputs.refresh(viewer, layer).layers
    assert not made["unscored"].visible


def test_grid_view_is_explained(viewer, layer):
    from napari_pickeroptimizer.plugin.targets import grid_of

    grid_of(viewer).enabled = True
    assert "each layer in a tile of its own" in viewer.status


# -------------------------------------------------------------------------- points of one's own


def test_points_that_are_clicked_are_as_large_as_the_picks_and_hollow(viewer, layer):
    (stack,) = micrograph_layers(viewer)
    own = viewer.add_points(ndim=3, scale=stack.scale, units=stack.units)
    own.add([1, 5, 6])
    assert own.size.tolist() == [20]
    assert own.face_color[0, 3] == 0


def test_own_points_have_the_colour_of_the_class_that_they_are_named_after(viewer, layer):
    (stack,) = micrograph_layers(viewer)
    placed = {"scale": stack.scale, "units": stack.units}
    good, bad = (viewer.add_points(ndim=3, **placed) for _ in range(2))
    good.add([1, 5, 6])
    assert good.current_border_color.upper().startswith(foreign.OWN_COLOR)
    good.name, bad.name = "particles", "junk"
    for own, style in zip((good, bad), DEFAULT_VOCABULARY.classes, strict=False):
        own.add([1, 30, 40])
        np.testing.assert_allclose(own.border_color, [style.rgba] * len(own.data), atol=1e-3)
    bad.border_color = bad.current_border_color = "red"  # the user's
    bad.name = "carbon"
    assert bad.current_border_color == "red"


def test_own_points_that_become_picks_hide_nothing(viewer, layer):
    own = viewer.add_points([[1, 5, 6]], scale=layer.scale, face_color="white")
    session.session_of(viewer).choose(picks_layer=own)
    assert own.face_color[0, 3] == 0


@pytest.mark.parametrize("key", keys.REMOVE_KEYS)
def test_the_delete_keys_take_own_points_away(viewer, layer, key):
    own = viewer.add_points([[1, 5, 6], [1, 30, 40]], scale=layer.scale, name="junk")
    session.session_of(viewer).choose(picks_layer=own)
    show_slice(viewer, 1)
    own.mode, own.selected_data = "select", {0}
    keys.press(viewer, own, key)
    assert own.data.tolist() == [[1, 30, 40]]
    assert (
        viewer.status == "1 own point removed, on m1.mrc. Ctrl+Z brings back what was there."
    )
    keys.press(viewer, own, keys.UNDO_KEY)
    assert own.data.tolist() == [[1, 5, 6], [1, 30, 40]]
