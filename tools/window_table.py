"""The table of what the window takes at a million picks, from ``benchmarks/results``."""

from __future__ import annotations

import result_tables as tables
from marked_tables import table

COLUMNS = {
    "updated": "updated, median (worst)",
    "drawn": "drawn",
    "stands still": "stands still",
    "processor": "of the processor",
    "budget": "budget",
    "plain napari": "plain napari, drawn",
    "ratio": "ratio",
    "memory": "memory",
}


def window_table() -> str:
    """Return what each step takes, in milliseconds, and the memory after it."""
    lines = [
        [row["step"], *(row[name] for name in COLUMNS)] for row in tables.read("napari_scale")
    ]
    return table(("milliseconds", *COLUMNS.values()), lines)
