"""Text files as other programs and accidents leave them: the same text, or a refusal in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io import read_picks, write_picks
from napari_pickeroptimizer.io import text as text_module
from napari_pickeroptimizer.io.text import kept_text, read_lines, read_text

FILES = {
    "a.star": b"data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n10 20\n30 40\n",
    "a.box": b"10 20 0 0\n30 40 0 0\n",
    "a.csv": b"x,y\n10,20\n30,40\n",
}
BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize("name", list(FILES))
def test_a_byte_order_mark_is_no_part_of_the_text_and_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(BOM + FILES[name])
    picks = read_picks(tmp_path / name)
    assert picks.coords_yx_px().tolist() == [[20, 10], [40, 30]]
    written = write_picks(picks.select(np.array([1])), tmp_path / "out" / name)
    rest = FILES[name].replace(b"10 20 0 0\n", b"").replace(b"10 20\n", b"")
    assert written[0].read_bytes() == BOM + rest.replace(b"10,20\n", b"")


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize(
    "control", [b"\x01", b"\x07", b"\x0b", b"\x0c", b"\x1b", b"\x1c", b"\x7f"]
)
def test_control_characters_are_refused_by_line(
    tmp_path: Path, name: str, control: bytes
) -> None:
    (tmp_path / name).write_bytes(FILES[name] + b"1" + control + b"\n")
    line = FILES[name].count(b"\n") + 1
    with pytest.raises(PickFormatError, match=rf"{name}, line {line}: the control character"):
        read_picks(tmp_path / name)


def test_far_into_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_bytes(FILES["a.box"] * 200_000 + b"\0")
    with pytest.raises(PickFormatError, match="line 400001: the control character"):
        read_picks(tmp_path / "a.box")


@pytest.mark.parametrize("name", list(FILES))
def test_a_carriage_return_ends_a_line_only_before_its_newline(
    tmp_path: Path, name: str
) -> None:
    windows = FILES[name].replace(b"\n", b"\r\n")
    (tmp_path / name).write_bytes(windows[:-1])  # cut inside the last line's end
    assert read_picks(tmp_path / name).coords_yx_px().tolist() == [[20, 10], [40, 30]]
    (tmp_path / name).write_bytes(windows.replace(b"\r\n", b"\r"))
    with pytest.raises(PickFormatError, match="line 1: a carriage return that ends no line"):
        read_picks(tmp_path / name)


@pytest.mark.parametrize("name", list(FILES))
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_wide_characters_are_refused(tmp_path: Path, name: str, encoding: str) -> None:
    (tmp_path / name).write_bytes(FILES[name].decode().encode(encoding))
    with pytest.raises(PickFormatError, match="save it as UTF-8|is a binary file"):
        read_picks(tmp_path / name)


def test_bytes_that_are_no_utf8_are_latin1_and_come_back(tmp_path: Path) -> None:
    data = "micrograph,x,y\n\u00b5m\u00a0\x85.mrc,1,2\n".encode("latin-1")
    (tmp_path / "a.csv").write_bytes(data)
    picks = read_picks(tmp_path / "a.csv")
    assert picks.table["micrograph"].tolist() == ["\u00b5m\u00a0\x85.mrc"]
    assert write_picks(picks, tmp_path / "b.csv")[0].read_bytes() == data
    columns = {"poSuggestionReason": np.array(["\u03a9"], dtype=object)}
    with pytest.raises(PickFormatError, match="no '.*' in its encoding, latin-1"):
        write_picks(picks, tmp_path / "c.csv", columns=columns)
    assert not (tmp_path / "c.csv").exists()


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(PicksNotFoundError, match="does not exist"):
        read_text(tmp_path / "none.star")
    with pytest.raises(PickFormatError, match="cannot be read: File name too long"):
        read_text(tmp_path / ("9" * 400 + ".star"))


def test_a_file_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    for stem in ("a", "b\udcff"):
        (tmp_path / f"{stem}.box").write_bytes(FILES["a.box"])
    with pytest.raises(PickFormatError, match="is no UTF-8 text: rename the file"):
        read_picks(tmp_path)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", "utf-8"),
        (b"\n", "utf-8"),
        (b"one\ntwo", "utf-8"),
        (BOM + b"\n\none\n", "utf-8-sig"),
        ("é\nµ\r\n\nü".encode(), "utf-8"),
        (b"\xc3\xa9\n\xe9\n", "latin-1"),
        (BOM + b"\n\xe9", "latin-1"),
    ],
)
@pytest.mark.parametrize("part", [1, 2, 3, 100])
def test_a_file_is_the_same_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, encoding: str, part: int
) -> None:
    monkeypatch.setattr(text_module, "_PART", part)
    (tmp_path / "a").write_bytes(data)
    assert read_text(tmp_path / "a") == (data.decode(encoding), encoding)
    assert read_lines(tmp_path / "a") == (data.decode(encoding).split("\n"), encoding)
    (tmp_path / "a").write_bytes(data + b"\n\n1 2\x07\n")
    line = data.count(b"\n") + 3
    with pytest.raises(PickFormatError, match=f"line {line}: the control character"):
        read_lines(tmp_path / "a")


def test_a_file_without_a_last_line_end_that_loses_all_its_rows_is_empty() -> None:
    assert kept_text(["1 2", "3 4"], np.array([0, 1]), []) == ""
    assert kept_text(["", "3 4"], np.array([1]), []) == "\n"  # an empty line that stays
