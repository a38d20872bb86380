"""Scales, ticks and elements: what the charts are made of."""

from __future__ import annotations

import numpy as np
import pytest
from markupsafe import Markup

from napari_pickeroptimizer.report.svg import (
    Frame,
    Scale,
    area,
    element,
    number,
    polyline,
    root_ticks,
    ticks,
)


def test_text_and_attributes_are_escaped_and_markup_is_not() -> None:
    bad = '<script>"&'
    made = element("g", bad, element("b", "x"), id=bad)
    assert made == '<g id="&lt;script&gt;&#34;&amp;">&lt;script&gt;&#34;&amp;<b>x</b></g>'
    assert isinstance(made, Markup)


def test_attributes_take_hyphens_for_underscores_and_none_leaves_one_out() -> None:
    made = element("text", text_anchor="end", class_="a", x=1.23456, y=None)
    assert made == '<text text-anchor="end" class="a" x="1.23"></text>'


def test_a_scale_maps_its_ends_to_its_ends() -> None:
    scale = Scale((0, 10), (100, 0))
    assert scale([0, 5, 10]).tolist() == [100, 50, 0]
    assert Scale((0, 100), (0, 10), root=True).at(25) == 5
    assert Scale((3, 3), (0, 10)).at(3) == 0  # a range of nothing is no division by zero


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 3, 5, [0, 0.5, 1, 1.5, 2, 2.5, 3]),
        (1, 1000, 8, [100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]),
        (0.85, 1, 5, [0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 1]),
        (2, 2, 5, [2]),
    ],
)
def test_ticks_are_round(low: float, high: float, about: int, expected: list[float]) -> None:
    assert ticks(low, high, about) == pytest.approx(expected)


def test_ticks_of_a_root_scale_keep_their_distance() -> None:
    scale = Scale((0, 2000), (250, 0), root=True)
    chosen = root_ticks(2000, scale, apart=30)
    assert chosen == [0, 50, 200, 500, 1000, 2000]
    assert np.abs(np.diff(scale(chosen))).min() >= 30


def test_a_line_has_a_gap_where_there_is_no_value() -> None:
    assert polyline([0, 1, 2, 3], [5, np.nan, 7, 8]) == "M0 5M2 7L3 8"


def test_an_area_leaves_out_what_has_no_ends() -> None:
    assert area([0, 1, 2], [0, 0, np.nan], [1, 1, 1]) == "M0 1L1 1L1 0L0 0Z"
    assert area([0, 1], [np.nan, 0], [1, 1]) == ""


def test_numbers_are_short() -> None:
    assert [number(v) for v in (10.0, 0.125, -0.001, 1e-9, 120.5)] == [
        "10", "0.12", "0", "0", "120.5",
    ]  # fmt: skip


def test_a_threshold_is_labelled_on_the_side_with_room() -> None:
    frame = Frame()
    assert 'text-anchor="start"' in frame.vertical(0.1, "t")
    assert 'text-anchor="end"' in frame.vertical(0.9, "t")
