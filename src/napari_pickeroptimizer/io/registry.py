"""The formats of pick files, one line each; readers, dialogs and docs use this list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.io import (
    cryolo,
    cryosparc,
    csv_table,
    eman,
    eman2,
    relion,
    topaz,
    xmipp,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.pick_format import PickFormat

FORMATS: tuple[PickFormat, ...] = (
    relion.FORMAT,
    eman.FORMAT,
    csv_table.FORMAT,
    cryolo.FORMAT,
    cryosparc.FORMAT,
    cryosparc.GROUP,
    eman2.FORMAT,
    topaz.FORMAT,
    xmipp.FORMAT,
    xmipp.METADATA,
    cryolo.TOMOGRAM,
)
READABLE = tuple(f for f in FORMATS if f.read is not None)
# Of files that are read and written, and of all that are recognised.
SUFFIXES = tuple(suffix for f in READABLE for suffix in f.suffixes)
EXPECTED = ", ".join(SUFFIXES)  # for messages
KNOWN_SUFFIXES = tuple(suffix for f in FORMATS for suffix in f.suffixes)


def format_of(path: str | Path) -> PickFormat | None:
    """Return the format of a file by its name, None if it is unknown.

    Examples
    --------
    >>> format_of("picks/A.BOX").name
    'BOX'
    """
    suffix = Path(path).suffix.lower()
    return next((f for f in FORMATS if suffix in f.suffixes), None)


def dialog_filter() -> str:
    """Return the filter of a dialog that opens pick files."""
    return f"Picks ({' '.join(f'*{suffix}' for suffix in SUFFIXES)});;All files (*)"
