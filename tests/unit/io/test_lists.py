"""Trees of coordinate files: autopick.star, coords_suffix_*.star, folders, globs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io import read_picks, write_picks

LIST = """
# version 30001

data_coordinate_files

loop_ 
_rlnMicrographName #1 
_rlnMicrographCoordinates #2 
MotionCorr/job002/Movies/a.mrc AutoPick/job006/Movies/a_autopick.star 
MotionCorr/job002/Movies/b.mrc AutoPick/job006/Movies/b_autopick.star 
MotionCorr/job002/Movies/c.mrc AutoPick/job006/Movies/c_autopick.star 
 
"""  # noqa: W291, W293 (RELION's own spaces)
MICROGRAPHS = "data_micrographs\n\nloop_\n_rlnMicrographName #1\n" + "".join(
    f"MotionCorr/job002/Movies/{m}.mrc\n" for m in "abcd"
)


def coordinates(*rows: str) -> str:
    return "\ndata_\n\nloop_ \n_rlnCoordinateX #1 \n_rlnCoordinateY #2 \n" + "".join(
        f" {row} \n" for row in rows
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A RELION project: a has two picks, b three, c an empty file; d has no file."""
    job = tmp_path / "AutoPick" / "job006"
    (job / "Movies").mkdir(parents=True)
    (job / "Movies" / "a_autopick.star").write_text(coordinates("1.50 2.50", "3 4"))
    (job / "Movies" / "b_autopick.star").write_text(coordinates("5 6", "7 8", "9 10"))
    (job / "Movies" / "c_autopick.star").write_text("")
    (job / "job.star").write_text("data_job\n\n_rlnJobTypeLabel relion.autopick\n")
    (tmp_path / "micrographs.star").write_text(MICROGRAPHS)
    return tmp_path


@pytest.fixture
def listed(project: Path) -> Path:
    """The project with an autopick.star, as of RELION 4."""
    file = project / "AutoPick" / "job006" / "autopick.star"
    file.write_text(LIST)
    return file


@pytest.fixture
def suffixed(project: Path) -> Path:
    """The project with a coords_suffix file, as of RELION 3."""
    file = project / "AutoPick" / "job006" / "coords_suffix_autopick.star"
    file.write_text("micrographs.star\n")
    return file


def names(picks_table_column: object) -> list[str]:
    return [str(n) for n in picks_table_column]  # type: ignore[attr-defined]


def test_list_file_gives_every_pick_its_listed_micrograph(listed: Path) -> None:
    picks = read_picks(listed)
    a, b = "MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"
    assert names(picks.table["micrograph"]) == [a, a, b, b, b]
    assert picks.table["x"].tolist() == [1.5, 3, 5, 7, 9]
    assert len(picks.sources) == 3
    assert picks.table["source"].tolist() == [0, 0, 1, 1, 1]


def test_folder_with_a_list_is_read_by_the_list(listed: Path) -> None:
    assert read_picks(listed.parent).table.equals(read_picks(listed).table)


