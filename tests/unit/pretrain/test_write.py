"""Windows come back from their file as they were, and any MRC reader understands it."""

from __future__ import annotations

import os
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

from napari_pickeroptimizer.errors import BoxSetError
from napari_pickeroptimizer.pretrain.stacks import read_windows
from napari_pickeroptimizer.pretrain.write import WindowWriter, write_windows


@pytest.fixture
def windows() -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 2, (5, 82, 82)).clip(-10, 10)
    return values.astype(np.float16)


def test_windows_come_back_bit_by_bit_in_any_order(
    windows: np.ndarray, tmp_path: Path
) -> None:
    back = read_windows(write_windows(tmp_path / "new" / "a.mrcs", windows))
    assert back.shape == windows.shape
    np.testing.assert_array_equal(back, windows)
    rows = np.array([4, 0, 0, 2])
    np.testing.assert_array_equal(back[rows], windows[rows])
    assert len(back[rows[:0]]) == 0


def test_a_stack_that_becomes_shorter_is_an_error_and_not_the_end(
    windows: np.ndarray, tmp_path: Path
) -> None:
    path = write_windows(tmp_path / "a.mrcs", windows)
    back = read_windows(path)
    os.truncate(path, path.stat().st_size - 5000)
    np.testing.assert_array_equal(back[np.array([1])], windows[1:2])
    with pytest.raises(BoxSetError, match="a.mrcs has been cut .*window 5 is gone"):
        back[np.array([0, 4])]
    path.unlink()
    with pytest.raises(BoxSetError, match="a.mrcs cannot be read"):
        back[np.array([0])]


def test_parts_make_the_same_file_as_the_whole(windows: np.ndarray, tmp_path: Path) -> None:
    whole = write_windows(tmp_path / "whole.mrcs", windows)
    with WindowWriter(tmp_path / "parts.mrcs") as writer:
        writer.append(torch.from_numpy(windows[:2]).float()[:, None])
        writer.append(windows[2:])
    assert writer.n_written == 5
    assert (tmp_path / "parts.mrcs").read_bytes() == whole.read_bytes()


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")  # mrcfile adds up in float16
def test_the_file_is_a_valid_image_stack(windows: np.ndarray, tmp_path: Path) -> None:
    path = write_windows(tmp_path / "a.mrcs", windows)
    assert mrcfile.validate(path)
    with mrcfile.open(path) as mrc:
        assert mrc.is_image_stack()
        assert mrc.header.mode == 12
        assert b"standardised windows, box 48 px" in mrc.header.label[0]
        np.testing.assert_array_equal(mrc.data, windows)


def test_a_block_that_raises_leaves_what_was_there(
    windows: np.ndarray, tmp_path: Path
) -> None:
    path = write_windows(tmp_path / "a.mrcs", windows)
    before = path.read_bytes()

    def append_half() -> None:
        with WindowWriter(path) as writer:
            writer.append(windows)
            writer.append(windows[:, :48, :48])

    with pytest.raises(BoxSetError):
        append_half()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_windows_make_no_file(tmp_path: Path) -> None:
    with WindowWriter(tmp_path / "a.mrcs") as writer:
        writer.append(np.zeros((0, 82, 82)))
    assert list(tmp_path.iterdir()) == []


def test_windows_of_another_side_or_with_nan_are_refused(tmp_path: Path) -> None:
    with WindowWriter(tmp_path / "a.mrcs") as writer:
        with pytest.raises(BoxSetError, match=r"82 x 82 pixels were expected.*\(1, 48, 48\)"):
            writer.append(np.zeros((1, 48, 48)))
        with pytest.raises(BoxSetError, match="NaN"):
            writer.append(np.full((1, 82, 82), np.nan))
    assert list(tmp_path.iterdir()) == []
