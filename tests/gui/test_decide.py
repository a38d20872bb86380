"""Scores, threshold and outputs in their panel, on a real viewer; the numbers are the core's."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from decide_panel import halving, panel, rest, score_all

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


def test_the_panels_numbers_are_the_cores(loaded, qtbot, tuned, labelled, tmp_path):
    from napari_pickeroptimizer import decide, read_picks
    from napari_pickeroptimizer.plugin import actions, session

    scored = tuned[1]
    threshold = halving(scored.particle_probability)
    expected = decide(scored, threshold).table
    widget = panel(loaded)
    assert widget.status.text() == "Ready to score."
    assert not widget.decisions.isVisibleTo(widget)
    score_all(qtbot, widget)
    rest(qtbot, widget)
    widget.fields.threshold.value = threshold
    rest(qtbot, widget)
    kept, rejected = loaded.layers["picks kept"], loaded.layers["picks rejected"]
    assert len(kept.data) == (expected["predicted"] == PARTICLE).sum()
    assert len(rejected.data) == (expected["predicted"] > PARTICLE).sum()
    np.testing.assert_allclose(
        session.picks_of(kept).particle_probability,
        expected.loc[expected["predicted"] == PARTICLE, "probability_1"],
        atol=1e-5,
    )
    n_kept = (expected["predicted"] == PARTICLE).sum()
    assert widget.summary.kept.text().startswith(f"{n_kept:,} of {len(labelled):,} picks kept")
    assert widget.summary.expected.text().startswith("Expected precision")
    source = loaded.layers["picks"]
    assert len(source.data) == len(labelled)
    assert source.visible
    assert not kept.visible

    # kept picks go to a file as they are
    actions.save_picks(kept, tmp_path / "kept.star")
    assert len(read_picks(tmp_path / "kept.star")) == n_kept


def test_a_dragged_threshold_recolours_counts_and_settles(loaded, qtbot, tuned):
    from qtpy.QtCore import QPoint, Qt

    widget = panel(loaded)
    score_all(qtbot, widget)
    rest(qtbot, widget)
    view = widget.plot.getPlotItem().vb
    widget.plot.repaint()

    def at(x: float) -> QPoint:
        scene = view.mapViewToScene(_point(x, 0.5))
        return widget.plot.mapFromScene(scene)

    viewport = widget.plot.viewport()
    moved: list[float] = []
    widget.plot.threshold_moved.connect(moved.append)
    qtbot.mousePress(viewport, Qt.MouseButton.LeftButton, pos=at(0.5))
    for x in (0.55, 0.6, 0.7, 0.9):
        qtbot.mouseMove(viewport, at(x))
    qtbot.mouseRelease(viewport, Qt.MouseButton.LeftButton, pos=at(0.9))
    rest(qtbot, widget)
    source = loaded.layers["picks"]
    state = picks_state(source)
    assert moved
    assert state.threshold == pytest.approx(0.9, abs=0.05)
    widget.plot._dragged(0.2)
    assert widget.fields.threshold.value == pytest.approx(0.2)
    widget.plot._let_go()
    rest(qtbot, widget)
    counts = state.decision.counts(0.2)
    assert len(loaded.layers["picks kept"].data) == counts.kept
    qtbot.keyClick(widget.plot, Qt.Key.Key_Right)
    assert state.threshold == pytest.approx(0.21)


def _point(x: float, y: float):
    from qtpy.QtCore import QPointF

    return QPointF(x, y)


def test_presets_set_the_threshold_by_what_it_gives(loaded, qtbot):
    from napari_pickeroptimizer.plugin import outputs

    widget = panel(loaded)
    score_all(qtbot, widget)
    layer_state = picks_state(loaded.layers["picks"])
    scores = outputs.scores_of(loaded, loaded.layers["picks"])
    widget.fields.preset.value = "balanced (best F1)"
    assert layer_state.threshold == scores.forecast.best_f1()
    widget.fields.preset.value = "recall at least"
    assert widget.fields.percent.native.isVisibleTo(widget.fields)
    widget.fields.percent.value = 50
    assert layer_state.threshold == scores.forecast.threshold_for_recall(0.5)
    widget.fields.preset.value = "precision at least"
    widget.fields.percent.value = 100
    assert "no threshold is expected to reach a precision of 1" in widget.status.text()
    widget.fields.percent.value = 60
    assert layer_state.threshold == scores.forecast.threshold_for_precision(0.6)
    widget.fields.preset.value = "0.5"
    assert layer_state.threshold == 0.5
    assert not widget.fields.percent.native.isVisibleTo(widget.fields)
    widget.fields.threshold.value = 0.3
    assert widget.fields.preset.value == "by hand"
    assert scores.forecast.warnings
    assert "label" in widget.summary.warnings.text().lower()


def test_the_table_goes_to_micrographs_and_sorts(loaded, qtbot):
    from qtpy.QtCore import Qt

    widget = panel(loaded)
    score_all(qtbot, widget)
    rest(qtbot, widget)
    table, rows = widget.table.micrographs, widget.table.micrographs.rows
    assert table.rowCount() == 3
    widget.table.sortByColumn(0, Qt.SortOrder.DescendingOrder)
    names = [rows.name_at(i) for i in range(3)]
    assert names == sorted(names, reverse=True)
    for i in (0, 2):
        widget.table.chosen.emit(names[i])
        assert widget.table.currentIndex().row() == i
    picked = [int(rows.text(i, 1)) for i in range(3)]
    assert sum(picked) == len(loaded.layers["picks"].data)


def test_cancelled_scoring_leaves_what_was_before(loaded, qtbot, gate):
    from napari_pickeroptimizer.plugin import outputs, session

    widget = panel(loaded)
    layer = loaded.layers["picks"]
    before = session.picks_of(layer).table
    widget.start.click()
    gate.let(2)  # of three; the reader is one ahead
    qtbot.waitUntil(lambda: "Micrograph" in widget.job.text)
    widget.job.cancel()
    assert not widget.job.running
    assert widget.status.text() == "Cancelled: nothing changed."
    assert picks_state(layer).scores is None
    assert list(session.picks_of(layer).table) == list(before)
    assert len(loaded.layers) == 2
    gate.open()
    score_all(qtbot, widget)
    done = outputs.scores_of(loaded, layer)
    widget.start.click()
    widget.job.cancel()
    assert outputs.scores_of(loaded, layer) is done


def test_the_micrograph_that_is_seen_is_scored_first(loaded, qtbot):
    from napari_pickeroptimizer.plugin import navigation

    layer = loaded.layers["picks"]
    last = list(layer.metadata["pickeroptimizer"].slice_of)[-1]
    navigation.go_to_named(loaded, layer, last)
    widget = panel(loaded)
    seen: list[str] = []
    original = widget.model.take

    def spy(event) -> str:
        seen.append(event.group.name if hasattr(event, "group") else "")
        return original(event)

    widget.model.take = spy
    score_all(qtbot, widget)
    assert seen[0] == last


def test_a_new_model_forgets_the_scores_in_clear_words(loaded, qtbot, tuned):
    from napari_pickeroptimizer.plugin import session

    widget = panel(loaded)
    score_all(qtbot, widget)
    session.session_of(loaded).set_model(tuned[0].model)
    assert (
        widget.status.text()
        == "The scores were from the previous model: score the picks again."
    )
    assert not widget.decisions.isVisibleTo(widget)
    widget.start.click()  # a model that comes while another one scores stops it
    session.session_of(loaded).set_model(tuned[0].model)
    assert not widget.job.running


def test_a_deleted_layer_ends_its_scoring(loaded, qtbot, gate):
    widget = panel(loaded)
    widget.start.click()
    qtbot.waitUntil(lambda: gate.n_held > 0)
    loaded.layers.remove("picks")
    gate.open()
    qtbot.waitUntil(lambda: not widget.job.running)
    assert widget.status.text() == "The picks layer was deleted meanwhile."


def test_scores_are_thresholded_without_micrographs(loaded, qtbot):

    widget = panel(loaded)
    score_all(qtbot, widget)
    loaded.layers.remove("Micrographs")
    assert "open micrographs first" in widget.status.text()
    assert "can be used" in widget.status.text()
    assert not widget.start.isEnabled()
    widget.fields.threshold.value = 0.0
    rest(qtbot, widget)
    layer = loaded.layers["picks"]
    counts = picks_state(layer).decision.counts(0.0)
    assert len(loaded.layers["picks kept"].data) == counts.kept


def test_distances_cost_picks_their_place(loaded, qtbot):

    widget = panel(loaded)
    score_all(qtbot, widget)
    widget.fields.threshold.value = 0.0
    widget.edge_distance.number.value = 100
    qtbot.waitUntil(lambda: bool(picks_state(loaded.layers["picks"]).frames))
    assert "for their place" in widget.summary.rejected.text()
    widget.min_distance.unit.value = "diameters"
    widget.min_distance.number.value = 1
    widget._apply_rules()
    assert widget.distance_note.text() == ""


def test_an_unreadable_micrograph_is_in_the_table_and_its_picks_are_apart(
    viewer, project, labelled, tuned, qtbot, tmp_path
):
    from napari_pickeroptimizer.plugin import actions, session

    folder = tmp_path / "Micrographs"
    shutil.copytree(project / "Micrographs", folder)
    broken = sorted(folder.iterdir())[-1]
    broken.write_bytes(broken.read_bytes()[:5000])
    with pytest.warns(UserWarning, match="truncated"):
        viewer.open(str(folder), plugin=PLUGIN)
    on_broken = labelled.table["micrograph"].str.endswith(broken.name).to_numpy()
    labels = np.where(on_broken, 0, labelled.labels)
    actions.open_picks(viewer, labelled.with_labels(labels), name="picks")
    session.session_of(viewer).set_model(tuned[0].model)
    widget = panel(viewer)
    score_all(qtbot, widget)
    rest(qtbot, widget)
    rows = widget.table.micrographs.rows
    notes = {rows.name_at(i): rows.text(i, 5) for i in range(3)}
    assert [note for name, note in notes.items() if name.endswith(broken.name)] == [
        "unreadable"
    ]
    assert rows.name_at(2).endswith(broken.name)  # there is nothing to look at
    assert len(viewer.layers["picks unscored"].data) == on_broken.sum()


def test_a_wrong_or_pretrained_model_file_is_refused_in_words(viewer, tmp_path):
    from napari_pickeroptimizer.model.bases import BUNDLED

    widget = panel(viewer)
    assert "open micrographs first" in widget.status.text()
    wrong = tmp_path / "wrong.safetensors"
    wrong.write_text("nothing of that kind")
    widget.load_model(wrong)
    assert "is no model, but a text file" in widget.status.text()
    widget.load_model(BUNDLED)
    assert "It is a base to start from" in widget.status.text()
    assert not widget.start.isEnabled()


def test_two_viewers_have_scores_of_their_own(loaded, qtbot, tuned):
    from napari.components import ViewerModel

    from napari_pickeroptimizer.plugin import session

    other = ViewerModel()
    widget = panel(loaded)
    score_all(qtbot, widget)
    session.session_of(other).set_model(tuned[0].model)
    assert picks_state(loaded.layers["picks"]).scores is not None
