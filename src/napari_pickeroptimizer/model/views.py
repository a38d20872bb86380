"""Views of a box, of which the scores are averaged: how many, and which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

DEFAULT_VIEWS = 4
MAX_VIEWS = 8  # four rotations, each with and without a flip
# One view of a pick whose P(particle) is then clear, the default number of the others.
Auto = Literal["auto"]
AUTO: Auto = "auto"
# Calibrated probabilities below and above which one view is enough.
CLEAR_BELOW, CLEAR_ABOVE = 0.01, 0.99


def dihedral_view(boxes: torch.Tensor, i: int) -> torch.Tensor:
    """Return (n, 1, h, h) boxes rotated by i times 90°, and flipped from i = 4 on."""
    return (boxes if i < 4 else boxes.flip(-1)).rot90(i % 4, dims=(-2, -1))


def doubtful(p_particle: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which picks more views are to be taken of, by P(particle) of the first view.

    Examples
    --------
    >>> import numpy as np
    >>> doubtful(np.array([0.001, 0.01, 0.5, 0.995])).tolist()
    [False, True, True, False]
    """
    return (p_particle >= CLEAR_BELOW) & (p_particle <= CLEAR_ABOVE)
