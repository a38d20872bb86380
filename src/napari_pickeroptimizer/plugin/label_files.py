"""Picks and labels of a layer as files. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.io import write_new_star, write_picks
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.schema import (
    BY_LABEL,
    BY_NOTHING,
    DECIDED_BY,
    PARTIAL_LABEL,
    SELECTION_TYPE,
    SUGGESTION,
)


def is_tree(picks: Picks) -> bool:
    """Whether picks are from several files, and are written as such."""
    return picks.file_list is not None or len(picks.sources) > 1


def write_part(
    picks: Picks, output: Path, columns: Mapping[str, NDArray[Any]] | None = None
) -> list[Path]:
    """Write picks in the format of their input, or as one new STAR if `output` ends in .star."""
    if is_tree(picks) and output.suffix.lower() == ".star":
        return [write_new_star(picks, output, columns=columns)]
    return write_picks(picks, output, columns=columns)


def write_labels(picks: Picks, path: str | Path) -> list[Path]:
    """Write all picks with the user's labels, such that reading gives the same labels again.

    Decisions of an earlier pruning, which the file of the picks may hold, do not count as
    labels. Picks that are in no file go to a file of their own beside it.

    Returns
    -------
    list of Path
        ``labels.star``, and ``labels_added.star`` where there are picks of no file.
    """
    path = Path(path)
    labels = picks.labels
    complete = len(labels) > 0 and bool(labels.all())
    columns: dict[str, NDArray[Any]] = {SELECTION_TYPE if complete else PARTIAL_LABEL: labels}
    if "predicted" in picks.table or "decided_by" in picks.table:
        columns[DECIDED_BY.star] = np.where(labels != UNLABELLED, BY_LABEL, BY_NOTHING)
    if picks.was_suggested.any():
        rank = picks.table["suggestion"].to_numpy(dtype=np.float64)
        columns[SUGGESTION.star] = np.nan_to_num(rank)
    if not is_tree(picks):
        return write_picks(picks, path, columns=columns)
    is_new = picks.table["source"].to_numpy() < 0
    written = []
    for rows, place in ((~is_new, path), (is_new, path.with_name(f"{path.stem}_added.star"))):
        if rows.any():
            part = {name: values[rows] for name, values in columns.items()}
            written.append(write_new_star(picks.select(rows), place, columns=part))
    return written


def save_labels(layer: Any, path: str | Path, *, overwrite: bool = False) -> list[Path]:
    """Write a layer's picks with their labels, and nothing else of the session.

    Raises
    ------
    LabelError
        No pick is labelled.
    SettingsError
        The file exists.
    """
    path, picks = absolute(Path(path).expanduser()), picks_of(layer)
    if not picks.labels.any():
        raise LabelError("no pick is labelled yet: there is nothing to save.")
    if path.exists() and not overwrite:
        raise SettingsError(f"{path} exists: choose another name, or allow to replace it.")
    return write_labels(picks, path)
