"""Any picks, between any two formats, through any move: the same places come back."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from fuzzing import bounded_few
from hypothesis import given
from hypothesis import strategies as st

from napari_pickeroptimizer.conversion import Moves, planned
from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.picks import Picks

NY, NX = 1200, 1600
NAMES = [f"Movies/{i:021d}_{stem}.mrc" for i, stem in enumerate(("a", "b.c", "d_1"), 1)]
# Six decimals, or fractions of a micrograph in single precision.
DIGITS = 2e-3
# a pick of a whole pixel, of a quarter, of anything
places = st.tuples(
    st.sampled_from(NAMES),
    st.floats(50, 1100) | st.integers(200, 4400).map(lambda n: n / 4),
    st.floats(50, 1100) | st.integers(200, 4400).map(lambda n: n / 4),
)
moves = st.builds(
    Moves, st.just(0.0) | st.sampled_from([-8.0, 4.5]), st.booleans(), st.floats(0.25, 4)
)
formats = st.sampled_from(WRITABLE)


def written_as(
    picks: Picks, folder: Path, pick_format: PickFormat, move: Moves, scale: float
) -> Picks:
    """Convert picks on micrographs of NY, NX times `scale`, and read them again."""
    is_tree = pick_format.room.one_file_a_micrograph
    output = folder / ("tree" if is_tree else f"a{pick_format.suffixes[0]}")
    shape = round(NY * scale * move.scale), round(NX * scale * move.scale)
    names = list(picks.rows_by_micrograph())
    planned(
        picks,
        output,
        pick_format,
        move,
        given=Given(box_px=64, shapes_yx_px=dict.fromkeys(names, shape)),
        n_rows=dict.fromkeys(names, round(NY * scale)),
    ).write()
    return read_picks(output)


def by_stem(picks: Picks) -> dict[str, np.ndarray]:
    """Return the (n, 2) places on each micrograph, in their order."""
    found = {}
    for name, rows in picks.rows_by_micrograph().items():
        stem = PurePosixPath(name).name.removesuffix(".mrc")
        found[stem] = picks.coords_yx_px()[rows]
    return found


@bounded_few
@given(st.lists(places, min_size=1, max_size=6), formats, formats, moves)
def test_picks_go_from_one_format_to_another(
    tmp_path_factory: pytest.TempPathFactory,
    picked: list[tuple[str, float, float]],
    first: PickFormat,
    second: PickFormat,
    move: Moves,
) -> None:
    names, x, y = zip(*picked, strict=True)
    picks = Picks.from_arrays(list(names), x, y)
    folder = tmp_path_factory.mktemp("convert")
    once = written_as(picks, folder / "1", first, Moves(), 1)
    # formats of pick files know a micrograph by its stem, others need its name
    known = {PurePosixPath(name).name.removesuffix(".mrc"): name for name in NAMES}
    whole = [
        known[PurePosixPath(n).name.removesuffix(".mrc")] for n in once.table["micrograph"]
    ]
    once = once.with_columns(micrograph=whole)
    twice = written_as(once, folder / "2", second, move, 1)
    expected = by_stem(picks)
    found = by_stem(twice)
    assert found.keys() == expected.keys()
    slack = DIGITS * (1 + move.scale)
    slack += 0.5 * move.scale * first.room.whole_pixels + 0.5 * second.room.whole_pixels
    for stem, yx_px in expected.items():
        y_px, x_px = yx_px.T + move.shift_px
        y_px = NY - 1 - y_px if move.flip_y else y_px
        right = np.column_stack([y_px, x_px]) * move.scale
        assert np.abs(found[stem] - right).max() <= slack, stem


@bounded_few
@given(st.lists(places, min_size=1, max_size=6), formats, st.floats(0.25, 4))
def test_a_flip_and_a_scale_are_undone_by_their_reverse(
    tmp_path_factory: pytest.TempPathFactory,
    picked: list[tuple[str, float, float]],
    pick_format: PickFormat,
    scale: float,
) -> None:
    names, x, y = zip(*picked, strict=True)
    picks = Picks.from_arrays(list(names), x, y)
    folder = tmp_path_factory.mktemp("there-and-back")
    scale = round(NY * scale) / NY  # a micrograph has a whole number of rows
    there = written_as(picks, folder / "1", pick_format, Moves(0, True, scale), 1)
    by_name = {PurePosixPath(n).name.removesuffix(".mrc"): n for n in NAMES}
    spelt = [
        by_name[PurePosixPath(n).name.removesuffix(".mrc")] for n in there.table["micrograph"]
    ]
    there = there.with_columns(micrograph=spelt)
    # back: the rows are reversed first, so the scale goes before it
    unscaled = written_as(there, folder / "2", pick_format, Moves(scale=1 / scale), scale)
    unscaled = unscaled.with_columns(micrograph=spelt)
    back = written_as(unscaled, folder / "3", pick_format, Moves(flip_y=True), 1)
    slack = DIGITS * (2 + 1 / scale) + pick_format.room.whole_pixels * (1 + 0.5 / scale)
    expected, found = by_stem(picks), by_stem(back)
    assert found.keys() == expected.keys()
    for stem, yx_px in expected.items():
        assert np.abs(found[stem] - yx_px).max() <= slack, stem
