"""EMAN .box: corners become centres, rows stay as they were typed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks


def box(folder: Path, text: str, name: str = "a.box") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    ("row", "x", "y"),
    [
        ("10 20 8 4", 14.0, 22.0),
        ("10\t20\t7\t5", 13.5, 22.5),
        ("-3.25 0.5 10 10", 1.75, 5.5),
        ("24 40 0 0", 24.0, 40.0),
    ],
    ids=["even", "odd", "floats", "size 0 is a centre"],
)
def test_corner_and_size_give_the_centre(tmp_path: Path, row: str, x: float, y: float) -> None:
    picks = read_picks(box(tmp_path, row + "\n"))
    assert picks.coords_yx_px().tolist() == [[y, x]]
    assert picks.table["micrograph"].tolist() == ["a"]
    assert "picker_score" not in picks.table


def test_fifth_column_is_the_score(tmp_path: Path) -> None:
    picks = read_picks(box(tmp_path, "1 2 4 4 0.75\n3 4 4 4 -1e-2\n"))
    assert picks.table["picker_score"].tolist() == [0.75, -0.01]


def test_rows_are_written_verbatim(tmp_path: Path) -> None:
    text = "2050\t1306\t180\t180\t6.1602488\r\n 3282 2402  180 180 5.926415\r\n1 2 3 4 5"
    picks = read_picks(box(tmp_path, text))
    write_picks(picks, tmp_path / "all.box")
    assert (tmp_path / "all.box").read_bytes() == text.encode()
    write_picks(picks.select(np.array([0])), tmp_path / "kept.box")
    assert (tmp_path / "kept.box").read_bytes() == b"2050\t1306\t180\t180\t6.1602488\r\n"


def test_columns_have_no_place_but_a_score_replaces_the_score(tmp_path: Path) -> None:
    picks = read_picks(box(tmp_path, "1 2 4 4 0.5 \n3 4 4 4 0.6 \n"))
    columns = {
        "rlnParticleSelectionType": np.array([1, 2]),
        "rlnAutopickFigureOfMerit": np.array([0.125, 0.25]),
    }
    write_picks(picks, tmp_path / "new.box", columns=columns)
    assert (tmp_path / "new.box").read_text() == "1 2 4 4 0.125000 \n3 4 4 4 0.250000 \n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is an empty file"),
        ("\n\n", "is an empty file"),
        ("1 2 3\n", r"row 1 \(line 1\): 3 values in the row; an EMAN .box has 4"),
        ("1 2 3 4 5 6\n", r"row 1 \(line 1\): 6 values"),
        ("1 2 3 4\n\n1 2 3\n", r"row 2 \(line 3\): 3 values in the row where 4"),
        ("1 2 3 4\nsixty 2 3 4\n", r"row 2 \(line 2\): x is 'sixty', which is no number"),
        ("1 2 3 4\n1 nan 3 4\n", r"row 2 \(line 2\): the coordinates are x = 2.5, y = nan"),
        ("\x00\x01\x02", "is a binary file"),
    ],
    ids=["empty", "blank", "3 columns", "6 columns", "ragged", "words", "nan", "binary"],
)
def test_bad_box_names_file_row_and_line(tmp_path: Path, text: str, message: str) -> None:
    file = box(tmp_path, text)
    with pytest.raises(PickFormatError, match=message) as raised:
        read_picks(file)
    assert str(file) in str(raised.value)


def test_empty_box_among_others_is_a_micrograph_without_picks(tmp_path: Path) -> None:
    box(tmp_path, "", "a.box")
    box(tmp_path, "1 2 4 4\n", "b.box")
    picks = read_picks(tmp_path)
    assert picks.table["micrograph"].tolist() == ["b"]
    assert write_picks(picks, tmp_path / "out") == [tmp_path / "out" / "b.box"]


@pytest.mark.parametrize(
    "codes", [(-1, -2), (-1, -2, -1, -2), (0, -1, -2), (-3, -1, -2), ("-1.0", "-2.0"), (-2,)]
)
def test_ends_of_helices_are_no_picks(tmp_path: Path, codes: tuple[object, ...]) -> None:
    text = "".join(f"{10 * i} 20 100 100 {code}\n" for i, code in enumerate(codes))
    with pytest.raises(PickFormatError, match=r"a\.box, row \d .*codes of helices"):
        read_picks(box(tmp_path, text))


@pytest.mark.parametrize("scores", [(-1, -2, -0.5), (-1, -2, -7), (0, 0), (-3, -3), (-1, 0.5)])
def test_scores_and_codes_of_single_boxes_are_read(
    tmp_path: Path, scores: tuple[float, ...]
) -> None:
    text = "".join(f"1 2 4 4 {score}\n" for score in scores)
    assert read_picks(box(tmp_path, text)).table["picker_score"].tolist() == list(scores)


@pytest.mark.parametrize("missing", ["<NA>", "None", "nan", "N/A"])
def test_a_score_may_be_missing_a_place_may_not(tmp_path: Path, missing: str) -> None:
    picks = read_picks(box(tmp_path, f"1 2 4 4 0.5\n3 4 4 4 {missing}\n"))
    np.testing.assert_array_equal(picks.table["picker_score"], [0.5, np.nan])
    with pytest.raises(PickFormatError, match="row 1"):
        read_picks(box(tmp_path, f"{missing} 2 4 4 0.5\n"))
