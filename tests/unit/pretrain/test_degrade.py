"""Blur keeps the mean and takes noise away; noise keeps the spread and takes contrast away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_pickeroptimizer.pretrain.degrade import random_blur, random_noise


@pytest.fixture
def boxes() -> torch.Tensor:
    return torch.randn(40, 1, 48, 48, generator=torch.Generator().manual_seed(0))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_zero_leaves_the_boxes_as_they_are(boxes: torch.Tensor) -> None:
    assert torch.equal(random_blur(boxes, 0, generator()), boxes)
    assert torch.equal(random_noise(boxes, 0, generator()), boxes)


def test_blur_is_scipys_gaussian_with_a_width_for_each_box(boxes: torch.Tensor) -> None:
    sigmas = torch.rand(40, 1, generator=generator()).flatten().numpy()
    blurred = random_blur(boxes, 1.0, generator())
    for box, sigma, found in zip(boxes, sigmas, blurred, strict=True):
        wanted = gaussian_filter(box[0].numpy(), sigma, mode="nearest", radius=3)
        np.testing.assert_allclose(found[0].numpy(), wanted, atol=1e-4)


def test_noise_keeps_the_spread_and_lowers_the_contrast(boxes: torch.Tensor) -> None:
    noisy = random_noise(boxes + 3, 2.0, generator())
    spread = noisy.std(dim=(1, 2, 3))
    torch.testing.assert_close(spread, torch.ones(40), atol=0.1, rtol=0)
    level = noisy.mean(dim=(1, 2, 3))
    assert level.max() < 3.1
    assert level.min() < 1.6  # 3 / sqrt(1 + 2²) with the most noise


def test_the_same_seed_gives_the_same_boxes(boxes: torch.Tensor) -> None:
    for vary in (random_blur, random_noise):
        assert torch.equal(vary(boxes, 1.0, generator()), vary(boxes, 1.0, generator()))
