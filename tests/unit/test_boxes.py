"""A box is centred on its pick, at the working resolution, in the micrograph's own grey scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.box_size import BoxSettings, window_side
from napari_pickeroptimizer.boxes import (
    CLIP_SIGMA,
    cut_boxes,
    cut_windows,
    render,
    standardised,
    working_image,
    working_shape_px,
)
from napari_pickeroptimizer.errors import BoxOutsideError, SettingsError
from napari_pickeroptimizer.micrograph import outside

# 1.5 x 32 px = a box of 48 px in the micrograph; 24 px for the network: a scale of 1/2
HALF = BoxSettings(diameter_px=32, box_factor=1.5, box_px=24)


def spot_image(y: float, x: float, shape: tuple[int, int] = (200, 260)) -> np.ndarray:
    """Noise and one bright Gaussian at (y, x), not square so that x and y cannot be mixed."""
    rows, columns = np.indices(shape)
    noise = np.random.default_rng(0).normal(size=shape)
    spot = 40 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 4.0**2))
    return (noise + spot).astype(np.float32)


def centre_of_mass_yx(box: torch.Tensor) -> tuple[float, float]:
    weights = (box.double() - 2).clamp(min=0)
    side = torch.arange(box.shape[-1], dtype=torch.float64)
    return (
        float((weights.sum(1) * side).sum() / weights.sum()),
        float((weights.sum(0) * side).sum() / weights.sum()),
    )


@pytest.mark.parametrize(("y", "x"), [(80, 150), (80.5, 150.25), (61.3, 99.9)])
def test_a_pick_lies_in_the_centre_of_its_box(y: float, x: float) -> None:
    box = cut_boxes(spot_image(y, x), np.array([[y, x]]), HALF)[0, 0]
    assert box.shape == (24, 24)
    assert centre_of_mass_yx(box) == pytest.approx((11.5, 11.5), abs=0.06)


def test_a_pick_one_micrograph_pixel_off_is_off_by_the_scale() -> None:
    box = cut_boxes(spot_image(80, 150), np.array([[78.0, 150.0]]), HALF)[0, 0]
    assert centre_of_mass_yx(box) == pytest.approx((12.5, 11.5), abs=0.06)


def test_rows_are_y_and_columns_are_x() -> None:
    image = np.zeros((100, 200), np.float32)
    image[:, 100:] = 1.0  # right half bright
    box = render(
        cut_windows(working_image(image, HALF), np.array([[50.0, 99.5]]), window_side(HALF)),
        24,
    )[0, 0]
    left, right = box[:, :10].mean(), box[:, 14:].mean()
    assert right > left


def test_diameter_in_angstrom_follows_the_pixel_size() -> None:
    settings = BoxSettings(diameter_ang=64, box_factor=1.5, box_px=24)
    assert settings.diameter_in(2.0) == 32
    image = spot_image(80, 150)
    in_px = cut_boxes(image, np.array([[80.0, 150.0]]), HALF)
    in_ang = cut_boxes(image, np.array([[80.0, 150.0]]), settings, pixel_size_ang=2.0)
    assert torch.equal(in_px, in_ang)


def test_diameter_in_angstrom_without_a_pixel_size_is_refused() -> None:
    with pytest.raises(SettingsError, match="pixel size is unknown"):
        BoxSettings(diameter_ang=64).diameter_in(None)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"diameter_px": 0.0},
        {"diameter_px": math.nan},
        {"diameter_px": 9, "box_factor": -1},
    ],
)
def test_impossible_sizes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        BoxSettings(**wrong)  # type: ignore[arg-type]


def test_grey_levels_are_in_robust_sigmas_of_the_micrograph() -> None:
    pixels = torch.from_numpy(np.random.default_rng(1).normal(7, 3, (300, 300))).float()
    pixels[:30] = 1000  # a tenth of the image is no reason to shift the rest
    rest = standardised(pixels)[30:]
    assert float(rest.mean()) == pytest.approx(-0.1, abs=0.1)
    assert float(rest.std()) == pytest.approx(0.9, abs=0.1)
    assert float(standardised(pixels).max()) == CLIP_SIGMA


def test_a_dark_region_stays_dark_in_its_boxes() -> None:
    image = np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32)
    image[:, :100] -= 5  # carbon
    boxes = cut_boxes(image, np.array([[100.0, 50.0], [100.0, 220.0]]), HALF)
    assert float(boxes[0].mean()) < float(boxes[1].mean()) - 3


def test_a_constant_micrograph_gives_zeros_not_nan() -> None:
    boxes = cut_boxes(np.full((100, 100), 3, np.float32), np.array([[50.0, 50.0]]), HALF)
    assert torch.equal(boxes, torch.zeros(1, 1, 24, 24))


def test_pixels_that_are_not_numbers_count_as_the_median() -> None:
    image = spot_image(80, 150)
    image[:10] = np.nan
    assert torch.isfinite(cut_boxes(image, np.array([[5.0, 50.0]]), HALF)).all()


def test_beyond_the_border_is_the_median() -> None:
    image = np.random.default_rng(0).normal(5, 1, (100, 100)).astype(np.float32)
    box = cut_boxes(image, np.array([[0.0, 50.0]]), HALF)[0, 0]
    assert torch.count_nonzero(box[:10]) == 0
    assert box[14:].std() > 0.2


@pytest.mark.parametrize(
    ("y", "x", "is_outside"),
    [
        (0, 0, False), (-0.5, 0, False), (-0.6, 0, True), (99.4, 199.4, False),
        (99.5, 0, True), (0, 199.5, True), (150, 50, True),
    ],
)  # fmt: skip
def test_a_pick_is_outside_when_its_centre_is(y: float, x: float, is_outside: bool) -> None:
    assert outside(np.array([[y, x]]), (100, 200)).tolist() == [is_outside]


def test_boxes_outside_are_refused_with_the_place_and_a_hint() -> None:
    image = np.zeros((100, 200), np.float32)
    with pytest.raises(
        BoxOutsideError, match=r"1 of 2 picks .* 200 x 100 .* x=10, y=150.*binned"
    ):
        cut_boxes(image, np.array([[50.0, 10.0], [150.0, 10.0]]), HALF)


def test_no_picks_give_no_boxes() -> None:
    assert cut_boxes(np.ones((100, 100), np.float32), np.zeros((0, 2)), HALF).shape == (
        0,
        1,
        24,
        24,
    )


@pytest.mark.parametrize(
    ("settings", "pixel_size_ang"),
    [
        (BoxSettings(diameter_px=1.6), None),
        (BoxSettings(diameter_px=0.001), None),
        (BoxSettings(diameter_ang=160), 180.0),  # it was 1.80
        (BoxSettings(diameter_ang=16), 3.6),  # nanometres
        (BoxSettings(diameter_px=4000), None),
        (BoxSettings(diameter_ang=160), 0.018),
    ],
)
def test_a_slip_of_units_is_refused_in_a_sentence(settings, pixel_size_ang) -> None:
    with pytest.raises(SettingsError, match=r"too small|larger than the micrograph"):
        working_image(np.ones((1000, 1000), np.float32), settings, pixel_size_ang)


def test_the_working_image_is_bounded() -> None:
    settings = BoxSettings(diameter_px=10)  # enlarged 3.2 times
    assert working_shape_px((3000, 3000), settings) == (9600, 9600)
    with pytest.raises(SettingsError, match="134217728 pixels"):
        working_shape_px((4000, 4000), settings)


def test_the_micrograph_itself_is_never_changed() -> None:
    image = spot_image(80, 150)
    image[3, 4] = np.nan
    before = image.copy()
    working_image(image, HALF)
    np.testing.assert_array_equal(image, before)
