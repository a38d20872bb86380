"""Boxes as 8-bit images: where they are cut, how they look, and who cuts them."""

from __future__ import annotations

import time
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from napari_pickeroptimizer.io.stored_image import StoredImage
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.plugin.panels.gallery import thumbnail_loader, thumbnails
from napari_pickeroptimizer.plugin.panels.gallery.thumbnail_loader import (
    OpenMicrographs,
    ThumbnailLoader,
    load,
    open_lazily,
)
from napari_pickeroptimizer.plugin.panels.gallery.thumbnails import (
    NO_MICROGRAPH,
    OUTSIDE,
    UNREADABLE,
    Places,
    ThumbnailSettings,
    cut,
    grey_levels,
    thumbnail_sigma_px,
)

PLAIN = ThumbnailSettings(box_px=40, side=20)


def disc(shape=(200, 240), centre=(80, 100), radius=8, value=-5.0) -> np.ndarray:
    y, x = np.indices(shape)
    image = np.zeros(shape, np.float32)
    image[np.hypot(y - centre[0], x - centre[1]) < radius] = value
    return image


def write_mrc(path: Path, image: np.ndarray) -> Micrograph:
    with mrcfile.new(path) as mrc:
        mrc.set_data(image)
    return Micrograph(path.name, path)


def test_the_pick_is_in_the_middle_and_protein_stays_dark():
    (box,) = cut(disc(), np.array([[80.0, 100.0]]), PLAIN, (-5.0, 5.0))
    dark = np.argwhere(box.pixels < 60)
    assert len(dark)
    np.testing.assert_allclose(dark.mean(axis=0), [9.5, 9.5], atol=0.6)
    assert box.pixels[0, 0] == 127
    assert (box.pixels.shape, box.pixels.dtype, box.problem) == ((20, 20), np.uint8, "")


def test_rows_are_y_and_columns_are_x():
    (box,) = cut(disc(), np.array([[80.0, 88.0]]), PLAIN, (-5.0, 5.0))
    y, x = np.argwhere(box.pixels < 60).mean(axis=0)
    assert (y, x) == pytest.approx((9.5, 15.5), abs=0.7)


@pytest.mark.parametrize("side", [10, 20, 77])
def test_resampling_keeps_the_mean(side):
    image = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32) + 3
    settings = ThumbnailSettings(box_px=120, side=side, sigma_px=2.0)
    (box,) = cut(image, np.array([[150.0, 150.0]]), settings, (-10.0, 10.0))
    middle = image[90:210, 90:210].mean()
    assert box.pixels.mean() / 255 * 20 - 10 == pytest.approx(middle, abs=0.1)


def test_low_pass_takes_the_noise_away():
    noise = np.random.default_rng(0).normal(size=(300, 300)).astype(np.float32)
    spread = [
        cut(
            noise,
            np.array([[150.0, 150.0]]),
            ThumbnailSettings(96, 96, sigma),
            levels=(-4.0, 4.0),
        )[0].pixels.std()
        for sigma in (0.0, 1.0, 3.0)
    ]
    assert spread[0] > 2 * spread[1] > 4 * spread[2] > 0


def test_low_pass_of_twenty_angstrom():
    sigma = thumbnail_sigma_px(20.0, 2.0, 100.0)
    frequency = 2.0 / 20.0  # cycles a pixel
    assert np.exp(-2 * (np.pi * sigma * frequency) ** 2) == pytest.approx(0.5)
    assert thumbnail_sigma_px(0.0, 2.0, 100.0) == 0
    # 180 Å in 90 px is 2 Å/px
    assert thumbnail_sigma_px(20.0, None, 90.0) == pytest.approx(sigma)


def test_carbon_is_darker_than_ice_unless_each_box_has_its_own_contrast():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (400, 600)).astype(np.float32)
    image[:, 400:] -= 8  # carbon
    centres = np.array([[200.0, 150.0], [200.0, 500.0]])
    by_micrograph = cut(image, centres, ThumbnailSettings(60, 30, 1.0))
    ice, carbon = (box.pixels.mean() for box in by_micrograph)
    assert ice - carbon > 80
    by_box = cut(image, centres, ThumbnailSettings(60, 30, 1.0, "box"))
    ice, carbon = (box.pixels.mean() for box in by_box)
    assert abs(ice - carbon) < 20


