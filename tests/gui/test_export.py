"""The export panel: what it says, what it writes, and that commands give the same."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture(scope="module")
def model(project, labelled):
    """Return a model that was taught by the project's labels, once for all tests."""
    from napari_pickeroptimizer import FineTuneSettings, Micrographs, finetune

    settings = FineTuneSettings(diameter_px=40, n_steps=5, n_folds=2, device="cpu")
    micrographs = Micrographs.find(project / "Micrographs")
    used = labelled.labels != 0
    *_, tuned = finetune(micrographs, labelled.select(used), settings, labelled.select(~used))
    return tuned


@pytest.fixture
def loaded(viewer, project, picks_star, labelled):
    """Return a viewer with micrographs and the labelled picks of a file."""
    from napari_pickeroptimizer.plugin import actions

    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, picks_star, name="picks", diameter_px=40)
    rows = np.flatnonzero(labelled.labels)
    actions.label_picks(layer, rows, labelled.labels[rows])
    return viewer


@pytest.fixture
def scored(loaded, model):
    """Return the viewer with scores, at a threshold that keeps about half of the picks."""
    from napari_pickeroptimizer.plugin import jobs, outputs, session

    layer = loaded.layers["picks"]
    session.session_of(loaded).set_model(model.model, model)
    scores = jobs.score_layer(loaded, layer, device="cpu")
    outputs.set_threshold(loaded, layer, float(np.median(scores.p_particle)))
    return loaded


def panel(viewer):
    from napari_pickeroptimizer.plugin.panels.export.widget import ExportWidget

    widget = ExportWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Export")
    return widget


def click(qtbot, button) -> None:
    from qtpy.QtCore import Qt

    assert button.isEnabled()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def finish(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not widget.job.running)


