"""Suggestions become a queue, and picks remember that they were suggested."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari.components")

from napari_pickeroptimizer.errors import LabelError, MicrographNotFoundError
from napari_pickeroptimizer.fewshot.events import Suggested
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import actions, session, suggestions
from napari_pickeroptimizer.plugin.layer_state import TO_CHECK, picks_state
from napari_pickeroptimizer.plugin.navigation import queue_of


def found(layer, rows, doubtful=()) -> Suggested:
    """The last event of the core, as it would be for these rows."""
    picks = session.picks_of(layer)
    numbered = picks.with_columns(**{suggestions.ROW: np.arange(len(picks))})
    at = np.array(rows, dtype=np.intp)
    return Suggested(
        numbered.select(at),
        at,
        "diversity",
        len(at),
        len(picks),
        numbered.select(np.array(doubtful, dtype=np.intp)),
    )


def test_suggested_picks_are_queued_and_remembered(viewer, layer):
    queue = suggestions.show_suggestions(viewer, layer, found(layer, [2, 0]))
    assert queue_of(layer) is queue
    assert (queue.rows.tolist(), queue.reason) == ([2, 0], "suggested")
    assert layer.selected_data == {2}
    assert session.picks_of(layer).was_suggested.tolist() == [True, False, True, False]
    actions.label_picks(layer, [2], 1)
    suggestions.show_suggestions(viewer, layer, found(layer, [1]))
    rank = session.picks_of(layer).table["suggestion"].to_numpy()
    np.testing.assert_array_equal(rank, [2, 3, 1, np.nan])
    assert session.picks_of(layer).labels.tolist() == [0, 0, 1, 0]


def test_labels_given_while_the_job_ran_are_kept(viewer, layer):
    event = found(layer, [0])
    actions.label_picks(layer, [3], 2)
    suggestions.show_suggestions(viewer, layer, event)
    assert session.picks_of(layer).labels.tolist() == [0, 0, 0, 2]


def test_doubtful_labels_become_a_queue_of_their_own(viewer, layer):
    assert not len(suggestions.doubtful_rows(layer))
    with pytest.raises(LabelError, match="contradicts no label"):
        suggestions.check_labels(viewer, layer)
    actions.label_picks(layer, [1, 3], 1)
    suggestions.show_suggestions(viewer, layer, found(layer, [0], doubtful=[3, 1]))
    queue = suggestions.check_labels(viewer, layer)
    assert (queue.rows.tolist(), queue.reason) == ([3, 1], TO_CHECK)
    actions.label_picks(layer, [3], 0)  # no label, no doubt
    assert suggestions.doubtful_rows(layer).tolist() == [1]


def test_what_is_missing_is_said_at_once(viewer, project):
    layer = actions.open_picks(viewer, project / "picks.star")
    with pytest.raises(MicrographNotFoundError, match="are not open"):
        suggestions.suggest_events(viewer, layer)
    actions.open_micrographs(viewer, project / "Micrographs")
    empty = actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]))
    with pytest.raises(LabelError, match="no picks to choose from"):
        suggestions.suggest_events(viewer, empty)


def test_picks_without_an_image_are_left_out(viewer, layer, project):
    picks = Picks.from_arrays(["m0.mrc", "gone.mrc", "m1.mrc"], x=[20, 2, 30], y=[20, 5, 30])
    with pytest.warns(UserWarning, match="not in the opened ones"):
        partly = actions.open_picks(viewer, picks, diameter_px=16)
    stack = session.stack_for(viewer, partly, None)
    assert suggestions._rows_with_image(picks_state(partly), stack).tolist() == [0, 2]
    gone = Picks.from_arrays("gone.mrc", x=[1], y=[2])
    with pytest.warns(UserWarning, match="none of the micrographs"):
        nowhere = actions.open_picks(viewer, gone)
    with pytest.raises(MicrographNotFoundError):
        suggestions.suggest_events(viewer, nowhere)


@pytest.mark.slow
def test_the_core_chooses_picks_that_are_not_labelled(viewer, layer):
    actions.label_picks(layer, [0], 1)
    events = []
    queue = suggestions.suggest_picks(viewer, layer, n=2, on_event=events.append)
    assert len(queue) == 2
    assert 0 not in queue.rows
    assert events[-1].progress == 1
