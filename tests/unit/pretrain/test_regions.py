"""Points in polygons and discs; files of regions that are none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import BoxSetError
from napari_pickeroptimizer.pretrain.regions import (
    Disc,
    Polygon,
    Regions,
    read_regions,
    within,
)

ARROW = Polygon(
    np.array([[0, 0], [10, 0], [5, 5], [10, 10], [0, 10.0]])
)  # a notch on its right


def test_a_polygon_holds_what_its_corners_enclose() -> None:
    points = np.array([[1, 1], [3, 5], [9, 5], [9, 0.5], [-1, 5], [5, 11.0]])
    assert ARROW.holds(points).tolist() == [True, True, False, True, False, False]
    assert ARROW.area_px == 75
    backwards = Polygon(ARROW.corners_xy[::-1])
    assert backwards.holds(points).tolist() == ARROW.holds(points).tolist()
    assert backwards.area_px == 75


def test_a_disc_holds_what_is_near_its_centre() -> None:
    disc = Disc(10, 20, 5)
    assert disc.holds(np.array([[13, 24], [14, 24.0]])).tolist() == [True, False]
    assert disc.area_px == pytest.approx(78.54, abs=0.01)


def test_carbon_wins_over_ice() -> None:
    regions = Regions((ARROW,), (Disc(0, 0, 5),))
    found = regions.kinds_at(np.array([[1, 1], [-1, -1], [20, 20.0]]))
    assert found.tolist() == ["carbon", "ice", ""]


def test_random_points_lie_in_their_regions_and_off_the_border() -> None:
    regions = Regions((ARROW,), (Disc(0, 0, 5),))
    rng = np.random.default_rng(0)
    points = regions.random_points("carbon", 60, (8, 40), 1.5, rng)
    assert len(points) == 60
    assert ARROW.holds(points).all()
    assert points.min() >= 1.5
    assert points[:, 1].max() <= 5.5
    # of the ice, all that is inside of the micrograph is under the carbon
    assert len(regions.random_points("ice", 20, (40, 40), 0, rng)) == 0
    assert len(regions.random_points("ice", 0, (40, 40), 0, rng)) == 0


def test_room_is_one_point_a_square_of_the_spacing() -> None:
    assert Regions((ARROW, ARROW)).room("carbon", 5) == 6
    assert Regions((ARROW,)).room("ice", 5) == 0


def test_within_keeps_off_the_edges_of_an_image() -> None:
    points = np.array([[2, 2], [1.9, 2], [7, 2], [7.1, 2], [2, 4.1]])
    assert within(points, (7, 10), 2).tolist() == [True, False, True, False, False]


def test_a_file_is_read_by_micrograph(tmp_path: Path) -> None:
    path = tmp_path / "regions.json"
    path.write_text(
        json.dumps({"a": {"carbon": [[[0, 0], [9, 0], [0, 9]]]}, "b": {"ice": [[4, 5, 6]]}})
    )
    regions = read_regions(path)
    assert regions["a"].carbon[0].area_px == 40.5
    assert regions["b"] == Regions((), (Disc(4, 5, 6),))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not a readable JSON"),
        ("[" * 100_000, "not a readable JSON"),
        ("[]", "expected regions by micrograph"),
        ('{"a": {"film": []}}', "a: expected the keys carbon and ice"),
        ('{"a": []}', "a: expected the keys"),
        ('{"a": {"carbon": [[[0, 0], [1, 1]]]}}', "three or more corners"),
        ('{"a": {"carbon": [[1, 2, 3]]}}', "three or more corners"),
        ('{"a": {"ice": [[1, 2]]}}', "not made of numbers"),
        ('{"a": {"ice": [["x", 2, 3]]}}', "not made of numbers"),
        ('{"a": {"ice": [[1, 2, 0]]}}', "positive radius"),
    ],
)
def test_what_is_no_file_of_regions_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "regions.json"
    path.write_text(text)
    with pytest.raises(BoxSetError, match=told):
        read_regions(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BoxSetError, match=r"none\.json is not a readable"):
        read_regions(tmp_path / "none.json")
