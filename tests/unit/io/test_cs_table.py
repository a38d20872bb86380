"""What is in a .cs: values that make sense, whole tables, compressed ones."""

from __future__ import annotations

import builtins
import io
from pathlib import Path

import numpy as np
import pytest
from cryosparc_tables import PICK_FIELDS, PICKS, cs

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import read_picks, write_picks


def changed(field: str, value: object) -> list:
    position = [name for name, *_ in PICK_FIELDS].index(field)
    return [PICKS[0], (*PICKS[1][:position], value, *PICKS[1][position + 1 :])]


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        (
            "location/micrograph_shape",
            (0, 200),
            "row 2: location/micrograph_shape is not known",
        ),
        ("location/center_x_frac", np.nan, "row 2: the coordinates are x = nan, y = 100.0"),
        ("location/micrograph_path", b"\xff.mrc", "row 2: .*which is no UTF-8 text"),
    ],
)
def test_values_that_make_no_sense_are_named_by_their_row(
    tmp_path: Path, field: str, value: object, problem: str
) -> None:
    path = cs(tmp_path / "a.cs", rows=changed(field, value))
    with pytest.raises(PickFormatError, match=problem) as raised:
        read_picks(path)
    assert str(path) in str(raised.value)


def test_picks_along_filaments_are_refused(tmp_path: Path) -> None:
    fields = [*PICK_FIELDS, ("filament/filament_uid", "<u8")]
    path = cs(tmp_path / "a.cs", fields, [(*row, 1) for row in PICKS])
    with pytest.raises(PickFormatError, match=r"lie along filaments .filament/filament_uid."):
        read_picks(path)


def saved(array: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


WHOLE = saved(np.array(PICKS, dtype=PICK_FIELDS))
CYCLE = np.array([{"a": 1}], dtype=object)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is an empty file"),
        (b"data_\n", "is no table of cryoSPARC: a .cs begins with"),
        (WHOLE[:-1], "is cut off: its header tells of 3 rows of 72 bytes"),
        (WHOLE[:40], "its header cannot be read"),
        (WHOLE.replace(b"(3,)", b"(3e"), "its header cannot be read"),
        (WHOLE.replace(b"'shape': (3,)", b"'shape': (-3,)").replace(b"  \n", b" \n"), "is cut off"),
        (saved(np.zeros((2, 2))), "is a NumPy array of float64 and shape"),
        (saved(CYCLE, allow_pickle=True), "holds pickled objects, which are not read"),
    ],
    ids=["empty", "text", "cut", "cut header", "bad header", "negative", "plain", "pickle"],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    (tmp_path / "a.cs").write_bytes(data)
    with pytest.raises(PickFormatError, match=problem):
        read_picks(tmp_path / "a.cs")


def test_a_compressed_table_asks_for_the_package_that_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = builtins.__import__

    def without_cryosparc(name: str, *args: object) -> object:
        if name.startswith("cryosparc"):
            raise ImportError(name)
        return really(name, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_cryosparc)
    (tmp_path / "a.cs").write_bytes(b"\x95CSDAT\x01")
    with pytest.raises(PickFormatError, match="pip install cryosparc-tools"):
        read_picks(tmp_path / "a.cs")


def test_a_compressed_table_is_read_and_becomes_an_ordinary_one(tmp_path: Path) -> None:
    dataset = pytest.importorskip("cryosparc.dataset")
    path = tmp_path / "a.cs"
    table = np.array(PICKS, dtype=PICK_FIELDS)
    dataset.Dataset(table).save(path, format=dataset.CSDAT_FORMAT)
    picks = read_picks(path)
    assert picks.coords_yx_px().tolist() == [[75.0, 50.0], [100.0, 0.0], [50.0, 100.0]]
    write_picks(picks, tmp_path / "all.cs", columns={})
    assert (tmp_path / "all.cs").read_bytes() == path.read_bytes()
    write_picks(picks.select(np.array([1])), tmp_path / "kept.cs")
    assert np.load(tmp_path / "kept.cs")["uid"].tolist() == [5]
