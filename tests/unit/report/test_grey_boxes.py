"""Boxes of a report: cut around their picks, grey as their micrograph is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_pickeroptimizer.report.grey_boxes import LEAST_PX, MOST_PX, grey_boxes


@pytest.fixture
def noise() -> NDArray[np.float32]:
    """Return noise of mean 50 and standard deviation 2."""
    return np.random.default_rng(0).normal(50, 2, (400, 500)).astype(np.float32)


def test_a_box_shows_what_is_around_its_pick(noise: NDArray[np.float32]) -> None:
    noise[100:110, 200:220] = 1000
    (box,) = grey_boxes(noise, np.array([[104.5, 209.5]]), 40)
    white = np.argwhere(box == 255)
    assert box.shape == (40, 40)
    assert white.mean(axis=0).tolist() == pytest.approx([19.5, 19.5], abs=0.5)
    assert len(white) == pytest.approx(10 * 20, rel=0.1)


def test_grey_levels_are_those_of_the_whole_micrograph(noise: NDArray[np.float32]) -> None:
    """A box of thick ice is bright as a whole: its own levels would hide that."""
    noise[300:, :] += 4
    plain, ice = grey_boxes(noise, np.array([[100.0, 100.0], [360.0, 100.0]]), 30)
    assert plain.mean() == pytest.approx(127.5, abs=15)
    assert ice.mean() > plain.mean() + 40


@pytest.mark.parametrize(("side_px", "size"), [(2.2, LEAST_PX), (30, 30), (333, MOST_PX)])
def test_boxes_are_no_finer_than_the_micrograph(
    noise: NDArray[np.float32], side_px: float, size: int
) -> None:
    assert grey_boxes(noise, np.array([[50.0, 60.0]]), side_px).shape == (1, size, size)


def test_what_is_beyond_the_border_or_no_number_is_mid_grey(
    noise: NDArray[np.float32],
) -> None:
    noise[380:, 480:] = np.nan
    corner, hole = grey_boxes(noise, np.array([[0.0, 0.0], [399.0, 499.0]]), 20)
    assert np.abs(corner[:9].astype(float) - 127.5).max() < 1
    assert np.abs(hole.astype(float) - 127.5).max() < 1


def test_an_image_without_contrast_or_numbers_can_be_shown() -> None:
    for level in (3.0, np.nan):
        image = np.full((20, 20), level, np.float32)
        (box,) = grey_boxes(image, np.array([[9.0, 9.0]]), 10)
        assert np.abs(box.astype(float) - 127.5).max() < 1
