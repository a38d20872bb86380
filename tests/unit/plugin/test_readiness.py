"""What keeps fine-tuning and scoring from starting, in the user's words."""

from __future__ import annotations

import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.readiness import (
    label_text,
    missing_to_finetune,
    missing_to_score,
)

STACK = object()  # whether there is one is all that is asked
ICE = DEFAULT_VOCABULARY.renamed(2, "ice")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 0, 0], "No pick is labelled. Click picks"),
        ([2, 0, 0], "Label some particles too (key K): so far 1 ice."),
        ([1, 0, 0], "Label some false picks too (keys J, C): so far 1 particle."),
        ([1, 2, 0], ""),
    ],
)
def test_fine_tuning_needs_particles_and_false_picks(labels, words):
    picks = Picks.from_arrays("a.mrc", x=[1, 2, 3], y=[1, 2, 3], label=labels)
    missing = missing_to_finetune(picks, STACK, ICE)
    assert missing.startswith(words) if words else not missing


def test_fine_tuning_needs_layers():
    picks = Picks.from_arrays("a.mrc", x=[1], y=[1])
    assert "Open micrographs" in missing_to_finetune(picks, None)
    assert "Open picks" in missing_to_finetune(None, STACK)
    assert "J ice" in missing_to_finetune(picks, STACK, ICE)


def test_labels_are_counted_by_their_names():
    picks = Picks.from_arrays("a.mrc", x=[1, 2, 3], y=[1, 2, 3], label=[1, 2, 0])
    assert label_text(picks, ICE) == "1 particle, 1 ice"
    assert label_text(picks.with_labels(0)) == "no labels"


def test_scoring_needs_micrographs_picks_and_a_model(viewer, project):
    state = session.session_of(viewer)
    assert "open micrographs first" in missing_to_score(state)
    actions.open_micrographs(viewer, project / "Micrographs")
    assert missing_to_score(state) == "Open picks first."
    actions.open_picks(viewer, project / "picks.star")
    assert "Fine-tune a model" in missing_to_score(state)
    state.set_model(object())
    assert missing_to_score(state) == ""
