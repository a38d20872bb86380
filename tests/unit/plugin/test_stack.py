"""The micrograph stack: lazy, binned for the screen, in the micrographs' own frame."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

pytest.importorskip("dask.array")

from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.plugin.stack import (
    bin_image,
    common_pixel_size_ang,
    make_stack,
    stack_of,
)


def write_mrc(path: Path, image: np.ndarray, pixel_size_ang: float = 2.0) -> None:
    with mrcfile.new(path, overwrite=True) as mrc:
        mrc.set_data(image.astype(np.float32))
        mrc.voxel_size = pixel_size_ang


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    image = np.arange(8 * 12, dtype=np.float32).reshape(8, 12)
    write_mrc(tmp_path / "a.mrc", image)
    write_mrc(tmp_path / "b.mrc", image + 100)
    return tmp_path


def test_slices_are_the_micrographs_in_order(folder):
    data, attributes, kind = make_stack(Micrographs.find(folder))
    assert kind == "image"
    assert data.shape == (2, 8, 12)
    np.testing.assert_array_equal(np.asarray(data[1]), np.asarray(data[0]) + 100)
    assert attributes["units"] == ("pixel", "angstrom", "angstrom")


def test_making_a_stack_reads_only_what_the_contrast_needs(folder, monkeypatch):
    for i in range(20):
        write_mrc(folder / f"more_{i:02d}.mrc", np.ones((8, 12)))
    micrographs = Micrographs.find(folder)
    read = []
    original = type(micrographs.items[0]).read
    monkeypatch.setattr(
        type(micrographs.items[0]), "read", lambda m: read.append(m.name) or original(m)
    )
    data, _, _ = make_stack(micrographs)
    assert len(read) == 3
    np.asarray(data[7])
    assert len(read) == 4


def test_a_binned_pixel_lies_where_its_pixels_are(folder):
    data, attributes, _ = make_stack(Micrographs.find(folder), max_display_px=6)
    assert data.shape == (2, 4, 6)
    # displayed pixel (1, 2) is the mean of rows 2, 3 and columns 4, 5: centre (2.5, 4.5)
    world = np.array([1, 2]) * attributes["scale"][1:] + attributes["translate"][1:]
    np.testing.assert_allclose(world / 2.0, [2.5, 4.5])
    full = np.arange(8 * 12, dtype=np.float32).reshape(8, 12)
    assert np.asarray(data[0])[1, 2] == full[2:4, 4:6].mean()


@pytest.mark.parametrize("binning", [1, 2, 3, 5])
def test_binning_averages_and_keeps_the_last_partial_block(binning):
    image = np.full((7, 11), 3.0, dtype=np.float32)
    binned = bin_image(image, binning)
    assert binned.shape == (-(-7 // binning), -(-11 // binning))
    np.testing.assert_allclose(binned, 3.0)


def test_smaller_micrographs_are_padded_on_the_far_sides(folder):
    write_mrc(folder / "c.mrc", np.full((4, 5), 9.0))
    data, _, _ = make_stack(Micrographs.find(folder))
    slice_ = np.asarray(data[2])
    assert slice_.shape == (8, 12)
    assert (slice_[:4, :5] == 9).all()


def test_an_unreadable_micrograph_is_a_black_slice_and_a_warning(folder):
    (folder / "b.mrc").write_bytes((folder / "b.mrc").read_bytes()[:1100])
    with pytest.warns(UserWarning, match=r"b\.mrc is truncated"):
        data, attributes, _ = make_stack(Micrographs.find(folder))
    assert list(stack_of(attributes["metadata"]).unreadable) == ["b.mrc"]
    with pytest.warns(UserWarning, match="black slice"):
        assert not np.asarray(data[1]).any()


def test_without_a_common_pixel_size_the_frame_is_in_pixels(folder):
    write_mrc(folder / "c.mrc", np.ones((8, 12)), pixel_size_ang=3.0)
    micrographs = Micrographs.find(folder)
    assert common_pixel_size_ang(micrographs) is None
    _, attributes, _ = make_stack(micrographs)
    assert attributes["scale"] == (1, 1, 1)
    assert attributes["units"] == ("pixel", "pixel", "pixel")


def test_contrast_ignores_the_brightest_and_darkest_pixels(tmp_path):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(200, 200))
    image[:4, :4] = 1e6
    write_mrc(tmp_path / "a.mrc", image)
    _, attributes, _ = make_stack(Micrographs.find(tmp_path))
    low, high = attributes["contrast_limits"]
    assert -5 < low < high < 5
