"""Paths in a file: those of its own project, never of another one in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    PickerOptimizerError,
    PicksNotFoundError,
)
from napari_pickeroptimizer.io.micrographs_star import read_micrographs_star
from napari_pickeroptimizer.io.project import ProjectPaths
from napari_pickeroptimizer.io.read import read_picks

COORDINATES = "data_\n\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n{} 20\n"
LIST = "data_coordinate_files\n\nloop_\n_rlnMicrographName\n_rlnMicrographCoordinates\n{} {}\n"


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project; the working directory is another one beside it."""
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    return tmp_path / "own"


def file(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_projects_own_file_is_found_from_anywhere(own: Path) -> None:
    mine = file(own / "M/a.mrc")
    for star in (own / "x.star", own / "job/x.star", own / "job/deep/x.star"):
        paths = ProjectPaths(star)
        assert (paths.resolve("M/a.mrc"), paths.root) == (mine, own)


def test_the_nearest_project_is_the_own_one(own: Path) -> None:
    file(own / "M/a.mrc")
    nested = file(own / "nested/M/a.mrc")
    assert ProjectPaths(own / "nested/x.star").resolve("M/a.mrc") == nested


def test_the_working_directory_serves_a_list_outside_any_project(own: Path) -> None:
    file(Path("M/a.mrc"))
    assert ProjectPaths(own / "x.star").resolve("M/a.mrc") == Path.cwd() / "M/a.mrc"


def test_different_files_in_both_are_refused_naming_both(own: Path) -> None:
    here, mine = file(Path("M/a.mrc").absolute()), file(own / "M/a.mrc")
    with pytest.raises(AmbiguousMicrographError) as raised:
        ProjectPaths(own / "x.star").resolve("M/a.mrc")
    assert str(here) in str(raised.value)
    assert str(mine) in str(raised.value)


def test_one_file_by_a_link_is_not_refused(own: Path) -> None:
    mine = file(own / "M/a.mrc")
    Path("M").symlink_to(own / "M")
    assert ProjectPaths(own / "x.star").resolve("M/a.mrc") == mine


@pytest.mark.parametrize("listed", [["M/a.mrc", "M/b.mrc"], ["M/b.mrc", "M/a.mrc"]])
def test_what_the_project_lacks_is_not_taken_from_another(
    own: Path, listed: list[str]
) -> None:
    mine, _ = file(own / "M/a.mrc"), file(Path("M/b.mrc"))
    paths = ProjectPaths(own / "x.star", listed)
    assert {name: paths.find(name) for name in listed} == {"M/a.mrc": mine, "M/b.mrc": None}
    assert paths.resolve("M/b.mrc") == own / "M/b.mrc"


@pytest.mark.parametrize("name", ["~nobody/a.mrc", "a\0.mrc", "a" * 5000, "/" + "a" * 5000])
def test_a_name_that_can_be_no_path_is_no_file(own: Path, name: str) -> None:
    assert ProjectPaths(own / "x.star").find(name) is None


def test_a_micrographs_star_lists_its_projects_files(own: Path) -> None:
    star = file(own / "m.star", "data_\nloop_\n_rlnMicrographName\nM/a.mrc\n")
    mine = file(own / "M/a.mrc")
    assert [row.path for row in read_micrographs_star(star)] == [mine]
    file(Path("M/a.mrc"))
    with pytest.raises(AmbiguousMicrographError):
        read_micrographs_star(star)


def test_a_list_of_coordinate_files_lists_its_projects(own: Path) -> None:
    listing = file(own / "Pick/autopick.star", LIST.format("M/a.mrc", "Pick/M/a.star"))
    file(own / "Pick/M/a.star", COORDINATES.format(10))
    assert read_picks(listing).table["x"].tolist() == [10]
    file(Path("Pick/M/a.star"), COORDINATES.format(99))
    with pytest.raises(PickerOptimizerError, match="fits 2 files"):
        read_picks(listing)
    (own / "Pick/M/a.star").unlink()
    file(own / "Pick/M/b.star", COORDINATES.format(10))
    both = LIST.format("M/b.mrc", "Pick/M/b.star") + "M/a.mrc Pick/M/a.star\n"
    listing.write_text(both)
    with pytest.raises(PicksNotFoundError, match=r"Pick/M/a\.star does not exist"):
        read_picks(listing)
