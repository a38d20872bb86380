"""cryoSPARC's ``.cs`` and ``.csg`` files: recognised, not read yet."""

from __future__ import annotations

from napari_pickeroptimizer.io.pick_format import PickFormat

FORMAT = PickFormat(
    name="CS",
    title="cryoSPARC particles",
    suffixes=(".cs",),
    holds_picks=bool,
    instead="a cryoSPARC file, which is not read yet: convert it to .star with csparc2star.py",
)
GROUP = PickFormat(
    name="CSG",
    title="cryoSPARC result group",
    suffixes=(".csg",),
    holds_picks=bool,
    instead="a cryoSPARC group, which is not read yet: convert its .cs to .star with "
    "csparc2star.py",
)
