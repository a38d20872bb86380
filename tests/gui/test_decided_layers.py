"""The layers of kept, rejected and unscored picks, in a real viewer."""

from __future__ import annotations

import threading

import pytest
from decide_panel import halving, panel, rest, score_all

from napari_pickeroptimizer.classes import CONTAMINANT
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui


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
