"""Files that are recognised and refused, and places that are not files."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import LabelError, PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io import read_picks


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.xmd", r"is metadata of Xmipp .* not read: pass the \.pos files"),
        ("a.tloc", "is of a tomogram"),
        ("a.yaml", "is no pick file: expected .star, .box, .csv"),
    ],
)
def test_other_formats_are_recognised_and_refused(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / name).write_bytes(b"1 2 3")
    with pytest.raises(PickFormatError, match=message):
        read_picks(tmp_path / name)


def test_no_file_there(tmp_path: Path) -> None:
    with pytest.raises(PicksNotFoundError, match=r"no picks at .*gone.star: nothing is there"):
        read_picks(tmp_path / "gone.star")


@pytest.mark.parametrize("label", [7, -1])
def test_label_must_be_a_class(tmp_path: Path, label: int) -> None:
    (tmp_path / "a.box").write_text("1 2 4 4\n")
    with pytest.raises(LabelError, match=f"label {label} is no class id: expected 1 to 6"):
        read_picks(tmp_path / "a.box", label=label)


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.box").write_text("1 2 4 4\n")
    assert len(read_picks([tmp_path / "a.box", str(tmp_path / "*.box")])) == 1


def test_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "A.BOX").write_text("1 2 4 4\n")
    assert len(read_picks(tmp_path / "A.BOX")) == 1
