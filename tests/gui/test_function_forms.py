"""The forms of `fine_tune` and `apply_model`: clicked, cancelled, called."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"
FINE_TUNE, APPLY_MODEL = "Fine-tune a model", "Apply a model"


@pytest.fixture
def loaded(shown_viewer, project, labelled):
    """Return a viewer with micrographs and the labelled picks."""
    from napari_pickeroptimizer import plugin

    shown_viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    plugin.open_picks(shown_viewer, labelled, name="picks")
    return shown_viewer


def opened(viewer, name):
    _, form = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    form.device.value = "cpu"
    return form


def click(qtbot, button):
    from qtpy.QtCore import Qt

    qtbot.waitUntil(button.isEnabled)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def finish(qtbot, form):
    qtbot.waitUntil(lambda: not form.job.running)


def test_a_click_fine_tunes_and_another_applies_the_model(loaded, qtbot, tmp_path):
    from napari_pickeroptimizer import plugin

    form = opened(loaded, FINE_TUNE)
    form.diameter_ang.value, form.n_steps.value, form.n_folds.value = 160, 3, 2
    click(qtbot, form.start)
    assert form.job.running  # in a worker: the click returned before it is done
    assert not form.start.isEnabled()
    finish(qtbot, form)
    model = plugin.session_of(loaded).model
    assert model.card.boxes.diameter_ang == 160
    assert form.text.startswith("Done.")

    form = opened(loaded, APPLY_MODEL)
    form.threshold.value = 0.4
    click(qtbot, form.start)
    finish(qtbot, form)
    micrographs, picks = loaded.layers["Micrographs"], loaded.layers["picks"]
    kept, rejected = loaded.layers["picks kept"], loaded.layers["picks rejected"]
    assert f"Kept {len(kept.data)} of {len(picks.data)} picks" in form.text
    clicked = np.array(kept.data), np.array(rejected.data)
    # and the same by a call: of the form, and of the function
    path = model.save(tmp_path / "model.safetensors")
    for layers in (form(), plugin.apply_model(micrographs, picks, path, 0.4, device="cpu")):
        for layer, expected in zip(layers, clicked, strict=True):
            np.testing.assert_array_equal(layer.data, expected)


@pytest.mark.parametrize("name", [FINE_TUNE, APPLY_MODEL])
def test_a_cancel_changes_nothing(loaded, qtbot, name, tmp_path):
    from napari_pickeroptimizer import plugin

    micrographs, picks = loaded.layers["Micrographs"], loaded.layers["picks"]
    if name == APPLY_MODEL:
        plugin.fine_tune(micrographs, picks, 160, n_steps=1, n_folds=0, device="cpu")
    model = plugin.session_of(loaded).model
    form = opened(loaded, name)
    click(qtbot, form.start)
    assert form.job.running
    form.job.cancel()  # before the first event of the worker is looked at
    assert not form.job.running
    assert form.text == "Cancelled: nothing changed."
    assert form.start.isEnabled()
    assert plugin.session_of(loaded).model is model
    assert {layer.name for layer in loaded.layers} == {"Micrographs", "picks"}


def test_what_is_missing_is_said_in_words(shown_viewer, project, picks_star, qtbot):
    form = opened(shown_viewer, FINE_TUNE)
    click(qtbot, form.start)
    assert "open the micrographs" in form.text
    shown_viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    click(qtbot, form.start)
    assert "there are no picks" in form.text
    shown_viewer.open(str(picks_star), plugin=PLUGIN)
    assert form.diameter_ang.visible
    assert form.diameter_ang.value > 0  # that of the rings
    assert not form.diameter_px.visible
    click(qtbot, form.start)
    assert "No pick is labelled" in form.text
    form = opened(shown_viewer, APPLY_MODEL)
    click(qtbot, form.start)
    assert "there is no model" in form.text
    form.model.value = project / "labels.star"
    click(qtbot, form.start)
    assert "labels.star" in form.text
    assert not form.job.running


def test_only_picks_and_micrographs_are_offered(loaded):
    loaded.add_image(np.zeros((4, 4)), name="plain")
    loaded.add_labels(np.zeros((4, 4), dtype=int))
    form = opened(loaded, APPLY_MODEL)
    assert [layer.name for layer in form.micrographs.choices] == ["Micrographs"]
    assert [layer.name for layer in form.picks.choices] == ["picks"]
    assert form.micrographs.label == "Micrographs"
    assert all(field.tooltip for field in form)
