"""The micrograph stack: lazy, binned for the screen, in the micrographs' own frame."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest

pytest.importorskip("dask.array")

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.plugin.images.display import (
    bin_image,
    choose_binning,
    displayed,
    low_pass_sigma_px,
)
from napari_pickeroptimizer.plugin.images.stack import (
    common_pixel_size_ang,
    extend_stack,
    make_stack,
    set_full_resolution,
    set_low_pass,
    stack_of,
    widen_contrast_range,
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
    data, attributes, kind = make_stack(Micrographs.find(folder), low_pass_ang=None)
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
    data, attributes, _ = make_stack(
        Micrographs.find(folder), low_pass_ang=None, max_display_px=6
    )
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
    data, _, _ = make_stack(Micrographs.find(folder), low_pass_ang=None)
    slice_ = np.asarray(data[2])
    assert slice_.shape == (8, 12)
    assert (slice_[:4, :5] == 9).all()


def test_an_unreadable_micrograph_is_a_black_slice_and_a_warning(folder):
    (folder / "b.mrc").write_bytes((folder / "b.mrc").read_bytes()[:1100])
    with pytest.warns(UserWarning, match=r"b\.mrc is truncated"):
        data, attributes, _ = make_stack(Micrographs.find(folder), low_pass_ang=None)
    assert list(stack_of(attributes["metadata"]).unreadable) == ["b.mrc"]
    with pytest.warns(UserWarning, match="black slice"):
        assert np.ptp(np.asarray(data[1])) == 0
    black = np.float32(attributes["contrast_limits"][0])
    assert np.asarray(data[1]).max() <= black  # and it is kept


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


def test_many_unreadable_micrographs_are_one_warning(folder):
    for i in range(10):
        (folder / f"bad_{i}.mrc").write_bytes(b"short")
    with pytest.warns(UserWarning, match="10 of 12 micrographs") as caught:
        make_stack(Micrographs.find(folder))
    assert len(caught) == 1
    assert "7 more" in str(caught[0].message)


def test_headers_of_either_byte_order_and_with_an_extension_are_read(tmp_path):
    from napari_pickeroptimizer.plugin.images.display import read_shapes

    with mrcfile.new(tmp_path / "little.mrc") as mrc:
        mrc.set_data(np.zeros((5, 7), dtype=np.float32))
        mrc.set_extended_header(np.zeros(64, dtype="V1"))
    with mrcfile.new(tmp_path / "big.mrc") as mrc:
        mrc.set_data(np.zeros((6, 8), dtype=">i2"))
    micrographs = Micrographs.find(tmp_path)
    assert micrographs.names == ["big.mrc", "little.mrc"]
    shapes, unreadable = read_shapes(micrographs)
    assert (shapes, unreadable) == (((6, 8), (5, 7)), {})


def test_a_low_pass_allows_more_binning_and_never_blurs_what_it_keeps():
    assert choose_binning((4096, 4096)) == 2
    assert choose_binning((4096, 4096), pixel_size_ang=1.8, low_pass_ang=20) == 4
    # 2.5 displayed pixels a resolution element, so little binning for a fine low-pass
    assert choose_binning((4096, 4096), pixel_size_ang=1.8, low_pass_ang=5) == 2
    assert choose_binning((1000, 900), pixel_size_ang=1.0, low_pass_ang=20) == 1


def test_the_low_pass_halves_amplitudes_at_its_resolution():
    from napari_pickeroptimizer.plugin.images.display import Display

    x = np.arange(400)
    wave = np.tile(np.cos(2 * np.pi * x / 10), (64, 1)).astype(
        np.float32
    )  # 10 px: 20 A at 2 A
    display = Display(wave.shape, 1, low_pass_sigma_px(20, 2))
    filtered = displayed(wave, display)[:, 50:-50]
    assert filtered.max() == pytest.approx(0.5, abs=0.02)


def test_pixels_that_are_no_numbers_do_not_blur_into_holes():
    from napari_pickeroptimizer.plugin.images.display import Display

    image = np.ones((20, 20), dtype=np.float32)
    image[10, 10] = np.nan
    np.testing.assert_allclose(displayed(image, Display((20, 20), 1, 2.0)), 1.0)


@pytest.fixture
def layer(folder, viewer):
    rng = np.random.default_rng(0)
    for name in "ab":
        write_mrc(folder / f"{name}.mrc", rng.normal(size=(64, 96)), 2.0)
    data, attributes, _ = make_stack(Micrographs.find(folder), low_pass_ang=None)
    return viewer.add_image(data, **attributes)


def test_toggling_the_low_pass_moves_nothing_and_carries_the_contrast(layer, viewer):
    widen_contrast_range(layer)
    low, high = layer.contrast_limits
    layer.contrast_limits = (low, low + (high - low) / 2)  # the user's own
    raw = np.asarray(layer.data[1])
    viewer.dims.set_current_step(0, 1)
    corner = layer.extent.world[0]
    set_low_pass(layer, 12)
    smooth = np.asarray(layer.data[1])
    assert smooth.std() < raw.std() / 2
    view = stack_of(layer.metadata)
    assert (view.low_pass_ang, view.binning) == (12, 1)
    span = view.contrast[1] - view.contrast[0]
    np.testing.assert_allclose(
        layer.contrast_limits, (view.contrast[0], view.contrast[0] + span / 2), rtol=1e-4
    )
    np.testing.assert_allclose(layer.extent.world[0], corner)
    assert viewer.dims.current_step[0] == 1
    set_low_pass(layer, None)
    np.testing.assert_array_equal(np.asarray(layer.data[1]), raw)
    np.testing.assert_allclose(layer.contrast_limits, (low, low + (high - low) / 2), rtol=1e-3)


def test_full_resolution_keeps_the_frame(folder, viewer):
    write_mrc(folder / "wide.mrc", np.random.default_rng(0).normal(size=(64, 2400)))
    data, attributes, _ = make_stack(Micrographs.find(folder / "wide.mrc"), low_pass_ang=None)
    layer = viewer.add_image(data, **attributes)
    assert layer.data.shape == (1, 32, 1200)
    pixel = layer.world_to_data((0, 10.0, 20.0))
    set_full_resolution(layer, True)
    assert layer.data.shape == (1, 64, 2400)
    # (i, j) of the binned layer is the mean of (2i, 2j) ... (2i + 1, 2j + 1)
    full = layer.world_to_data((0, 10.0, 20.0))
    np.testing.assert_allclose(np.array(full)[1:], 2 * np.array(pixel)[1:] + 0.5)
    set_full_resolution(layer, False)
    assert layer.data.shape == (1, 32, 1200)


@pytest.mark.parametrize("bad", [0, -5, float("nan")])
def test_a_low_pass_that_is_none_is_refused(layer, bad):
    with pytest.raises(SettingsError, match="more than 0"):
        set_low_pass(layer, bad)


def test_without_a_pixel_size_there_is_no_low_pass(folder, viewer):
    write_mrc(folder / "c.mrc", np.ones((8, 12)), pixel_size_ang=3.0)
    data, attributes, _ = make_stack(Micrographs.find(folder), low_pass_ang=20)
    layer = viewer.add_image(data, **attributes)
    assert stack_of(layer.metadata).low_pass_ang is None
    with pytest.raises(SettingsError, match="pixel size"):
        set_low_pass(layer, 20)
    set_low_pass(layer, None)


def test_other_image_layers_are_refused(viewer):
    layer = viewer.add_image(np.zeros((4, 4)), name="theirs")
    with pytest.raises(SettingsError, match="'theirs' is no micrograph stack"):
        set_low_pass(layer, 20)


def test_a_stack_grows_behind_and_keeps_what_it_has(folder, layer):
    write_mrc(folder / "c.mrc", np.full((64, 96), 7.0))
    assert extend_stack(layer, Micrographs.find(folder))
    assert layer.data.shape == (3, 64, 96)
    assert (np.asarray(layer.data[2]) == 7).all()
    assert stack_of(layer.metadata).micrographs.names == ["a.mrc", "b.mrc", "c.mrc"]
    assert extend_stack(layer, Micrographs.find(folder))  # nothing is added twice
    assert len(layer.data) == 3


def test_micrographs_of_another_pixel_size_do_not_join(folder, layer):
    write_mrc(folder / "c.mrc", np.ones((64, 96)), pixel_size_ang=3.0)
    assert not extend_stack(layer, Micrographs.find(folder))
    assert len(layer.data) == 2
