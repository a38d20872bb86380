"""Picks: one table, one row a pick."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.errors import LabelError, PickFormatError
from napari_pickeroptimizer.picks import Picks, concatenate


@pytest.fixture
def picks() -> Picks:
    return Picks.from_arrays(
        ["b.mrc", "a.mrc", "b.mrc"], x=[1, 2, 3], y=[10, 20, 30], label=[1, 0, 2]
    )


def test_table_holds_what_was_given(picks: Picks) -> None:
    assert len(picks) == 3
    assert picks.coords_yx_px().tolist() == [[10, 1], [20, 2], [30, 3]]
    assert picks.labels.tolist() == [1, 0, 2]
    assert picks.table["source"].tolist() == [-1, -1, -1]
    assert str(picks.table["label"].dtype) == "int8"
    assert "picker_score" not in picks.table


def test_one_name_and_one_label_serve_all() -> None:
    picks = Picks.from_arrays("a.mrc", [1.0, 2.0], [3.0, 4.0], label=3, picker_score=[5, 6])
    assert picks.table["micrograph"].tolist() == ["a.mrc", "a.mrc"]
    assert picks.labels.tolist() == [3, 3]
    assert picks.table["picker_score"].tolist() == [5.0, 6.0]


def test_rows_by_micrograph_in_order_of_appearance(picks: Picks) -> None:
    rows = picks.rows_by_micrograph()
    assert {k: v.tolist() for k, v in rows.items()} == {"b.mrc": [0, 2], "a.mrc": [1]}
    assert list(rows) == ["b.mrc", "a.mrc"]


def test_no_picks_at_all() -> None:
    none = Picks.from_arrays("a.mrc", [], [])
    assert len(none) == 0
    assert none.rows_by_micrograph() == {}
    assert none.coords_yx_px().shape == (0, 2)
    assert none.class_ids == ()


@pytest.mark.parametrize("rows", [np.array([2, 0]), np.array([True, False, True])])
def test_select_by_positions_or_mask(picks: Picks, rows: np.ndarray) -> None:
    selected = picks.select(rows)
    assert sorted(selected.table["x"]) == [1, 3]
    assert selected.table.index.tolist() == [0, 1]
    assert len(picks) == 3


def test_labels_are_replaced_in_a_copy(picks: Picks) -> None:
    assert picks.with_labels(2).labels.tolist() == [2, 2, 2]
    assert picks.labels.tolist() == [1, 0, 2]


@pytest.mark.parametrize("bad", [7, -1, 1.5, np.nan])
def test_label_that_is_no_class_names_the_pick(picks: Picks, bad: float) -> None:
    with pytest.raises(LabelError, match=r"of pick 1 is no class id: expected 1 to 6"):
        picks.with_labels(np.array([1, bad, 2]))


def test_probabilities_name_their_classes(picks: Picks) -> None:
    assert np.isnan(picks.particle_probability).all()
    scored = picks.with_columns(probability_3=[0.1, 0.2, 0.3], probability_1=[0.9, 0.8, 0.7])
    assert scored.class_ids == (1, 3)
    assert scored.particle_probability.tolist() == [0.9, 0.8, 0.7]
    assert picks.class_ids == ()


class TestConcatenate:
    def test_rows_follow_and_sources_are_renumbered(self, picks: Picks) -> None:
        one, two = _of_one_source("one"), _of_one_source("two")
        joined = concatenate([one, picks, two])
        assert joined.table["source"].tolist() == [0, -1, -1, -1, 1]
        assert joined.sources == ("one", "two")
        assert joined.table["x"].tolist() == [5, 1, 2, 3, 5]
        assert joined.table.index.tolist() == [0, 1, 2, 3, 4]
        assert joined.labels.dtype == np.int8

    def test_a_common_file_list_stays_and_two_go(self) -> None:
        first, second = object(), object()
        a = Picks(_of_one_source("a").table, ("a",), first)  # type: ignore[arg-type]
        b = Picks(_of_one_source("b").table, ("b",), second)  # type: ignore[arg-type]
        assert concatenate([a, a]).file_list is first
        assert concatenate([a, b]).file_list is None

    def test_nothing_to_join(self) -> None:
        with pytest.raises(PickFormatError, match="list of pick sets is empty"):
            concatenate([])


def _of_one_source(name: str) -> Picks:
    made = Picks.from_arrays("a.mrc", [5.0], [6.0], source=0)
    return Picks(made.table, (name,))  # type: ignore[arg-type]
