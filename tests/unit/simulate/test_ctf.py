from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.simulate import SimulationSettings
from napari_pickeroptimizer.simulate.ctf import (
    aberration_rad,
    ctf,
    detector_transfer,
    interaction_rad_per_v_ang,
    lens_transfer,
    wavelength_ang,
)
from napari_pickeroptimizer.simulate.simulate import image_intensity

TITAN = {"voltage_kv": 300.0, "spherical_aberration_mm": 2.7, "amplitude_contrast": 0.1}


@pytest.mark.parametrize(
    ("voltage_kv", "wavelength", "interaction"),
    [(100.0, 0.03701, 0.000924), (200.0, 0.02508, 0.000729), (300.0, 0.01969, 0.000653)],
    ids=["100kV", "200kV", "300kV"],
)
def test_electron_optics_has_the_textbook_values(
    voltage_kv: float, wavelength: float, interaction: float
) -> None:
    assert wavelength_ang(voltage_kv) == pytest.approx(wavelength, abs=5e-6)
    assert interaction_rad_per_v_ang(voltage_kv) == pytest.approx(interaction, abs=1e-6)


def test_ctf_is_minus_the_amplitude_contrast_at_zero_and_dark_above() -> None:
    values = ctf(np.array([0.0, 0.01, 0.02]), defocus_ang=15_000, **TITAN)
    assert values[0] == pytest.approx(-0.1)
    assert (np.diff(values) < 0).all()  # down, away from zero: protein is dark


@pytest.mark.parametrize("order", [1, 2, 5])
def test_ctf_crosses_zero_where_the_quadratic_formula_says(order: int) -> None:
    # χ(k) + arcsin(A) = n π, a quadratic equation in k²
    wavelength, defocus, cs = wavelength_ang(300.0), 15_000.0, 2.7e7
    a, b = np.pi / 2 * cs * wavelength**3, np.pi * wavelength * defocus
    c = order * np.pi - np.arcsin(0.1)
    k = np.sqrt((b - np.sqrt(b**2 - 4 * a * c)) / (2 * a))
    below, at, above = ctf(k * np.array([0.99, 1.0, 1.01]), defocus_ang=defocus, **TITAN)
    assert at == pytest.approx(0, abs=1e-4)
    assert np.sign(below) == -np.sign(above)


def test_ctf_equals_that_of_torch_ctf() -> None:
    torch_ctf = pytest.importorskip("torch_ctf")
    theirs = torch_ctf.calculate_ctf_2d(
        defocus=1.5,
        astigmatism=0.0,
        astigmatism_angle=0.0,
        voltage=300.0,
        spherical_aberration=2.7,
        amplitude_contrast=0.1,
        phase_shift=0.0,
        pixel_size=2.0,
        image_shape=(64, 64),
        rfft=True,
        fftshift=False,
    ).numpy()
    ours = ctf(np.fft.rfftfreq(64, 2.0), defocus_ang=15_000, **TITAN)
    # their sign is that of a white particle
    np.testing.assert_allclose(ours, -theirs[0], atol=1e-3)


def test_astigmatism_puts_defocus_u_along_its_angle() -> None:
    transfer = lens_transfer(
        (64, 64),
        4.0,
        defocus_um=(1.6, 1.2, 90.0),
        voltage_kv=300.0,
        spherical_aberration_mm=2.7,
    )
    k2 = (5 / 64 / 4.0) ** 2
    along_y, along_x = (
        aberration_rad(k2, defocus_ang=u, voltage_kv=300.0, spherical_aberration_mm=2.7)
        for u in (16_000.0, 12_000.0)
    )
    assert np.angle(transfer[5, 0]) == pytest.approx(float(along_y), abs=1e-4)
    assert np.angle(transfer[0, 5]) == pytest.approx(float(along_x), abs=1e-4)


def test_a_weak_phase_grating_is_imaged_with_the_ctf() -> None:
    # φ cos(kx) with amplitude contrast A becomes 1 + 2 φ CTF(k) cos(kx)
    settings = SimulationSettings(
        shape_px=(64, 64), pixel_size_ang=4.0, diameter_ang=64.0, envelope_b_ang2=0.0
    )
    cycles, weak, a = 7, 1e-3, 0.1
    x = np.arange(64)
    phase = weak * np.cos(2 * np.pi * cycles * x / 64) * np.ones((64, 1))
    wave = np.exp(1j * phase * (np.sqrt(1 - a**2) + 1j * a)).astype(np.complex64)
    image = image_intensity(settings, wave, (1.5, 1.5, 0.0))
    k = cycles / (64 * 4.0)
    expected = 2 * weak * ctf(k, defocus_ang=15_000, **TITAN) * np.sinc(k * 4.0)
    found = 2 * (image[0] * np.cos(2 * np.pi * cycles * x / 64)).mean()
    assert found == pytest.approx(float(expected), rel=0.01)


def test_detector_keeps_the_mean_and_damps_as_the_b_factor_says() -> None:
    transfer = detector_transfer((64, 64), 2.0, envelope_b_ang2=100.0)
    k = 16 / (64 * 2.0)
    assert transfer[0, 0] == 1
    assert transfer[0, 16] == pytest.approx(np.exp(-25 * k**2) * np.sinc(k * 2.0), rel=1e-5)
