"""Views of a box, of which the scores are averaged: how many, and which."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DEFAULT_VIEWS = 4
MAX_VIEWS = 8  # four rotations, each with and without a flip


def dihedral_view(boxes: torch.Tensor, i: int) -> torch.Tensor:
    """Return (n, 1, h, h) boxes rotated by i times 90°, and flipped from i = 4 on."""
    return (boxes if i < 4 else boxes.flip(-1)).rot90(i % 4, dims=(-2, -1))
