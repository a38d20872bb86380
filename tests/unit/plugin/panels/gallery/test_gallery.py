"""Order, filters, selection and places of the gallery's picks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.panels.gallery.model import count_text
from napari_pickeroptimizer.plugin.panels.gallery.order import (
    SCORE_FIRST,
    GalleryPicks,
    Show,
    Sort,
    display,
    order,
    score_text,
    shown,
)
from napari_pickeroptimizer.plugin.panels.gallery.selection import NOTHING, Grid, Selection
from napari_pickeroptimizer.prune.decision import Decision

NAN = np.nan


def picks_with(
    probability=None, other=None, labels=None, slices=None, blocked=None, **columns
) -> GalleryPicks:
    """Return picks with the columns that a test is about, the others as if nothing was known."""
    first = next(c for c in (probability, labels, *columns.values()) if c is not None)
    n = len(first)
    labels = np.zeros(n, np.int8) if labels is None else np.array(labels, np.int8)
    slices = np.zeros(n, np.int32) if slices is None else np.array(slices, np.int32)
    decision = None
    if probability is not None:
        decision = Decision(
            np.array(probability, np.float32),
            np.full(n, CONTAMINANT) if other is None else np.array(other),
            labels,
            slices,
            [f"m{i}" for i in range(int(slices.max()) + 1)],
            blocked_by=blocked,
        )
    return GalleryPicks(labels, slices, decision, **columns)


@pytest.fixture
def scored() -> GalleryPicks:
    """Five picks; the last one is not scored."""
    return picks_with(
        probability=[0.9, 0.45, 0.1, 0.6, NAN],
        other=[2, 3, 2, 2, 2],
        labels=[0, 1, 0, 2, 0],
        slices=[1, 0, 1, 0, 2],
    )


@pytest.mark.parametrize(
    ("sort", "rows"),
    [
        (Sort.MICROGRAPH, [1, 3, 0, 2, 4]),
        (Sort.SCORE_DOWN, [0, 3, 1, 2, 4]),
        (Sort.SCORE_UP, [2, 1, 3, 0, 4]),
        (Sort.UNCERTAINTY, [1, 3, 0, 2, 4]),
        (Sort.CLASS, [0, 1, 3, 2, 4]),
    ],
)
def test_orders(scored, sort, rows):
    assert order(scored, sort).tolist() == rows


def test_uncertainty_is_the_distance_to_the_threshold():
    picks = picks_with(probability=[0.9, 0.5, 0.2], threshold=0.85)
    assert order(picks, Sort.UNCERTAINTY).tolist() == [0, 1, 2]


def test_equal_picks_stay_in_their_order():
    picks = picks_with(probability=[0.5] * 6)
    assert order(picks, Sort.SCORE_DOWN).tolist() == list(range(6))


@pytest.mark.parametrize("sort", [Sort.SCORE_DOWN, Sort.SCORE_UP, Sort.UNCERTAINTY])
def test_unscored_picks_cannot_be_sorted_by_score(sort):
    with pytest.raises(SettingsError, match="Score the picks first"):
        order(picks_with(labels=[0, 1]), sort)


def test_what_else_cannot_be_sorted_by():
    picks = picks_with(labels=[0, 0])
    with pytest.raises(SettingsError, match="no score of the picker"):
        order(picks, Sort.PICKER_SCORE)
    with pytest.raises(SettingsError, match="none has a class yet"):
        order(picks, Sort.CLASS)
    with pytest.raises(SettingsError, match="Score the picks first"):
        order(picks, Sort.SIMILARITY, np.array([0]))


def test_labels_alone_sort_by_class():
    picks = picks_with(labels=[0, 2, 1, 0, 1])
    assert order(picks, Sort.CLASS).tolist() == [2, 4, 1, 0, 3]


def test_picker_score_high_first():
    picks = picks_with(picker_score=np.array([0.1, NAN, 0.7], np.float32))
    assert order(picks, Sort.PICKER_SCORE).tolist() == [2, 0, 1]


def test_similarity_is_the_angle_to_the_selected_ones():
    features = np.array([[1, 0], [0, 5], [9, 1], [NAN, NAN]], np.float16)
    picks = picks_with(probability=[0.5, 0.5, 0.5, NAN], features=features)
    assert order(picks, Sort.SIMILARITY, np.array([0])).tolist() == [0, 2, 1, 3]
    assert order(picks, Sort.SIMILARITY, np.array([1]))[0] == 1
    # an unscored one among the selected does not spoil it
    assert order(picks, Sort.SIMILARITY, np.array([0, 3])).tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("reference", "words"), [([], "Select a pick first"), ([3], "is not scored")]
)
def test_similarity_needs_a_scored_pick(reference, words):
    features = np.array([[1, 0], [0, 1], [1, 1], [NAN, NAN]], np.float16)
    picks = picks_with(probability=[0.5, 0.5, 0.5, NAN], features=features)
    with pytest.raises(SettingsError, match=words):
        order(picks, Sort.SIMILARITY, np.array(reference, dtype=np.intp))


@pytest.mark.parametrize(
    ("show", "rows"),
    [
        (Show.ALL, [0, 1, 2, 3, 4]),
        (Show.KEPT, [0, 1]),  # the label of 1 wins over its score
        (Show.REJECTED, [2, 3]),
        (Show.LABELLED, [1, 3]),
        (Show.UNLABELLED, [0, 2, 4]),
        (Show.MICROGRAPH, [0, 2]),
    ],
)
def test_filters(scored, show, rows):
    assert np.flatnonzero(shown(scored, show, slice_index=1)).tolist() == rows


def test_nothing_is_kept_before_there_are_scores():
    with pytest.raises(SettingsError, match=SCORE_FIRST):
        shown(picks_with(labels=[0, 0]), Show.KEPT)
    assert shown(picks_with(labels=[0, 1]), Show.KEPT).tolist() == [False, True]


def test_display_knows_where_each_pick_is(scored):
    arranged = display(scored, Sort.SCORE_UP, Show.UNLABELLED)
    assert arranged.rows.tolist() == [2, 0, 4]
    assert [arranged.at(row) for row in range(5)] == [1, NOTHING, 0, NOTHING, 2]
    assert arranged.at(99) == NOTHING


def test_picks_at_a_bad_place_are_rejected_whatever_their_score():
    picks = picks_with(probability=[0.9, 0.9], other=[3, 3], blocked=np.array([0, 3], np.int8))
    assert picks.classes().tolist() == [PARTICLE, CARBON]


@pytest.mark.parametrize("threshold", [0.7, np.float32(0.7), np.nextafter(0.7, 1), 0.5, 0.0])
def test_the_gallery_keeps_what_the_decision_keeps(threshold):
    """A score of exactly float32(0.7) falls on the same side everywhere."""
    exact = np.float32(0.7)
    p = [exact, np.nextafter(exact, 0), np.nextafter(exact, 1), 0.5, 0.0, 1.0, NAN]
    picks = picks_with(probability=p, threshold=float(threshold))
    kept = picks.decision.predicted(float(threshold)) == 1
    assert shown(picks, Show.KEPT).tolist() == kept.tolist()
    looks = picks.looks(np.arange(len(p)), DEFAULT_VOCABULARY)
    assert [look.kept for look in looks] == kept.tolist()


def test_columns_of_scored_files_and_of_sessions():
    picks = Picks.from_arrays("a", [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], label=[0, 2, 0])
    bare = GalleryPicks.of(LayerState.of_picks(picks), np.zeros(3))
    assert not bare.scored
    assert bare.classes().tolist() == [0, 2, 0]
    in_file = picks.with_columns(probability_1=[0.8, 0.1, NAN], probability_2=[0.2, 0.9, NAN])
    from_file = GalleryPicks.of(LayerState.of_picks(in_file), np.zeros(3))
    assert from_file.classes().tolist() == [1, 2, 0]
    decision = picks_with(probability=[0.2, 0.7, NAN], other=[3, 2, 2]).decision
    scores = SimpleNamespace(features=None)
    state = SimpleNamespace(picks=in_file, scores=scores, decision=decision, threshold=0.6)
    columns = GalleryPicks.of(state, np.zeros(3))
    assert columns.threshold == 0.6
    assert columns.scored_class(np.arange(3)).tolist() == [CARBON, PARTICLE, 0]


def test_a_model_of_particles_alone_rejects_as_contaminant():
    picks = Picks.from_arrays("a", [1.0, 2.0], [1.0, 2.0]).with_columns(
        probability_1=[0.2, NAN]
    )
    columns = GalleryPicks.of(LayerState.of_picks(picks), np.zeros(2))
    assert columns.classes().tolist() == [CONTAMINANT, 0]


def test_looks_of_cells(scored):
    kept, labelled, *_, bare = scored.looks(np.array([0, 1, 4]), DEFAULT_VOCABULARY)
    assert (kept.label, kept.decided.class_id, kept.kept, kept.score) == (
        None,
        1,
        True,
        "0.90",
    )
    assert (labelled.label.class_id, labelled.kept, labelled.score) == (1, False, "0.45")
    assert (bare.label, bare.decided, bare.score) == (None, None, "")


def test_words():
    assert score_text(0.9999) == "0.99"
    assert count_text(5, 5, 0) == "5 picks"
    assert count_text(1234, 56789, 12) == "1,234 of 56,789 · 12 selected"


# ----------------------------------------------------------------------- selection


@pytest.fixture
def arranged(scored):
    return display(scored, Sort.SCORE_DOWN)  # 0 3 1 2 4


def test_clicks_toggle(arranged):
    selection = Selection.none(5).toggled(3).toggled(1).toggled(3)
    assert selection.rows.tolist() == [1]
    assert (selection.current, selection.place) == (NOTHING, 3)


def test_shift_extends_in_the_displayed_order(arranged):
    selection = Selection.none(5).toggled(3).extended(arranged, 3)
    assert selection.rows.tolist() == [1, 2, 3]
    assert (selection.anchor, selection.current) == (3, 2)
    backwards = Selection.none(5).toggled(2).extended(arranged, 0)
    assert backwards.rows.tolist() == [0, 1, 2, 3]


def test_shift_without_an_anchor_selects_one(arranged):
    assert Selection.none(5).extended(arranged, 2).rows.tolist() == [1]


def test_a_labelled_selection_is_seen_but_ends_with_the_next_click(arranged):
    used = Selection.none(5).toggled(3).toggled(1).used()
    assert used.targets.tolist() == [1, 3]  # another key corrects the label
    assert used.toggled(0).rows.tolist() == [0]
    assert used.moved(0).targets.tolist() == [0]
    assert used.extended(arranged, 4).rows.tolist() == [1, 2, 4]


def test_all_none_and_the_current_one(arranged):
    assert Selection.none(5).targets.tolist() == []
    assert Selection.none(5).moved(2).targets.tolist() == [2]
    everything = Selection.none(5).moved(2).with_all(arranged)
    assert everything.rows.tolist() == [0, 1, 2, 3, 4]
    assert everything.cleared().targets.tolist() == []
    assert everything.cleared().place == 2


def test_what_is_not_displayed_is_not_selected(scored):
    labelled = display(scored, show=Show.LABELLED)  # 3 1
    selection = Selection.none(5).toggled(0).toggled(3).within(labelled)
    assert (selection.rows.tolist(), selection.current) == ([3], 3)
    assert Selection.none(5).only(0).within(labelled).targets.tolist() == []


def test_added_picks_leave_the_selection_as_it_is():
    selection = Selection.none(3).toggled(2)
    assert selection.resized(5).rows.tolist() == [2]
    assert selection.resized(2).current == NOTHING


# ----------------------------------------------------------------------- geometry


def test_cells_have_their_places():
    grid = Grid(n=7, width_px=320, height_px=200, cell_px=100)
    assert (grid.columns, grid.left_px, grid.total_height_px, grid.page) == (3, 10, 300, 6)
    assert grid.corner(4) == (110, 100)
    assert grid.at(115, 105) == 4
    assert grid.at(115, 205) == NOTHING  # beyond the last one
    assert grid.at(5, 5) == NOTHING  # in the margin
    assert list(grid.within(150, 199)) == [3, 4, 5]
    assert list(grid.within(150, 320)) == [3, 4, 5, 6]


def test_a_panel_narrower_than_a_cell_has_one_column():
    grid = Grid(n=3, width_px=20, height_px=20, cell_px=100)
    assert (grid.columns, grid.page) == (1, 1)


@pytest.mark.parametrize(
    ("position", "step", "wanted"),
    [
        (4, "left", 3),
        (0, "left", 0),
        (6, "right", 6),
        (1, "down", 4),
        (5, "down", 6),  # the last row is short
        (6, "down", 6),
        (1, "up", 1),
        (6, "up", 3),
        (0, "page_down", 6),
        (6, "page_up", 0),
        (3, "home", 0),
        (3, "end", 6),
        (NOTHING, "right", 0),
        (NOTHING, "end", 6),
    ],
)
def test_step_keys(position, step, wanted):
    assert (
        Grid(n=7, width_px=320, height_px=200, cell_px=100).stepped(position, step) == wanted
    )


def test_an_empty_grid_has_nowhere_to_go():
    assert Grid(n=0, width_px=320, height_px=200, cell_px=100).stepped(0, "right") == NOTHING
