from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.settings import Range, check_ranges, range_of, setting


@dataclass(frozen=True)
class Example:
    n: int = setting(3, least=1)
    rate: float = setting(0.1, above=0)
    share: float = setting(0.0, least=0, below=1)
    n_views: int = setting(1, least=1, most=8)
    n_or_auto: int | Literal["auto"] = setting(1, choices=Literal["auto"], least=1, most=8)
    by: str = setting("a", choices=Literal["a", "b"])
    diameter_px: float | None = setting(None, above=0)
    defocus_um: tuple[float, float] = setting((2.0, 3.5), above=0)
    free: float = -5.0

    def __post_init__(self) -> None:
        check_ranges(self)


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"n": 1},
        {"n": np.int64(1), "rate": np.float32(0.5)},
        {"share": 0},
        {"n_views": 8},
        {"n_or_auto": 8},
        {"n_or_auto": "auto"},
        {"by": "b"},
        {"diameter_px": 12.5},
        {"free": math.nan},
    ],
)
def test_values_in_their_range_are_taken(good):
    Example(**good)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n": 0}, "n must be at least 1, got 0."),
        ({"rate": 0.0}, "rate must be positive, got 0.0."),
        ({"rate": math.nan}, "rate must be positive, got nan."),
        ({"rate": math.inf}, "rate must be positive, got inf."),
        ({"share": 1.0}, "share must be at least 0 and below 1, got 1.0."),
        ({"n_views": 9}, "n_views must be at least 1 and at most 8, got 9."),
        ({"n_or_auto": 9}, "n_or_auto must be at least 1 and at most 8 or auto, got 9."),
        (
            {"n_or_auto": "all"},
            "n_or_auto must be at least 1 and at most 8 or auto, got 'all'.",
        ),
        ({"by": "c"}, "by must be one of a, b, got 'c'."),
        ({"by": 1}, "by must be one of a, b, got 1."),
        ({"diameter_px": -1}, "diameter_px must be positive, got -1."),
        ({"defocus_um": (0.0, 1.0)}, "defocus_um must be positive, got (0.0, 1.0)."),
        ({"n": "3"}, "n must be at least 1, got '3'."),
    ],
)
def test_a_value_out_of_range_is_named_with_its_range(bad, message):
    with pytest.raises(SettingsError) as error:
        Example(**bad)
    assert str(error.value) == message


def test_a_form_reads_the_range_from_the_field():
    assert range_of(Example, "n_views") == Range(least=1, most=8)
    assert range_of(Example(), "free") == Range()
