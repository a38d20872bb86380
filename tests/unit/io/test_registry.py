"""One list of formats and one of columns: whatever depends on them agrees with them."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io.registry import (
    FORMATS,
    KNOWN_SUFFIXES,
    READABLE,
    SUFFIXES,
    dialog_filter,
    format_of,
)
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import COLUMNS

ROOT = Path(__file__).parents[3]
CS_FIELDS = [
    ("uid", "<u8"), ("location/micrograph_path", "S8"), ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"), ("location/center_y_frac", "<f4"),
]  # fmt: skip


def small_cs() -> bytes:
    buffer = io.BytesIO()
    rows = [(1, b"a.mrc", (8, 8), 0.5, 0.25), (2, b"a.mrc", (8, 8), 0.125, 0.75)]
    np.save(buffer, np.array(rows, dtype=CS_FIELDS))
    return buffer.getvalue()


# two picks in each format
SMALL: dict[str, bytes] = {
    ".star": b"data_\n\nloop_\n_rlnCoordinateX #1\n_rlnCoordinateY #2\n1.50 2\n3 4\n",
    ".box": b"1 2 4 4\n3 4 4 4\n",
    ".csv": b"x,y\n1.50,2\n3,4\n",
    ".cbox": b"1\t2\t4\t4\t0.5\n3\t4\t4\t4\t0.25\n",
    ".cs": small_cs(),
    ".csg": b"results:\n  location:\n    metafile: '>beside.cs'\n    num_items: 2\n",
    ".json": b'{\n"boxes": [\n[1, 2, "manual"],\n[3.5, 4, "auto_local", 0.5]\n],\n"ctf": [1]\n}\n',
    ".txt": b"image_name\tx_coord\ty_coord\tscore\na\t1\t2\t-0.5\na\t3\t4\t1.5\n",
    ".pos": b"# XMIPP_STAR_1 *\ndata_particles\nloop_\n _xcoor\n _ycoor\n 1 2 \n 3 4 \n",
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "tools"))
        return importlib.import_module("update_formats")


def test_manifest_and_page_tell_the_formats_and_columns_that_there_are(
    tool: ModuleType,
) -> None:
    hint = "run: python tools/update_formats.py"
    for path, updated in ((tool.MANIFEST, tool.manifest), (tool.PAGE, tool.page)):
        text = path.read_text(encoding="utf-8")
        assert updated(text) == text, hint


def test_every_known_suffix_is_in_the_manifest_and_on_the_page(tool: ModuleType) -> None:
    manifest = tool.MANIFEST.read_text(encoding="utf-8")
    page = tool.PAGE.read_text(encoding="utf-8")
    for suffix in KNOWN_SUFFIXES:
        assert f'"*{suffix}"' in manifest
        assert f"`{suffix}`" in page
    for column in COLUMNS:
        assert f"`{column.name}`" in page


def test_no_two_formats_share_a_suffix() -> None:
    assert len(set(KNOWN_SUFFIXES)) == len(KNOWN_SUFFIXES)
    assert all(suffix == suffix.lower() for suffix in KNOWN_SUFFIXES)


@pytest.mark.parametrize("pick_format", FORMATS, ids=lambda f: f.name)
def test_a_format_is_read_or_says_what_to_pass_instead(pick_format: object) -> None:
    is_readable = pick_format in READABLE
    assert bool(pick_format.instead) != is_readable  # type: ignore[attr-defined]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_that_is_read_is_recognised_and_comes_back(
    tmp_path: Path, suffix: str
) -> None:
    content = SMALL[suffix]  # a new format: give it a small file
    pick_format = format_of(f"a{suffix}")
    assert pick_format is not None
    assert pick_format.holds_picks(content.decode("latin-1"))
    (tmp_path / "beside.cs").write_bytes(SMALL[".cs"])
    source = tmp_path / f"a{suffix}"
    source.write_bytes(content)
    picks = read_picks(source)
    assert len(picks) == 2
    *_, path = write_picks(picks, tmp_path / "all" / f"a{suffix}")
    assert path.read_bytes() == content
    *_, path = write_picks(picks.select(np.array([1])), tmp_path / f"c{suffix}")
    kept = read_picks(path)
    assert kept.coords_yx_px().tolist() == picks.coords_yx_px()[1:].tolist()


def test_dialogs_offer_what_can_be_read() -> None:
    assert dialog_filter() == (
        "Picks (*.star *.box *.csv *.cbox *.cs *.csg *.json *.txt *.pos);;All files (*)"
    )


@pytest.mark.parametrize("suffix", [".star", ".csv"])
def test_every_column_that_is_added_comes_back(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"a{suffix}"
    source.write_bytes(SMALL[suffix])
    values: dict[str, object] = {
        "predicted": np.array([1, 2], np.int8),
        "decided_by": ["score", "edge"],
    }
    for column in COLUMNS:
        if column.is_added and column.name not in values:
            texts = np.array(["", 'a "b", c'], dtype=object)
            values[column.name] = texts if column.dtype is np.object_ else [0.25, 0.75]
    picks = read_picks(source).with_columns(**values)  # type: ignore[arg-type]
    (path,) = write_picks(picks, tmp_path / f"b{suffix}")
    again = read_picks(path).table
    for name, expected in values.items():
        assert again[name].tolist() == list(expected), name  # type: ignore[call-overload]


def test_columns_that_nobody_declared_are_not_written(tmp_path: Path) -> None:
    source = tmp_path / "a.star"
    source.write_bytes(SMALL[".star"])
    picks = read_picks(source).with_columns(colour=["red", "blue"], rank=[1.0, 2.0])
    (path,) = write_picks(picks, tmp_path / "b.star")
    assert path.read_bytes() == SMALL[".star"]
    new = Picks(picks.table.assign(source=-1))
    (path,) = write_picks(new, tmp_path / "c.star")
    assert "colour" not in path.read_text()
    assert "rank" not in path.read_text()
