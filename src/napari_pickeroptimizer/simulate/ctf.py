"""Electron optics: wavelength, interaction constant, contrast transfer, detector.

Formulas as in Rohou & Grigorieff, J. Struct. Biol. 192 (2015) 216-221 (CTF) and Kirkland,
Advanced Computing in Electron Microscopy (wavelength, interaction constant). The package
torch-ctf gives the same values (there is a test) but takes a second a micrograph, and torch.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ELECTRON_REST_ENERGY_KEV = 510.99895
HC_KEV_ANG = 12.398419843


def wavelength_ang(voltage_kv: float) -> float:
    """Return the relativistic wavelength in Å.

    Examples
    --------
    >>> round(wavelength_ang(300.0), 5)
    0.01969
    """
    energy = voltage_kv * (2 * ELECTRON_REST_ENERGY_KEV + voltage_kv)
    return float(HC_KEV_ANG / np.sqrt(energy))


def interaction_rad_per_v_ang(voltage_kv: float) -> float:
    """Return the phase shift in rad that 1 V along 1 Å causes.

    Examples
    --------
    >>> round(interaction_rad_per_v_ang(300.0), 6)
    0.000653
    """
    m, e = ELECTRON_REST_ENERGY_KEV, voltage_kv
    relativity = (m + e) / (2 * m + e)
    return float(2 * np.pi / (wavelength_ang(e) * e * 1000) * relativity)


def aberration_rad(
    k2_per_ang2: NDArray[np.float32] | float,
    *,
    defocus_ang: NDArray[np.float32] | float,
    voltage_kv: float,
    spherical_aberration_mm: float,
) -> NDArray[np.float32]:
    """Return the aberration χ(k) = πλΔf k² - π/2 Cs λ³ k⁴ in rad; Δf > 0 is underfocus."""
    wavelength = wavelength_ang(voltage_kv)
    cs_ang = spherical_aberration_mm * 1e7
    k2 = np.asarray(k2_per_ang2, dtype=np.float32)
    quartic = np.float32(np.pi / 2 * cs_ang * wavelength**3)
    return np.asarray(
        k2 * (np.float32(np.pi * wavelength) * np.float32(defocus_ang) - quartic * k2),
        dtype=np.float32,
    )


def ctf(
    k_per_ang: NDArray[np.float64] | float,
    *,
    defocus_ang: float,
    voltage_kv: float,
    spherical_aberration_mm: float,
    amplitude_contrast: float,
) -> NDArray[np.float64]:
    """Return CTF(k) = -sin(χ(k) + arcsin(A)): the linear limit of the imaging used here.

    It is negative at low k (protein is dark) and -A at k = 0.
    """
    chi = aberration_rad(
        np.square(k_per_ang),
        defocus_ang=defocus_ang,
        voltage_kv=voltage_kv,
        spherical_aberration_mm=spherical_aberration_mm,
    )
    return np.asarray(-np.sin(chi + np.arcsin(amplitude_contrast)), dtype=np.float64)


def frequencies_per_ang(
    shape_px: tuple[int, int], pixel_size_ang: float, *, half: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return ky (ny, 1) and kx (1, nx or nx // 2 + 1) in 1/Å, in FFT order."""
    ny, nx = shape_px
    ky = np.fft.fftfreq(ny, pixel_size_ang).astype(np.float32)
    kx = (np.fft.rfftfreq if half else np.fft.fftfreq)(nx, pixel_size_ang).astype(np.float32)
    return ky[:, None], kx[None, :]


def k2_per_ang2(shape_px: tuple[int, int], pixel_size_ang: float) -> NDArray[np.float32]:
    """Return k² in 1/Å² on the half plane of a real transform, (ny, nx // 2 + 1)."""
    ky, kx = frequencies_per_ang(shape_px, pixel_size_ang, half=True)
    return np.asarray(ky**2 + kx**2)


