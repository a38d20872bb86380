"""What a target format cannot hold is known before it is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.conversion.convert import WRITABLE
from napari_pickeroptimizer.conversion.losses import carrying, losses, shown
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.pick_format import PickFormat
from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.picks import Picks

STAR = """data_optics

loop_
_rlnOpticsGroup #1
_rlnMicrographPixelSize #2
1 1.25

data_particles

loop_
_rlnMicrographName #1
_rlnCoordinateX #2
_rlnCoordinateY #3
_rlnAnglePsi #4
_rlnOpticsGroup #5
a.mrc 10.25 20 -1.50 1
a.mrc 30 40 90 1
"""


def fmt(suffix: str) -> PickFormat:
    found = format_of(f"a{suffix}")
    assert found is not None
    return found


@pytest.fixture
def star(tmp_path: Path) -> Picks:
    (tmp_path / "a.star").write_text(STAR)
    return read_picks(tmp_path / "a.star")


def test_what_each_format_loses_of_a_star(star: Picks) -> None:
    others = "2 other columns: rlnAnglePsi, rlnOpticsGroup"
    optics = "what is in the files besides the picks: data_optics"
    assert losses(star, fmt(".csv")) == [optics]
    assert losses(star, fmt(".box"), 64) == [
        others, optics, "fractions of pixels: 1 of 2 picks are rounded"
    ]  # fmt: skip
    labelled = star.with_labels([1, 0])
    assert losses(labelled, fmt(".cbox"))[0].startswith("label (class that the user gave")


def test_corners_of_odd_boxes_are_no_whole_pixels(tmp_path: Path) -> None:
    picks = Picks.from_arrays("a.mrc", [10, 11], [20, 21])
    assert losses(picks, fmt(".box"), 64) == []
    (rounded,) = losses(picks, fmt(".box"), 63)
    assert "2 of 2" in rounded


@pytest.mark.parametrize("pick_format", WRITABLE, ids=lambda f: f.name)
def test_plain_picks_of_no_file_lose_nothing(pick_format: PickFormat) -> None:
    picks = Picks.from_arrays("a.mrc", [10.0], [20.0])
    assert losses(picks, pick_format, 64) == []


def test_other_columns_are_carried_as_they_are_spelt(star: Picks, tmp_path: Path) -> None:
    table = carrying(star).table
    assert table["feature_rlnAnglePsi"].tolist() == ["-1.50", "90"]
    assert table["feature_rlnOpticsGroup"].tolist() == ["1", "1"]


def test_columns_that_only_some_files_have_are_lost(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("x,y,psi,note\n1,2,3,one\n")
    (tmp_path / "in/b.csv").write_text("x,y,note\n1,2,two\n")
    picks = read_picks(tmp_path / "in")
    assert losses(picks, fmt(".star")) == ["1 other columns: psi"]
    assert carrying(picks).table["feature_note"].tolist() == ["one", "two"]


def test_a_name_that_would_be_a_score_elsewhere_is_lost(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text(STAR.replace("_rlnAnglePsi", "_confidence"))
    picks = read_picks(tmp_path / "a.star")
    assert losses(picks, fmt(".csv"))[0] == "1 other columns: confidence"
    assert "feature_confidence" not in carrying(picks).table


@pytest.mark.parametrize("name", ["two words", "a#b"])
def test_names_that_a_new_file_would_misread_are_lost(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.csv").write_text(f"x,y,score,{name}\n1,2,0.5,3\n")
    picks = read_picks(tmp_path / "a.csv")
    assert losses(picks, fmt(".star")) == [f"1 other columns: {name}"]
    assert not [c for c in carrying(picks).table if c.startswith("feature_")]


def test_of_many_names_the_first_are_listed() -> None:
    names = [f"c{i}" for i in range(20)]
    assert shown(names, 2) == "c0, c1 and 18 more"
    assert shown(names[:2], 2) == "c0, c1"


def test_rows_that_were_selected_keep_their_own_values(star: Picks) -> None:
    table = carrying(star.select(np.array([1]))).table
    assert table["feature_rlnAnglePsi"].tolist() == ["90"]


def test_what_emans_and_xmipps_files_hold_besides_picks(tmp_path: Path) -> None:
    (tmp_path / "a_info.json").write_text(
        '{"boxes": [[10, 20, "manual"]], "ctf": [1, 2], "quality": 5}'
    )
    assert losses(read_picks(tmp_path / "a_info.json"), fmt(".star")) == [
        "what is in the files besides the picks: ctf, quality"
    ]
    (tmp_path / "a.pos").write_text(
        "# XMIPP_STAR_1 *\ndata_particles\nloop_\n_itemId\n_enabled\n_xcoor\n_ycoor\n"
        "1 1 10 20\n2 -1 30 40\n"
    )
    assert losses(read_picks(tmp_path / "a.pos"), fmt(".star")) == [
        "1 other columns: itemId",
        "what is in the files besides the picks: 1 discarded picks",
    ]
