"""Boxes of false picks that a base carries along: carbon, which labels often do not show.

A fine-tuning compares them with the labelled particles (`fewshot.known_false`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import CLIP_SIGMA
from napari_pickeroptimizer.errors import CheckpointError

# Grey levels are stored as bytes: 128 for the micrograph's median.
LEVELS_PER_SIGMA = 127 / CLIP_SIGMA
ZERO_LEVEL = 128
TENSOR = "known_false_boxes"  # its name in a model file


@dataclass(frozen=True, eq=False)
class KnownFalseBoxes:
    """Boxes of false picks.

    Parameters
    ----------
    pixels : (n, box_px, box_px) uint8
        `LEVELS_PER_SIGMA` levels a robust standard deviation of the micrograph.
    """

    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def of(cls, boxes: torch.Tensor) -> Self:
        """Store (n, 1, box_px, box_px) boxes."""
        levels = boxes[:, 0].numpy() * LEVELS_PER_SIGMA + ZERO_LEVEL
        return cls(np.rint(levels).clip(0, 255).astype(np.uint8))

    def boxes(self) -> torch.Tensor:
        """Return the (n, 1, box_px, box_px) float32 boxes."""
        levels = torch.from_numpy(self.pixels.astype(np.float32))[:, None]
        return (levels - ZERO_LEVEL) / LEVELS_PER_SIGMA


def taken_known_false(tensors: dict[str, torch.Tensor], box_px: int) -> KnownFalseBoxes | None:
    """Take the boxes out of the tensors of a model file; None if it has none.

    Raises
    ------
    CheckpointError
        They are no boxes of this side.
    """
    pixels = tensors.pop(TENSOR, None)
    if pixels is None:
        return None
    is_whole = pixels.dtype == torch.uint8 and pixels.dim() == 3 and len(pixels) > 0
    if not is_whole or pixels.shape[1:] != (box_px, box_px):
        raise CheckpointError(
            f"its boxes of known false picks are damaged: expected bytes of {box_px} x {box_px} "
            f"pixels, got {tuple(pixels.shape)} of {pixels.dtype}. Copy the file again."
        )
    return KnownFalseBoxes(pixels.numpy())
