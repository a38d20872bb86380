"""Undo and redo."""

from __future__ import annotations

import numpy as np

from napari_pickeroptimizer.plugin.labels.changes import MAX_CHANGES, Change, History


def change(row: int) -> Change:
    return Change(np.array([row]), np.array([0], np.int8), np.array([1], np.int8))


def test_changes_are_undone_last_first_and_redone_in_order():
    history = History()
    first, second = change(0), change(1)
    history.push(first)
    history.push(second)
    assert [history.undo(), history.undo(), history.undo()] == [second, first, None]
    assert [history.redo(), history.redo(), history.redo()] == [first, second, None]


def test_a_new_change_ends_what_could_be_redone():
    history = History()
    history.push(change(0))
    history.undo()
    history.push(change(1))
    assert history.redo() is None


def test_the_oldest_changes_are_forgotten():
    history = History()
    for i in range(MAX_CHANGES + 5):
        history.push(change(i))
    assert len(history.done) == MAX_CHANGES
    assert history.done[0].rows[0] == 5