def test_beyond_the_border_is_black():
    image = np.full((100, 100), 5.0, np.float32)
    (box,) = cut(image, np.array([[5.0, 50.0]]), PLAIN, (0.0, 10.0))
    # 40 px around y = 5 begin 15 px above the image: 7.5 of 20 rows
    assert (box.pixels[:7] == 0).all()
    assert (box.pixels[8:] == 127).all()
    assert box.problem == ""


@pytest.mark.parametrize("centre", [(-1.0, 50.0), (50.0, 100.0), (-500.0, 2000.0)])
def test_picks_outside_are_marked(centre):
    (box,) = cut(np.zeros((100, 100), np.float32), np.array([centre]), PLAIN)
    assert box.problem == OUTSIDE
    assert "outside its micrograph" in box.reason
    assert box.pixels is not None


def test_not_a_number_is_no_hole():
    image = disc()
    image[78:82, 98:102] = np.nan
    (box,) = cut(image, np.array([[80.0, 100.0]]), PLAIN, (-5.0, 5.0))
    assert box.pixels.max() < 200
    assert np.isfinite(grey_levels(np.full((50, 50), np.nan, np.float32), 1.0)).all()


def test_a_centre_that_is_no_number_lies_outside():
    (box,) = cut(disc(), np.array([[np.nan, 100.0]]), PLAIN, (-5.0, 5.0))
    assert box.problem == OUTSIDE


def test_large_boxes_are_cut_a_few_at_a_time(monkeypatch):
    centres = np.array([[80.0, 100.0], [60.0, 90.0], [100.0, 120.0]])
    together = cut(disc(), centres, PLAIN, (-5.0, 5.0))
    monkeypatch.setattr(thumbnails, "CROP_PIXELS", 1)
    one_by_one = cut(disc(), centres, PLAIN, (-5.0, 5.0))
    for a, b in zip(together, one_by_one, strict=True):
        np.testing.assert_array_equal(a.pixels, b.pixels)


def test_a_micrograph_of_one_grey_level_is_grey():
    (box,) = cut(np.full((90, 90), 7.0, np.float32), np.array([[45.0, 45.0]]), PLAIN)
    assert set(np.unique(box.pixels)) <= {127, 128}


def test_levels_are_those_after_smoothing():
    noise = np.random.default_rng(0).normal(size=(600, 600)).astype(np.float32)
    low, high = grey_levels(noise, 2.0)
    # white noise: 1 / (2 sigma sqrt(pi)) of the standard deviation is left
    assert high - low == pytest.approx(2 * 2.75 / (2 * 2.0 * np.sqrt(np.pi)), rel=0.15)
    assert grey_levels(np.zeros((1, 1), np.float32), 2.0) == (-1.0, 1.0)


@pytest.mark.parametrize("kind", ["float32", "float16", "int16", "uint16", "int8"])
def test_number_types_of_mrc(tmp_path, kind):
    image = disc(value=-40) + 60
    micrograph = write_mrc(tmp_path / "a.mrc", image.astype(kind))
    opened = open_lazily(micrograph)
    assert isinstance(opened, StoredImage)
    (box,) = cut(opened, np.array([[80.0, 100.0]]), PLAIN, (20.0, 100.0))
    (wanted,) = cut(image, np.array([[80.0, 100.0]]), PLAIN, (20.0, 100.0))
    assert np.abs(box.pixels.astype(int) - wanted.pixels).max() <= 1


def test_upside_down_micrographs_and_sections(tmp_path):
    image = disc()
    flat = write_mrc(tmp_path / "a.mrc", image)
    flipped = Micrograph("a", flat.path, flip_y=True)
    np.testing.assert_array_equal(open_lazily(flipped), flipped.read())
    with mrcfile.new(tmp_path / "s.mrcs") as mrc:
        mrc.set_data(np.stack([image, 2 * image]))
    section = Micrograph("2@s", tmp_path / "s.mrcs", section=1)
    np.testing.assert_array_equal(open_lazily(section), 2 * image)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff(tmp_path, compression):
    image = disc()
    tifffile.imwrite(tmp_path / "a.tif", image, compression=compression)
    opened = open_lazily(Micrograph("a", tmp_path / "a.tif"))
    assert isinstance(opened, StoredImage) == (compression is None)
    np.testing.assert_array_equal(opened, image)


# ----------------------------------------------------------------------- loading


