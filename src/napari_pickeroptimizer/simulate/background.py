"""Background of a micrograph: ice of uneven thickness, and the noise of water and carbon."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import zoom

from napari_pickeroptimizer.simulate.ctf import k2_per_ang2

# Mean inner potential of vitreous ice (Vulović et al., J. Struct. Biol. 183 (2013) 19-32).
ICE_POTENTIAL_V = 4.53
# Water molecules per Å³ at 0.93 g/cm³.
WATER_PER_ANG3 = 0.0311
# Amplitude goes as exp(-t / 2Λ): inelastic mean free path in ice at 300 kV
# (Rice et al., J. Struct. Biol. 204 (2018) 38-44: 395 nm).
ICE_MEAN_FREE_PATH_ANG = 3950.0

# Amorphous carbon of 2 g/cm³: atoms per Å³ and the volume integral of one atom's potential.
CARBON_ATOMS_PER_ANG3 = 0.1
CARBON_ATOM_V_ANG3 = 120.0
CARBON_MEAN_FREE_PATH_ANG = 1900.0


def ice_thickness_ang(
    shape_px: tuple[int, int],
    range_ang: tuple[float, float],
    rng: np.random.Generator,
    *,
    gradient: bool,
) -> NDArray[np.float32]:
    """Return a smooth (ny, nx) map of the ice thickness in Å.

    A mean drawn from `range_ang`; with `gradient` a slope of up to ±30 % across the field,
    the meniscus of a hole (thinner in its middle) and a slow random swell of ±4 %.
    """
    mean = rng.uniform(*range_ang)
    angle, slope, bowl = (
        rng.uniform(0, 2 * np.pi),
        rng.uniform(0.15, 0.3),
        rng.uniform(0, 0.15),
    )
    centre_y, centre_x = rng.uniform(-0.4, 0.4, size=2)
    swell = rng.standard_normal((9, 9))
    ny, nx = shape_px
    if not gradient:
        return np.full(shape_px, mean, dtype=np.float32)
    y = np.linspace(-1, 1, ny, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, nx, dtype=np.float32)[None, :]
    relative = (
        1 + np.float32(slope * np.sin(angle)) * y + np.float32(slope * np.cos(angle)) * x
    )
    relative += np.float32(bowl) * (
        (y - np.float32(centre_y)) ** 2 + (x - np.float32(centre_x)) ** 2
    )
    relative += np.float32(0.04) * _stretched(swell, shape_px)
    return np.asarray(mean * np.maximum(relative, 0.2), dtype=np.float32)


def _stretched(coarse: NDArray[np.float64], shape_px: tuple[int, int]) -> NDArray[np.float32]:
    """Interpolate a small map smoothly to `shape_px`: cubic to 64ths, linear from there."""
    middle = zoom(coarse, 64 / len(coarse), order=3)
    ny, nx = shape_px
    y = np.linspace(0, len(middle) - 1, ny)
    x = np.linspace(0, len(middle) - 1, nx)
    rows = np.stack([np.interp(y, np.arange(len(middle)), column) for column in middle.T])
    low = np.minimum(x.astype(int), len(middle) - 2)
    share = (x - low).astype(np.float32)
    rows = rows.T.astype(np.float32)  # (ny, 64)
    return np.asarray(rows[:, low] * (1 - share) + rows[:, low + 1] * share, dtype=np.float32)


def water_phase_noise_rad(
    shape_px: tuple[int, int],
    pixel_size_ang: float,
    interaction_rad_per_v_ang: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the phase noise of 1 Å of vitreous water; multiply by sqrt(thickness in Å).

    Scattered independently, N molecules per Å² would give each pixel of area a a variance
    of N φ₁² / a; water is nearly incompressible, so this is damped by its structure factor
    S(k): 0.06 at low k, rising to the ring at 1/3.1 Å (here a Gaussian of that height).
    Real micrographs show more power below 1/60 Å than water explains (unfolded protein,
    surface contamination); 0.2 / (1 + (60 Å k)²) stands for it.
    """
    one_molecule = interaction_rad_per_v_ang * ICE_POTENTIAL_V / WATER_PER_ANG3  # rad Å²
    k2 = k2_per_ang2(shape_px, pixel_size_ang)
    ring = 1.4 * np.exp(-(((np.sqrt(k2) - 1 / 3.1) / 0.065) ** 2))
    structure = 0.06 + ring + 0.2 / (1 + k2 * 60.0**2)
    sigma = one_molecule * np.sqrt(WATER_PER_ANG3) / pixel_size_ang
    return _coloured(shape_px, structure, sigma, rng)


def carbon_phase_noise_rad(
    shape_px: tuple[int, int],
    pixel_size_ang: float,
    interaction_rad_per_v_ang: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the phase noise of 1 Å of amorphous carbon; multiply by sqrt(thickness in Å).

    Its spectrum is stronger than water's at every frequency that the image keeps, and grows
    towards low k, as films are porous and uneven over some nanometres.
    """
    one_atom = interaction_rad_per_v_ang * CARBON_ATOM_V_ANG3  # rad Å²
    structure = 0.35 + 3.0 / (1 + k2_per_ang2(shape_px, pixel_size_ang) * 45.0**2)
    sigma = one_atom * np.sqrt(CARBON_ATOMS_PER_ANG3) / pixel_size_ang
    return _coloured(shape_px, structure, sigma, rng)


def _coloured(
    shape_px: tuple[int, int],
    power: NDArray[np.float32],
    sigma: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    white = rng.standard_normal(shape_px, dtype=np.float32)
    spectrum = scipy.fft.rfft2(white)
    spectrum *= np.sqrt(power) * np.float32(sigma)
    return np.asarray(scipy.fft.irfft2(spectrum, s=shape_px), dtype=np.float32)
