"""Random augmentation of boxes that preserves their class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from napari_pickeroptimizer.boxes import Windows, render

if TYPE_CHECKING:
    from napari_pickeroptimizer.fewshot.settings import Augmentation


def random_views(
    windows: Windows, box_px: int, augmentation: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Return one random (n, 1, box_px, box_px) view of every window."""
    n = len(windows)

    def uniform(limit: float, *shape: int) -> torch.Tensor:
        return (torch.rand(*shape, generator=generator) * 2 - 1) * limit

    angle = uniform(math.pi, n)
    zoom = 1 + uniform(augmentation.scale, n)
    mirror = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    shift = uniform(augmentation.shift * box_px, n, 2)
    matrices = torch.stack(
        [
            torch.stack([mirror * cos, -sin, shift[:, 0]], dim=1),
            torch.stack([mirror * sin, cos, shift[:, 1]], dim=1),
        ],
        dim=1,
    )  # (n, 2, 3)
    boxes = render(windows, box_px, matrices)
    contrast = (1 + uniform(augmentation.contrast, n, 1, 1, 1)).to(boxes.device)
    brightness = uniform(augmentation.brightness, n, 1, 1, 1).to(boxes.device)
    return boxes * contrast + brightness
