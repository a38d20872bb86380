"""What files hold that new files of another format have no room for: known before writing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.schema import COLUMNS, FEATURE_PREFIX, header_names, plain_name

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.pick_format import PickFormat, Room
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.sources import PickSource

# Names that are one word in the files of every program.
_WORD = re.compile(r"[^\s\"'#,;\[\]]+")
_KNOWN = {name for column in COLUMNS for name in header_names(column)}
# A fraction of a pixel that counts: less is the last digit of six.
_WHOLE = 1e-5
MOST_NAMES = 12


def source_format(picks: Picks) -> PickFormat | None:
    """Return the format of the files that picks come from; None if there are several, or none."""
    formats = {id(f): f for f in (format_of(source.path) for source in picks.sources)}
    return next(iter(formats.values())) if len(formats) == 1 else None


def other_labels(picks: Picks) -> tuple[str, ...]:
    """Return the columns of the files that are none of the schema, each once."""
    return tuple(dict.fromkeys(n for source in picks.sources for n in source.other_labels))


def carried_labels(picks: Picks) -> tuple[str, ...]:
    """Return those of `other_labels` that every file has as text, under a name of one word.

    In a new file they could be written beside the columns of the schema, and be told from these.
    """
    return tuple(
        label
        for label in other_labels(picks)
        if _WORD.fullmatch(label)
        and plain_name(label) not in _KNOWN
        and all(label in source.other_labels for source in picks.sources)
    )


def carrying(picks: Picks) -> Picks:
    """Return picks with the other columns of their files, where new files have room for them."""
    rows = picks.table["source_row"].to_numpy(dtype=np.int64)
    number = picks.table["source"].to_numpy()
    columns: dict[str, NDArray[np.object_]] = {}
    for label in carried_labels(picks):
        values = _strings(picks.sources, label, number, rows)
        if values is not None:
            columns[f"{FEATURE_PREFIX}{label}"] = values
    return picks.with_columns(**columns)


def losses(
    picks: Picks,
    pick_format: PickFormat,
    box_px: float | None = None,
    *,
    most_names: int = MOST_NAMES,
) -> list[str]:
    """Return what a new file of a format would not hold of picks, one phrase each.

    Parameters
    ----------
    picks : Picks
        As they were read, or moved.
    pick_format : PickFormat
        Of the new file.
    box_px : float, optional
        Side of its boxes.
    most_names : int
        How many names a phrase lists.
    """
    room = pick_format.room
    lost = [f"{column.name} ({column.words})" for column in room.lost_columns(picks)]
    others = other_labels(picks)
    if room.other_columns:
        rows = picks.table["source_row"].to_numpy(dtype=np.int64)[:0]
        number = picks.table["source"].to_numpy()[:0]
        kept = {
            label
            for label in carried_labels(picks)
            if _strings(picks.sources, label, number, rows) is not None
        }
        others = tuple(label for label in others if label not in kept)
    if others:
        lost.append(f"{len(others)} other columns: {shown(others, most_names)}")
    besides = tuple(dict.fromkeys(name for s in picks.sources for name in s.besides))
    if besides:
        lost.append(f"what is in the files besides the picks: {shown(besides, most_names)}")
    return lost + rounding(picks, room, box_px)


def rounding(picks: Picks, room: Room, box_px: float | None = None) -> list[str]:
    """Return a phrase on the picks that a format of whole pixels rounds, if there are any."""
    if not room.whole_pixels:
        return []
    places = picks.coords_yx_px()
    if room.anchor == "corner" and box_px is not None:
        places = places - box_px / 2
    n = int((np.abs(places - np.rint(places)) > _WHOLE).any(axis=1).sum())
    return [f"fractions of pixels: {n:,} of {len(picks):,} picks are rounded"] if n else []


def shown(names: Sequence[str], most: int = MOST_NAMES) -> str:
    """Return names as a list in words, the first of many."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _strings(
    sources: Sequence[PickSource],
    label: str,
    number: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> NDArray[np.object_] | None:
    """Return (n,) texts of a column; None if one of the files gives none, or a pick has no file."""
    if (number < 0).any():
        return None
    values = np.empty(len(rows), dtype=object)
    for i, source in enumerate(sources):
        texts = source.strings(label)
        if texts is None:
            return None
        is_here = number == i
        values[is_here] = texts[rows[is_here]]
    return values
