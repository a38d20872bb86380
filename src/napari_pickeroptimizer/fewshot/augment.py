"""Random augmentation of boxes that preserves their class."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from napari_pickeroptimizer.boxes import Windows, render


@dataclass(frozen=True)
class Augmentation:
    """Strength of the augmentation of training boxes.

    Particles have no preferred in-plane orientation and, over all orientations, projections have
    no handedness: any rotation and both flips are allowed. Shifts stay small, since a pick
    beside a particle is a false one.

    Parameters
    ----------
    shift : float
        Largest shift along each axis, in box sides.
    scale : float
        Largest relative enlargement or reduction.
    contrast : float
        Largest relative change of the grey levels' spread.
    brightness : float
        Largest added grey level, in robust standard deviations of the micrograph.
    """

    shift: float = 0.03
    scale: float = 0.08
    contrast: float = 0.15
    brightness: float = 0.15

    @property
    def reach(self) -> float:
        """Window side, in box sides, that holds every augmented view."""
        return (math.sqrt(2) + 2 * self.shift) * (1 + self.scale)


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
