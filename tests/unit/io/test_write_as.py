"""Picks of any origin become new files of another format, and come back from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_as
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.registry import FORMATS, format_of
from napari_pickeroptimizer.picks import Picks

A, B = (f"Movies/{i:021d}_{name}.mrc" for i, name in enumerate("ab", start=1))
GIVEN = Given(box_px=8, shapes_yx_px={A: (64, 128), B: (64, 128)})
WRITABLE = [f for f in FORMATS if f.write is not None]


@pytest.fixture
def picks() -> Picks:
    names = [A, B, A]
    return Picks.from_arrays(
        names, [10, 20, 31], [50, 40, 30], label=[1, 0, 3], picker_score=[0.5, -7, 0.25]
    )


def fmt(suffix: str) -> PickFormat:
    found = format_of(f"a{suffix}")
    assert found is not None
    return found


def places(picks: Picks, *, scored: bool = True) -> list[tuple[object, ...]]:
    """Micrograph, x, y and score of each pick, sorted; places may be single precision."""
    scores = picks.table["picker_score"] if scored else [0.0] * len(picks)
    stems = [Path(name).stem for name in picks.table["micrograph"]]
    xy = (picks.table[c].round(3) for c in ("x", "y"))
    return sorted(zip(stems, *xy, scores, strict=True))


@pytest.mark.parametrize("pick_format", WRITABLE, ids=lambda f: f.name)
def test_every_format_gives_places_micrographs_and_scores_back(
    picks: Picks, tmp_path: Path, pick_format: PickFormat
) -> None:
    is_tree = pick_format.room.one_file_a_micrograph
    output = tmp_path / ("new" if is_tree else f"new{pick_format.suffixes[0]}")
    written = write_as(picks, output, pick_format, GIVEN)
    assert written
    again = read_picks(output)
    lost = {column.name for column in pick_format.room.lost_columns(picks)}
    scored = "picker_score" not in lost
    assert places(again, scored=scored) == places(picks, scored=scored)
    labels = [0, 0, 0] if "label" in lost else [0, 1, 3]
    assert sorted(again.labels) == labels


@pytest.mark.parametrize("pick_format", WRITABLE, ids=lambda f: f.name)
def test_a_format_tells_what_it_has_no_room_for(picks: Picks, pick_format: PickFormat) -> None:
    lost = {column.name for column in pick_format.room.lost_columns(picks)}
    assert lost <= {"label", "picker_score"}
    scored = picks.with_columns(predicted=np.array([1, 2, 3], np.int8))
    assert ("predicted" in {c.name for c in pick_format.room.lost_columns(scored)}) == (
        "label" in lost
    )


def test_the_columns_of_a_star_are_all_in_a_csv(picks: Picks, tmp_path: Path) -> None:
    (path,) = write_as(picks, tmp_path / "a.csv", fmt(".csv"))
    assert path.read_text() == (
        "micrograph,x,y,score,label\n"
        f"{A},10.000000,50.000000,0.500000,1\n"
        f"{B},20.000000,40.000000,-7.000000,0\n"
        f"{A},31.000000,30.000000,0.250000,3\n"
    )


def test_suggestions_are_kept(picks: Picks, tmp_path: Path) -> None:
    ranked = picks.with_columns(suggestion=[1.0, np.nan, 2.0])
    for suffix in (".star", ".csv"):
        (path,) = write_as(ranked, tmp_path / f"a{suffix}", fmt(suffix))
        again = read_picks(path).table["suggestion"]
        np.testing.assert_array_equal(again, [1.0, np.nan, 2.0])


def test_boxes_are_whole_corners_in_the_folders_of_their_micrographs(
    picks: Picks, tmp_path: Path
) -> None:
    written = write_as(picks, tmp_path / "new", fmt(".box"), GIVEN)
    assert written == [(tmp_path / "new" / name).with_suffix(".box") for name in (A, B)]
    assert written[0].read_text() == "6\t46\t8\t8\t0.500000\n27\t26\t8\t8\t0.250000\n"


@pytest.mark.parametrize("size", [None, 0.0, 7.0, 8.5, -2.0])
def test_a_box_without_an_even_size_is_refused(
    picks: Picks, tmp_path: Path, size: float | None
) -> None:
    with pytest.raises(PickFormatError, match="needs their size: an even number of pixels"):
        write_as(picks, tmp_path / "new", fmt(".box"), Given(box_px=size))
    assert not (tmp_path / "new").exists()


def test_one_file_has_no_room_for_several_micrographs(picks: Picks, tmp_path: Path) -> None:
    with pytest.raises(PickFormatError, match="of 2 micrographs.*must be a folder"):
        write_as(picks, tmp_path / "a.box", fmt(".box"), GIVEN)
    one = picks.select(np.array([0, 2]))
    assert write_as(one, tmp_path / "a.box", fmt(".box"), GIVEN) == [tmp_path / "a.box"]


def test_names_that_lead_to_one_file_are_refused(tmp_path: Path) -> None:
    picks = Picks.from_arrays(["Import/job001/a.mrc", "CtfFind/job002/a.mrc"], [9, 9], [9, 9])
    with pytest.raises(PickFormatError, match="would both go to .*a.box: rename"):
        write_as(picks, tmp_path / "new", fmt(".box"), GIVEN)
    with pytest.raises(PickFormatError, match="'' is no name for a file"):
        write_as(Picks.from_arrays("", [9], [9]), tmp_path / "new", fmt(".box"), GIVEN)
    assert not (tmp_path / "new").exists()


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    picks = Picks.from_arrays(["../../a.mrc", "/data/b.tif"], [9, 9], [9, 9])
    written = write_as(picks, tmp_path / "new", fmt(".box"), GIVEN)
    assert written == [tmp_path / "new/a.box", tmp_path / "new/data/b.box"]


def test_inputs_and_wrong_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("1 2 8 8\n")
    picks = read_picks(tmp_path / "a.box")
    with pytest.raises(PickFormatError, match="one of the files these picks were read from"):
        write_as(picks, tmp_path / "a.box", fmt(".box"), GIVEN)
    with pytest.raises(PickFormatError, match="one of the files these picks were read from"):
        write_as(picks, tmp_path, fmt(".box"), GIVEN)
    with pytest.raises(PickFormatError, match=r"give a name ending in \.csv"):
        write_as(picks, tmp_path / "a.txt", fmt(".csv"))
    with pytest.raises(PickFormatError, match="is a folder: give the name"):
        write_as(picks, tmp_path, fmt(".csv"))
    unwritten = replace(fmt(".csv"), write=None)
    with pytest.raises(PickFormatError, match="not written as CSV"):
        write_as(picks, tmp_path / "a.csv", unwritten)
    assert (tmp_path / "a.box").read_text() == "1 2 8 8\n"


def test_scores_that_would_be_read_as_the_ends_of_helices_are_refused(tmp_path: Path) -> None:
    picks = Picks.from_arrays("a", [9, 9], [9, 9], picker_score=[-1, -2])
    with pytest.raises(PickFormatError, match="codes of helices"):
        write_as(picks, tmp_path / "a.box", fmt(".box"), GIVEN)
