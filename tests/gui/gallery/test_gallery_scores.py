"""What scores do to the gallery: orders and filters that need them, and what is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
SEED = 0


def give_scores(viewer, layer, *, complete: bool = True, features: bool = True):
    """Give a layer scores as if a model had; return P(particle)."""
    from napari_pickeroptimizer.plugin import session
    from napari_pickeroptimizer.plugin.scores import Scores

    picks, rng = session.picks_of(layer), np.random.default_rng(SEED)
    codes = np.asarray(layer.data)[:, 0].astype(np.int32)
    p = rng.random(len(picks)).astype(np.float32)
    scores = Scores(
        model=SimpleNamespace(
            card=SimpleNamespace(class_ids=(1, 2, 3), is_before_labels=False)
        ),
        codes=codes,
        names=tuple(map(str, range(codes.max() + 1))),
        probabilities=np.column_stack([p, (1 - p) * 0.7, (1 - p) * 0.3]).astype(np.float32),
        features=rng.normal(size=(len(p), 64)).astype(np.float16) if features else None,
        complete=complete,
    )
    session.session_of(viewer).refresh_later = lambda layer: None  # the gallery alone is meant
    picks_state(layer).begin_scores(scores)
    return p


def test_orders_that_need_scores_say_so_and_change_nothing(show, opened, viewer, choose):
    from napari_pickeroptimizer.plugin.panels.gallery.order import Show, Sort

    widget = show()
    before = widget.grid.display.rows.tolist()
    for sort in ("SCORE_DOWN", "UNCERTAINTY", "SIMILARITY"):
        choose(widget, sort=sort)
        assert widget.status.text().startswith("Score the picks first")
        assert not widget.status.isHidden()
        assert widget.tools.choice == (Sort.MICROGRAPH, Show.ALL)
    choose(widget, show="KEPT")
    assert widget.status.text().startswith("Score the picks first")
    assert widget.grid.display.rows.tolist() == before
    choose(widget, sort="MICROGRAPH")
    assert widget.status.isHidden()


def test_scores_sort_filter_and_stay_while_one_works(
    viewer, show, opened, qtbot, click, choose
):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import outputs

    widget = show()
    p = give_scores(viewer, opened)
    choose(widget, sort="SCORE_DOWN")
    order = widget.grid.display.rows
    assert (np.diff(p[order]) <= 0).all()
    look = widget.model.picks.looks(order[:1], widget.session.vocabulary)[0]
    assert look.kept
    assert look.score == f"{min(p.max(), 0.99):.2f}"
    choose(widget, show="REJECTED")
    n_rejected = (p < 0.5).sum()
    assert len(widget.grid.display) == n_rejected
    assert widget.tools.counts.text() == f"{n_rejected} of {len(p)}"
    # a label takes the pick out of the filter, but not from under the mouse
    click(widget, 0)
    row = int(widget.grid.display.rows[0])
    qtbot.keyClick(widget.grid, Qt.Key.Key_K)
    assert widget.grid.display.rows[0] == row
    assert widget.tools.resort.isEnabled()
    qtbot.mouseClick(widget.tools.resort, Qt.MouseButton.LeftButton)
    assert row not in widget.grid.display.rows
    assert not widget.tools.resort.isEnabled()
    # so does the threshold
    outputs.set_threshold(viewer, opened, 0.25)
    assert picks_state(opened).threshold == 0.25
    assert widget.model.picks.threshold == 0.25
    assert len(widget.grid.display) == n_rejected - 1
    qtbot.keyClick(widget.grid, Qt.Key.Key_F5)
    assert len(widget.grid.display) < n_rejected - 1


def test_scores_that_stream_in_sort_anew_only_when_they_are_all_there(
    viewer, show, opened, choose, qtbot
):
    widget = show()
    give_scores(viewer, opened)
    choose(widget, sort="SCORE_UP")
    before = widget.grid.display.rows.tolist()
    state = picks_state(opened)
    scores = replace(
        state.scores, probabilities=1 - state.scores.probabilities, complete=False
    )
    state.begin_scores(scores)
    qtbot.waitUntil(widget.tools.resort.isEnabled)
    assert widget.grid.display.rows.tolist() == before
    scores.complete = True
    state.scores_changed.emit()
    assert widget.grid.display.rows.tolist() != before
    # forgotten scores leave an order that needs none
    picks_state(opened).forget_scores()
    widget.arrange()
    assert widget.status.text().startswith("Score the picks first")


def test_similarity_to_the_selected_ones(viewer, show, opened, click, choose):
    widget = show()
    give_scores(viewer, opened)
    click(widget, 7)
    [row] = widget.grid.selection.rows.tolist()
    choose(widget, sort="SIMILARITY")
    assert widget.grid.display.rows[0] == row
    assert widget.grid.seen.start == 0
    give_scores(viewer, opened, features=False)
    choose(widget, sort="SIMILARITY")
    assert "Score the picks first" in widget.status.text()


def test_tooltips_tell_the_pick(viewer, show, opened):
    widget = show()
    row = int(widget.grid.display.rows[0])
    tip = widget._tip(row)
    table = opened.metadata["pickeroptimizer"].picks.table
    assert table["micrograph"][row] in tip
    assert f"x {table['x'][row]:.1f}" in tip
    assert "not scored" in tip
    give_scores(viewer, opened)
    assert "score 0." in widget._tip(row)
