"""Moving picks: corners to centres, rows reversed, another binning, in this order."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.conversion.moves import Moves, moved, shift_between
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import Picks

PICKS = Picks.from_arrays(["a.mrc", "b.mrc"], x=[10, 20.5], y=[0, 7])
HEIGHTS = {"a.mrc": 8, "b.mrc": 10}


def xy(picks: Picks) -> list[list[float]]:
    return picks.coords_yx_px()[:, ::-1].tolist()


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        (Moves(), [[10, 0], [20.5, 7]]),
        (Moves(flip_y=True), [[10, 7], [20.5, 2]]),  # the first row becomes the last
        (Moves(scale=2), [[20, 0], [41, 14]]),
        (Moves(shift_px=0.5), [[10.5, 0.5], [21, 7.5]]),
        (Moves(1, flip_y=True, scale=0.5), [[5.5, 3], [10.75, 0.5]]),
    ],
)
def test_where_picks_go(moves: Moves, expected: list[list[float]]) -> None:
    assert xy(moved(PICKS, moves, HEIGHTS)) == expected
    assert xy(PICKS) == [[10, 0], [20.5, 7]]


def test_a_flip_needs_the_height_of_each_micrograph() -> None:
    with pytest.raises(SettingsError, match=r"'b.mrc' cannot be reversed.*--height"):
        moved(PICKS, Moves(flip_y=True), {"a.mrc": 8})


def test_a_height_that_the_picks_do_not_fit_is_refused() -> None:
    """Such as that of a binned micrograph: the flip would move everything wrongly."""
    with pytest.raises(
        SettingsError, match=r"pick 2 is at y = 7 on 'b.mrc', which has 4 rows"
    ):
        moved(PICKS, Moves(flip_y=True), {"a.mrc": 8, "b.mrc": 4})


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_scales_that_are_none(scale: float) -> None:
    with pytest.raises(SettingsError, match="scale must be a positive number"):
        Moves(scale=scale)


@pytest.mark.parametrize(
    ("said", "read_as", "shift"),
    [
        ("corner", "corner", 0),
        ("centre", "centre", 0),
        ("corner", "centre", 32),
        ("centre", "corner", -32),
    ],
)
def test_corners_that_were_read_as_centres_and_the_reverse(said, read_as, shift) -> None:
    assert shift_between(said, read_as, 64) == shift


def test_a_corner_without_the_size_of_the_box() -> None:
    assert shift_between("corner", "corner", None) == 0
    with pytest.raises(SettingsError, match="give --box-size"):
        shift_between("corner", "centre", None)
