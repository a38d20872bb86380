"""crYOLO .cbox, old and 1.0: all boxes, also those below the threshold; text kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.cryolo import FORMAT
from napari_pickeroptimizer.io.pick_format import Given
from napari_pickeroptimizer.picks import Picks

LABELS = [
    "CoordinateX", "CoordinateY", "CoordinateZ", "Width", "Height", "Depth", "EstWidth",
    "EstHeight", "Confidence", "NumBoxes", "Angle",
]  # fmt: skip
HEAD = "\ndata_global\n\n_cbox_format_version 1.0\n\ndata_cryolo\n\nloop_\n"
END = "\ndata_cryolo_include\n\nloop_\n_slice_index #1\n"
ROWS = (
    "10.5 20.25 <NA> 220.0 100.0 <NA> 224.0 220.0 0.8 <NA> <NA>\n"
    "-3.0 4.0 <NA> 220.0 220.0 <NA> 223.0 223.0 0.05 <NA> <NA>\n"
)


def cbox(
    folder: Path, rows: str = ROWS, *, labels: list[str] = LABELS, end: str = END
) -> Path:
    header = "".join(f"_{label} #{i}\n" for i, label in enumerate(labels, start=1))
    path = folder / "a.cbox"
    path.write_text(HEAD + header + rows + end)
    return path


def test_corner_and_size_give_the_centre(tmp_path: Path) -> None:
    picks = read_picks(cbox(tmp_path))
    assert picks.coords_yx_px().tolist() == [[70.25, 120.5], [114.0, 107.0]]
    assert picks.table["picker_score"].tolist() == [0.8, 0.05]
    assert picks.table["micrograph"].tolist() == ["a", "a"]


def test_rows_go_and_the_rest_stays(tmp_path: Path) -> None:
    path = cbox(tmp_path)
    picks = read_picks(path)
    write_picks(picks, tmp_path / "all.cbox")
    assert (tmp_path / "all.cbox").read_bytes() == path.read_bytes()
    columns = {
        "rlnAutopickFigureOfMerit": np.array([0.25]),
        "rlnParticleSelectionType": np.array([1]),
    }
    write_picks(picks.select(np.array([1])), tmp_path / "kept.cbox", columns=columns)
    expected = path.read_text().replace(ROWS.split("\n")[0] + "\n", "")
    assert (tmp_path / "kept.cbox").read_text() == expected.replace(" 0.05 ", " 0.250000 ")


def test_a_table_without_rows_has_no_picks(tmp_path: Path) -> None:
    assert len(read_picks(cbox(tmp_path, rows=""))) == 0


@pytest.mark.parametrize("missing", ["<NA>", "nan"])
def test_a_confidence_may_be_missing(tmp_path: Path, missing: str) -> None:
    picks = read_picks(cbox(tmp_path, ROWS.replace("0.05", missing)))
    np.testing.assert_array_equal(picks.table["picker_score"], [0.8, np.nan])


def test_old_files_are_columns_alone(tmp_path: Path) -> None:
    text = "2038.9\t3839.5\t200\t100\t0.125\t211\t190\n1\t2\t4\t4\t0.01\t4\t4\n"
    (tmp_path / "a.cbox").write_text(text)
    picks = read_picks(tmp_path / "a.cbox")
    assert picks.coords_yx_px().tolist() == [[3889.5, 2138.9], [4.0, 3.0]]
    assert picks.table["picker_score"].tolist() == [0.125, 0.01]
    write_picks(picks, tmp_path / "b.cbox")
    assert (tmp_path / "b.cbox").read_text() == text


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1 2 3 220 220 1 <NA> <NA> 1.0 <NA> <NA>\n", "row 3 .line 22.: .*of a tomogram"),
        ("<NA> 2 <NA> 220 220 <NA> <NA> <NA> 1 <NA> <NA>\n", "row 3 .*no number"),
        ("1 nan <NA> 220 220 <NA> <NA> <NA> 1 <NA> <NA>\n", "row 3 .*finite"),
        ("1 2 <NA> 220\n", "row 3 .line 22.: 4 values in the row where 11"),
    ],
)
def test_what_is_no_box_of_a_micrograph_is_refused_by_its_row(
    tmp_path: Path, row: str, problem: str
) -> None:
    path = cbox(tmp_path, ROWS + row)
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(path)
    assert str(path) in str(raised.value)


def test_a_box_of_a_micrograph_may_have_a_depth(tmp_path: Path) -> None:
    rows = "166.0 3895.0 <NA> 220.0 220.0 1.0 <NA> <NA> 1.0 1.0 <NA>\n"
    assert read_picks(cbox(tmp_path, rows)).coords_yx_px().tolist() == [[4005.0, 276.0]]


def test_boxes_along_filaments_are_refused(tmp_path: Path) -> None:
    rows = ROWS.replace("\n", " 0.0\n")
    with pytest.raises(PickFormatError, match="lie along filaments .*_filamentid"):
        read_picks(cbox(tmp_path, rows, labels=[*LABELS, "filamentid"]))
    vertices = "\ndata_filament_vertices\n\nloop_\n_filamentid #1\n_CoordinateX #2\n0 5.0\n"
    with pytest.raises(PickFormatError, match="lie along filaments .*data_filament_vertices"):
        read_picks(cbox(tmp_path, end=END + vertices))


def test_single_particles_may_have_a_column_of_no_filament(tmp_path: Path) -> None:
    rows = ROWS.replace("\n", " <NA>\n")
    assert len(read_picks(cbox(tmp_path, rows, labels=[*LABELS, "filamentid"]))) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is an empty file"),
        ("1 2 3 4\n", "4 values in the row; a crYOLO .cbox before 1.0 has 5"),
        ("data_cryolo\n\nloop_\n_X #1\n1\n", "no table has the columns CoordinateX"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "a.cbox").write_text(text)
    with pytest.raises(PickFormatError, match=problem):
        read_picks(tmp_path / "a.cbox")


def test_a_new_file_is_laid_out_as_crylos_own(tmp_path: Path) -> None:
    picks = Picks.from_arrays("M/a.mrc", [120.5], [70.25], picker_score=[np.nan])
    (path,) = write_as(picks, tmp_path / "new", FORMAT, Given(box_px=220))
    assert path == tmp_path / "new/M/a.cbox"
    lines = path.read_text().splitlines()
    assert lines[:6] == ["", "data_global", "", "_cbox_format_version 1.0", "", "data_cryolo"]
    assert [line.split()[0] for line in lines[8:19]] == [f"_{label}" for label in LABELS]
    assert lines[19].split() == [
        "10.500000", "-39.750000", "<NA>", "220.000000", "220.000000", *["<NA>"] * 6,
    ]  # fmt: skip
    assert lines[-5:] == ["data_cryolo_include", "", "loop_", "_slice_index #1", ""]


def test_a_new_file_needs_the_size_of_its_boxes(tmp_path: Path) -> None:
    with pytest.raises(PickFormatError, match="needs their size in pixels"):
        write_as(Picks.from_arrays("a", [1], [2]), tmp_path / "a.cbox", FORMAT)