def run_shell(script: str, cwd: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=cwd, text=True, capture_output=True,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr + run.stdout


def test_panel_command_line_and_python_keep_the_same_picks(
    scored, qtbot, tmp_path, monkeypatch
):
    from qtpy.QtWidgets import QApplication

    from napari_pickeroptimizer import read_picks
    from napari_pickeroptimizer.plugin import session

    widget = panel(scored)
    layer = scored.layers["picks"]
    kept = session.picks_of(scored.layers["picks kept"])
    assert f"Kept {len(kept)} " in widget.counts.text
    widget.place.value = out = tmp_path / "my out"
    click(qtbot, widget.start)
    assert not widget.start.isEnabled()
    finish(qtbot, widget)
    assert widget.result.isVisibleTo(widget)
    assert widget.result.text.text() == f"{len(kept)} kept picks; 7 files written."
    assert (out / "report.html").is_file()

    widget.again.expand()
    click(qtbot, widget.again.command.copy)
    command = QApplication.clipboard().text()
    assert "finetune" in command
    assert "prune" in command
    run_shell(command, tmp_path)
    snippet = widget.again.snippet.text.replace("my out_again", "by python")
    (tmp_path / "script.py").write_text(snippet)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("script.py", run_name="__main__")
    shown = picks_state(layer).p_particle()
    for folder in ("my out", "my out_again", "by python"):
        again = read_picks(tmp_path / folder / "kept.star")
        assert again.table[["micrograph", "x", "y"]].equals(
            kept.table[["micrograph", "x", "y"]]
        )
        found = read_picks(tmp_path / folder / "scored.star").particle_probability
        np.testing.assert_allclose(found, shown, atol=1e-6)


def test_what_is_missing_is_said_step_by_step(viewer, project, picks_star):
    from napari_pickeroptimizer.plugin import actions

    widget = panel(viewer)
    assert widget.status.text() == "Open picks first."
    assert not widget.start.isVisibleTo(widget)
    actions.open_micrographs(viewer, project / "Micrographs")
    actions.open_picks(viewer, picks_star)
    assert widget.status.text().startswith("Score the picks first")
    assert not widget.start.isEnabled()
    assert widget.output == picks_star.parent / "picks_pruned"


def test_nothing_is_replaced_before_it_is_allowed(scored, qtbot, tmp_path):
    widget = panel(scored)
    (tmp_path / "run.json").write_text("{}")
    widget.place.value = tmp_path
    assert "holds an earlier run" in widget.warning.text()
    assert not widget.start.isEnabled()
    widget.replace.value = True
    assert widget.start.isEnabled()
    widget.options["report"].value = False
    click(qtbot, widget.start)
    finish(qtbot, widget)
    assert widget.result.isVisibleTo(widget)
    assert not widget.replace.value  # to be said each time
    assert not widget.start.isEnabled()


def test_counts_and_commands_follow_the_threshold(scored, qtbot, tmp_path):
    from napari_pickeroptimizer.plugin import outputs

    widget = panel(scored)
    widget.place.value = tmp_path / "out"
    widget.again.expand()
    before = widget.again.command.text
    assert "labels.star will be there" in before
    layer = scored.layers["picks"]
    outputs.set_threshold(scored, layer, 0.123)
    n_kept = len(scored.layers["picks kept"].data)
    assert f"Kept {n_kept} " in widget.counts.text
    qtbot.waitUntil(lambda: "--threshold 0.123" in widget.again.command.text)


def test_only_kept_picks_to_one_file(scored, qtbot, tmp_path):
    from napari_pickeroptimizer import read_picks

    widget = panel(scored)
    assert not widget.format.visible
    widget.what.value = "kept"
    assert widget.output.name == "picks_kept.star"
    widget.place.value = tmp_path / "mine.star"
    click(qtbot, widget.start)
    finish(qtbot, widget)
    assert len(read_picks(tmp_path / "mine.star")) == len(scored.layers["picks kept"].data)
    assert "RELION" in widget.result.steps.text()


def test_an_error_is_said_in_its_words(scored, qtbot, picks_star):
    widget = panel(scored)
    widget.what.value = "kept"
    widget.place.value = picks_star
    widget.replace.value = True
    click(qtbot, widget.start)
    finish(qtbot, widget)
    assert "one of the files these picks were read from" in widget.status.text()
    assert widget.start.isEnabled()


def test_cancel_leaves_whole_files(scored, qtbot, tmp_path):
    widget = panel(scored)
    widget.place.value = tmp_path / "out"
    widget._start()
    widget.job.cancel()
    assert widget.status.text().startswith("Cancelled")
    assert widget.start.isEnabled()
    qtbot.waitUntil(lambda: not widget.job._leaving)
    assert not [p for p in tmp_path.rglob(".*") if p.is_file()]


def test_labels_alone_are_saved_at_any_time(loaded, tmp_path, labelled, monkeypatch, qtbot):
    from qtpy.QtWidgets import QFileDialog

    from napari_pickeroptimizer import read_picks

    widget = panel(loaded)
    asked = []

    def ask(_parent, _title, start, _filter):
        asked.append(start)
        return str(tmp_path / "labels"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    click(qtbot, widget.save_labels)
    assert asked[0].endswith("labels.star")
    assert widget.status.text() == "Labels saved: labels.star"
    assert np.array_equal(read_picks(tmp_path / "labels.star").labels, labelled.labels)
    widget.save_labels_to(tmp_path / "labels.star")
    assert "exists" in widget.status.text()


def test_without_labels_there_is_nothing_to_save(viewer, project, picks_star, qtbot):
    from napari_pickeroptimizer.plugin import actions

    actions.open_picks(viewer, picks_star)
    widget = panel(viewer)
    click(qtbot, widget.save_labels)
    assert "No pick is labelled yet" in widget.status.text()


def test_report_and_folder_are_opened(scored, qtbot, tmp_path, monkeypatch):
    from qtpy.QtGui import QDesktopServices

    opened = []
    monkeypatch.setattr(
        QDesktopServices, "openUrl", lambda url: opened.append(Path(url.toLocalFile()))
    )
    widget = panel(scored)
    widget.place.value = tmp_path / "out"
    click(qtbot, widget.start)
    finish(qtbot, widget)
    click(qtbot, widget.result.open_report)
    click(qtbot, widget.result.open_folder)
    assert opened == [tmp_path / "out" / "report.html", tmp_path / "out"]


def test_layers_may_be_renamed_and_deleted(scored, qtbot, tmp_path):
    widget = panel(scored)
    scored.layers["picks"].name = "mine"
    scored.layers["mine"].metadata["pickeroptimizer"].scores.seconds = 100  # of scoring
    widget.place.value = tmp_path / "out"
    widget.options["report"].value = False
    click(qtbot, widget.start)
    finish(qtbot, widget)
    assert (tmp_path / "out" / "kept.star").is_file()
    assert json.loads((tmp_path / "out" / "run.json").read_text())["seconds"] >= 100
    for layer in list(scored.layers):
        scored.layers.remove(layer)
    assert widget.status.text() == "Open picks first."
    widget._start()  # a click that came too late
    assert not widget.job.running


def test_a_label_given_in_the_gallery_counts_at_once(scored):
    from napari_pickeroptimizer.plugin import actions, session

    widget = panel(scored)
    layer = scored.layers["picks"]
    kept = scored.layers["picks kept"]
    n = len(kept.data)
    rows = np.flatnonzero(session.picks_of(layer).labels == 0)
    p_particle = picks_state(layer).p_particle()
    row = rows[np.argmax(p_particle[rows])]
    actions.label_picks(layer, [row], CONTAMINANT)
    assert f"Kept {n - 1} " in widget.counts.text
    actions.label_picks(layer, [row], PARTICLE)
    assert f"Kept {n} " in widget.counts.text
