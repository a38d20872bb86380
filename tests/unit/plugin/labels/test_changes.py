"""A change of picks is undone to what was there: labels, added, moved and removed picks."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.changes import NEW, Change
from napari_pickeroptimizer.plugin.layer_state import LayerState, Queue
from napari_pickeroptimizer.plugin.scores import Scores

X = [10.0, 20.0, 30.0, 40.0]


def picks() -> Picks:
    return Picks.from_arrays(["a", "a", "b", "b"], x=X, y=[1, 2, 3, 4], label=[0, 1, 2, 0])


def labels(*ids: int) -> np.ndarray:
    return np.array(ids, dtype=np.int8)


CHANGES = {
    "labels": (lambda p: Change.of(p, labels(3, 1, 0, 0)), [0, 1, 2, 3], X),
    "added": (
        lambda p: Change.of(p, p.labels, added=Picks.from_arrays("b", x=[50], y=[5])),
        [0, 1, 2, 3, NEW],
        [*X, 50.0],
    ),
    "removed": (
        lambda p: Change.of(p, p.labels, removed=np.array([2, 0])),
        [1, 3],
        [20.0, 40.0],
    ),
    "labelled and removed": (
        lambda p: Change.of(p, labels(0, 3, 3, 2), removed=np.array([1])),
        [0, 2, 3],
        [10.0, 30.0, 40.0],
    ),
    "moved": (
        lambda p: Change.of(p, p.labels, moved=(np.array([1]), np.array([[7.0, 70.0]]))),
        [0, NEW, 2, 3],
        [10.0, 70.0, 30.0, 40.0],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_done_undone_and_done_again(name):
    make, rows_before, x = CHANGES[name]
    before = picks()
    change = make(before)
    after, old = change.done(before)
    assert old.tolist() == rows_before
    assert after.table["x"].tolist() == x
    back, _ = change.undone(after)
    assert back.table.equals(before.table)
    assert change.done(back)[0].table.equals(after.table)


def test_a_change_says_what_it_was():
    change = Change.of(picks(), labels(0, 3, 2, 0), removed=np.array([0]))
    assert change.text == "1 label and 1 removed pick"


# ----------------------------------------------------------------------- of a layer's state


@pytest.fixture
def own() -> LayerState:
    """Return the state of a layer of the user's own points."""
    state = LayerState.of_picks(picks())
    state.home = "particles\n/data/a.mrc"
    return state


def test_own_points_are_taken_away_and_come_back_with_their_labels(own):
    own.change(Change.of(own.picks, own.picks.labels, removed=np.array([1, 3])))
    assert own.picks.table["x"].tolist() == [10.0, 30.0]
    assert own.undo()
    assert own.picks.table["x"].tolist() == X
    assert own.picks.labels.tolist() == [0, PARTICLE, CONTAMINANT, 0]
    assert own.redo()
    assert len(own.picks) == 2


def test_added_points_are_undone_too(own):
    more = Picks.from_arrays("new", x=[1], y=[2], label=CARBON)
    own.change(Change.of(own.picks, own.picks.labels, added=more))
    own.set_labels([4], PARTICLE)
    assert own.undo()
    assert own.picks.labels[4] == CARBON
    assert own.undo()
    assert own.picks.table["x"].tolist() == X


def test_scores_and_the_queue_follow_the_picks(own, some_model):
    scores = Scores.begin(own.picks, some_model)
    scores.probabilities[:] = np.array([[0.1], [0.2], [0.3], [0.4]]) * [1, 1]
    scores.complete = True
    own.begin_scores(scores)
    own.set_queue(Queue(np.array([3, 1, 0]), "suggested", position=1))
    own.change(Change.of(own.picks, own.picks.labels, removed=np.array([1])))
    np.testing.assert_allclose(own.p_particle(), [0.1, 0.3, 0.4])
    assert own.queue.rows.tolist() == [2, 0]
    assert own.queue.row == 0
    own.undo()
    np.testing.assert_allclose(own.p_particle(), [0.1, np.nan, 0.3, 0.4])


def test_nothing_is_taken_away_while_scores_of_it_come_in(own, some_model):
    own.begin_scores(Scores.begin(own.picks, some_model))
    with pytest.raises(LabelError, match="are being scored"):
        own.change(Change.of(own.picks, own.picks.labels, removed=np.array([1])))
    assert len(own.picks) == 4
    assert not own.can_undo[0]


def test_a_removed_point_is_not_offered_for_recovery(own):
    own.open_journal()
    own.change(Change.of(own.picks, own.picks.labels, added=Picks.from_arrays("a", [7], [8])))
    own.change(Change.of(own.picks, own.picks.labels, added=Picks.from_arrays("a", [9], [8])))
    own.change(Change.of(own.picks, own.picks.labels, removed=np.array([4])))
    again = own.journal.recovery(picks())
    assert again.added.table["x"].tolist() == [9.0]


def test_picks_of_a_file_are_nobodys_own(own):
    own.home = ""
    assert not own.is_own.any()
