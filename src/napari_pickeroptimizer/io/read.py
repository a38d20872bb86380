"""Read picks from whatever the user points at: a file, a folder, a glob, a list of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from napari_pickeroptimizer.io.assemble import assemble
from napari_pickeroptimizer.io.relion import read_star
from napari_pickeroptimizer.picks import Picks


def read_picks(where: str | Path | Sequence[str | Path], *, label: int | None = None) -> Picks:
    places = [where] if isinstance(where, str | Path) else list(where)
    return assemble([read_star(p) for p in places], None, label)
