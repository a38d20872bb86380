from __future__ import annotations

import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.simulate import SimulationSettings


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("n_micrographs", 0),
        ("n_particles", -1),
        ("labels_per_class", -1),
        ("seed", -1),
        ("pixel_size_ang", 0.0),
        ("diameter_ang", float("nan")),
        ("dose_e_per_ang2", -3.0),
        ("recall", 1.2),
        ("carbon_chance", -0.1),
        ("false_share", 1.0),
        ("envelope_b_ang2", -1.0),
        ("defocus_um", (2.0, 1.0)),
        ("ice_thickness_ang", (0.0, 100.0)),
        ("defocus_spread_ang", -1.0),
        ("low_pass_ang", -1.0),
        ("shape", "cube"),
        ("pixel_type", "int8"),
        ("shape_px", (200, 2000)),
    ],
)
def test_a_bad_setting_is_named_in_the_error(name: str, bad: object) -> None:
    with pytest.raises(SettingsError, match=name):
        SimulationSettings(**{name: bad})  # type: ignore[arg-type]


def test_the_diameter_in_pixels_follows_from_the_pixel_size() -> None:
    assert SimulationSettings(diameter_ang=100.0, pixel_size_ang=2.0).diameter_px == 50.0
