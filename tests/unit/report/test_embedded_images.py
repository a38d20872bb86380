"""Grey images inside the page, and picks drawn over them."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from napari_pickeroptimizer.report.embedded_images import (
    downsampled,
    draw_marks,
    jpeg_uri,
    to_grey,
)


def test_contrast_goes_by_percentiles_not_by_the_extremes() -> None:
    image = np.tile(np.linspace(0, 1, 1000, dtype=np.float32), (10, 1))
    image[0, 0], image[0, 1] = 1e6, -1e6
    grey = to_grey(image)
    assert grey[0, 0] == 255
    assert grey[0, 1] == 0
    assert 120 < grey[5, 500] < 135


def test_one_grey_level_and_nothing_at_all_can_be_shown() -> None:
    assert (to_grey(np.full((3, 3), 7, np.float32)) == 0).all()
    assert (to_grey(np.full((3, 3), np.nan, np.float32)) == 128).all()


def test_images_are_averaged_not_sampled() -> None:
    image = np.zeros((4, 8), np.float32)
    image[::2] = 2
    assert downsampled(image, 4).tolist() == [[1.0] * 4] * 2


def test_small_images_stay_as_they_are_and_one_nan_spoils_nothing() -> None:
    image = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(downsampled(image, 10), image)
    image[0, 0] = np.nan
    assert np.isfinite(downsampled(image, 2)).all()


def test_an_image_is_a_jpeg_inside_the_page() -> None:
    uri = jpeg_uri(np.full((5, 7), 100, np.uint8))
    kind, _, data = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (7, 5)


def test_marks_lie_where_the_picks_are() -> None:
    svg = draw_marks(
        {"kept": np.array([[9.5, 29.5]]), "rejected": np.array([[-0.5, -0.5]])},
        shape_px=(100, 200), size_px=(50, 100), diameter_px=20, key="k0",
    )  # fmt: skip
    circle, cross = re.findall(r' d="([^"]+)"', svg)
    assert circle.startswith("M15.0 5.0m-5.0 0a5.0 5.0 ")  # half as large
    assert cross.startswith("M0.0 0.0")
    assert " 0 1 0 " not in cross
    assert svg.count('class="rim"') == 2


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("kept", "a"), ("hit", "a"), ("rejected", "l"), ("false", "l"), ("missed", "h")],
)
def test_kinds_differ_in_shape_not_only_in_colour(kind: str, shape: str) -> None:
    svg = draw_marks({kind: np.array([[4.5, 4.5]])}, (10, 10), (10, 10), 4, "k")
    outline = re.search(r' d="M5.0 5.0(.+?)"', svg)[1]
    assert shape in outline


def test_nothing_is_drawn_of_no_picks() -> None:
    svg = draw_marks({"kept": np.zeros((0, 2))}, (10, 10), (10, 10), 4, "k")
    assert "<path" not in svg
