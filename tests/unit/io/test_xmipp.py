"""Xmipp .pos: centres of two blocks; what was discarded stays in the file and is no pick."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_as, write_picks
from napari_pickeroptimizer.io.xmipp import FORMAT
from napari_pickeroptimizer.picks import Picks

HEAD = "# XMIPP_STAR_1 * \n# \ndata_header\nloop_\n _pickingMicrographState\nSupervised\n"
MANUAL = "data_particles\nloop_\n _xcoor\n _ycoor\n  10  20 \n  30  40 \n"
AUTO = (
    "data_particles_auto\nloop_\n _itemId\n _enabled\n _xcoor\n _ycoor\n _cost\n"
    " 1   1  50  60  0.75 \n 2  -1  70  80  0.50 \n 3   1  90 100 -0.25 \n"
)
TEXT = HEAD + MANUAL + AUTO


def pos(folder: Path, text: str = TEXT) -> Path:
    path = folder / "a.pos"
    path.write_text(text)
    return path


def test_picks_of_both_blocks_that_are_not_discarded(tmp_path: Path) -> None:
    picks = read_picks(pos(tmp_path))
    assert picks.coords_yx_px().tolist() == [[20, 10], [40, 30], [60, 50], [100, 90]]
    np.testing.assert_array_equal(picks.table["picker_score"], [np.nan, np.nan, 0.75, -0.25])
    assert picks.table["micrograph"].tolist() == ["a"] * 4


def test_rows_go_and_discarded_ones_stay(tmp_path: Path) -> None:
    picks = read_picks(pos(tmp_path))
    write_picks(picks, tmp_path / "all.pos", columns={})
    assert (tmp_path / "all.pos").read_text() == TEXT
    write_picks(picks.select(np.array([1, 3])), tmp_path / "kept.pos", columns={})
    gone = TEXT.replace("  10  20 \n", "").replace(" 1   1  50  60  0.75 \n", "")
    assert (tmp_path / "kept.pos").read_text() == gone


def test_scores_go_where_a_block_has_a_cost(tmp_path: Path) -> None:
    columns = {"rlnAutopickFigureOfMerit": np.array([0.1, 0.2])}
    picks = read_picks(pos(tmp_path)).select(np.array([0, 2]))
    write_picks(picks, tmp_path / "kept.pos", columns=columns)
    text = (tmp_path / "kept.pos").read_text()
    assert "  10  20 \n" in text
    assert " 1   1  50  60  0.200000 \n" in text
    assert " 2  -1  70  80  0.50 \n" in text


@pytest.mark.parametrize("text", [HEAD, HEAD + "data_particles\nloop_\n _xcoor\n _ycoor\n"])
def test_a_micrograph_without_picks(tmp_path: Path, text: str) -> None:
    assert len(read_picks(pos(tmp_path, text))) == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is an empty file"),
        ("data_one\nloop_\n _x\n _y\n 1 2\n", "columns xcoor and ycoor; found x, y"),
        (HEAD + MANUAL + " 1 2 3\n", r"row 3 .line 13.: 3 values in the row where 2"),
        (HEAD + MANUAL + " 1 b\n", r"row 3 .line 13.: ycoor is 'b', which is no number"),
        (HEAD + MANUAL + " 1 nan\n", r"row 3 .line 13.: the coordinates are"),
    ],
)  # fmt: skip
def test_what_is_no_pos_file_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = pos(tmp_path, text)
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(path)
    assert str(path) in str(raised.value)


def test_new_files_are_laid_out_as_xmipp_reads_them(tmp_path: Path) -> None:
    picks = Picks.from_arrays("M/a.mrc", [10.4, 3], [20, 4.6])
    (path,) = write_as(picks, tmp_path / "extra", FORMAT)
    assert path == tmp_path / "extra" / "M" / "a.pos"
    assert path.read_text() == (
        "# XMIPP_STAR_1 * \n#\ndata_header\nloop_\n _pickingMicrographState\nManual\n"
        "data_particles\nloop_\n _itemId\n _enabled\n _xcoor\n _ycoor\n"
        " 000001   1   10   20 \n 000002   1   3   5 \n"
    )
    assert "picker_score" not in read_picks(path).table
    scored = picks.with_columns(picker_score=[0.5, 0.25])
    (path,) = write_as(scored, tmp_path / "scored", FORMAT)
    assert "Supervised\ndata_particles_auto\n" in path.read_text()
    assert read_picks(path).table["picker_score"].tolist() == [0.5, 0.25]
