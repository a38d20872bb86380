"""Picks out of the starfile package's DataFrames, and DataFrames out of picks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import starfile

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.picks import Picks

PARTICLES = """
# version 30001

data_optics

loop_
_rlnOpticsGroupName #1
_rlnOpticsGroup #2
_rlnImagePixelSize #3
opticsGroup1 1 1.77

data_particles

loop_
_rlnCoordinateX #1
_rlnCoordinateY #2
_rlnAutopickFigureOfMerit #3
_rlnMicrographName #4
_rlnClassNumber #5
_rlnOpticsGroup #6
10.5 20 0.7 Movies/a.mrc 3 1
30 40 -1.5 Movies/b.mrc 4 1
50 60.25 2 Movies/b.mrc 5 1
"""


@pytest.fixture
def star(tmp_path: Path) -> Path:
    file = tmp_path / "particles.star"
    file.write_text(PARTICLES)
    return file


def assert_same_blocks(ours: Any, theirs: Any) -> None:
    assert list(ours) == list(theirs)
    for name in theirs:
        pd.testing.assert_frame_equal(ours[name], theirs[name], check_dtype=False)


def test_blocks_become_picks_and_come_back(star: Path) -> None:
    blocks = starfile.read(star)
    picks = Picks.from_starfile(blocks)
    assert picks.table["micrograph"].tolist() == ["Movies/a.mrc", "Movies/b.mrc"] + [
        "Movies/b.mrc"
    ]
    assert picks.coords_yx_px().tolist() == [[20, 10.5], [40, 30], [60.25, 50]]
    assert picks.table["picker_score"].tolist() == [0.7, -1.5, 2]
    assert_same_blocks(picks.to_starfile(), blocks)


def test_rows_go_columns_come_and_optics_stay(star: Path, tmp_path: Path) -> None:
    blocks = starfile.read(star)
    picks = Picks.from_starfile(blocks).select(np.array([2, 0])).with_labels([1, 2])
    after = picks.to_starfile()
    assert after["particles"]["rlnParticleSelectionType"].tolist() == [1, 2]
    assert after["particles"]["rlnClassNumber"].tolist() == [5, 3]
    pd.testing.assert_frame_equal(after["optics"], blocks["optics"])
    starfile.write(after, tmp_path / "good.star")
    again = read_picks(tmp_path / "good.star")
    assert again.labels.tolist() == [1, 2]
    assert again.table["x"].tolist() == [50, 10.5]


def test_a_file_that_we_read_gives_the_blocks_that_starfile_reads(star: Path) -> None:
    assert_same_blocks(read_picks(star).to_starfile(), starfile.read(star))


@pytest.mark.parametrize("name", ["optics", "particles"])
def test_two_blocks_of_one_name_are_refused_not_merged(star: Path, name: str) -> None:
    text = star.read_text()
    more = f"\ndata_{name}\n\nloop_\n_rlnOther #1\n1\n"
    star.write_text(more + text)
    picks = read_picks(star)
    with pytest.raises(PickFormatError, match=f"has two blocks data_{name}"):
        picks.to_starfile()
    (written,) = write_picks(picks, star.with_name("again.star"), columns={})
    assert written.read_text() == more + text


def test_one_block_is_one_frame() -> None:
    block = pd.DataFrame({"rlnCoordinateX": [1, 2], "rlnCoordinateY": [3.5, 4]})
    picks = Picks.from_starfile(block)
    assert picks.table["micrograph"].tolist() == ["", ""]
    pd.testing.assert_frame_equal(picks.to_starfile(), block)


def test_decisions_are_no_labels_in_frames_either(star: Path) -> None:
    scored = Picks.from_starfile(starfile.read(star)).with_columns(
        predicted=np.array([1, 2, 1], np.int8), probability_1=[0.9, 0.1, 0.8]
    )
    again = Picks.from_starfile(scored.to_starfile())
    assert again.labels.tolist() == [0, 0, 0]
    assert again.table["predicted"].tolist() == [1, 2, 1]


def test_picks_of_other_formats_become_one_plain_block(tmp_path: Path) -> None:
    for name in ("a.box", "b.box"):
        (tmp_path / name).write_text("10 20 8 8 0.5\n")
    block = read_picks(tmp_path, label=1).to_starfile()
    assert block.to_dict("list") == {
        "rlnMicrographName": ["a", "b"],
        "rlnCoordinateX": [14, 14],
        "rlnCoordinateY": [24, 24],
        "rlnAutopickFigureOfMerit": [0.5, 0.5],
        "rlnParticleSelectionType": [1, 1],
    }


def test_picks_out_of_frames_are_written_with_all_blocks(star: Path, tmp_path: Path) -> None:
    picks = Picks.from_starfile(starfile.read(star)).select(np.array([1]))
    (path,) = write_picks(picks.with_labels(2), tmp_path / "new.star")
    blocks = starfile.read(path)
    assert blocks["particles"]["rlnClassNumber"].tolist() == [4]
    assert blocks["particles"]["rlnParticleSelectionType"].tolist() == [2]
    assert blocks["optics"]["rlnImagePixelSize"].tolist() == [1.77]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (
            pd.DataFrame({"rlnMicrographName": ["a"]}),
            "no block has the columns rlnCoordinateX",
        ),
        (
            {n: pd.DataFrame({"rlnCoordinateX": [1], "rlnCoordinateY": [1]}) for n in "ab"},
            r"several blocks have .* \('a', 'b'\): pass the one block",
        ),
        (
            pd.DataFrame(
                {"rlnCoordinateX": [1], "rlnCoordinateY": [1], "rlnCoordinateZ": [1]}
            ),
            r"is of a tomogram \(rlnCoordinateZ\)",
        ),
        (
            pd.DataFrame({"rlnCoordinateX": [1, np.nan], "rlnCoordinateY": [1, 1]}),
            "row 2 of block '': the coordinates are x = nan",
        ),
        (
            pd.DataFrame({"rlnCoordinateX": ["one"], "rlnCoordinateY": [1]}),
            "row 1 of block '': rlnCoordinateX is 'one', which is no number",
        ),
    ],
    ids=["none", "several", "tomogram", "nan", "words"],
)
def test_frames_without_picks_are_refused(blocks: Any, message: str) -> None:
    with pytest.raises(PickFormatError, match=message):
        Picks.from_starfile(blocks)
