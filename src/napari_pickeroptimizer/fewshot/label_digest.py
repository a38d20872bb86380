"""A digest of labels, to check whether a model was trained on the same ones."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.classes import UNLABELLED

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks

# Files hold six decimals; differences below a hundredth of a pixel are ignored.
DECIMALS = 2


def labels_digest(picks: Picks) -> str:
    """Return a digest of the labels of `picks`, 16 hexadecimal digits.

    Two sets agree if the same positions on the same micrographs have the same classes, in any
    order; unlabelled picks do not count.

    Examples
    --------
    >>> from napari_pickeroptimizer import Picks
    >>> some = Picks.from_arrays("a.mrc", x=[1.0, 2.0], y=[3.0, 4.0], label=[1, 0])
    >>> same = Picks.from_arrays("a.mrc", x=[1.0], y=[3.0], label=[1])
    >>> labels_digest(some) == labels_digest(same) != labels_digest(some.with_labels(1))
    True
    """
    rows = np.flatnonzero(picks.labels != UNLABELLED)
    table = picks.table.iloc[rows]
    places = np.round(table[["x", "y"]].to_numpy(dtype=np.float64), DECIMALS)
    lines = [
        f"{name}\t{x:.{DECIMALS}f}\t{y:.{DECIMALS}f}\t{label}"
        for name, (x, y), label in zip(
            table["micrograph"], places.tolist(), picks.labels[rows].tolist(), strict=True
        )
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
