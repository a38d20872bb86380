"""Picks that are reached by several ways are there once; what is no file is passed over."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.files import files_below, files_like

needs_fifos = pytest.mark.skipif(sys.platform == "win32", reason="there are no FIFOs")
COORDINATES = "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n10 20\n"


@pytest.fixture
def picks(tmp_path: Path) -> Path:
    """A folder whose job has one pick, on micrograph a."""
    (tmp_path / "picks/job006").mkdir(parents=True)
    (tmp_path / "picks/job006/a.box").write_text("1 2 4 4\n")
    return tmp_path / "picks"


def names(where: object) -> list[str]:
    return read_picks(where).table["micrograph"].tolist()


def test_a_folder_and_a_link_to_it_in_one_folder(picks: Path) -> None:
    (picks / "best").symlink_to("job006")
    assert names(picks) == ["job006/a"]


def test_a_file_and_a_link_to_it_in_one_folder(picks: Path) -> None:
    (picks / "job006/0_first.box").symlink_to("a.box")
    assert names(picks / "job006") == ["a"]


def test_a_link_alone_is_read(picks: Path) -> None:
    (picks / "linked").mkdir()
    (picks / "linked/b.box").symlink_to("../job006/a.box")
    assert names(picks / "linked") == ["b"]


def test_one_folder_or_file_given_by_several_ways(picks: Path) -> None:
    (picks.parent / "alias").symlink_to("picks/job006")
    job, alias = picks / "job006", picks.parent / "alias"
    for where in (
        [job, alias],
        [alias, job],
        [job, picks / "../picks/job006"],
        [picks, job],
        [job, job / "a.box"],
        [job / "a.box", alias / "a.box"],
        [f"{picks}/**/*.box", f"{alias}/*.box"],
    ):
        assert len(read_picks(where)) == 1


def test_a_list_and_the_files_that_it_lists(tmp_path: Path) -> None:
    (tmp_path / "M").mkdir()
    (tmp_path / "M/a.star").write_text(COORDINATES)
    listing = tmp_path / "autopick.star"
    listing.write_text(
        "data_coordinate_files\n\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n"
        "Movies/a.mrc M/a.star\n"
    )
    assert names([tmp_path / "autopick.star", tmp_path / "M/a.star"]) == ["Movies/a.mrc"]
    (tmp_path / "M/b.star").symlink_to("a.star")
    listing.write_text(listing.read_text() + "Movies/b.mrc M/b.star\n")
    with pytest.raises(PickFormatError, match="is listed twice"):  # whose picks are they?
        read_picks(listing)


def test_loops_are_visited_once(picks: Path) -> None:
    for name in "bcdef":
        (picks / name).symlink_to(".")
        (picks / "job006" / name).symlink_to("../..")
    (picks / "self.box").symlink_to("self.box")
    assert len(files_below(picks, (".box",))) == 2
    assert len(files_like(f"{picks}/**/a.box")) == 1
    assert len(files_like(f"{picks}/**/**/a.box")) == 1


def test_globs_match_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.box", "g/a.box", "g/h/b.box", "[x]/c.box", ".hidden/d.box"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    for pattern, found in {
        "*.box": ["a.box"],
        "**/*.box": ["[x]/c.box", "a.box", "g/a.box", "g/h/b.box"],
        "g/**/*.box": ["g/a.box", "g/h/b.box"],
        "*/**/b.box": ["g/h/b.box"],
        "[[]x]/*": ["[x]/c.box"],
        "none/**/*.box": [],
    }.items():
        assert [str(f) for f in files_like(pattern)] == found
        absolute = [str(tmp_path / f) for f in found]
        assert [str(f) for f in files_like(f"{tmp_path}/{pattern}")] == absolute


@needs_fifos
def test_a_fifo_is_passed_over_with_a_word(picks: Path) -> None:
    os.mkfifo(picks / "job006/fifo.box")
    for where in (picks, f"{picks}/**/*.box"):
        with pytest.warns(UserWarning, match=r"fifo\.box is passed over: a FIFO"):
            assert len(read_picks(where)) == 1


@needs_fifos
@pytest.mark.parametrize("name", ["fifo.box", "fifo.star", "fifo.csv"])
def test_a_fifo_given_as_the_file_is_refused(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(PickFormatError, match="is a FIFO, socket or device"):
        read_picks(tmp_path / name)
