from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.simulate.background import (
    carbon_phase_noise_rad,
    ice_thickness_ang,
    water_phase_noise_rad,
)


def test_ice_without_gradient_is_flat() -> None:
    ice = ice_thickness_ang((40, 60), (300, 500), np.random.default_rng(0), gradient=False)
    assert ice.shape == (40, 60)
    assert 300 <= ice[0, 0] <= 500
    assert np.ptp(ice) == 0


def test_ice_with_gradient_is_uneven_but_smooth_and_never_gone() -> None:
    ice = ice_thickness_ang((200, 300), (400, 400), np.random.default_rng(0), gradient=True)
    assert np.ptp(ice) > 80
    assert ice.min() > 50
    assert max(np.abs(np.diff(ice, axis=0)).max(), np.abs(np.diff(ice, axis=1)).max()) < 10


def test_water_noise_of_a_larger_pixel_is_weaker() -> None:
    small, large = (
        water_phase_noise_rad((256, 256), pixel, 0.000653, np.random.default_rng(0)).std()
        for pixel in (2.0, 4.0)
    )
    # the same molecules, averaged over four times the area; and no ring below 1/8 Å
    assert large < small / 2


def test_carbon_is_grainier_than_water_at_every_frequency() -> None:
    make = {"shape_px": (256, 256), "pixel_size_ang": 3.0, "interaction_rad_per_v_ang": 6.5e-4}
    water, carbon = (
        np.abs(np.fft.rfft2(noise(**make, rng=np.random.default_rng(0)))) ** 2
        for noise in (water_phase_noise_rad, carbon_phase_noise_rad)
    )
    for low, high in ((1, 10), (10, 40), (40, 80)):
        assert carbon[low:high, low:high].mean() > 2 * water[low:high, low:high].mean()


def test_noise_has_no_mean_shift() -> None:
    noise = water_phase_noise_rad((256, 256), 2.0, 6.5e-4, np.random.default_rng(0))
    assert noise.mean() == pytest.approx(0, abs=float(noise.std()) / 50)
