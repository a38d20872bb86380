"""The state of a picks layer, without napari: labels, undo, journal, scores, decision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.changes import with_added
from napari_pickeroptimizer.plugin.layer_state import (
    METADATA_KEY,
    SUGGESTED,
    TO_CHECK,
    LayerState,
    Queue,
    layer_state,
    picks_state,
)
from napari_pickeroptimizer.plugin.scores import Scores, summarise_scores
from napari_pickeroptimizer.plugin.transforms import FALLBACK_DIAMETER_PX, guess_diameter_px
from napari_pickeroptimizer.prune.decide import decide
from napari_pickeroptimizer.prune.events import MicrographScored
from napari_pickeroptimizer.prune.place_rules import Frame
from napari_pickeroptimizer.prune.settings import Length, PlaceRules
from napari_pickeroptimizer.reading import MicrographRows

NAMES = ("b.mrc", "a.mrc")


class SomeLayer(SimpleNamespace):
    """As much of a layer as a state needs; napari's are hashed by identity too."""

    __hash__ = object.__hash__


def some_picks(n: int = 40) -> Picks:
    rng = np.random.default_rng(0)
    return Picks.from_arrays(
        np.repeat(NAMES, n // 2), x=rng.uniform(0, 200, n), y=rng.uniform(0, 200, n)
    )


def some_model() -> Classifier:
    card = ModelCard((1, 2, 3), ("particle", "ice", "carbon"), "r", BoxSettings(diameter_px=9))
    return Classifier(None, card)  # type: ignore[arg-type]


def events(state: LayerState, p_particle: Any = None) -> list[MicrographScored]:
    n = len(state.picks)
    p = np.random.default_rng(1).random(n) if p_particle is None else np.asarray(p_particle)
    probabilities = np.column_stack([p, (1 - p) * 0.7, (1 - p) * 0.3]).astype(np.float32)
    groups = state.picks.rows_by_micrograph()
    return [
        MicrographScored(
            MicrographRows(name, None, rows), probabilities[rows], 0, i, len(groups)
        )
        for i, (name, rows) in enumerate(groups.items(), 1)
    ]


def scored(state: LayerState, p_particle: Any = None) -> LayerState:
    scores = Scores.begin(state.picks, some_model())
    state.begin_scores(scores)
    for event in events(state, p_particle):
        state.take_scores(event)
    state.take_scores(summarise_scores(scores.card, scores.picks_scored(state.picks)))
    return state


@pytest.fixture
def state() -> LayerState:
    return LayerState.of_picks(some_picks(), diameter_px=20)


def heard(signal: Any) -> list[Any]:
    emitted: list[Any] = []
    signal.connect(lambda *args: emitted.append(args[0].tolist() if args else None))
    return emitted


# ------------------------------------------------------------------------------- its layer


def test_a_layer_keeps_its_state_and_a_copied_layer_gets_a_copy(state):
    layer = SomeLayer(metadata={METADATA_KEY: state}, name="picks")
    other = SomeLayer(metadata=dict(layer.metadata), name="copy")
    assert layer_state(layer) is state
    copied = layer_state(other)
    assert copied is not state
    assert layer_state(other) is copied
    copied.set_labels([0], PARTICLE)
    assert not state.picks.labels.any()
    assert not state.can_undo[0]


def test_a_copy_of_scored_picks_has_a_threshold_of_its_own(state):
    copied = scored(state).copy()
    copied.set_threshold(0.9)
    assert state.threshold == 0.5
    assert copied.decision.counts(0.9).kept < state.decision.counts(0.5).kept


def test_layers_of_others_have_no_state():
    layer = SomeLayer(metadata={}, name="theirs")
    assert layer_state(layer) is None
    with pytest.raises(LabelError, match="'theirs' holds no picks"):
        picks_state(layer)


# ---------------------------------------------------------------------------------- labels


def test_labels_are_told_once_and_undone(state):
    told, drawn = heard(state.labels_changed), heard(state.redraw)
    state.set_labels({3, 5}, PARTICLE)
    state.set_labels([5], PARTICLE)  # it has that label
    assert (told, drawn) == ([[3, 5]], [[3, 5]])
    assert state.undo()
    assert not state.picks.labels.any()
    assert state.can_undo == (False, True)
    assert state.redo()
    assert np.flatnonzero(state.picks.labels).tolist() == [3, 5]
    assert not state.redo()


def test_rows_that_do_not_exist_are_refused(state):
    with pytest.raises(LabelError, match="rows count from 0"):
        state.set_labels([-1], PARTICLE)


def test_labels_are_written_as_they_are_given_and_offered_again(state):
    state.open_journal()
    assert state.recovery is None
    state.set_labels([1, 2], [PARTICLE, CARBON])
    state.undo()
    state.redo()
    again = LayerState.of_picks(some_picks())
    again.open_journal()
    assert again.recovery is not None
    again.set_labels([1], CONTAMINANT)  # given since: it stays
    assert again.recover().n_labels == 1
    assert again.picks.labels[:3].tolist() == [0, CONTAMINANT, CARBON]
    assert again.recover() is None


def test_a_journal_that_cannot_be_written_is_told_once(state, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("PICKEROPTIMIZER_STATE", str(tmp_path / "file"))
    state.open_journal()
    with pytest.warns(UserWarning, match="Save them yourself"):
        state.set_labels([0], PARTICLE)
    state.set_labels([1], PARTICLE)  # warnings are errors here
    assert state.picks.labels[:2].tolist() == [PARTICLE, PARTICLE]


def test_labels_on_an_output_are_those_of_its_source(state):
    state.is_open = True
    rows = np.array([4, 7])
    output = LayerState.of_picks(state.picks.select(rows))
    output.role = "kept"
    output.source, output.rows = state, rows
    told = heard(output.labels_changed)
    output.set_labels([1], CARBON)
    assert state.picks.labels[7] == CARBON
    assert not told  # it is the source that tells
    output.undo()
    assert not state.picks.labels.any()
    state.is_open = False  # its layer is gone: from now on they are its own
    output.set_labels([0], CARBON)
    assert not state.picks.labels.any()
    assert output.can_undo == (True, False)


def test_added_picks_get_a_slice(state):
    more = Picks.from_arrays(["new.mrc"], x=[1], y=[2])
    views = heard(state.view_changed)
    state.set_picks(with_added(state.picks, more))
    assert state.slice_of["new.mrc"] == 2
    assert state.slices[-1] == 2
    assert len(views) == 1


# ------------------------------------------------------------------------- scores, decision


def test_scores_come_in_and_colour_what_they_are_of(state):
    scores = Scores.begin(state.picks, some_model())
    assert state.begin_scores(scores) is None
    drawn = heard(state.redraw)
    first, second = events(state)
    state.take_scores(first)
    assert drawn == [list(range(20))]
    assert (state.scored_class(first.group.rows) > 0).all()
    assert not state.scored_class(second.group.rows).any()
    assert state.decision.counts(0.5).unscored == 20
    state.take_scores(second)
    assert state.decision.counts(0.5).unscored == 0
    assert not state.needs_refresh
    state.take_scores(summarise_scores(scores.card, scores.picks_scored(state.picks)))
    assert state.needs_refresh
    assert scores.complete


def test_scores_are_no_part_of_the_picks(state):
    columns = list(state.picks.table)
    scored(state)
    state.set_labels([0], PARTICLE)
    assert list(state.picks.table) == columns
    assert {"predicted", "decided_by", "probability_1"} <= set(state.decided_picks().table)


def test_labels_are_followed_by_the_decision(state):
    scored(state)
    kept = state.decision.counts(0.0).kept
    state.set_labels([3], CONTAMINANT)
    assert state.decision.counts(0.0).kept == kept - 1
    state.undo()
    assert state.decision.counts(0.0).kept == kept


def test_picks_that_are_added_are_unscored(state):
    scored(state)
    more = Picks.from_arrays(["new.mrc", "a.mrc"], x=[1, 2], y=[3, 4])
    state.set_picks(with_added(state.picks, more))
    assert state.decision.counts(0.5).unscored == 2
    assert state.scored_class(np.array([40, 41])).tolist() == [0, 0]
    state.set_labels([41], PARTICLE)
    assert state.decision.counts(0.5).unscored == 1


@pytest.mark.parametrize("row", range(0, 40, 7))
def test_places_near_a_new_label_are_decided_again(state, row):
    scored(state)
    frames = [
        Frame(rows, None, 40.0, 0.0) for rows in state.picks.rows_by_micrograph().values()
    ]
    state.set_place_rules(PlaceRules(min_distance=Length(40)), frames)
    for label in (1, 2, 0):
        before = state.scored_class().copy()
        drawn = heard(state.redraw)
        state.set_labels([row], label)
        now = state.scored_class()
        assert {row, *np.flatnonzero(before != now)} <= set(drawn[0])
        for threshold in (0.0, 0.4):
            picks = state.scores.scored_picks(state.picks)
            expected = decide(picks, threshold, frames).table["predicted"]
            np.testing.assert_array_equal(state.decision.predicted(threshold), expected)


@pytest.mark.parametrize("threshold", [0.7, float(np.float32(0.7)), 0.1, 1 / 3, 0.0, 1.0])
def test_a_score_that_is_nearly_the_threshold_is_on_one_side_everywhere(state, threshold):
    t = np.float32(threshold)
    close = [
        t,
        np.nextafter(t, np.float32(0)),
        np.nextafter(t, np.float32(1)),
        np.float32(0.5),
    ]
    p = np.resize(np.clip(close, 0, 1), len(state.picks))
    half = events(state, p)[0]
    state.begin_scores(Scores.begin(state.picks, some_model()))
    state.threshold = threshold
    state.take_scores(half)
    streamed = state.scored_class(half.group.rows)
    scored(state, p)
    classes = state.decision.predicted(threshold)
    np.testing.assert_array_equal(classes == 1, p.astype(np.float64) >= threshold)
    np.testing.assert_array_equal(streamed, classes[half.group.rows])
    np.testing.assert_array_equal(state.scored_class(), classes)
    np.testing.assert_array_equal(state.decided_picks().table["predicted"], classes)
    np.testing.assert_array_equal(
        decide(state.scores.scored_picks(state.picks), threshold).table["predicted"], classes
    )


def test_a_cancelled_scoring_gives_the_scores_of_before_back(state):
    scored(state)
    state.set_threshold(0.8)
    before = state.begin_scores(Scores.begin(state.picks, some_model()))
    assert state.threshold == 0.8
    state.take_scores(events(state, np.zeros(40))[0])
    state.set_labels([2], PARTICLE)
    state.restore_scores(before)
    assert state.scores is before
    assert state.decision.predicted(0.8)[2] == PARTICLE


def test_without_scores_there_is_no_decision(state):
    with pytest.raises(SettingsError, match="score them first"):
        state.decision.counts(0.5)
    scored(state)
    state.forget_scores()
    assert not state.scored_class().any()
    with pytest.raises(SettingsError, match="from 0 to 1"):
        state.set_threshold(1.2)


def test_picks_of_a_scored_file_show_what_it_says_until_they_are_scored_here():
    own = some_picks().with_columns(
        predicted=np.full(40, 3, dtype=np.int8), probability_1=np.linspace(0, 1, 40)
    )
    state = LayerState.of_picks(own)
    assert set(state.scored_class()) == {CARBON}
    scored(state, np.full(40, 0.9))
    assert set(state.scored_class()) == {PARTICLE}
    state.forget_scores()
    assert set(state.scored_class()) == {CARBON}
    np.testing.assert_array_equal(state.p_particle(), np.linspace(0, 1, 40))


# ------------------------------------------------------------------------------------ else


def test_a_queue_goes_on_to_what_has_no_label():
    labels = np.array([0, 1, 0, 1, 0], dtype=np.int8)
    queue = Queue(np.array([4, 3, 2, 0]), SUGGESTED, position=2)
    assert queue.text == "3 of 4 suggested"
    assert queue.to_label_next(labels).tolist() == [3, 0]
    assert Queue(queue.rows, TO_CHECK, 1).to_label_next(labels).tolist() == [2, 3]


def test_rings_start_at_the_usual_distance_of_neighbours():
    grid = np.arange(0, 500, 50.0)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    assert guess_diameter_px(Picks.from_arrays("a.mrc", x=x, y=y)) == 50
    alone = Picks.from_arrays("a.mrc", x=[1.0], y=[1.0])
    assert guess_diameter_px(alone) == FALLBACK_DIAMETER_PX
