"""Fine-tuning in its panel: what is missing, progress, cancel, and the model that comes of it."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture
def loaded(viewer, project, labelled):
    """Return a viewer with micrographs and the labelled picks."""
    from napari_pickeroptimizer.plugin import actions

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    actions.open_picks(viewer, labelled, name="picks")
    return viewer


def panel(viewer, *, steps: int = 3, folds: int = 2):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Learn")
    widget.device.value = "cpu"
    widget.steps.value, widget.folds.value = steps, folds
    if widget.diameter.pixel_size_ang:
        widget.diameter.number.value = 160  # 40 px of 4 Å
    return widget


def finish(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not widget.job.running)


def test_it_learns_and_tells_how_well_in_words_and_plots(loaded, qtbot, tmp_path):
    from napari_pickeroptimizer.plugin import session

    widget, state = panel(loaded), session.session_of(loaded)
    assert widget.status.text() == "Ready: 5 particles, 3 contaminants, 5 carbon."
    assert not widget.plot.isVisibleTo(widget)
    widget.start.click()
    assert not widget.start.isEnabled()
    assert widget.job.isVisibleTo(widget)  # the window itself may be hidden
    finish(qtbot, widget)
    assert state.model is not None
    assert "held-out labels were predicted right" in widget.result.text()
    assert "of 5 carbon" in widget.result.text()
    assert "These are few labels to judge by" in widget.result.text()
    assert "Cross-validated" in widget.model_note.text()
    assert set(widget.plot._curves) == {1, 2, None}
    assert len(widget.plot._folds) == 2
    assert widget.start.isEnabled()
    assert not widget.job.isVisibleTo(widget)

    # it can be saved, and the one before can be had back
    widget.save_model(tmp_path / "mine")
    assert widget.result.text() == f"Saved {tmp_path / 'mine.safetensors'}"
    first = state.model
    assert not widget.restore.isEnabled()
    widget.load_model(tmp_path / "mine.safetensors")
    assert state.model is not first
    assert widget.restore.isEnabled()
    widget.restore.click()
    assert state.model is first
    assert not widget.restore.isEnabled()
    widget.save_model(tmp_path / "mine.safetensors" / "is_no_folder.safetensors")
    assert widget.result.text().startswith("Not saved: ")


def test_a_cancel_is_felt_at_once_and_changes_nothing(loaded, qtbot):
    from napari_pickeroptimizer.plugin import session

    widget = panel(loaded, steps=5000)
    state = session.session_of(loaded)
    widget.start.click()
    qtbot.waitUntil(lambda: "step" in widget.job.text)
    widget.job.stop.click()
    assert not widget.job.running
    assert widget.job._leaving  # nobody waited for the end of a step
    assert widget.result.text() == "Cancelled: nothing changed."
    assert state.model is None
    assert widget.start.isEnabled()
    assert [layer.name for layer in loaded.layers] == ["Micrographs", "picks"]
    qtbot.waitUntil(lambda: not widget.job._leaving)
    assert state.model is None
    widget.steps.value, widget.folds.value = 1, 0
    widget.start.click()  # and it can start again
    finish(qtbot, widget)
    assert "not cross-validated" in widget.result.text()


@pytest.fixture
def held_folds(monkeypatch, untrained_model):
    """Hold a fine-tuning between its model and the end of its cross-validation.

    Returns the model, what lets it go on, and what is set when it has been closed.
    """
    import threading
    from types import SimpleNamespace

    from napari_pickeroptimizer.fewshot.events import FineTuned, ModelTrained, StepDone
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.plugin import jobs

    held = SimpleNamespace(
        model=Classifier.load(untrained_model),
        go_on=threading.Event(),
        closed=threading.Event(),
    )

    def events(*_args, **_options):
        try:
            yield StepDone(None, 1, 1, (0.1, 0.1), 1.0, 0.3)
            yield ModelTrained(held.model, 0.3)
            held.go_on.wait()
            yield StepDone(1, 1, 1, (0.1, 0.1), 1.0, 0.6)
            yield FineTuned(Classifier.load(untrained_model), None)
        finally:
            held.closed.set()

    monkeypatch.setattr(jobs, "finetune_events", events)
    yield held
    held.go_on.set()


def test_the_trained_model_can_be_used_before_its_cross_validation(loaded, qtbot, held_folds):
    from napari_pickeroptimizer.plugin import session

    widget, state = panel(loaded), session.session_of(loaded)
    assert not widget.at_once.isVisibleTo(widget)
    widget.start.click()
    qtbot.waitUntil(lambda: widget.at_once.isVisibleTo(widget))
    assert widget.status.text().startswith("Trained after ")
    assert "cross-validation goes on" in widget.status.text()
    assert state.model is None  # not before it is asked for
    widget.at_once.click()
    assert not widget.job.running
    assert state.model is held_folds.model
    assert state.fine_tuned.validation is None
    assert not widget.at_once.isVisibleTo(widget)
    assert widget.result.text().startswith("Done. No expected precision")
    assert "Cancelled" not in widget.result.text()
    assert widget.start.isEnabled()
    held_folds.go_on.set()
    qtbot.waitUntil(held_folds.closed.is_set)  # the folds end, and change nothing any more
    qtbot.waitUntil(lambda: not widget.job._leaving)
    assert state.model is held_folds.model


def test_a_cancel_of_the_cross_validation_leaves_no_model(loaded, qtbot, held_folds):
    from napari_pickeroptimizer.plugin import actions, session

    widget, state = panel(loaded), session.session_of(loaded)
    widget.start.click()
    qtbot.waitUntil(lambda: widget.at_once.isVisibleTo(widget))
    row = int((session.picks_of(loaded.layers["picks"]).labels == 0).argmax())
    actions.label_picks(loaded.layers["picks"], [row], PARTICLE)  # labelling goes on
    assert "cross-validation goes on" in widget.status.text()
    widget.job.stop.click()
    assert widget.result.text() == "Cancelled: nothing changed."
    assert state.model is None
    assert not widget.at_once.isVisibleTo(widget)
    assert widget.status.text() == "Ready: 6 particles, 3 contaminants, 5 carbon."


def test_the_whole_course_replaces_the_first_answer(loaded, qtbot, held_folds):
    from napari_pickeroptimizer.plugin import session

    widget, state = panel(loaded), session.session_of(loaded)
    widget.start.click()
    qtbot.waitUntil(lambda: widget.at_once.isVisibleTo(widget))
    held_folds.go_on.set()
    finish(qtbot, widget)
    assert state.model is not None
    assert state.model is not held_folds.model
    assert len(state.models) == 1  # the first answer was never the session's
    assert not widget.at_once.isVisibleTo(widget)


def test_it_says_what_is_missing(viewer, project, picks_star):
    from napari_pickeroptimizer.plugin import actions

    widget = panel(viewer)
    assert "Open micrographs" in widget.status.text()
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    assert "Open picks" in widget.status.text()
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    assert "No pick is labelled" in widget.status.text()
    actions.label_picks(layer, [0, 1], PARTICLE)
    assert "Label some false picks too (keys J, C)" in widget.status.text()
    assert not widget.start.isEnabled()
    actions.label_picks(layer, [2], CONTAMINANT)
    assert widget.status.text() == "Ready: 2 particles, 1 contaminant."
    assert widget.start.isEnabled()
    actions.undo(layer)
    assert not widget.start.isEnabled()
    widget.diameter.number.value = 0
    actions.redo(layer)
    assert widget.status.text() == "Give the particle diameter."


def test_an_error_in_the_job_is_shown_in_its_words(loaded, qtbot):
    widget = panel(loaded)
    widget.base.value = "from file"
    assert not widget.start.isEnabled()
    assert "Choose a file" in widget.status.text()
    widget.base_file.value = "/no/such/model.safetensors"
    widget.start.click()
    finish(qtbot, widget)
    assert "no such file" in widget.result.text()
    assert widget.start.isEnabled()


def test_training_starts_from_the_bundled_weights_unless_told_otherwise(loaded):
    widget = panel(loaded)
    assert widget.base.choices == ("bundled", "none", "imagenet", "from file")
    assert widget.settings().base == "bundled"
    widget.base.value = "none"
    assert widget.settings().base == "none"


def test_the_diameter_is_in_angstrom_and_drawn_as_ring(loaded):
    widget = panel(loaded)
    assert widget.diameter.unit.value == "Å"
    assert widget.settings().diameter_ang == 160
    assert loaded.layers["picks"].size[0] == pytest.approx(40)
    widget.diameter.number.value = 200
    assert loaded.layers["picks"].size[0] == pytest.approx(50)
    widget.diameter.unit.value = "px"
    assert widget.settings().diameter_px == pytest.approx(50)


def test_the_diameter_follows_the_layer_that_is_worked_on(loaded, labelled):
    from napari_pickeroptimizer.plugin import actions, session

    widget = panel(loaded)
    actions.open_picks(loaded, labelled, name="others", diameter_px=30)
    assert widget.layers.picks.value.name == "others"
    assert widget.diameter.number.value == 120
    session.session_of(loaded).choose(picks_layer=loaded.layers["picks"])
    assert widget.diameter.number.value == 160
    assert loaded.layers["others"].size[0] == pytest.approx(30)


def test_the_users_own_names_of_classes_reach_the_model(loaded, qtbot):
    from napari_pickeroptimizer.plugin import actions, session

    state = session.session_of(loaded)
    actions.set_vocabulary(loaded, state.vocabulary.renamed(CONTAMINANT, "ice"))
    widget = panel(loaded, steps=1, folds=0)
    assert "3 ice" in widget.status.text()
    widget.start.click()
    finish(qtbot, widget)
    assert state.model.card.class_names == ("particle", "ice", "carbon")


def test_plots_follow_the_theme(loaded):
    from napari_pickeroptimizer.plugin.panels.theme import theme_colors

    widget = panel(loaded)
    for theme in ("light", "dark"):
        loaded.theme = theme
        colors = theme_colors(loaded)
        assert widget.plot.backgroundBrush().color().name() == colors.background


def test_target_boxes_of_two_panels_stay_in_step(loaded, labelled):
    from napari_pickeroptimizer.plugin import actions

    learn = panel(loaded)
    _, decide = loaded.window.add_plugin_dock_widget(PLUGIN, "Decide")
    actions.open_picks(loaded, labelled, name="others")
    first = loaded.layers["picks"]
    learn.layers.picks.value = getattr(first, "__wrapped__", first)
    assert decide.layers.picks.value.name == "picks"
    first.name = "mine"
    assert decide.layers.picks.current_choice == "mine"
    loaded.layers.remove("mine")
    assert decide.layers.picks.value.name == learn.layers.picks.value.name == "others"


def test_label_keys_work_while_the_panel_has_the_focus(loaded, qtbot):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import navigation, session

    widget = panel(loaded)
    layer = loaded.layers["picks"]
    layer.mode = "select"
    row = int((session.picks_of(layer).labels != CONTAMINANT).argmax())
    navigation.go_to_pick(loaded, layer, row)  # which selects it
    qtbot.keyClick(widget.load, Qt.Key.Key_J)  # events go to it whatever has the focus
    assert session.picks_of(layer).labels[row] == CONTAMINANT
    widget.diameter.number.native.setFocus()
    labels = session.picks_of(layer).labels.copy()
    qtbot.keyClick(widget.diameter.number.native, Qt.Key.Key_1)  # a digit of the diameter
    assert (session.picks_of(layer).labels == labels).all()
