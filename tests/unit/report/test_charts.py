"""Charts of known data: what is drawn and where, and the texts for screen readers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from napari_pickeroptimizer.report.charts import (
    Bars,
    Curve,
    expected_and_measured,
    plane_curve,
    reliability_diagram,
    score_histogram,
    threshold_curves,
)
from napari_pickeroptimizer.report.micrograph_chart import share_by_micrograph
from napari_pickeroptimizer.trust import Band, Interval, reliability


def parts(svg: str, kind: str) -> list[ET.Element]:
    """All elements inside the group (or with the class) `kind`, in the order of drawing."""
    root = ET.fromstring(svg)
    return [e for e in root.iter() if kind in e.get("class", "").split()]


def bars(svg: str, kind: str) -> list[tuple[str, float]]:
    """Words and height of every bar of a kind."""
    (group,) = [e for e in parts(svg, kind) if "bars" in e.get("class", "")]
    return [(rect.find("title").text, float(rect.get("height"))) for rect in group]


def test_a_histogram_has_the_right_bars() -> None:
    scores = np.array([0.05, 0.05, 0.05, 0.55, 0.95, np.nan])
    svg = score_histogram([Bars("kept", "kept", scores)], n_bins=10)
    assert [words for words, _ in bars(svg, "kept")] == [
        "0–0.1: 3 kept",
        "0.5–0.6: 1 kept",
        "0.9–1: 1 kept",
    ]
    heights = [height for _, height in bars(svg, "kept")]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.02)
    assert heights[1] == heights[2]


def test_the_bin_of_the_threshold_holds_both_kinds_on_each_other() -> None:
    rejected, kept = np.array([0.51, 0.52]), np.array([0.53])
    svg = score_histogram(
        [Bars("kept", "kept", kept), Bars("rejected", "rejected", rejected)],
        threshold=0.525, n_bins=10,
    )  # fmt: skip
    (below,), (above,) = (
        [r for g in parts(svg, kind) if "bars" in g.get("class") for r in g]
        for kind in ("kept", "rejected")
    )
    assert float(above.get("y")) + float(above.get("height")) == pytest.approx(
        float(below.get("y")), abs=0.02
    )
    assert "threshold 0.53" in svg or "threshold 0.52" in svg


def test_false_picks_hang_below_the_axis_on_the_same_scale() -> None:
    svg = score_histogram(
        [Bars("true", "hit", np.full(4, 0.9))], [Bars("false", "false", np.full(2, 0.1))]
    )
    (_, up), (_, down) = *bars(svg, "hit"), *bars(svg, "false")
    assert up == pytest.approx(2 * down, abs=0.02)
    base = float(parts(svg, "base")[0].get("y1"))
    (false,) = next(g for g in parts(svg, "false") if "bars" in g.get("class"))
    assert float(false.get("y")) == pytest.approx(base, abs=0.02)


def test_a_towering_bar_gets_a_square_root_scale_and_says_so() -> None:
    even = np.linspace(0.01, 0.99, 200)
    assert "square-root" not in score_histogram([Bars("kept", "kept", even)])
    svg = score_histogram([Bars("kept", "kept", np.append(even, np.full(5000, 0.999)))])
    assert "square-root scale" in svg


def test_every_label_is_a_stroke_under_the_axis() -> None:
    svg = score_histogram(
        [Bars("kept", "kept", np.array([0.9]))],
        rugs=[Bars("labelled particles", "kept", np.array([0.2, 0.7, np.nan]))],
    )
    (rug,) = parts(svg, "rug")
    assert rug.get("d").count("M") == 2
    assert "2 labelled particles" in svg


def test_a_histogram_of_nothing_is_drawn_all_the_same() -> None:
    ET.fromstring(score_histogram([Bars("kept", "kept", np.array([np.nan]))], threshold=0.5))


def test_reliability_shows_a_point_for_every_filled_bin() -> None:
    measured = reliability([0.1, 0.1, 0.9, 0.9, 0.9], [False, False, True, True, False], 5)
    svg = reliability_diagram(measured)
    titles = [c.find("title").text for g in parts(svg, "points") for c in g]
    assert len(titles) == 2
    assert "predicted 0.90, observed 0.67" in titles[1]
    assert "3 labels" in titles[1]
    assert f"ECE {measured.ece:.3f}" in svg


def test_curves_have_bands_only_where_there_are_any() -> None:
    t = np.linspace(0, 1, 5)
    mean = np.array([0.5, 0.6, 0.7, 0.8, np.nan])
    curves = [
        Curve("share", "yield", 1 - t),
        Curve.of("precision", "precision", Band(mean, mean - 0.1, mean + 0.1)),
    ]
    svg = threshold_curves(t, curves, 0.5)
    assert len(parts(svg, "band")) == 1
    assert len(parts(svg, "line")) == 2
    assert "at 0.50: share 0.50, precision 0.70" in svg


def test_a_plane_marks_the_chosen_point() -> None:
    svg = plane_curve([0, 1], [0, 1], ("a", "b"), "ROC", at=(0.2, 0.8), at_label="at 0.50")
    (chosen,) = parts(svg, "chosen")
    assert chosen.find("circle") is not None
    assert "at 0.50" in svg
    assert not parts(plane_curve([0, 1], [0, 1], ("a", "b"), "R", at=(np.nan, 1)), "chosen")


def test_every_micrograph_is_a_point_and_the_unusual_ones_are_diamonds_with_links() -> None:
    share = np.array([0.8, 0.1, np.nan, 0.82])
    svg = share_by_micrograph(
        ["a.mrc", "<b>.mrc", "c.mrc", "d.mrc"],
        share,
        np.array([10, 10, 0, 11]),
        np.array([False, True, False, False]),
        {1: 1},
    )
    (points,) = parts(svg, "points")
    assert len(points.findall("circle")) == 2
    (link,) = points.findall("a")
    assert link.get("href") == "#m1"
    assert link.find("path/title").text == "<b>.mrc: 10\xa0% of 10 picks kept"
    assert "<b>" not in svg


def test_expected_and_measured_stand_below_each_other() -> None:
    measured = Interval(0.96, float("nan"), float("nan"))
    svg = expected_and_measured([("precision", Interval(0.97, 0.95, 0.99), measured)])
    (expected,), (drawn,) = parts(svg, "expected"), parts(svg, "measured")
    line = expected.find("line")
    x = float(re.match(r"M([\d.]+)", drawn.find("path").get("d"))[1])
    assert float(line.get("x1")) < x < float(line.get("x2"))
    assert drawn.find("line") is None
