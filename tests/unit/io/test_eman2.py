"""EMAN2 info files: boxes are centres; whatever else is in the file stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.eman2 import FORMAT
from napari_pickeroptimizer.picks import Picks

TEXT = """{
"boxes": [
[1050,2000.50,"manual"],
[30,  40,"auto_local",0.750],
[5,6,"manual",7]
],
"ctf": {"__class__": "EMAN2Ctf", "boxes": [[1, 2, 3]]},
"quality": 5
}"""


def info(folder: Path, text: str = TEXT) -> Path:
    path = folder / "a_info.json"
    path.write_text(text)
    return path


def test_boxes_are_centres_and_automatic_ones_have_a_score(tmp_path: Path) -> None:
    picks = read_picks(info(tmp_path))
    assert picks.coords_yx_px().tolist() == [[2000.5, 1050.0], [40.0, 30.0], [6.0, 5.0]]
    np.testing.assert_array_equal(picks.table["picker_score"], [np.nan, 0.75, np.nan])
    assert picks.table["micrograph"].tolist() == ["a"] * 3


@pytest.mark.parametrize(
    ("kept", "gone"),
    [
        ([0, 1, 2], []),
        ([1, 2], ['[1050,2000.50,"manual"],\n']),
        ([0], [',\n[30,  40,"auto_local",0.750]', ',\n[5,6,"manual",7]']),
        ([0, 2], [',\n[30,  40,"auto_local",0.750]']),
    ],
)
def test_boxes_go_and_everything_else_stays(
    tmp_path: Path, kept: list[int], gone: list[str]
) -> None:
    expected = TEXT
    for part in gone:
        assert part in expected
        expected = expected.replace(part, "")
    picks = read_picks(info(tmp_path)).select(np.array(kept))
    write_picks(picks, tmp_path / "b_info.json", columns={})
    assert (tmp_path / "b_info.json").read_text() == expected


def test_without_any_box_the_list_is_empty(tmp_path: Path) -> None:
    picks = read_picks(info(tmp_path)).select(np.zeros(3, bool))
    write_picks(picks, tmp_path / "b_info.json")
    assert json.loads((tmp_path / "b_info.json").read_text()) == {
        **json.loads(TEXT), "boxes": [],
    }  # fmt: skip
    assert len(read_picks(tmp_path / "b_info.json")) == 0


def test_a_score_goes_where_a_box_has_one(tmp_path: Path) -> None:
    columns = {"rlnAutopickFigureOfMerit": np.array([0.1, 0.2, 0.3])}
    write_picks(read_picks(info(tmp_path)), tmp_path / "b_info.json", columns=columns)
    expected = TEXT.replace("0.750", "0.200000")
    assert (tmp_path / "b_info.json").read_text() == expected


def test_a_project_is_read_by_its_boxed_micrographs(tmp_path: Path) -> None:
    (tmp_path / "info").mkdir()
    info(tmp_path / "info")
    (tmp_path / "info" / "b_info.json").write_text('{"ctf": []}')
    (tmp_path / "project.json").write_text('{"global.apix": 1.2}')
    picks = read_picks(tmp_path)
    assert picks.table["micrograph"].tolist() == ["info/a"] * 3
    written = write_picks(picks.select(np.array([0])), tmp_path / "out", columns={})
    assert written == [tmp_path / "out" / "info" / "a_info.json"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1: expected {"),
        ('{"boxes": [[1, 2, "manual"],]}', "line 1: "),
        ('{\n"boxes": [[1, 2\n', "line 3: "),
        ('{"boxes": [], "boxes": []}', "the key 'boxes' is there twice"),
        ('{"boxes": []} {}', "more text behind the end"),
        ("[1, 2]", "expected {"),
        ('{"ctf": 1}', "has no list of boxes: found 'ctf'"),
        ('{"boxes": 3}', "has no list of boxes"),
        ('{"boxes": [[1, 2, "manual"], [1, "2", "manual"]]}', r'box 2: \[1, "2", "manual"\] is no'),
        ('{"boxes": [[1, true, "manual"]]}', "box 1: .* is no box of EMAN2"),
        ('{"boxes": [[1, 2]]}', "box 1: .* is no box of EMAN2"),
        ('{"boxes": [{"x": 1}]}', "box 1: .* is no box of EMAN2"),
        ('{"boxes": [[1, NaN, "manual"]]}', "box 1: the coordinates are x = 1.0, y = nan"),
        ('{"boxes": [[1, 2, "tomo", 3]]}', "box 1: it is of a tomogram"),
        ('{"boxes": [], "boxes_3d": [[1, 2, 3]]}', "is of a tomogram .boxes_3d."),
        ('{"helixboxes": [[1, 2, 3, 4]]}', "holds filaments .helixboxes."),
        ('{"boxes": [[1e400, 2, "manual"]]}', "box 1: the coordinates are x = inf"),
        ("[" * 100_000, "expected {"),
        ('{"a":' + "[" * 100_000, "is no JSON that is read"),
        ('{"boxes": [[' + "9" * 5000 + ', 2, "manual"]]}', "is no JSON that is read"),
    ],
)  # fmt: skip
def test_what_is_no_info_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = info(tmp_path, text)
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(path)
    assert str(path) in str(raised.value)


def test_a_new_file_has_boxes_alone(tmp_path: Path) -> None:
    picks = Picks.from_arrays("M/a.mrc", [10.5, 3], [20, 4], picker_score=[0.5, np.nan])
    (path,) = write_as(picks, tmp_path / "info", FORMAT)
    assert path == tmp_path / "info" / "M" / "a_info.json"
    assert json.loads(path.read_text()) == {
        "boxes": [[10.5, 20.0, "auto", 0.5], [3.0, 4.0, "manual"]]
    }
