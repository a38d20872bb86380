"""Stacks of other programs become windows like ours; what is no stack of boxes is refused."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_pickeroptimizer.errors import BoxSetError
from napari_pickeroptimizer.pretrain.stacks import read_windows
from napari_pickeroptimizer.pretrain.write import write_windows


def write_mrc(path: Path, data: np.ndarray) -> Path:
    with mrcfile.new(path) as mrc:
        mrc.set_data(data.astype(np.float32))
    return path


def test_a_foreign_stack_is_standardised_as_a_whole_and_fills_the_box(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(0, 1, (10, 48, 48))
    images[5:] += 1  # the second half is brighter, and stays so
    windows = read_windows(write_mrc(tmp_path / "a.mrcs", 50 + 3 * images)).astype(np.float32)
    assert windows.shape == (10, 82, 82)
    assert abs(np.median(windows[:, 17:65, 17:65])) < 0.01
    assert windows[5:].mean() - windows[:5].mean() > 0.7
    whole = (images - np.median(images)) / (
        1.4826 * np.median(np.abs(images - np.median(images)))
    )
    np.testing.assert_allclose(windows[:, 17:65, 17:65], whole, atol=0.01)
    np.testing.assert_array_equal(windows[:, 17 - 5], windows[:, 17 + 5])  # the mirror image


@pytest.mark.parametrize("suffix", [".mrc", ".tif", ".png", ".jpg"])
def test_single_images_are_boxes_too(suffix: str, tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 100)).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    if suffix == ".mrc":
        write_mrc(path, image)
    elif suffix == ".tif":
        tifffile.imwrite(path, image)
    else:
        Image.fromarray(image).save(path)
    assert read_windows(path).shape == (1, 82, 82)


def test_images_that_are_not_square_are_refused(tmp_path: Path) -> None:
    path = write_mrc(tmp_path / "a.mrcs", np.zeros((3, 20, 30)))
    with pytest.raises(BoxSetError, match=r"a\.mrcs: its images are 30 x 20 pixels.*square"):
        read_windows(path)


def test_nan_is_refused_with_its_place(tmp_path: Path) -> None:
    data = np.zeros((3, 20, 20))
    data[1, 4, 4] = np.nan
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, photometric="minisblack")
    with pytest.raises(BoxSetError, match=r"a\.tif: image 2 of 3 .*NaN"):
        read_windows(path)


@pytest.mark.parametrize("name", ["a.mrcs", "a.tif", "a.png"])
def test_what_is_no_image_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("no image at all\n" * 100)
    with pytest.raises(BoxSetError, match=name):
        read_windows(tmp_path / name)


def test_a_truncated_stack_is_refused(tmp_path: Path) -> None:
    ours = write_windows(tmp_path / "a.mrcs", np.zeros((3, 82, 82)))
    theirs = write_mrc(tmp_path / "b.mrcs", np.zeros((3, 82, 82)))
    for path in (ours, theirs):
        path.write_bytes(path.read_bytes()[:-5000])
        with pytest.raises(BoxSetError, match=f"{path.name}.*truncated"):
            read_windows(path)


def test_windows_of_another_box_size_are_not_taken_for_ours(tmp_path: Path) -> None:
    path = write_windows(tmp_path / "a.mrcs", np.zeros((1, 82, 82)))
    path.write_bytes(path.read_bytes().replace(b"box 48 px", b"box 64 px"))
    with pytest.raises(BoxSetError, match=r"boxes of 64 px.*pretrain-set"):
        read_windows(path)
