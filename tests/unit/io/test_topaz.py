"""Topaz tables: centres as they are, log-odds scores, names without folder and extension."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.topaz import FORMAT
from napari_pickeroptimizer.picks import Picks

TEXT = "image_name\tx_coord\ty_coord\tscore\nb.1_a\t6924\t2481\t-3.5\nb 2\t5058\t5578\t12.25\n"


def table(folder: Path, text: str = TEXT) -> Path:
    path = folder / "extracted.txt"
    path.write_text(text)
    return path


def test_all_micrographs_are_in_one_table(tmp_path: Path) -> None:
    picks = read_picks(table(tmp_path))
    assert picks.coords_yx_px().tolist() == [[2481.0, 6924.0], [5578.0, 5058.0]]
    assert picks.table["micrograph"].tolist() == ["b.1_a", "b 2"]
    assert picks.table["picker_score"].tolist() == [-3.5, 12.25]


def test_lines_stay_and_columns_come(tmp_path: Path) -> None:
    picks = read_picks(table(tmp_path))
    write_picks(picks, tmp_path / "all.txt")
    assert (tmp_path / "all.txt").read_text() == TEXT
    scored = picks.with_columns(predicted=[1, 2], probability_1=[0.75, 0.25])
    write_picks(scored.select(np.array([1])), tmp_path / "b.txt")
    assert (tmp_path / "b.txt").read_text() == (
        "image_name\tx_coord\ty_coord\tscore\tlabel\tprobability\tdecided_by\n"
        "b 2\t5058\t5578\t12.25\t2\t0.250000\tscore\n"
    )


def test_other_texts_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "README.txt").write_text("Picks of Monday\n")
    assert len(read_picks(tmp_path)) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is no table of Topaz: .* is ''"),
        (
            "1 2\n3 4\n",
            "columns image_name, x_coord, y_coord, separated by tabs, and is '1 2'",
        ),
        ("x_coord\ty_coord\n1\t2\n", "is no table of Topaz"),
        (TEXT + "a\t1\n", r"row 3 .line 4.: 2 values in the row where the header has 4"),
        (TEXT + "a\t1\ttwo\t3\n", r"row 3 .line 4.: y_coord is 'two', which is no number"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = table(tmp_path, text)
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(path)
    assert str(path) in str(raised.value)


def test_a_new_table_is_one_that_topaz_reads(tmp_path: Path) -> None:
    picks = Picks.from_arrays(["M/a.b.mrc", "c"], [1.4, 2.6], [3, 4], picker_score=[0.5, -7])
    (path,) = write_as(picks, tmp_path / "a.txt", FORMAT)
    assert path.read_text() == (
        "image_name\tx_coord\ty_coord\tscore\na.b\t1\t3\t0.500000\nc\t3\t4\t-7.000000\n"
    )


def test_names_that_are_equal_without_folders_are_refused(tmp_path: Path) -> None:
    picks = Picks.from_arrays(["M/a.mrc", "N/a.mrc"], [1, 2], [3, 4])
    with pytest.raises(PickFormatError, match="'M/a.mrc' and 'N/a.mrc' have the same"):
        write_as(picks, tmp_path / "a.txt", FORMAT)
    assert not (tmp_path / "a.txt").exists()
