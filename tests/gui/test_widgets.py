"""Label, fine-tune, prune, with the panels, on a real viewer; the numbers are the core's."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"
TIMEOUT_MS = 240_000


@pytest.fixture
def loaded(viewer, project, picks_star, labelled):
    """Return a viewer with micrographs and the labelled picks."""
    from napari_pickeroptimizer.plugin import session

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    session.open_picks(viewer, labelled, name="picks")
    return viewer


def panel(viewer, name: str):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    return widget


def finetune_panel(viewer, *, steps: int = 5, folds: int = 2):
    widget = panel(viewer, "Fine-tune")
    widget.diameter.number.value = 40
    widget.steps.value, widget.folds.value, widget.device.value = steps, folds, "cpu"
    return widget


def finish(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not widget.job.running, timeout=TIMEOUT_MS)


def test_the_whole_way(loaded, qtbot, labelled, project, tmp_path):
    from napari_pickeroptimizer import (
        FineTuneSettings,
        Micrographs,
        decide,
        finetune,
        read_picks,
        score,
    )
    from napari_pickeroptimizer.plugin import jobs, session

    tuning = finetune_panel(loaded)
    assert tuning.status.value.startswith("Ready: 5 particle")
    tuning.start.changed.emit(True)
    assert not tuning.start.enabled
    finish(qtbot, tuning)
    assert "Cross-validated" in tuning.result.value
    assert tuning.start.enabled

    # the same, with the core alone
    micrographs = Micrographs.find(project / "Micrographs")
    settings = FineTuneSettings(diameter_px=40, n_steps=5, n_folds=2, device="cpu")
    used = labelled.labels != 0
    *_, tuned = finetune(micrographs, labelled.select(used), settings, labelled.select(~used))
    *_, scored = score(micrographs, labelled, tuned.model, device="cpu")
    # so little trained, the probabilities may be close together: split them in the middle
    p_particle = scored.picks.particle_probability
    thresholds = [t for t in np.arange(100) / 100 if (p_particle >= t).any()]
    threshold = min(thresholds, key=lambda t: abs((p_particle >= t).mean() - 0.5))
    expected = decide(scored.picks, threshold).table

    pruning = panel(loaded, "Prune picks")
    assert pruning.start.enabled
    pruning.device.value, pruning.threshold.value = "cpu", threshold
    pruning.start.changed.emit(True)
    finish(qtbot, pruning)
    kept, rejected = loaded.layers["picks kept"], loaded.layers["picks rejected"]
    assert len(kept.data) == (expected["predicted"] == PARTICLE).sum()
    assert len(rejected.data) == (expected["predicted"] > PARTICLE).sum()
    np.testing.assert_allclose(
        session.picks_of(kept).particle_probability,
        expected.loc[expected["predicted"] == PARTICLE, "probability_1"],
        atol=1e-5,
    )
    assert f"Kept {len(kept.data)} of {len(labelled)}" in pruning.result.value
    source = loaded.layers["picks"]
    assert len(source.data) == len(labelled)
    assert not source.visible

    # another threshold: the same layers, no network
    pruning.threshold.value = 0.0
    n_false = int((labelled.labels > PARTICLE).sum())  # labels win over scores
    assert len(kept.data) == len(labelled) - n_false
    assert len(rejected.data) == n_false
    pruning.threshold.value = threshold
    assert len(kept.data) == (expected["predicted"] == PARTICLE).sum()

    # an output that the user deleted is made again
    loaded.layers.remove("picks kept")
    pruning.start.changed.emit(True)
    finish(qtbot, pruning)
    kept = loaded.layers["picks kept"]
    assert [layer.name for layer in loaded.layers].count("picks rejected") == 1

    # a mistake seen in the result is a label for the next training
    session.label_picks(kept, [0], CONTAMINANT)
    row = np.flatnonzero(expected["predicted"] == PARTICLE)[0]
    assert session.picks_of(source).labels[row] == CONTAMINANT
    # and counts at once, at whatever threshold
    n_kept = len(kept.data)
    pruned = jobs.show_threshold(loaded, source, threshold)
    assert pruned.picks.table["predicted"][row] == CONTAMINANT
    assert len(loaded.layers["picks kept"].data) == n_kept - 1

    # kept picks and model go to files, and come back
    pruning.output.value = tmp_path / "kept.star"
    pruning.save.changed.emit(True)
    assert len(read_picks(tmp_path / "kept.star")) == len(kept.data)
    tuning.model_file.value = tmp_path / "model.safetensors"
    tuning.save.changed.emit(True)
    pruning.model_file.value = tmp_path / "model.safetensors"
    assert "particle" in pruning.model.value
    assert pruning.start.enabled


def test_cancel_is_quick_and_changes_nothing(loaded, qtbot):
    from napari_pickeroptimizer.plugin import session

    widget = finetune_panel(loaded, steps=5000)
    state = session.session_of(loaded)
    widget.start.changed.emit(True)
    qtbot.waitUntil(lambda: "step" in widget.status.value, timeout=TIMEOUT_MS)
    start = time.monotonic()
    widget.job.cancel()
    finish(qtbot, widget)
    assert time.monotonic() - start < 5  # one step, on a busy machine
    assert "Cancelled" in widget.result.value
    assert state.model is None
    assert widget.start.enabled
    assert [layer.name for layer in loaded.layers] == ["Micrographs", "picks"]


def test_without_labels_the_panel_says_what_to_do(viewer, project, picks_star):
    from napari_pickeroptimizer.plugin import session

    widget = finetune_panel(viewer)
    assert "Open micrographs" in widget.status.value
    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    assert "Open picks" in widget.status.value
    (layer,) = viewer.open(str(picks_star), plugin=PLUGIN)
    assert "No pick is labelled" in widget.status.value
    session.label_picks(layer, [0, 1], PARTICLE)
    assert "Label some false picks too" in widget.status.value
    assert not widget.start.enabled
    session.label_picks(layer, [2], CONTAMINANT)
    assert widget.status.value == "Ready: 2 particle, 1 contaminant."
    assert widget.start.enabled


def test_an_error_in_the_job_is_shown_in_its_words(loaded, qtbot):
    widget = finetune_panel(loaded)
    widget.base.value = "from file"
    assert not widget.start.enabled
    assert "Choose a file" in widget.status.value
    widget.base_file.value = "/no/such/model.safetensors"
    widget.start.changed.emit(True)
    finish(qtbot, widget)
    assert "no such file" in widget.result.value
    assert widget.start.enabled


def test_an_unreadable_micrograph_is_listed_and_its_picks_are_kept_apart(
    viewer, project, labelled, qtbot, tmp_path
):
    import shutil

    from napari_pickeroptimizer.plugin import session

    folder = tmp_path / "Micrographs"
    shutil.copytree(project / "Micrographs", folder)
    broken = sorted(folder.iterdir())[-1]
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.warns(UserWarning, match="truncated"):
        viewer.open(str(folder), plugin=PLUGIN)
    labels = labelled.labels.copy()
    on_broken = labelled.table["micrograph"].str.endswith(broken.name).to_numpy()
    labels[on_broken] = 0
    session.open_picks(viewer, labelled.with_labels(labels), name="picks")
    tuning = finetune_panel(viewer, steps=2, folds=0)
    tuning.start.changed.emit(True)
    finish(qtbot, tuning)
    pruning = panel(viewer, "Prune picks")
    pruning.start.changed.emit(True)
    finish(qtbot, pruning)
    assert "Could not be read" in pruning.result.value
    assert broken.name in pruning.result.value
    assert len(viewer.layers["picks unscored"].data) == on_broken.sum()


def test_a_wrong_model_file_is_refused_in_words(loaded, tmp_path):
    pruning = panel(loaded, "Prune picks")
    assert "Fine-tune a model" in pruning.status.value
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_text("nothing of that kind")
    pruning.model_file.value = wrong
    assert "not a readable safetensors file" in pruning.status.value
    assert not pruning.start.enabled


def test_training_starts_from_the_bundled_weights_unless_told_otherwise(loaded):
    widget = finetune_panel(loaded)
    assert widget.base.choices == ("bundled", "none", "imagenet", "from file")
    assert widget.settings().base == "bundled"
    widget.base.value = "none"
    assert widget.settings().base == "none"


def test_a_pretrained_model_is_refused_in_words(loaded):
    from napari_pickeroptimizer.model.weights import BUNDLED

    pruning = panel(loaded, "Prune picks")
    pruning.model_file.value = BUNDLED
    assert "It is a base to start from" in pruning.status.value
    assert not pruning.start.enabled


def test_diameter_in_angstrom_follows_the_pixel_size(loaded):
    widget = finetune_panel(loaded)
    widget.diameter.unit.value = "Å"
    assert widget.diameter.number.value == 160  # 40 px of 4 Å
    assert widget.settings().diameter_ang == 160
    assert loaded.layers["picks"].size[0] == pytest.approx(40)
