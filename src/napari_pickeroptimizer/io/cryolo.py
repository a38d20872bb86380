"""crYOLO's ``.cbox`` files: recognised, not read yet."""

from __future__ import annotations

from napari_pickeroptimizer.io.pick_format import PickFormat


def _holds_picks(head: str) -> bool:
    return "_CoordinateX" in head and "_CoordinateY" in head


FORMAT = PickFormat(
    name="CBOX",
    title="crYOLO boxes, also those below its threshold",
    suffixes=(".cbox",),
    holds_picks=_holds_picks,
    instead="a crYOLO .cbox file, which is not read yet: pass crYOLO's EMAN/*.box or "
    "STAR/*.star files",
)
