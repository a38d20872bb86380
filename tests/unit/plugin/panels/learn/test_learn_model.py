"""What the learn panel shows, without a screen."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.fewshot.events import MicrographSkipped, StepDone
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.panels.learn.model import (
    LearnModel,
    model_line,
    model_text,
    px_or_ang,
    validation_lines,
)

VALIDATION = {"accuracy": 0.75, "macro_f1": 0.7, "n_folds": 3, "grouped_by_micrograph": True}


def some_model(**training):
    card = SimpleNamespace(
        class_names=("particle", "carbon"),
        class_ids=(1, 3),
        boxes=BoxSettings(diameter_ang=160),
        is_before_labels=False,
        training=training,
    )
    return SimpleNamespace(card=card)


def tuned(targets, predicted, *, grouped=True):
    """Return what fine-tuning says of labels whose folds predicted these classes."""
    validation = SimpleNamespace(
        targets=np.array(targets),
        judged=np.arange(len(targets)),
        probabilities=np.eye(2)[predicted],
        folds=SimpleNamespace(grouped_by_micrograph=grouped),
    )
    return SimpleNamespace(validation=validation, model=some_model())


def test_a_model_is_described():
    assert model_text(None) == model_line(None) == "No model yet."
    bare = some_model()
    assert model_text(bare) == (
        "Model: particle, carbon; diameter 160 Å. Not cross-validated."
    )
    assert model_line(bare) == "Model for 160 Å, not cross-validated."
    model = some_model(validation=VALIDATION, labels={"particle": 12, "carbon": 8})
    assert "Trained on 12 particles, 8 carbon." in model_text(model)
    assert "15 of 20 labels, 75 % right, F1 0.70." in model_text(model)
    assert model_line(model) == "Model for 160 Å, 75 % of 20 labels right."


def test_the_outcome_is_told_by_class():
    targets, predicted = [0] * 12 + [1] * 10, [0] * 12 + [1] * 9 + [0]
    assert validation_lines(tuned(targets, predicted)) == [
        "Done. 21 of 22 held-out labels were predicted right: 12 of 12 particles, "
        "9 of 10 carbon."
    ]


def test_doubts_about_the_outcome_are_told():
    targets = [0] * 10 + [1] * 9
    lines = validation_lines(tuned(targets, targets, grouped=False))
    assert "The folds share micrographs" in lines[1]
    assert "few labels to judge by (9 carbon): give" in lines[2]
    (line,) = validation_lines(SimpleNamespace(validation=None, model=some_model()))
    assert line.startswith("Done. No expected precision: the model was not cross-validated.")


@pytest.mark.parametrize(
    ("field", "settings"),
    [((40.0, "px", None), (40.0, None)), ((160.0, "Å", 4.0), (None, 160.0))],
)
def test_the_diameter_keeps_its_unit(field, settings):
    assert px_or_ang(*field) == settings


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ((0.0, "px", None), "Give the particle diameter"),
        ((160.0, "Å", None), "The pixel size is unknown: give the diameter in px"),
    ],
)
def test_a_diameter_that_says_nothing_is_refused(field, words):
    with pytest.raises(SettingsError, match=words):
        px_or_ang(*field)


def test_events_become_the_stage_of_the_job(viewer):
    model = LearnModel(session.session_of(viewer))
    assert (
        model.take(StepDone(None, 3, 80, (0.1, 0.1), 0.9, 0.5)) == "Final model: step 3 of 80"
    )
    assert model.take(StepDone(2, 3, 80, (0.1, 0.1), 0.9, 0.5)) == "Fold 2: step 3 of 80"
    for i in range(5):
        assert model.take(MicrographSkipped(f"m{i}", "gone", 0.5)) == ""
    lines = model.outcome(tuned([0] * 10 + [1] * 10, [0] * 10 + [1] * 10)).splitlines()
    assert lines[1] == "Left out m0: gone"
    assert lines[-1] == "... and 2 more"


def test_what_is_missing_and_what_is_ready(viewer, project):
    model = LearnModel(session.session_of(viewer))
    assert "Open micrographs" in model.missing()
    assert model.ready_text() == ""
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, project / "picks.star")
    actions.label_picks(layer, [0, 1], 1)
    actions.label_picks(layer, [2], 2)
    assert model.missing() == ""
    assert model.ready_text() == "Ready: 2 particles, 1 contaminant."


def test_the_previous_model_can_be_restored(viewer):
    state = session.session_of(viewer)
    model = LearnModel(state)
    state.set_model(some_model())
    assert not model.can_restore()
    assert "no previous model" in model.restore_tip()
    state.set_model(some_model())
    assert model.can_restore()
    assert "scored again" in model.restore_tip()
