"""Rows of fields are parsed in parts, which nobody sees in the result."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io import fields


def test_parts_give_the_whole_and_name_the_row_of_the_whole(monkeypatch) -> None:
    rows = [f"m{i}.mrc {i}.5 {i}" for i in range(5_000)]
    rows[4_000] = '"m 4000.mrc" 4000.5 4000'
    whole = fields.parse_fields(rows, 3, [0, 2], str)
    monkeypatch.setattr(fields, "_ROWS_AT_ONCE", 1_100)
    parts = fields.parse_fields(rows, 3, [0, 2], str)
    assert [p.tolist() for p in parts] == [w.tolist() for w in whole]
    rows[4_700] = "m4700.mrc 1"
    with pytest.raises(PickFormatError, match="row 4700: 2 values"):
        fields.parse_fields(rows, 3, [0], lambda row: f"row {row}")
