"""What a fine-tuning rehearses: false picks that the base knows, beside the labels.

Each kind of them has an output of its own in the network, whose probability is added to the
class that comes closest. So they do not bend the boundary between the user's classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import Windows, window_side
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.model.weights import pretrained_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Boxes to rehearse; there may be none.

    Parameters
    ----------
    windows : Windows
        (n, 1, side, side) windows that hold every random view.
    outputs : (n,) int
        Output of the network that each belongs to.
    class_of_output : tuple of int
        Of all outputs of the network, as of `TwoBranchNet`.
    """

    windows: Windows
    outputs: NDArray[np.intp]
    class_of_output: tuple[int, ...]

    @classmethod
    def none(cls, n_classes: int) -> Self:
        """Return a rehearsal of no box, for a network with one output a class."""
        windows = Windows(torch.zeros(0, 1, 1, 1), torch.zeros(0, 2))
        return cls(windows, np.array([], dtype=np.intp), tuple(range(n_classes)))

    def __len__(self) -> int:
        return len(self.outputs)


def rehearsal_for(class_ids: Sequence[int], settings: FineTuneSettings) -> Rehearsal:
    """Return what to rehearse beside labels of these classes.

    Nothing without particles among the labels, nor if the base has no boxes, or those of another
    size.

    Parameters
    ----------
    class_ids : sequence of int
        Classes of the labels, in the order of the network's.
    settings : FineTuneSettings
        Base, box size, number of boxes a step.
    """
    nothing = Rehearsal.none(len(class_ids))
    if PARTICLE not in class_ids or not settings.rehearsal_batch_size:
        return nothing
    base = pretrained_model(settings.base)
    if base is None or base.rehearsal is None:
        return nothing
    boxes, size = base.rehearsal, base.card.boxes
    is_as_large = (size.box_factor, size.box_px) == (settings.box_factor, settings.box_px)
    if not is_as_large or window_side(size, settings.augmentation.reach) > boxes.side:
        return nothing
    kinds = boxes.class_ids(base.card.class_names)
    present = np.unique(kinds).tolist()
    class_of_output = [
        *range(len(class_ids)),
        *(_nearest(kind, class_ids) for kind in present),
    ]
    outputs = len(class_ids) + np.searchsorted(present, kinds)
    return Rehearsal(boxes.windows(), outputs.astype(np.intp), tuple(class_of_output))


def _nearest(kind: int, class_ids: Sequence[int]) -> int:
    """Position of the class that known false picks of a kind count for."""
    others = [c for c in class_ids if c != PARTICLE]
    wanted = [CARBON, CONTAMINANT] if kind == CARBON else [CONTAMINANT]
    return class_ids.index(next((c for c in wanted if c in others), others[0]))
