from __future__ import annotations

import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.settings import Length


@pytest.mark.parametrize(
    ("text", "px"),
    [("0", 0), ("30", 30), ("30px", 30), ("50A", 25), ("50 Å", 25), ("0.5d", 54), ("2D", 216)],
)
def test_a_length_is_pixels_angstrom_or_diameters(text: str, px: float) -> None:
    assert Length.parse(text).in_px(pixel_size_ang=2.0, diameter_px=108.0) == px


@pytest.mark.parametrize("text", ["", "d", "-3", "3 miles", "1.2.3", "nan", "inf", "1e999"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="no distance|0 or more"):
        Length.parse(text)


def test_angstrom_need_the_pixel_size_and_diameters_the_diameter() -> None:
    with pytest.raises(SettingsError, match="--pixel-size"):
        Length.parse("50A").in_px(None, 108.0)
    with pytest.raises(SettingsError, match="particle diameter"):
        Length.parse("0.5d").in_px(2.0, None)
    with pytest.raises(SettingsError, match="unit 'nm' is unknown"):
        Length(1, "nm")  # type: ignore[arg-type]
