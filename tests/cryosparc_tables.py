"""Small tables as cryoSPARC writes them, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PICK_FIELDS = [
    ("uid", "<u8"),
    ("location/micrograph_uid", "<u8"),
    ("location/micrograph_path", "S32"),
    ("location/micrograph_shape", "<u4", (2,)),
    ("location/center_x_frac", "<f4"),
    ("location/center_y_frac", "<f4"),
    ("pick_stats/ncc_score", "<f4"),
    ("note", "S4"),
]
PICKS = [
    (7, 1, b">J1/a.mrc", (100, 200), 0.25, 0.75, 0.5, b"one"),
    (5, 1, b"J1/a.mrc", (100, 200), 0.0, 1.0, 0.25, b"two"),
    (9, 2, b"J1/b.mrc", (100, 200), 0.5, 0.5, -1.0, b"3"),
]


def cs(path: Path, fields: list = PICK_FIELDS, rows: list = PICKS) -> Path:
    with path.open("wb") as file:
        np.save(file, np.array(rows, dtype=fields))
    return path
