"""Classes of the user's own: ids stay RELION's, names, colours and keys are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    STYLES,
    Vocabulary,
    label_text,
)


@pytest.mark.parametrize(
    ("text", "class_id"),
    [
        ("particle", 1),
        (" Carbon ", 3),
        ("2", 2),
        ("class 5", 5),
        ("unlabelled", 0),
        ("0", 0),
        ("", 0),
        (None, 0),
        (float("nan"), 0),
    ],
)
def test_labels_are_understood_as_typed(text, class_id):
    assert DEFAULT_VOCABULARY.parse(text) == class_id


@pytest.mark.parametrize("text", ["junk", "7", "-1", "particles"])
def test_an_unknown_label_is_refused_with_the_known_ones(text):
    with pytest.raises(LabelError, match="expected one of unlabelled, particle"):
        DEFAULT_VOCABULARY.parse(text)


def test_classes_are_added_up_to_the_six_that_relion_tells_apart():
    vocabulary = DEFAULT_VOCABULARY.added("ice").added("edge", "#123456").added()
    assert vocabulary.names() == {
        1: "particle",
        2: "contaminant",
        3: "carbon",
        4: "ice",
        5: "edge",
        6: "class 6",
    }
    assert vocabulary.style(5).color == "#123456"
    with pytest.raises(SettingsError, match="6 classes already"):
        vocabulary.added()


def test_a_removed_class_leaves_its_id_free():
    vocabulary = DEFAULT_VOCABULARY.removed(CARBON)
    assert CARBON not in vocabulary
    assert vocabulary.added("hole").name(CARBON) == "hole"


@pytest.mark.parametrize("class_id", [PARTICLE, CONTAMINANT])
def test_there_is_always_something_to_keep_and_to_reject(class_id):
    with pytest.raises(SettingsError, match="cannot be removed"):
        DEFAULT_VOCABULARY.removed(class_id)


def test_a_renamed_class_is_understood_by_both_names():
    vocabulary = DEFAULT_VOCABULARY.renamed(CARBON, "  support   film ")
    assert vocabulary.name(CARBON) == "support film"
    assert vocabulary.parse("Support film") == vocabulary.parse("carbon") == CARBON


@pytest.mark.parametrize(
    ("class_id", "name", "reason"),
    [
        (CARBON, "contaminant", "already"),
        (CARBON, "class 5", "already"),
        (CARBON, " ", "give it a word"),
        (CARBON, "4", "give it a word"),
        (CARBON, "unlabelled", "give it a word"),
        (PARTICLE, "ribosome", "what is kept"),
        (5, "edge", "add it first"),
    ],
)
def test_names_that_would_mislead_are_refused(class_id, name, reason):
    with pytest.raises(SettingsError, match=reason):
        DEFAULT_VOCABULARY.renamed(class_id, name)


@pytest.mark.parametrize("color", ["red", "#12", "#12345678", "#gggggg"])
def test_only_colours_are_colours(color):
    with pytest.raises(SettingsError, match="#rrggbb"):
        DEFAULT_VOCABULARY.recoloured(CARBON, color)


def test_classes_differ_in_colour_symbol_and_key():
    for what in ("color", "key"):
        assert len({getattr(style, what) for style in STYLES.values()}) == len(STYLES)
    assert len({style.symbol for i, style in STYLES.items() if i}) == len(STYLES) - 1
    assert DEFAULT_VOCABULARY.palette_rgba.shape == (7, 4)
    assert (DEFAULT_VOCABULARY.palette_rgba[1:, 3] == 1).all()


def test_no_key_is_one_that_napari_uses_on_points():
    taken = set("12345APSZV") | {"Space", "Delete", "Backspace"}
    assert not {style.key for style in STYLES.values()} & taken
    assert DEFAULT_VOCABULARY.key_help == "K particle · J contaminant · C carbon · U clear"


def test_names_of_a_journal_bring_their_classes_along():
    vocabulary = Vocabulary().with_names({1: "particle", 2: "junk", 5: "edge"})
    assert vocabulary.names() == {1: "particle", 2: "junk", 3: "carbon", 5: "edge"}
    np.testing.assert_array_equal(vocabulary.symbols[[2, 5]], ["square", "triangle_down"])


def test_labels_are_counted_by_their_names():
    picks = Picks.from_arrays("a.mrc", x=[1, 2, 3], y=[1, 2, 3], label=[1, 2, 0])
    ice = DEFAULT_VOCABULARY.renamed(2, "ice")
    assert label_text(picks, ice) == "1 particle, 1 ice"
    assert label_text(picks.with_labels(0)) == "no labels"
