"""Random blur and noise: boxes of worse micrographs, in addition to fine-tuning's augmentation."""

from __future__ import annotations

import math

import torch
from torch.nn import functional


def random_blur(
    boxes: torch.Tensor, largest_px: float, generator: torch.Generator
) -> torch.Tensor:
    """Blur each box by a Gaussian of 0 to `largest_px` pixels (its standard deviation).

    Parameters
    ----------
    boxes : (n, 1, h, w) tensor
        The boxes.
    largest_px : float
        Largest standard deviation; 0 leaves the boxes as they are.
    generator : torch.Generator
        Source of randomness, on the CPU.

    Returns
    -------
    (n, 1, h, w) tensor
    """
    n = len(boxes)
    if largest_px == 0:
        return boxes
    sigma = (torch.rand(n, 1, generator=generator) * largest_px).clamp(min=1e-3)
    radius = math.ceil(3 * largest_px)
    taps = torch.arange(-radius, radius + 1) / sigma  # (n, 2 radius + 1)
    kernels = torch.exp(-0.5 * taps**2)
    kernels = (kernels / kernels.sum(dim=1, keepdim=True)).to(boxes.device)
    # a group a box: every box has a kernel of its own
    images = functional.pad(boxes.transpose(0, 1), (radius,) * 4, mode="replicate")
    images = functional.conv2d(images, kernels[:, None, None, :], groups=n)
    images = functional.conv2d(images, kernels[:, None, :, None], groups=n)
    return images.transpose(0, 1)


def random_noise(
    boxes: torch.Tensor, largest_sigma: float, generator: torch.Generator
) -> torch.Tensor:
    """Add white noise of 0 to `largest_sigma` standard deviations of the micrograph.

    The sum is scaled back to the spread that the micrograph would have with that noise: a
    box is standardised by its micrograph, so more noise there means less contrast here.

    Parameters
    ----------
    boxes : (n, 1, h, w) tensor
        The boxes, in robust standard deviations of their micrographs.
    largest_sigma : float
        Largest standard deviation of the noise; 0 leaves the boxes as they are.
    generator : torch.Generator
        Source of randomness, on the CPU.

    Returns
    -------
    (n, 1, h, w) tensor
    """
    if largest_sigma == 0:
        return boxes
    sigma = torch.rand(len(boxes), 1, 1, 1, generator=generator) * largest_sigma
    noise = torch.randn(boxes.shape, generator=generator) * sigma
    return (boxes + noise.to(boxes.device)) / (1 + sigma**2).sqrt().to(boxes.device)
