"""Micrographs STAR: names, files below the project folder, pixel size of every vintage."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import MicrographNotFoundError, PickFormatError
from napari_pickeroptimizer.io.micrographs_star import read_micrographs_star

OPTICS = (
    "data_optics\n\nloop_\n_rlnOpticsGroup #1\n_rlnMicrographOriginalPixelSize #2\n"
    "_rlnMicrographPixelSize #3\n1 0.5 1.25\n2 0.5 2.5\n\n"
)
MICROGRAPHS = (
    "data_micrographs\n\nloop_\n_rlnMicrographName #1\n_rlnOpticsGroup #2\n"
    "M/a.mrc 1\nM/b.mrc 2\n\n"
)


def star(folder: Path, text: str) -> Path:
    file = folder / "job" / "micrographs.star"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize("text", [OPTICS + MICROGRAPHS, MICROGRAPHS + OPTICS])
def test_pixel_size_is_that_of_the_optics_group(tmp_path: Path, text: str) -> None:
    rows = read_micrographs_star(star(tmp_path, text))
    assert [(r.name, r.pixel_size_ang) for r in rows] == [("M/a.mrc", 1.25), ("M/b.mrc", 2.5)]


def test_without_it_the_original_pixel_size_serves(tmp_path: Path) -> None:
    text = OPTICS.replace("_rlnMicrographPixelSize #3\n", "").replace(" 1.25", "")
    rows = read_micrographs_star(star(tmp_path, text.replace(" 2.5", "") + MICROGRAPHS))
    assert [r.pixel_size_ang for r in rows] == [0.5, 0.5]


def test_relion_30_tells_detector_and_magnification(tmp_path: Path) -> None:
    text = (
        "data_\nloop_\n_rlnMicrographName\n_rlnDetectorPixelSize\n_rlnMagnification\n"
        "a.mrc 5.0 50000\nb.mrc 5.0 0\n"
    )
    rows = read_micrographs_star(star(tmp_path, text))
    assert [r.pixel_size_ang for r in rows] == [1.0, None]


def test_none_where_nothing_tells(tmp_path: Path) -> None:
    rows = read_micrographs_star(star(tmp_path, MICROGRAPHS))
    assert [r.pixel_size_ang for r in rows] == [None, None]


def test_files_are_found_below_the_project_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "M").mkdir()
    (tmp_path / "M" / "a.mrc").touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    rows = read_micrographs_star(star(tmp_path, MICROGRAPHS))
    assert [r.path for r in rows] == [tmp_path / "M" / "a.mrc", tmp_path / "M" / "b.mrc"]


def test_particles_list_each_micrograph_once_and_no_pixel_size(tmp_path: Path) -> None:
    text = (
        "data_particles\nloop_\n_rlnMicrographName\n_rlnCoordinateX\n_rlnCoordinateY\n"
        "_rlnOpticsGroup\nM/a.mrc 1 2 1\nM/a.mrc 3 4 1\nM/b.mrc 5 6 1\n"
    )
    optics = OPTICS.replace("_rlnMicrographPixelSize", "_rlnImagePixelSize")
    rows = read_micrographs_star(star(tmp_path, optics + text))
    assert [(r.name, r.pixel_size_ang) for r in rows] == [("M/a.mrc", None), ("M/b.mrc", None)]


def test_sections_of_a_stack(tmp_path: Path) -> None:
    text = "data_\nloop_\n_rlnMicrographName\n000001@s.mrcs\n000007@s.mrcs\n"
    rows = read_micrographs_star(star(tmp_path, text))
    assert [(r.path.name, r.section) for r in rows] == [("s.mrcs", 0), ("s.mrcs", 6)]


def test_what_is_no_micrographs_star(tmp_path: Path) -> None:
    with pytest.raises(MicrographNotFoundError, match="does not exist"):
        read_micrographs_star(tmp_path / "none.star")
    with pytest.raises(MicrographNotFoundError, match="data_micrographs has no rows"):
        read_micrographs_star(star(tmp_path, MICROGRAPHS.split("M/a")[0]))
    with pytest.raises(
        PickFormatError, match="no table has the column rlnMicrographName; found"
    ):
        read_micrographs_star(star(tmp_path, OPTICS))
    with pytest.raises(PickFormatError, match="lists movies"):
        read_micrographs_star(
            star(tmp_path, "data_movies\nloop_\n_rlnMicrographMovieName\na\n")
        )
