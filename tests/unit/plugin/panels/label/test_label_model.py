"""What the label panel shows, without a screen."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.classes import CARBON, PARTICLE
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.images.stack import stack_of
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.panels.label.model import (
    LabelModel,
    MicrographDisplay,
    add_class_tip,
    without_class,
)
from napari_pickeroptimizer.plugin.transforms import show_slice


@pytest.fixture
def model(viewer):
    return LabelModel(session.session_of(viewer))


@pytest.fixture
def layer(viewer, model, project):
    actions.open_micrographs(viewer, project / "Micrographs")
    return actions.open_picks(viewer, project / "picks.star")


def test_labels_are_counted_by_class(viewer, model, layer):
    actions.label_picks(layer, [0, 2], CARBON)
    assert model.counts() == {0: 2, 1: 0, 2: 0, 3: 2, 4: 0, 5: 0, 6: 0}
    viewer.layers.remove(layer)
    viewer.add_points(np.zeros((2, 2)))  # are no picks
    assert model.counts() == {}


def test_the_micrograph_on_the_screen_is_described(viewer, model, layer):
    actions.label_picks(layer, [1], 2)
    show_slice(viewer, 2)
    assert model.micrograph().name == "Micrographs/m2.mrc"
    assert model.micrograph().text == "3 of 3: 2 picks, 1 labelled"
    show_slice(viewer, 0)
    assert model.micrograph().text == "1 of 3: 1 pick, 0 labelled"


def test_a_missing_image_is_told(viewer, model):
    actions.open_picks(viewer, Picks.from_arrays("a.mrc", x=[1], y=[2]))
    assert model.micrograph().text == "1 of 1: 1 pick, 0 labelled, image missing"
    assert list(model.missing()) == ["a.mrc"]
    assert not model.can_suggest
    assert "Open the micrographs first" in model.suggest_tip()


def test_nothing_is_no_micrograph(viewer, model):
    assert model.micrograph().text == "no micrograph here"
    actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]))
    assert model.micrograph().text == "no micrograph here"
    assert model.missing() == {}


def test_without_picks_a_class_button_says_why_it_does_nothing(model):
    with pytest.raises(LabelError, match="No pick is selected"):
        model.label_selected(CARBON)


def test_a_hint_is_needed_until_something_is_labelled(model, layer):
    assert model.needs_hint()
    with pytest.raises(LabelError, match="No pick is selected"):
        model.label_selected(CARBON)
    model.session.viewer.dims.set_point(0, layer.data[1][0])
    layer.selected_data = {1}
    model.label_selected(CARBON)
    assert not model.needs_hint()
    assert model.can_undo() == (True, False)
    actions.undo(layer)
    assert model.can_undo() == (False, True)


def test_the_way_to_learning_says_how_many_labels_are_good(model, layer):
    actions.label_picks(layer, [0], PARTICLE)
    assert model.next_step() == ""
    actions.label_picks(layer, [1], CARBON)
    assert model.next_step().startswith("Few labels as yet: about 20 of each kind")


def test_keys_have_the_users_names_of_classes(viewer, model):
    actions.set_vocabulary(viewer, DEFAULT_VOCABULARY.renamed(2, "ice"))
    assert ("J", "ice") in model.key_help()


def test_labels_of_an_earlier_session_are_offered(viewer, model, layer, project, monkeypatch):
    assert model.recovery_text() == ""
    actions.label_picks(layer, [0], CARBON)
    viewer.layers.remove(layer)
    again = actions.open_picks(viewer, project / "picks.star")
    assert model.recovery_text().endswith("was found for these picks.")
    assert model.recover() == "1 label restored."
    assert session.picks_of(again).labels[0] == CARBON
    assert model.recovery_text() == ""


def test_events_of_suggesting_in_words(viewer, model, layer):
    assert (
        model.take_suggested(layer, BoxesRead("m.mrc", 2, 3, 0.1))
        == "Reading micrograph 2 of 3 ..."
    )
    skipped = MicrographSkipped("m.mrc", "it is gone", 0.1)
    assert model.take_suggested(layer, skipped) == "Left out m.mrc: it is gone"
    assert "unlike each other" in model.suggest_tip()


def test_six_classes_are_the_most_and_labelled_ones_stay():
    full = DEFAULT_VOCABULARY.added().added()
    assert "(1 more)" in add_class_tip(full)
    assert "the maximum in RELION" in add_class_tip(full.added())
    with pytest.raises(LabelError, match="1 pick labelled carbon"):
        without_class(DEFAULT_VOCABULARY, CARBON, {CARBON: 1})
    assert CARBON not in without_class(DEFAULT_VOCABULARY, CARBON, {CARBON: 0})


def test_a_low_pass_needs_a_pixel_size(viewer, model, layer):
    assert MicrographDisplay.of(None) == MicrographDisplay()
    stack = stack_of(model.session.stack_layer.metadata)
    display = MicrographDisplay.of(stack)
    assert display.can_low_pass
    assert not display.binned  # these are small
    assert not display.every_pixel
