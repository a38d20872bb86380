"""Which labels count: none of a place that is labelled as two classes, one of equal ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import UNLABELLED, class_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.picks import Picks

# Labels that are no further apart are of one place.
ONE_PLACE_PX = 1.0


@dataclass(frozen=True)
class LabelPlaces:
    """The labels that count.

    Parameters
    ----------
    counts : (n,) bool
        Whether the label of each row counts; never of a row without a label.
    clashing : (n,) bool
        Whether the label of each row is of a place that is labelled as two classes.
    n_clashes : int
        Number of these places.
    first : str
        Names the first clash and its classes.
    """

    counts: NDArray[np.bool_]
    clashing: NDArray[np.bool_]
    n_clashes: int = 0
    first: str = ""

    @property
    def clash_note(self) -> str:
        """A sentence on the clashes; empty if there are none."""
        if not self.n_clashes:
            return ""
        return (
            f"{self.n_clashes} places are labelled as two classes, first {self.first}: their "
            f"{int(self.clashing.sum())} labels are left out. Give each place one class."
        )


def label_places(
    labels: Picks,
    rows_of_micrographs: Iterable[NDArray[np.intp]],
    names: Mapping[int, str] | None = None,
) -> LabelPlaces:
    """Find places that are labelled as two classes, or twice as one.

    Parameters
    ----------
    labels : Picks
        Labelled picks; rows without a label do not count.
    rows_of_micrographs : iterable of (k,) int
        Rows of each micrograph, however its name is spelt. Labels elsewhere do not count.
    names : mapping of int to str, optional
        The user's names of classes.

    Examples
    --------
    >>> from napari_pickeroptimizer.picks import Picks
    >>> x, y = [10.0, 10.4, 30.0, 30.0], [20.0, 20.0, 40.0, 40.0]
    >>> labels = Picks.from_arrays("a.mrc", x, y, label=[1, 2, 1, 1])
    >>> places = label_places(labels, [np.arange(4)])
    >>> places.counts.tolist(), places.clash_note.partition(":")[0]
    ([False, False, True, False], '1 places are labelled as two classes, first a.mrc, x = 10.0, \
y = 20.0 (particle and contaminant)')
    """
    counts, clashing = np.zeros((2, len(labels)), dtype=bool)
    n_clashes = 0
    coords, classes = labels.coords_yx_px(), labels.labels
    firsts: dict[int, int] = {}  # row of a clash: class that its label contradicts
    for every_row in rows_of_micrographs:
        rows = np.sort(every_row[classes[every_row] != UNLABELLED])
        places = np.column_stack([coords[rows], classes[rows]])
        distinct, first, inverse = np.unique(
            places, axis=0, return_index=True, return_inverse=True
        )
        other = _nearest_of_another_class(distinct)
        clashes = other >= 0
        counts[rows[first[~clashes]]] = True
        clashing[rows] = clashes[inverse.reshape(-1)]
        if clashes.any():
            n_clashes += _n_groups(other)
            row = first[clashes].min()
            firsts[int(rows[row])] = int(distinct[other[inverse.reshape(-1)[row]], 2])
    if not firsts:
        return LabelPlaces(counts, clashing)
    row = min(firsts)
    y, x = coords[row]
    described = (
        f"{labels.table['micrograph'].iloc[row]}, x = {x:.1f}, y = {y:.1f} "
        f"({class_name(int(classes[row]), names)} and {class_name(firsts[row], names)})"
    )
    return LabelPlaces(counts, clashing, n_clashes, described)


def _nearest_of_another_class(places: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return for each distinct (y, x, class) the nearest one of another class, -1 if far."""
    result = np.full(len(places), -1, dtype=np.intp)
    for label in np.unique(places[:, 2]):
        of_class = np.flatnonzero(places[:, 2] == label)
        others = np.flatnonzero(places[:, 2] != label)
        if len(others):
            distance, nearest = KDTree(places[others, :2]).query(places[of_class, :2])
            near = distance <= ONE_PLACE_PX
            result[of_class[near]] = others[nearest[near]]
    return result


def _n_groups(other: NDArray[np.intp]) -> int:
    """Return how many places the rows with an entry in `other` make, joined with that."""
    clashing = np.flatnonzero(other >= 0)
    # scipy 1.11 takes these indices for 32 bits wide, and returns -1 if they are not
    ends = (clashing.astype(np.int32), other[clashing].astype(np.int32))
    links = (np.ones(len(clashing)), ends)
    n, _ = connected_components(coo_array(links, shape=(len(other),) * 2), directed=False)
    return int(n) - (len(other) - len(clashing))