@pytest.fixture
def places(tmp_path) -> Places:
    """Two micrographs of discs, one that is cut off, one that is not open: 5 picks on each."""
    good = [write_mrc(tmp_path / f"m{i}.mrc", disc(value=-5.0 - i)) for i in range(2)]
    broken = tmp_path / "broken.mrc"
    broken.write_bytes(good[0].path.read_bytes()[:5000])
    micrographs = (*good, Micrograph("broken.mrc", broken))
    slices = np.repeat([0, 1, 2, 3], 5).astype(np.int32)
    return Places(micrographs, slices, np.tile([[80.0, 100.0]], (20, 1)))


def finish(loader: ThumbnailLoader, *, timeout_s: float = 120) -> list[int]:
    arrived: list[int] = []
    end = time.monotonic() + timeout_s
    while loader.busy:
        arrived += loader.take()
        assert time.monotonic() < end, "thumbnails do not arrive"
        time.sleep(0.002)
    return arrived


def test_wanted_thumbnails_arrive_whatever_the_files_are(places):
    loader = ThumbnailLoader()
    loader.show(places, PLAIN)
    loader.want(range(0, 20, 2), [1])
    assert sorted(finish(loader)) == [0, 1, 2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert loader.get(0).pixels is not None
    assert loader.get(10).problem == UNREADABLE
    assert "truncated" in loader.get(10).reason
    assert loader.get(18).problem == NO_MICROGRAPH
    assert loader.get(3) is None
    loader.want([0, 2])  # there already
    assert not loader.busy


def test_an_unforeseen_error_becomes_a_placeholder(places, monkeypatch):
    def fail(*_):
        raise RuntimeError("a broken library")

    monkeypatch.setattr(thumbnail_loader, "cut", fail)
    (box,) = load([0], places, PLAIN, OpenMicrographs(places.micrographs))
    assert box.problem == UNREADABLE
    assert box.reason == "RuntimeError: a broken library"


def test_what_was_scrolled_past_is_not_cut(places, monkeypatch):
    monkeypatch.setattr(ThumbnailLoader, "_work", lambda _self: None)  # no thread is quick
    loader = ThumbnailLoader()
    loader.show(places, PLAIN)
    loader.want([0, 1, 2])
    loader.want([7, 5, 1], [0])
    batches = [loader._next_batch() for _ in range(4)]
    assert batches == [[7, 5], [1], [0], []]


def test_a_batch_is_of_one_micrograph_and_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(ThumbnailLoader, "_work", lambda _self: None)
    slices = np.zeros(100, np.int32)
    loader = ThumbnailLoader()
    loader.show(Places((), slices, np.zeros((100, 2))), PLAIN)
    loader.want(range(100))
    assert len(loader._next_batch()) == thumbnail_loader.BATCH


def test_other_settings_keep_the_old_pictures_until_there_are_new_ones(places):
    loader = ThumbnailLoader()
    loader.show(places, PLAIN)
    loader.want([0])
    finish(loader)
    loader.show(places, ThumbnailSettings(40, 50))
    assert loader.get(0).pixels.shape == (20, 20)
    loader.want([0])
    finish(loader)
    assert loader.get(0).pixels.shape == (50, 50)
    other = Places(places.micrographs, places.slices, places.coords_yx_px + 1)
    loader.show(other, ThumbnailSettings(40, 50))
    assert loader.get(0) is None


def test_memory_is_bounded(places):
    loader = ThumbnailLoader(cache_bytes=3 * (20 * 20 + 200))
    loader.show(places, PLAIN)
    for row in range(5):
        loader.want([row])
        finish(loader)
    assert loader._cache.n_bytes <= 3 * (20 * 20 + 200)
    assert [loader.get(row) is not None for row in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]


def test_a_closed_loader_wants_nothing(places):
    loader = ThumbnailLoader()
    loader.show(places, PLAIN)
    loader.close()
    loader.want([0])
    assert not loader.busy
    assert loader.get(0) is None


def test_open_micrographs_are_few(tmp_path, monkeypatch):
    monkeypatch.setattr(thumbnail_loader, "MAX_OPEN", 2)
    micrographs = [write_mrc(tmp_path / f"{i}.mrc", disc()) for i in range(4)]
    opened = OpenMicrographs(micrographs)
    first = opened.image(0)
    assert opened.image(0) is first
    for i in range(1, 4):
        opened.image(i)
    assert list(opened._open.items) == [2, 3]
