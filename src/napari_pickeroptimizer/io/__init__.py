"""Reading and writing files without loss, one module a format; without torch or Qt."""

from __future__ import annotations

from napari_pickeroptimizer.io.read import read_picks
from napari_pickeroptimizer.io.write import write_as, write_new_star, write_picks

__all__ = ["read_picks", "write_as", "write_new_star", "write_picks"]
