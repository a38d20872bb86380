"""What the readers take, and that asking them is cheap and silent."""

from __future__ import annotations

import builtins
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.plugin.readers import (
    get_micrographs_reader,
    get_picks_reader,
)

PICKS_STAR = """
data_optics

loop_
_rlnOpticsGroup #1
1

data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
a.mrc 1.0 2.0
"""
COORDINATES_STAR = "\ndata_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1.0 2.0\n"
LIST_STAR = """
data_coordinate_files

loop_
_rlnMicrographName #1
_rlnMicrographCoordinates #2
a.mrc AutoPick/a_autopick.star
"""
MICROGRAPHS_STAR = "\ndata_micrographs\n\nloop_\n_rlnMicrographName #1\na.mrc\n"
CLASSES_STAR = "\ndata_\n\nloop_\n_rlnReferenceImage #1\n1@a.mrcs\n"
TOMO_STAR = PICKS_STAR.replace("_rlnMicrographName", "_rlnTomoName")


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def mrc(path: Path, shape: tuple[int, ...], *, volume: bool = False) -> str:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.zeros(shape, dtype=np.float32))
        if volume:
            file.set_volume()
    return str(path)


@pytest.mark.parametrize("text", [PICKS_STAR, COORDINATES_STAR, LIST_STAR])
def test_a_star_with_coordinates_is_picks(tmp_path, text):
    path = written(tmp_path / "x.star", text)
    assert get_picks_reader(path) is not None
    assert get_micrographs_reader(path) is None


def test_a_misspelt_coordinate_is_told_not_taken_for_a_list_of_micrographs(tmp_path):
    path = written(tmp_path / "x.star", PICKS_STAR.replace("rlnCoordinateX", "rlnCoordX"))
    assert get_micrographs_reader(path) is None
    read = get_picks_reader(path)
    assert read is not None
    with pytest.raises(
        PickFormatError, match=r"has rlnCoordX, rlnCoordinateY, but .*misspelt"
    ):
        read(path)


def test_a_star_with_names_only_is_micrographs(tmp_path):
    path = written(tmp_path / "x.star", MICROGRAPHS_STAR)
    assert get_picks_reader(path) is None
    assert get_micrographs_reader(path) is not None


@pytest.mark.parametrize("text", [CLASSES_STAR, TOMO_STAR, "", "\0\0binary"])
def test_other_stars_are_left_to_other_plugins(tmp_path, text):
    path = written(tmp_path / "x.star", text)
    assert get_picks_reader(path) is None
    assert get_micrographs_reader(path) is None


def test_an_mrc_with_one_section_is_a_micrograph_a_volume_is_not(tmp_path):
    assert get_micrographs_reader(mrc(tmp_path / "a.mrc", (8, 9))) is not None
    assert get_micrographs_reader(mrc(tmp_path / "v.mrc", (4, 8, 9), volume=True)) is None
    assert get_micrographs_reader(written(tmp_path / "t.mrc", "short")) is None


def test_boxes_and_tables_with_x_and_y_are_picks(tmp_path):
    assert get_picks_reader(written(tmp_path / "a.box", "1\t2\t10\t10\n")) is not None
    assert get_picks_reader(written(tmp_path / "a.csv", "x,y,label\n1,2,p\n")) is not None
    assert (
        get_picks_reader(written(tmp_path / "b.csv", "index,axis-0,axis-1\n0,1,2\n")) is None
    )


def test_a_directory_is_what_lies_in_it(tmp_path):
    micrographs, picks, empty = (tmp_path / n for n in ("m", "p", "e"))
    for folder in (micrographs, picks, empty):
        folder.mkdir()
    mrc(micrographs / "a.mrc", (8, 9))
    (picks / "deep").mkdir()
    written(picks / "deep" / "a_autopick.star", COORDINATES_STAR)
    assert get_micrographs_reader(str(micrographs)) is not None
    assert get_picks_reader(str(micrographs)) is None
    assert get_picks_reader(str(picks)) is not None
    assert get_micrographs_reader(str(empty)) is get_picks_reader(str(empty)) is None


def test_a_list_is_read_as_one(tmp_path):
    images = [mrc(tmp_path / f"{n}.mrc", (8, 9)) for n in "ab"]
    assert get_micrographs_reader(images) is not None
    star = written(tmp_path / "x.star", PICKS_STAR)
    assert get_micrographs_reader([*images, star]) is None


def test_missing_files_are_nobodys_and_raise_nothing(tmp_path):
    for name in ("no.star", "no.mrc", "no.csv"):
        assert get_picks_reader(str(tmp_path / name)) is None
        assert get_micrographs_reader(str(tmp_path / name)) is None


def test_asking_reads_only_the_head_of_a_file(tmp_path, monkeypatch):
    path = tmp_path / "big.star"
    path.write_text(PICKS_STAR + "a.mrc 1.0 2.0\n" * 100_000)
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("read whole"))
    monkeypatch.setattr(builtins, "open", lambda *_: pytest.fail("opened"))
    assert get_picks_reader(str(path)) is not None
