"""Conversions are written whole or not at all, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.conversion import Moves, planned
from napari_pickeroptimizer.conversion.convert import WRITABLE, target_format
from napari_pickeroptimizer.errors import PickerOptimizerError, PickFormatError, SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.picks import Picks

STAR = """# kept
data_

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnAnglePsi #4
M/a.mrc 10 20 1.5
M/b.mrc 30 40 90
M/a.mrc 50 60 7
"""


def fmt(suffix: str) -> PickFormat:
    found = format_of(f"a{suffix}")
    assert found is not None
    return found


@pytest.fixture
def star(tmp_path: Path) -> Path:
    path = tmp_path / "in.star"
    path.write_text(STAR)
    return path


def test_one_file_becomes_one_a_micrograph_and_many_become_one(
    star: Path, tmp_path: Path
) -> None:
    boxes = tmp_path / "boxes"
    plan = planned(read_picks(star), boxes, fmt(".box"), given=Given(box_px=8))
    assert plan.write() == [boxes / "M/a.box", boxes / "M/b.box"]
    assert (boxes / "M/a.box").read_text() == "6\t16\t8\t8\n46\t56\t8\t8\n"
    (one,) = planned(read_picks(boxes), tmp_path / "one.csv", fmt(".csv")).write()
    assert one.read_text().splitlines()[1:] == [
        "M/a,10.000000,20.000000",
        "M/a,50.000000,60.000000",
        "M/b,30.000000,40.000000",
    ]


def test_a_format_of_one_file_is_divided_into_a_folder(star: Path, tmp_path: Path) -> None:
    folder = tmp_path / "csv"
    written = planned(read_picks(star), folder, fmt(".csv")).write()
    assert written == [folder / "M/a.csv", folder / "M/b.csv"]
    assert (folder / "M/b.csv").read_text() == (
        "micrograph,x,y,rlnAnglePsi\nM/b.mrc,30.000000,40.000000,90\n"
    )


def test_the_same_format_keeps_all_but_the_places(star: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.star"
    picks = read_picks(star)
    plan = planned(
        picks, output, fmt(".star"), Moves(flip_y=True), n_rows={"M/a.mrc": 100, "M/b.mrc": 50}
    )
    assert plan.lost == ()
    plan.write()
    assert output.read_text() == STAR.replace("10 20 1.5", "10 79.000000 1.5").replace(
        "30 40 90", "30 9.000000 90"
    ).replace("50 60 7", "50 39.000000 7")
    planned(picks, tmp_path / "same.star", fmt(".star")).write()
    assert (tmp_path / "same.star").read_text() == STAR


def test_a_tree_is_copied_as_a_tree(tmp_path: Path) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a.csv").write_text("x;y;note\n1;2;one\n")
    (tmp_path / "in/deep/b.csv").write_text("y;x\n3;4\n")
    picks = read_picks(tmp_path / "in")
    written = planned(picks, tmp_path / "out", fmt(".csv"), Moves(scale=2)).write()
    assert sorted(written) == [tmp_path / "out/a.csv", tmp_path / "out/deep/b.csv"]
    assert (tmp_path / "out/a.csv").read_text() == "x;y;note\n2.000000;4.000000;one\n"


@pytest.mark.parametrize(
    ("suffix", "name", "n_files"),
    [(".star", "b_autopick.star", 3), (".csv", "b.csv", 2), (".box", "b.box", 2)],
)
def test_what_is_there_stays_unless_it_may_go(
    star: Path, tmp_path: Path, suffix: str, name: str, n_files: int
) -> None:
    folder = tmp_path / "out"
    (folder / "M").mkdir(parents=True)
    (folder / "M" / name).write_text("mine")
    (folder / "other.txt").write_text("mine too")
    plan = planned(read_picks(star), folder, fmt(suffix), given=Given(box_px=8))
    with pytest.raises(SettingsError, match=rf"{name} exists"):
        plan.write()
    files = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    assert sorted(files) == [f"M/{name}", "other.txt"]
    assert (folder / "M" / name).read_text() == "mine"
    assert len(plan.write(overwrite=True)) == n_files
    assert (folder / "M" / name).read_text() != "mine"
    assert (folder / "other.txt").read_text() == "mine too"
    assert not list(folder.glob(".*"))


def test_an_input_is_never_replaced(star: Path) -> None:
    plan = planned(read_picks(star), star, fmt(".star"), Moves(scale=2))
    with pytest.raises(SettingsError, match="is an input"):
        plan.write(overwrite=True)
    assert star.read_text() == STAR


def test_a_failure_leaves_nothing(star: Path, tmp_path: Path) -> None:
    output = tmp_path / "new/out.cs"
    shapes = {"M/a.mrc": (100, 100), "M/b.mrc": (100, 100)}
    plan = planned(read_picks(star), output, fmt(".cs"), given=Given(shapes_yx_px=shapes))
    with pytest.raises(PickerOptimizerError, match="uid"):
        plan.write()
    assert not output.parent.exists()


@pytest.mark.parametrize("pick_format", WRITABLE, ids=lambda f: f.name)
def test_what_a_format_needs_is_asked_for_before_anything_is_written(
    star: Path, tmp_path: Path, pick_format: PickFormat
) -> None:
    output = tmp_path / f"new{pick_format.suffixes[0]}"
    picks = read_picks(star)
    one = picks.select(picks.table["micrograph"].to_numpy() == "M/a.mrc")
    if pick_format.room.needs:
        with pytest.raises(SettingsError, match=r"needs --(box-size|micrographs)"):
            planned(one, output, pick_format)
        assert not output.exists()
    else:
        assert planned(one, output, pick_format).write()[-1] == output


class TestTarget:
    def test_by_name_by_ending_or_as_the_input(self, star: Path, tmp_path: Path) -> None:
        picks = read_picks(star)
        assert target_format(Path("a.BOX"), None, picks).name == "BOX"
        assert target_format(Path("folder"), "cbox", picks).name == "CBOX"
        assert target_format(Path("folder"), None, picks).name == "STAR"

    @pytest.mark.parametrize(
        ("output", "to", "says"),
        [
            ("a.txt2", None, "does not tell which format"),
            ("a.box", "STAR", "are of two formats"),
            ("a", "DOC", "there is no such format; give one of STAR, BOX"),
        ],
    )
    def test_what_is_not_clear_is_refused(self, star: Path, output, to, says) -> None:
        with pytest.raises(SettingsError, match=says):
            target_format(Path(output), to, read_picks(star))

    def test_picks_of_no_file_tell_no_format(self) -> None:
        with pytest.raises(SettingsError, match="does not tell which format"):
            target_format(Path("folder"), None, Picks.from_arrays("a.mrc", [1], [2]))


def test_two_micrographs_of_one_file_name_are_refused(tmp_path: Path) -> None:
    picks = Picks.from_arrays(["a.mrc", "a.tif"], [1, 2], [3, 4])
    plan = planned(picks, tmp_path / "out", fmt(".csv"))
    with pytest.raises(PickFormatError, match="would both go to a.csv"):
        plan.write()
    assert not (tmp_path / "out").exists()


def test_a_copy_in_a_format_of_whole_pixels_is_rounded_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("image_name\tx_coord\ty_coord\na\t10\t21\nb\t30\t40\n")
    picks = read_picks(tmp_path / "in.txt")
    plan = planned(picks, tmp_path / "out.txt", fmt(".txt"), Moves(scale=0.5))
    assert plan.lost == ("fractions of pixels: 1 of 2 picks are rounded",)
    (path,) = plan.write()
    assert path.read_text() == "image_name\tx_coord\ty_coord\na\t5\t10\nb\t15\t20\n"
