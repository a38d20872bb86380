from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.simulate import simulate_micrograph
from napari_pickeroptimizer.simulate.ctf import (
    detector_mtf,
    flattening,
    focal_envelope,
    low_pass,
)


def test_defocus_spread_damps_as_the_formula_says() -> None:
    envelope = focal_envelope((64, 64), 2.0, defocus_spread_ang=100.0, voltage_kv=300.0)
    k = 16 / (64 * 2.0)
    assert envelope[0, 0] == 1
    assert envelope[0, 16] == pytest.approx(
        np.exp(-0.5 * (np.pi * 1.969 * k**2) ** 2), rel=1e-3
    )


def test_an_indirect_detector_blurs_noise_too_and_keeps_the_mean(tiny) -> None:
    transfer = detector_mtf((64, 64))
    assert transfer[0, 0] == 1
    assert transfer[0, 32] == pytest.approx(0.9 / (1 + 0.25 / 0.04) + 0.1)
    sharp, blurred = (
        simulate_micrograph(tiny(detector_mtf=on), np.random.default_rng(0)).image
        for on in (False, True)
    )
    assert blurred.mean() == pytest.approx(sharp.mean(), rel=1e-3)
    assert np.diff(blurred).std() < 0.6 * np.diff(sharp).std()


def test_a_low_pass_leaves_what_is_coarse(tiny) -> None:
    assert low_pass((64, 64), 5.0, 80.0)[0, 4] == pytest.approx(np.exp(-0.5), rel=1e-5)
    raw, smooth = (
        simulate_micrograph(tiny(low_pass_ang=a), np.random.default_rng(0)).image
        for a in (0.0, 70.0)
    )
    assert smooth.mean() == pytest.approx(raw.mean(), rel=1e-3)
    assert np.diff(smooth).std() < 0.2 * np.diff(raw).std()


def test_flattening_takes_the_carbons_shade_away_and_keeps_the_mean(tiny) -> None:
    assert flattening((64, 64), 5.0, 80.0)[0, 4] == pytest.approx(1 - np.exp(-0.5), rel=1e-5)
    plain, flat = (
        simulate_micrograph(
            tiny(carbon_chance=1.0, flatten_ang=a, shot_noise=False), np.random.default_rng(1)
        )
        for a in (0.0, 300.0)
    )
    assert flat.image.mean() == pytest.approx(plain.image.mean(), rel=0.02)
    y, x = np.indices(flat.image.shape, dtype=np.float64)
    depth = flat.regions.carbon_depth_px(y, x)
    steps = [
        np.median(s.image[depth < -40]) - np.median(s.image[depth > 40]) for s in (plain, flat)
    ]
    assert abs(steps[1]) < 0.3 * steps[0]
