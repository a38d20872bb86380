"""What a panel says about picks: labels by class, and the micrograph that is shown. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, UNLABELLED
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.matching import find_stack
from napari_pickeroptimizer.plugin.navigation import current_slice, rows_on_slice
from napari_pickeroptimizer.plugin.session import unwrap


@dataclass(frozen=True)
class MicrographShown:
    """The micrograph that is shown, as the picks of a layer see it.

    Parameters
    ----------
    name : str
        As the picks spell it; empty where there is none.
    number, n_micrographs : int
        Its place among the slices, from 1.
    n_picks, n_labelled : int
        The layer's picks on it.
    missing : bool
        Whether there are picks but no image.
    """

    name: str
    number: int
    n_micrographs: int
    n_picks: int
    n_labelled: int
    missing: bool = False

    @property
    def text(self) -> str:
        """``3 of 10: 512 picks, 12 labelled``."""
        if not self.name:
            return "no micrograph here"
        picks = f"{self.n_picks:,} pick{'' if self.n_picks == 1 else 's'}"
        more = f", {self.n_labelled:,} labelled" if self.n_picks else ""
        missing = ", image missing" if self.missing else ""
        return f"{self.number:,} of {self.n_micrographs:,}: {picks}{more}{missing}"


def label_counts(layer: Any) -> dict[int, int]:
    """Return how many picks of a layer carry each class id, 0 for no label."""
    view = view_of(unwrap(layer).metadata)
    if view is None:
        return {}
    counts = np.bincount(view.picks.labels, minlength=MAX_CLASS + 1)
    return {class_id: int(n) for class_id, n in enumerate(counts)}


def micrograph_shown(
    viewer: Any, layer: Any, rows: NDArray[np.intp] | None = None
) -> MicrographShown:
    """Return the micrograph that is shown; `rows` are the picks on it, where known."""
    viewer, layer = unwrap(viewer), unwrap(layer)
    view = view_of(layer.metadata)
    index = current_slice(viewer)
    if view is None or not 0 <= index < len(view.slice_names):
        return MicrographShown("", 0, 0 if view is None else len(view.slice_names), 0, 0)
    if rows is None:
        rows = rows_on_slice(layer, index)
    stack = find_stack(viewer, view)
    n_labelled = int((view.picks.labels[rows] != UNLABELLED).sum())
    missing = stack is None or index >= len(stack.shapes_px) or stack.shapes_px[index] is None
    return MicrographShown(
        view.slice_names[index],
        index + 1,
        len(view.slice_names),
        len(rows),
        n_labelled,
        missing,
    )