def test_project_is_found_from_the_working_directory(
    listed: Path,
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "autopick.star"
    elsewhere.write_text(LIST)
    with pytest.raises(PicksNotFoundError):
        read_picks(elsewhere)
    monkeypatch.chdir(project)
    assert len(read_picks(elsewhere)) == 5


def test_tree_is_written_again_with_a_new_list(listed: Path, project: Path) -> None:
    picks = read_picks(listed)
    out = project / "External" / "job010" / "kept"
    written = write_picks(picks.select(np.array([0, 3])), out)
    assert [w.relative_to(out).as_posix() for w in written] == [
        "Movies/a_autopick.star",
        "Movies/b_autopick.star",
        "autopick.star",
    ]
    assert written[0].read_text() == coordinates("1.50 2.50")
    assert written[1].read_text() == coordinates("7 8")
    expected = LIST.replace("AutoPick/job006/", "External/job010/kept/")
    c = "MotionCorr/job002/Movies/c.mrc External/job010/kept/Movies/c_autopick.star \n"
    assert written[2].read_text() == expected.replace(c, "")
    assert read_picks(written[2]).table["x"].tolist() == [1.5, 7]


def test_outside_the_project_the_list_holds_absolute_paths(
    listed: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out = tmp_path_factory.mktemp("outside")
    write_picks(read_picks(listed), out)
    assert f"a.mrc {out.as_posix()}/Movies/a_autopick.star \n" in (
        (out / "autopick.star").read_text()
    )
    assert len(read_picks(out)) == 5


def test_micrograph_without_picks_is_neither_written_nor_listed(
    listed: Path, project: Path
) -> None:
    picks = read_picks(listed)
    out = project / "kept"
    write_picks(picks, out)
    assert (out / "Movies" / "b_autopick.star").exists()
    write_picks(picks.select(np.array([0, 1])), out)  # an earlier run's file goes, too
    assert not (out / "Movies" / "b_autopick.star").exists()
    assert "b.mrc" not in (out / "autopick.star").read_text()


def test_other_columns_of_the_list_stay(listed: Path, project: Path) -> None:
    text = LIST.replace("Coordinates #2 \n", "Coordinates #2 \n_rlnGroup #3 \n")
    text = text.replace("_autopick.star \n", "_autopick.star   g7 \n")
    listed.write_text(text)
    write_picks(read_picks(listed).select(np.array([0])), project / "kept")
    new = (project / "kept" / "autopick.star").read_text()
    assert "MotionCorr/job002/Movies/a.mrc kept/Movies/a_autopick.star   g7 \n \n" in new


def test_missing_coordinate_file_is_named(listed: Path) -> None:
    (listed.parent / "Movies" / "b_autopick.star").unlink()
    with pytest.raises(
        PicksNotFoundError,
        match=r"row 2 \(line 10\): coordinate file AutoPick/job006/Movies/b_autopick.star",
    ):
        read_picks(listed)


def test_file_listed_twice_is_refused(listed: Path) -> None:
    listed.write_text(LIST.replace("Movies/b_auto", "Movies/a_auto"))
    with pytest.raises(PickFormatError, match=r"row 2 .* listed twice, first in row 1"):
        read_picks(listed)


def test_suffix_file_finds_files_beside_it_without_the_job_folder(suffixed: Path) -> None:
    picks = read_picks(suffixed)
    a, b = "MotionCorr/job002/Movies/a.mrc", "MotionCorr/job002/Movies/b.mrc"
    assert names(picks.table["micrograph"]) == [a, a, b, b, b]
    assert len(picks.sources) == 3  # d has no file: RELION 3 writes none without picks


def test_suffix_file_is_written_again_with_a_list_beside_it(
    suffixed: Path, project: Path
) -> None:
    out = project / "kept"
    written = write_picks(read_picks(suffixed).select(np.array([0, 4])), out)
    assert [w.relative_to(out).as_posix() for w in written] == [
        "Movies/a_autopick.star",
        "Movies/b_autopick.star",
        "coords_suffix_autopick.star",
        "autopick.star",
    ]
    assert (out / "coords_suffix_autopick.star").read_text() == "micrographs.star\n"
    assert read_picks(out / "autopick.star").table["x"].tolist() == [1.5, 9]
    assert read_picks(out / "coords_suffix_autopick.star").table["x"].tolist() == [1.5, 9]


def test_suffix_file_without_its_micrographs(suffixed: Path) -> None:
    suffixed.write_text("gone.star\n")
    with pytest.raises(PicksNotFoundError, match=r"holds 'gone.star', which does not exist"):
        read_picks(suffixed)


def test_folder_without_list_names_micrographs_by_place(project: Path) -> None:
    picks = read_picks(project / "AutoPick")
    assert set(names(picks.table["micrograph"])) == {
        "job006/Movies/a_autopick",
        "job006/Movies/b_autopick",
    }
    written = write_picks(picks, project / "out")
    assert [w.relative_to(project / "out").as_posix() for w in written] == [
        "job006/Movies/a_autopick.star",
        "job006/Movies/b_autopick.star",
    ]


def test_glob_and_list_of_files(project: Path) -> None:
    movies = project / "AutoPick" / "job006" / "Movies"
    by_glob = read_picks(movies / "[ab]_*.star")
    assert by_glob.table["x"].tolist() == [1.5, 3, 5, 7, 9]
    by_list = read_picks([movies / "b_autopick.star", movies / "a_autopick.star"])
    assert by_list.table["x"].tolist() == [5, 7, 9, 1.5, 3]
    write_picks(by_glob, project / "out", columns={})
    assert (project / "out" / "a_autopick.star").read_text() == coordinates("1.50 2.50", "3 4")


def test_equal_names_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for grid in "AB":
        (tmp_path / grid).mkdir()
        (tmp_path / grid / "m1.box").write_text("1 2 4 4\n")
    picks = read_picks(tmp_path / "*" / "m1.box")
    assert names(picks.table["micrograph"]) == ["A/m1", "B/m1"]


def test_particles_star_speaks_for_an_extract_job(tmp_path: Path) -> None:
    table = coordinates("1 2 a.mrc").replace("Y #2 \n", "Y #2 \n_rlnMicrographName #3 \n")
    (tmp_path / "particles.star").write_text(table)
    (tmp_path / "Movies").mkdir()
    (tmp_path / "Movies" / "a_extract.star").write_text(table)
    assert len(read_picks(tmp_path)) == 1


def test_two_lists_in_one_folder_are_refused(listed: Path) -> None:
    (listed.parent / "manualpick.star").write_text(LIST)
    with pytest.raises(PickFormatError, match=r"\(autopick.star, manualpick.star\): pass one"):
        read_picks(listed.parent)


def test_folder_of_several_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("1 2 4 4\n")
    (tmp_path / "a.csv").write_text("x,y\n3,4\n")
    with pytest.raises(PickFormatError, match=r"several formats \(1 .box, 1 .csv\)"):
        read_picks(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(
        PicksNotFoundError, match=r"expected \.star, \.box, .*\.pos files in it"
    ):
        read_picks(tmp_path)
    with pytest.raises(PicksNotFoundError, match="nothing is there"):
        read_picks(tmp_path / "*.star")
    with pytest.raises(PicksNotFoundError, match="list of files is empty"):
        read_picks([])


@pytest.mark.parametrize("index", ["autopick.star", "Movies/a_autopick.star"])
def test_inputs_are_never_overwritten(listed: Path, index: str) -> None:
    before = (listed.parent / index).read_text()
    picks = read_picks(listed).select(np.array([2]))
    with pytest.raises(PickFormatError, match="one of the files these picks were read from"):
        write_picks(picks, listed.parent)
    assert (listed.parent / index).read_text() == before


def test_tree_needs_a_folder(listed: Path, project: Path) -> None:
    with pytest.raises(
        PickFormatError, match=r"come from 3 files: .*kept\.star must be a folder"
    ):
        write_picks(read_picks(listed), project / "kept.star")
