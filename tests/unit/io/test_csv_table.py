"""CSV of picks: many header names, labels by name or id, lines kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks


def table(folder: Path, text: str, name: str = "a.csv") -> Path:
    file = folder / name
    file.write_bytes(text.encode())
    return file


@pytest.mark.parametrize(
    "header",
    [
        "x,y",
        "X,Y",
        "X-Coordinate,Y-Coordinate",
        "x_coord,y_coord",
        "rlnCoordinateX,rlnCoordinateY",
        '"x","y"',
        "\ufeffx,y",
    ],
)
def test_header_aliases(tmp_path: Path, header: str) -> None:
    picks = read_picks(table(tmp_path, f"{header}\n1.5,2\n3,4\n"))
    assert picks.coords_yx_px().tolist() == [[2.0, 1.5], [4.0, 3.0]]
    assert picks.table["micrograph"].tolist() == ["a", "a"]


def test_napari_points_have_the_row_first(tmp_path: Path) -> None:
    picks = read_picks(table(tmp_path, "index,axis-0,axis-1\n0.0,20.0,10.0\n"))
    assert picks.coords_yx_px().tolist() == [[20.0, 10.0]]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_labels_scores_and_micrographs(tmp_path: Path, separator: str) -> None:
    rows = [
        "y,x,label,score,micrograph",
        "2,1,particle,0.5,m1.mrc",
        "4,3,negative,-7,m2.mrc",
        "6,5,carbon,1e3,m1.mrc",
        "8,7,Ice,0,m1.mrc",
        "9,9,,0,m1.mrc",
        "9,9,4,0,m1.mrc",
    ]
    text = "\n".join(rows).replace(",", separator) + "\n"
    picks = read_picks(table(tmp_path, text))
    assert picks.table["x"].tolist() == [1, 3, 5, 7, 9, 9]
    assert picks.labels.tolist() == [1, 2, 3, 2, 0, 4]
    assert picks.table["picker_score"].tolist()[:3] == [0.5, -7, 1000]
    assert picks.table["micrograph"].tolist()[:2] == ["m1.mrc", "m2.mrc"]


def test_lines_stay_and_columns_come(tmp_path: Path) -> None:
    picks = read_picks(table(tmp_path, 'x,y,note\r\n1.50,2,"a, b"\r\n3,4,c\r\n'))
    write_picks(picks, tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_bytes() == (tmp_path / "a.csv").read_bytes()
    scored = picks.with_columns(probability_1=[0.25, 0.75], predicted=[2, 1])
    write_picks(scored.select(np.array([0])), tmp_path / "rejected.csv")
    assert (tmp_path / "rejected.csv").read_bytes() == (
        b'x,y,note,label,probability,decided_by\r\n1.50,2,"a, b",2,0.250000,score\r\n'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("particle\n3,4,,k\n", "particle\n3,4,carbon,k\n"), ("1\n3,4,0,k\n", "1\n3,4,3,k\n")],
    ids=["names", "ids"],
)
def test_label_column_is_replaced_in_its_own_words(
    tmp_path: Path, before: str, after: str
) -> None:
    first, last = "x,y,label,note\n1,2,", "5,6, 2 , k\n"
    before = before.replace("\n3", ", k\n3")
    after = after.replace("\n3", ", k\n3")
    picks = read_picks(table(tmp_path, first + before + last.replace(" 2 ", "2")))
    write_picks(picks.with_labels([1, 3, 2]), tmp_path / "new.csv")
    expected_last = "5,6,contaminant, k\n" if "particle" in before else "5,6,2, k\n"
    assert (tmp_path / "new.csv").read_text() == first + after + expected_last


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is an empty file"),
        ("1,2\n3,4\n", "the header has no columns x and y; found 1, 2"),
        ("x,rlnCoordinateX,y\n1,2,3\n", r"several columns can be x \(x, rlnCoordinateX\)"),
        ("x,y\n1,2\n3\n", r"row 2 \(line 3\): 1 values in the row where the header has 2"),
        ("x,y\n1,2\n\n3,b\n", r"row 2 \(line 4\): y is 'b', which is no number"),
        ("x,y\n1,inf\n", r"row 1 \(line 2\): the coordinates are x = 1.0, y = inf"),
        ("x,y,label\n1,2,dirt\n", r"row 1 \(line 2\): label is 'dirt', .*expected particle,"),
        ("x,y,label\n1,2,9\n", r"row 1 \(line 2\): label is 9, which is no class"),
    ],
    ids=["empty", "no header", "x twice", "ragged", "words", "inf", "label", "id"],
)
def test_bad_csv_says_where_and_what(tmp_path: Path, text: str, message: str) -> None:
    file = table(tmp_path, text)
    with pytest.raises(PickFormatError, match=message) as raised:
        read_picks(file)
    assert str(file) in str(raised.value)


def test_folder_of_one_csv_a_micrograph(tmp_path: Path) -> None:
    table(tmp_path, "x,y\n1,2\n", "m1.csv")
    table(tmp_path, "x,y\n3,4\n", "m2.csv")
    assert read_picks(tmp_path).table["micrograph"].tolist() == ["m1", "m2"]


def test_a_csv_of_ours_is_told_by_its_column_decided_by(tmp_path: Path) -> None:
    text = "x,y,label,probability,decided_by\n1,2,2,0.9,label\n3,4,1,0.8,score\n"
    ours = read_picks(table(tmp_path, text))
    assert ours.labels.tolist() == [2, 0]
    assert ours.table["predicted"].tolist() == [2, 1]
    assert ours.particle_probability.tolist() == [0.9, 0.8]
    foreign = read_picks(table(tmp_path, "x,y,label,probability\n1,2,2,0.9\n3,4,1,0.8\n"))
    assert foreign.labels.tolist() == [2, 1]
    assert foreign.class_ids == ()


@pytest.mark.parametrize("missing", ["", "<NA>", "None", "nan", "N/A", " "])
def test_a_score_may_be_missing(tmp_path: Path, missing: str) -> None:
    picks = read_picks(table(tmp_path, f"x,y,score\n1,2,0.5\n3,4,{missing}\n"))
    np.testing.assert_array_equal(picks.table["picker_score"], [0.5, np.nan])


@pytest.mark.parametrize(
    "text",
    [
        "index,shape-type,vertex-index,axis-0,axis-1\n0,polygon,0,1.0,2.0\n",
        "index,shape-type,vertex-index,axis-0,axis-1,axis-2\n0,path,0,0.0,1.0,2.0\n",
    ],
)
def test_corners_of_shapes_are_no_picks(tmp_path: Path, text: str) -> None:
    with pytest.raises(PickFormatError, match=r"a\.csv holds shapes of a napari layer"):
        read_picks(table(tmp_path, text))


@pytest.mark.parametrize("n_axes", [3, 4])
def test_points_of_a_stack_tell_no_micrograph(tmp_path: Path, n_axes: int) -> None:
    header = ",".join(["index", *(f"axis-{i}" for i in range(n_axes))])
    row = ",".join(["0.0"] * (n_axes + 1))
    with pytest.raises(PickFormatError, match="points of a stack of images"):
        read_picks(table(tmp_path, f"{header}\n{row}\n"))


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('"a.mrc,1,2\nb.mrc,3,4\n', 2),
        ('a.mrc,1,2\nb.mrc,3,"4\n', 3),
        ('a.mrc,1,2\n\n"b\nc",3,4\n', 4),
        (f"{'a' * 200_000},1,2\n", 2),
        ("a.mrc,1\n", 2),
        ("a.mrc,1,2\nb.mrc,1,2,3\n", 3),
        ('a.mrc,1,"2,5"\n', 2),
        ("a.mrc,left,2\n", 2),
    ],
    ids=["open", "open at the end", "two lines", "giant", "short", "long", "comma", "text"],
)
def test_a_damaged_row_is_refused_by_its_line(tmp_path: Path, rows: str, line: int) -> None:
    with pytest.raises(PickFormatError, match=rf"a\.csv.*line {line}\b"):
        read_picks(table(tmp_path, f"micrograph,x,y\n{rows}"))


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PickFormatError, match="line 1: a quoted field is not closed"):
        read_picks(table(tmp_path, 'x,y,"note\n1,2,3\n'))


def test_text_behind_a_closing_quote_stays_when_a_field_is_replaced(tmp_path: Path) -> None:
    picks = read_picks(table(tmp_path, 'micrograph,label,x,y\n"a b" c.mrc, 1 ,3,4\n'))
    assert picks.table["micrograph"].tolist() == ["a b c.mrc"]
    write_picks(picks.with_labels(2), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == 'micrograph,label,x,y\n"a b" c.mrc, 2,3,4\n'
