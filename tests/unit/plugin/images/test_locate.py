"""Picks opened alone find their micrographs: by path, in the project, or nearby."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.locate import locate_micrographs

HEADER = """
data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
"""
OPTICS = """
data_optics

loop_
_rlnOpticsGroup #1
_rlnMicrographPixelSize #2
1 1.25
"""


def image(path: Path, pixel_size_ang: float = 2.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.zeros((8, 9), dtype=np.float32))
        mrc.voxel_size = pixel_size_ang
    return path


def star(path: Path, *names: str, optics: str = "") -> Picks:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{name} 1.0 2.0\n" for name in names)
    path.write_text(optics + HEADER + rows)
    return read_picks(path)


def test_names_are_relative_to_the_project_above_the_star(tmp_path):
    files = [image(tmp_path / "MotionCorr" / "job002" / f"{n}.mrc") for n in ("b", "a")]
    names = ["MotionCorr/job002/b.mrc", "MotionCorr/job002/a.mrc"]
    located = locate_micrographs(star(tmp_path / "Extract" / "job007" / "p.star", *names))
    assert located.micrographs.names == names  # in the order of the picks
    assert [m.path for m in located.micrographs] == files
    assert [m.pixel_size_ang for m in located.micrographs] == [2.0, 2.0]
    assert located.missing == {}
    assert located.micrographs.search_paths.paths == (
        str(files[0].parent),
    )  # to find them again


def test_names_are_relative_to_the_working_directory(tmp_path, monkeypatch):
    file = image(tmp_path / "project" / "Mics" / "a.mrc")
    picks = star(tmp_path / "elsewhere" / "deep" / "p.star", "Mics/a.mrc")
    assert not len(locate_micrographs(picks).micrographs)
    monkeypatch.chdir(tmp_path / "project")
    assert [m.path for m in locate_micrographs(picks).micrographs] == [file]


def test_absolute_names_are_taken_as_they_are(tmp_path):
    file = image(tmp_path / "far" / "a.mrc")
    picks = star(tmp_path / "p" / "p.star", str(file))
    assert [m.path for m in locate_micrographs(picks).micrographs] == [file]


def test_box_files_find_images_beside_them_and_in_the_next_folder(tmp_path):
    for folder in ("boxes", "mics"):
        (tmp_path / folder).mkdir()
    files = [image(tmp_path / "boxes" / "a.mrc"), image(tmp_path / "mics" / "b.mrc")]
    for name in "abc":
        (tmp_path / "boxes" / f"{name}.box").write_text("10 20 8 8\n")
    located = locate_micrographs(read_picks(tmp_path / "boxes"))
    assert sorted(m.path for m in located.micrographs) == sorted(files)
    assert list(located.missing) == ["c"]
    assert "no such file" in located.missing["c"]


def test_a_project_that_was_moved_is_searched_by_base_name(tmp_path):
    file = image(tmp_path / "Micrographs" / "a.mrc")
    picks = star(tmp_path / "picks" / "p.star", "MotionCorr/job002/Movies/a.mrc")
    located = locate_micrographs(picks)
    assert [(m.name, m.path) for m in located.micrographs] == [
        ("MotionCorr/job002/Movies/a.mrc", file)
    ]


def test_an_image_wins_over_its_thumbnail_but_two_images_are_not_guessed_between(tmp_path):
    file = image(tmp_path / "one" / "a.mrc")
    file.with_suffix(".png").write_bytes(b"")
    picks = star(tmp_path / "p.star", "Old/a.mrc")
    assert [m.path for m in locate_micrographs(picks).micrographs] == [file]
    image(tmp_path / "two" / "a.mrc")
    located = locate_micrographs(picks)
    assert not len(located.micrographs)
    assert "fits 2 micrographs" in located.missing["Old/a.mrc"]


def test_the_pixel_size_of_the_star_goes_before_the_headers(tmp_path):
    image(tmp_path / "a.mrc", pixel_size_ang=9.0)
    (micrograph,) = locate_micrographs(
        star(tmp_path / "p.star", "a.mrc", optics=OPTICS)
    ).micrographs
    assert micrograph.pixel_size_ang == 1.25


@pytest.mark.parametrize("names", [[], ["a.mrc"]])
def test_picks_from_nowhere_and_no_picks_find_nothing(tmp_path, monkeypatch, names):
    monkeypatch.chdir(tmp_path)
    n = len(names)
    located = locate_micrographs(Picks.from_arrays(names, x=[1.0] * n, y=[1.0] * n))
    assert not len(located.micrographs)
    assert list(located.missing) == names


def test_picks_of_no_file_belong_to_the_working_directory_and_nothing_above(
    tmp_path, monkeypatch
):
    image(tmp_path / "a.mrc")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    picks = Picks.from_arrays(["a.mrc"], x=[1.0], y=[1.0])
    assert not len(locate_micrographs(picks).micrographs)
    file = image(here / "a.mrc")
    assert [m.path for m in locate_micrographs(picks).micrographs] == [file]


def test_sections_of_a_stack_are_found(tmp_path):
    with mrcfile.new(tmp_path / "s.mrcs") as mrc:
        mrc.set_data(np.zeros((3, 8, 9), dtype=np.float32))
    located = locate_micrographs(star(tmp_path / "p.star", "000002@s.mrcs"))
    assert [m.section for m in located.micrographs] == [1]
