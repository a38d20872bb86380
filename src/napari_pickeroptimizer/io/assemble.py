"""The step from files to one table: what every format's reader returns, joined."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.picks import (
    BY_LABEL,
    BY_NOTHING,
    PROBABILITY_PREFIX,
    PickListing,
    Picks,
    PickSource,
)


@dataclass(frozen=True)
class FilePicks:
    """The picks of one file, parsed and checked.

    Parameters
    ----------
    source : PickSource
        The file itself.
    x, y : (n,) float64
        Centres, 0-based pixels of the micrograph.
    micrograph : str or (n,) object
        Name of the micrograph, one for all picks or one each.
    label : (n,) int8 or None
        Classes, where the file has any.
    picker_score : (n,) float64 or None
        The picker's figure of merit, where the file has one.
    particle_probability : (n,) float64 or None
        P(particle) of an earlier pruning, where the file has it.
    predicted : (n,) int8 or None
        Classes that the earlier pruning decided on.
    decided_by : (n,) object or None
        What decided each: ``score``, ``label``, ``distance``, ``edge``, ``none``.
    suggestion : (n,) float64 or None
        Rank among the picks suggested for labelling, NaN or 0 for none.
    """

    source: PickSource
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    micrograph: str | NDArray[np.object_]
    label: NDArray[np.int8] | None = None
    picker_score: NDArray[np.float64] | None = None
    particle_probability: NDArray[np.float64] | None = None
    predicted: NDArray[np.int8] | None = None
    decided_by: NDArray[np.object_] | None = None
    suggestion: NDArray[np.float64] | None = None


def check_coordinates(
    x: NDArray[np.float64], y: NDArray[np.float64], where: Callable[[int], str]
) -> None:
    """Refuse coordinates that are NaN or infinite; `where` names the row in the message.

    Raises
    ------
    PickFormatError
        Naming the first such row and how many there are.
    """
    bad = np.flatnonzero(~(np.isfinite(x) & np.isfinite(y)))
    if len(bad):
        row = int(bad[0])
        more = f" ({len(bad)} such rows)" if len(bad) > 1 else ""
        raise PickFormatError(
            f"{where(row)}: the coordinates are x = {x[row]}, y = {y[row]}{more}. "
            "A pick needs finite pixel coordinates: remove the row or pick again."
        )


def labels_from_numbers(
    values: NDArray[np.float64], column: str, where: Callable[[int], str]
) -> NDArray[np.int8]:
    """Turn the numbers of a class column into (n,) int8 labels; 0 and -1 are unlabelled.

    Raises
    ------
    PickFormatError
        A value is no class id.
    """
    bad = np.flatnonzero(~np.isin(values, np.arange(-1, MAX_CLASS + 1)))
    if len(bad):
        row = int(bad[0])
        raise PickFormatError(
            f"{where(row)}: {column} is {values[row]:g}, which is no class: expected 1 to "
            f"{MAX_CLASS}, or 0 for unlabelled."
        )
    return np.maximum(values, UNLABELLED).astype(np.int8)


def labels_and_decisions(
    classes: NDArray[np.int8] | None,
    probability: NDArray[np.float64] | None,
    decided_by: NDArray[np.object_] | None,
) -> tuple[NDArray[np.int8] | None, NDArray[np.int8] | None]:
    """Tell the classes that a user gave from those that this program decided on.

    A pick with P(particle) has been through a pruning, so its class is a decision, unless it
    was a label that decided. Without this a file that is pruned again would come back with
    all its picks labelled, and labels always win.

    Returns
    -------
    label, predicted : (n,) int8 or None
        The user's classes, and the program's (None where there was no pruning).
    """
    if classes is None or probability is None:
        return classes, None
    is_label = np.isnan(probability)
    if decided_by is not None:
        is_label |= decided_by == BY_LABEL
    return np.where(is_label, classes, UNLABELLED).astype(np.int8), classes


def assemble(
    files: Sequence[FilePicks], listing: PickListing | None, label: int | None
) -> Picks:
    """Join the picks of files into one table, in order."""
    counts = [len(f.x) for f in files]
    n = sum(counts)

    def joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.concatenate(parts) if parts else np.empty(0)

    names = [
        np.full(len(f.x), f.micrograph, dtype=object)
        if isinstance(f.micrograph, str)
        else f.micrograph
        for f in files
    ]
    labels = [np.zeros(len(f.x), dtype=np.int8) if f.label is None else f.label for f in files]
    columns = {
        "micrograph": pd.Series(
            np.concatenate(names) if names else np.empty(0, dtype=object), dtype="str"
        ),
        "x": joined([f.x for f in files]),
        "y": joined([f.y for f in files]),
        "label": np.full(n, label, dtype=np.int8)
        if label is not None
        else np.concatenate([np.empty(0, np.int8), *labels]),
        "source": np.repeat(np.arange(len(files), dtype=np.int32), counts),
        "source_row": np.concatenate(
            [np.empty(0, np.int64), *(np.arange(c, dtype=np.int64) for c in counts)]
        ),
    }
    for name, parts in (
        ("picker_score", [f.picker_score for f in files]),
        (f"{PROBABILITY_PREFIX}{PARTICLE}", [f.particle_probability for f in files]),
        ("suggestion", [f.suggestion for f in files]),
    ):
        if any(part is not None for part in parts):
            columns[name] = joined(
                [
                    np.full(c, np.nan) if part is None else part
                    for c, part in zip(counts, parts, strict=True)
                ]
            )
    if any(f.predicted is not None for f in files):
        columns["predicted"] = np.concatenate(
            [
                np.zeros(len(f.x), np.int8) if f.predicted is None else f.predicted
                for f in files
            ]
        )
    if any(f.decided_by is not None for f in files):
        columns["decided_by"] = np.concatenate(
            [
                np.full(len(f.x), BY_NOTHING, dtype=object)
                if f.decided_by is None
                else f.decided_by
                for f in files
            ]
        )
    return Picks(pd.DataFrame(columns), tuple(f.source for f in files), listing)
