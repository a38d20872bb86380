"""Scores, threshold and outputs in their panel, on a real viewer; the numbers are the core's."""

from __future__ import annotations

import shutil
import threading

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture(scope="module")
def tuned(project, labelled):
    """Return what a short fine-tuning gives, and the scores of all picks, by the core alone."""
    from napari_pickeroptimizer import FineTuneSettings, Micrographs, finetune, score

    micrographs = Micrographs.find(project / "Micrographs")
    settings = FineTuneSettings(diameter_px=40, n_steps=5, n_folds=2, device="cpu")
    used = labelled.labels != 0
    *_, tuned = finetune(micrographs, labelled.select(used), settings, labelled.select(~used))
    *_, scored = score(micrographs, labelled, tuned.model, device="cpu")
    return tuned, scored.picks


@pytest.fixture
def loaded(viewer, project, labelled, tuned):
    """Return a viewer with micrographs, the labelled picks and a model."""
    from napari_pickeroptimizer.plugin import actions, session

    viewer.open(str(project / "Micrographs"), plugin=PLUGIN)
    actions.open_picks(viewer, labelled, name="picks")
    session.session_of(viewer).set_model(tuned[0].model, tuned[0])
    return viewer


def panel(viewer):
    _, widget = viewer.window.add_plugin_dock_widget(PLUGIN, "Decide")
    widget.device.value = "cpu"
    return widget


def score_all(qtbot, widget) -> None:
    widget.start.click()
    qtbot.waitUntil(lambda: not widget.job.running)


def rest(qtbot, widget) -> None:
    qtbot.waitUntil(lambda: not (widget.refresh_timer.waiting or widget._soon.isActive()))


def halving(p_particle: np.ndarray) -> float:
    """Return a threshold in the widest gap of the middle scores: after 5 steps they lie close.

    The panel scores in smaller batches than the core, which moves scores by a millionth.
    """
    p = np.sort(p_particle[np.isfinite(p_particle)])[
        len(p_particle) // 4 : -len(p_particle) // 4
    ]
    i = int(np.diff(p).argmax())
    return round(float(p[i] + p[i + 1]) / 2, 3)


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


def test_labels_win_and_outputs_come_back(loaded, qtbot, tuned):
    from napari_pickeroptimizer.plugin import actions, output_layers, outputs, session

    widget = panel(loaded)
    score_all(qtbot, widget)
    source = loaded.layers["picks"]
    outputs.set_threshold(loaded, source, halving(tuned[1].particle_probability))
    kept = loaded.layers["picks kept"]
    n_kept = len(kept.data)
    row = int(
        output_layers.outputs_of(loaded, source)["kept"].metadata["pickeroptimizer"].rows[0]
    )
    actions.label_picks(kept, [0], CONTAMINANT)  # a mistake seen in the result
    assert session.picks_of(source).labels[row] == CONTAMINANT
    rest(qtbot, widget)
    assert len(kept.data) == n_kept - 1
    assert widget.summary.kept.text().startswith(f"{n_kept - 1:,} of")
    actions.undo(source)
    rest(qtbot, widget)
    assert len(kept.data) == n_kept
    loaded.layers.remove("picks kept")
    loaded.layers["picks rejected"].name = "rubbish"
    widget.fields.threshold.value = 0.0
    rest(qtbot, widget)
    assert sorted(layer.name for layer in loaded.layers) == [
        "Micrographs", "picks", "picks kept", "rubbish",
    ]  # fmt: skip
    assert loaded.layers.selection.active.name == "picks"


def test_the_switch_shows_one_layer_at_a_time(loaded, qtbot):
    widget = panel(loaded)
    score_all(qtbot, widget)
    rest(qtbot, widget)
    widget.switch.press("rejected")
    assert loaded.layers["picks rejected"].visible
    assert not loaded.layers["picks"].visible
    assert loaded.layers.selection.active.name == "picks rejected"
    widget.switch.press("all")
    assert loaded.layers["picks"].visible
    assert not loaded.layers["picks rejected"].visible


def test_an_output_that_shrank_while_hidden_comes_back(loaded, tuned):
    from napari_pickeroptimizer.plugin import outputs
    from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores

    state = picks_state(layer := loaded.layers["picks"])
    state.begin_scores(scores := Scores.begin(state.picks, tuned[0].model))
    scores.probabilities[:] = 1 / scores.probabilities.shape[1]
    scores.probabilities[0, 0] = 1.0
    summary = summarise_scores(scores.card, scores.picks_scored(state.picks))
    outputs.take_scores(loaded, layer, summary)
    outputs.set_threshold(loaded, layer, 0.0)
    outputs.choose_shown(loaded, layer, "kept")
    loaded.dims.set_current_step(0, int(layer.data[:, 0].max()))  # its last points are in view
    outputs.choose_shown(loaded, layer, "all")
    outputs.set_threshold(loaded, layer, 0.99)
    outputs.choose_shown(loaded, layer, "kept")
    assert len(loaded.layers["picks kept"].data) == state.decision.counts(0.99).kept


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


def test_large_outputs_are_made_beside_the_window(loaded, qtbot, monkeypatch):
    from napari_pickeroptimizer.plugin import output_layers, outputs
    from napari_pickeroptimizer.plugin.panels.decide import refresh_timer

    monkeypatch.setattr(outputs, "LARGE", 10)
    monkeypatch.setattr(refresh_timer, "IDLE_MS", 0)
    threads = set()
    compute = output_layers.Plan.compute

    def watched(plan):
        threads.add(threading.current_thread())
        return compute(plan)

    monkeypatch.setattr(output_layers.Plan, "compute", watched)
    widget, source = panel(loaded), loaded.layers["picks"]
    score_all(qtbot, widget)
    state = picks_state(source)

    def is_made() -> bool:
        made = output_layers.outputs_of(loaded, source)
        counts = state.decision.counts(state.threshold)
        sizes = {role: len(output.data) for role, output in made.items()}
        return sizes == {"kept": counts.kept, "rejected": counts.rejected}

    qtbot.waitUntil(lambda: widget.refresh_timer.idle and is_made())
    widget.fields.threshold.value = halving(state.p_particle())
    widget._choose_shown("kept")  # at once, while the layer is out of date
    qtbot.waitUntil(lambda: loaded.layers["picks kept"].visible)
    assert len(loaded.layers["picks kept"].data) == state.decision.counts(state.threshold).kept
    assert not source.visible
    qtbot.waitUntil(lambda: widget.refresh_timer.idle and is_made())
    assert state.outdated == frozenset()
    assert threads
    assert threading.main_thread() not in threads


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
