"""Known false picks that a base carries along, for the fine-tuning to rehearse.

Twenty labels show few of the false picks that a picker makes; carbon is often not among them.
What a base has learned of carbon and ice would be forgotten, so that some boxes of its
pretraining stay in its file and are seen again in fine-tuning (rehearsal; Robins, Connection
Science 7(2), 1995, doi 10.1080/09540099550039318).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import CLIP_SIGMA, Windows
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, class_name
from napari_pickeroptimizer.errors import CheckpointError

# Grey levels are stored as bytes: 128 for the micrograph's median.
LEVELS_PER_SIGMA = 127 / CLIP_SIGMA
ZERO_LEVEL = 128
_PIXELS, _CATEGORY = "rehearsal.pixels", "rehearsal.category"


@dataclass(frozen=True, eq=False)
class RehearsalBoxes:
    """Windows of false picks, of some categories of a pretraining.

    Parameters
    ----------
    pixels : (n, side, side) uint8
        `LEVELS_PER_SIGMA` levels a robust standard deviation of the micrograph.
    category : (n,) int16
        Position of each window's category among the categories of the base.
    """

    pixels: NDArray[np.uint8]
    category: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def side(self) -> int:
        """Side of the windows in pixels."""
        return int(self.pixels.shape[-1])

    @classmethod
    def of(cls, windows: Windows, category: NDArray[np.intp]) -> Self:
        """Store (n, 1, side, side) windows, which are centred on their picks."""
        levels = windows.pixels[:, 0].numpy() * LEVELS_PER_SIGMA + ZERO_LEVEL
        pixels = np.rint(levels).clip(0, 255).astype(np.uint8)
        return cls(pixels, category.astype(np.int16))

    def windows(self) -> Windows:
        """Return the (n, 1, side, side) windows."""
        levels = torch.from_numpy(self.pixels.astype(np.float32))[:, None]
        return Windows((levels - ZERO_LEVEL) / LEVELS_PER_SIGMA, torch.zeros(len(self), 2))

    def class_ids(self, categories: Sequence[str]) -> NDArray[np.intp]:
        """Return `CARBON` for each box of a category ``carbon_*``, else `CONTAMINANT`."""
        of_category = [CARBON if is_of(CARBON, c) else CONTAMINANT for c in categories]
        return np.asarray(of_category, dtype=np.intp)[self.category]

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors for a model file."""
        return {
            _PIXELS: torch.from_numpy(self.pixels),
            _CATEGORY: torch.from_numpy(self.category),
        }


def taken_rehearsal(
    tensors: dict[str, torch.Tensor], categories: Sequence[str]
) -> RehearsalBoxes | None:
    """Take the boxes out of the tensors of a model file; None if it has none.

    Raises
    ------
    CheckpointError
        They are no boxes of false picks of these categories.
    """
    pixels, category = tensors.pop(_PIXELS, None), tensors.pop(_CATEGORY, None)
    if pixels is None and category is None:
        return None
    is_whole = (
        pixels is not None
        and category is not None
        and (pixels.dtype, category.dtype) == (torch.uint8, torch.int16)
        and (pixels.dim(), category.dim()) == (3, 1)
        and pixels.shape == (len(category), pixels.shape[1], pixels.shape[1])
        and pixels.numel() > 0
    )
    if not is_whole:
        raise CheckpointError(
            f"its boxes for rehearsal are damaged: expected {_PIXELS} as (n, side, side) bytes, "
            f"and {_CATEGORY} as n numbers. Copy the file again."
        )
    assert pixels is not None  # is_whole
    assert category is not None
    known = {i for i, name in enumerate(categories) if not is_of(PARTICLE, name)}
    unknown = set(category.tolist()) - known
    if unknown:
        raise CheckpointError(
            f"its boxes for rehearsal are damaged: category {min(unknown)} is none of its "
            f"{len(categories)} categories, or one of particles. Copy the file again."
        )
    return RehearsalBoxes(pixels.numpy(), category.numpy())


def is_of(class_id: int, category: str) -> bool:
    """Whether a category of a pretraining is one of a class, as ``carbon_film`` of carbon."""
    return category.startswith(f"{class_name(class_id)}_")