def lens_transfer(
    shape_px: tuple[int, int],
    pixel_size_ang: float,
    *,
    defocus_um: tuple[float, float, float],
    voltage_kv: float,
    spherical_aberration_mm: float,
) -> NDArray[np.complex64]:
    """Return exp(iχ) of the whole Fourier plane of an exit wave, in FFT order.

    Parameters
    ----------
    shape_px : tuple of int
        (ny, nx) of the wave.
    pixel_size_ang : float
        In Å.
    defocus_um : tuple of float
        Underfocus along the two principal axes in µm, and the angle in degrees of the
        first one from the x axis (RELION's DefocusU, DefocusV, DefocusAngle).
    voltage_kv, spherical_aberration_mm : float
        Of the microscope.
    """
    ky, kx = frequencies_per_ang(shape_px, pixel_size_ang, half=False)
    u, v, angle = defocus_um[0] * 1e4, defocus_um[1] * 1e4, np.radians(defocus_um[2])
    k2 = ky**2 + kx**2
    # k² cos 2(α - α0), without the angle α of each pixel
    k2_cos = (kx**2 - ky**2) * np.float32(np.cos(2 * angle)) + 2 * kx * ky * np.float32(
        np.sin(2 * angle)
    )
    chi = aberration_rad(
        k2,
        defocus_ang=(u + v) / 2,
        voltage_kv=voltage_kv,
        spherical_aberration_mm=spherical_aberration_mm,
    )
    chi += np.float32(np.pi * wavelength_ang(voltage_kv) * (u - v) / 2) * k2_cos
    transfer = np.empty(k2.shape, dtype=np.complex64)
    transfer.real, transfer.imag = np.cos(chi), np.sin(chi)
    return transfer


def detector_transfer(
    shape_px: tuple[int, int], pixel_size_ang: float, envelope_b_ang2: float
) -> NDArray[np.float32]:
    """Return the envelope of the contrast: exp(-B k²/4) times the sinc of a square pixel.

    (ny, nx // 2 + 1), for the half plane of a real transform.
    """
    ky, kx = frequencies_per_ang(shape_px, pixel_size_ang, half=True)
    envelope_y = np.exp(-envelope_b_ang2 / 4 * ky**2) * np.sinc(ky * pixel_size_ang)
    envelope_x = np.exp(-envelope_b_ang2 / 4 * kx**2) * np.sinc(kx * pixel_size_ang)
    return np.asarray(envelope_y * envelope_x, dtype=np.float32)


def focal_envelope(
    shape_px: tuple[int, int],
    pixel_size_ang: float,
    *,
    defocus_spread_ang: float,
    voltage_kv: float,
) -> NDArray[np.float32]:
    """Return exp(-(π λ δ k²)² / 2), the envelope of a spread δ of the defocus.

    The temporal envelope of linear imaging (Kirkland), on the half plane.
    """
    width = np.pi * wavelength_ang(voltage_kv) * defocus_spread_ang
    k2 = k2_per_ang2(shape_px, pixel_size_ang)
    return np.asarray(np.exp(-0.5 * (np.float32(width) * k2) ** 2), np.float32)


def detector_mtf(shape_px: tuple[int, int]) -> NDArray[np.float32]:
    """Return the modulation transfer of an indirect detector, on the half plane.

    A Lorentzian and a constant, 0.9 / (1 + (f / 0.2)²) + 0.1 with f in cycles per pixel: the
    form that Vulović et al. fit to scintillator cameras, with a width of such. It is 0.45 at
    half of Nyquist's frequency and 0.22 at Nyquist's.
    """
    f2 = k2_per_ang2(shape_px, 1.0)
    return np.asarray(0.9 / (1 + f2 / 0.2**2) + 0.1, dtype=np.float32)


def low_pass(
    shape_px: tuple[int, int], pixel_size_ang: float, low_pass_ang: float
) -> NDArray[np.float32]:
    """Return exp(-(k L)³ / 2) on the half plane: power falls to 1/e at 1/L, steeply beyond.

    A description of what denoising leaves of a picture's spectrum, not of how it works.
    """
    k = np.sqrt(k2_per_ang2(shape_px, pixel_size_ang)) * np.float32(low_pass_ang)
    return np.asarray(np.exp(-0.5 * k**3), dtype=np.float32)


def flattening(
    shape_px: tuple[int, int], pixel_size_ang: float, flatten_ang: float
) -> NDArray[np.float32]:
    """Return 1 - exp(-(k L)² / 2) on the half plane, 1 at k = 0: the mean is kept."""
    k2 = k2_per_ang2(shape_px, pixel_size_ang)
    transfer = 1 - np.exp(-0.5 * k2 * np.float32(flatten_ang) ** 2)
    transfer[0, 0] = 1
    return np.asarray(transfer, dtype=np.float32)
