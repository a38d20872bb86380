from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE
from napari_pickeroptimizer.simulate import SimulatedMicrograph, simulate_micrograph
from napari_pickeroptimizer.simulate.picks import dark_spots_yx_px

NOTHING_ELSE = dict.fromkeys(
    ("carbon", "ice_crystals", "ice_balls", "aggregates", "broken", "ice_gradient"), False
)


@pytest.fixture(scope="module")
def with_carbon(tiny) -> SimulatedMicrograph:
    return simulate_micrograph(tiny(carbon_chance=1.0), np.random.default_rng(1))


def mean_box(image, x, y, half: int = 16) -> np.ndarray:
    """Average the boxes around centres, to the fraction of a pixel."""
    steps = np.arange(-half, half + 1.0)
    whole = [
        map_coordinates(image, np.meshgrid(j + steps, i + steps, indexing="ij"), order=1)
        for i, j in zip(x, y, strict=True)
        if half <= i <= image.shape[1] - 1 - half and half <= j <= image.shape[0] - 1 - half
    ]
    return np.mean(whole, axis=0)


def test_the_image_counts_electrons(tiny) -> None:
    simulated = simulate_micrograph(tiny(**NOTHING_ELSE), np.random.default_rng(0))
    image = simulated.image
    assert image.shape == (320, 400)
    assert image.dtype == np.float32
    # 50 e/Å² on 16 Å², less what 300 to 600 Å of ice take away
    assert 50 * 16 * np.exp(-900 / 3950) < image.mean() < 50 * 16


@pytest.mark.parametrize("shape", ["lobes", "barrel", "ring", "y"])
def test_particles_are_dark_and_centred_where_the_truth_says(tiny, shape: str) -> None:
    settings = tiny(n_particles=45, shape=shape, **NOTHING_ELSE)
    simulated = simulate_micrograph(settings, np.random.default_rng(0))
    box = mean_box(simulated.image, simulated.truth["x"], simulated.truth["y"])
    y, x = np.indices(box.shape) - 16
    near = np.hypot(y, x) < 11  # beyond lie the fringe and the neighbours
    darkness = np.where(near, box[~near].mean() - gaussian_filter(box, 1.5), 0)
    assert darkness.sum() > 0
    assert (darkness * y).sum() / darkness.sum() == pytest.approx(0, abs=1)
    assert (darkness * x).sum() / darkness.sum() == pytest.approx(0, abs=1)


def test_the_particles_are_not_at_swapped_coordinates(tiny) -> None:
    settings = tiny(**NOTHING_ELSE, n_particles=40)
    simulated = simulate_micrograph(settings, np.random.default_rng(0))
    x, y = simulated.truth["x"], simulated.truth["y"]
    right, swapped = (mean_box(simulated.image, *xy) for xy in ((x, y), (y, x)))
    contrast = [box[10:23, 10:23].mean() - np.median(box) for box in (right, swapped)]
    assert contrast[0] < 0
    assert contrast[0] < 4 * contrast[1]


def test_carbon_is_darker_and_grainier_than_ice(with_carbon: SimulatedMicrograph) -> None:
    image, regions = with_carbon.image, with_carbon.regions
    y, x = np.indices(image.shape, dtype=np.float64)
    depth = regions.carbon_depth_px(y, x)
    on, off = image[depth > 30], image[depth < -30]
    assert np.median(on) < 0.97 * np.median(off)
    smooth = image - gaussian_filter(image, 3)
    # medians: black crystals lie on either side
    on, off = np.abs(smooth[depth > 30]), np.abs(smooth[depth < -30])
    assert np.median(on) / np.sqrt(np.median(image[depth > 30])) > np.median(off) / np.sqrt(
        np.median(image[depth < -30])
    )


def test_a_fresnel_fringe_runs_along_the_carbons_rim(tiny) -> None:
    settings = tiny(carbon_chance=1.0, n_particles=0, shot_noise=False, solvent_noise=False)
    with_fringe = simulate_micrograph(settings, np.random.default_rng(4))
    image, regions = with_fringe.image, with_fringe.regions
    y, x = np.indices(image.shape, dtype=np.float64)
    depth = regions.carbon_depth_px(y, x)
    outside = np.median(image[(depth < -20) & (depth > -60)])
    rim = np.median(image[(depth < 0) & (depth > -4)])
    assert rim > 1.01 * outside


def test_picks_have_the_class_of_the_region_they_lie_in(
    with_carbon: SimulatedMicrograph,
) -> None:
    picks, regions = with_carbon.picks, with_carbon.regions
    classes = regions.class_at(picks["y"].to_numpy(), picks["x"].to_numpy())
    np.testing.assert_array_equal(picks["class"], classes)
    assert set(classes) == {PARTICLE, CONTAMINANT, CARBON}


def test_picks_lie_inside_and_apart(with_carbon: SimulatedMicrograph) -> None:
    picks, regions = with_carbon.picks, with_carbon.regions
    yx = picks[["y", "x"]].to_numpy()
    assert regions.inside_border(yx[:, 0], yx[:, 1]).all()
    gaps = np.linalg.norm(yx[:, None] - yx[None], axis=2)[~np.eye(len(yx), dtype=bool)]
    assert gaps.min() >= 0.4 * 30


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5])
def test_the_share_of_false_picks_is_the_one_asked_for(tiny, share: float) -> None:
    settings = tiny(false_share=share, recall=1.0, carbon_chance=1.0)
    picks = simulate_micrograph(settings, np.random.default_rng(2)).picks
    assert (picks["class"] != PARTICLE).mean() == pytest.approx(share, abs=0.03)


def test_the_pickers_score_is_higher_on_particles(tiny) -> None:
    settings = tiny(n_particles=40, false_share=0.5, carbon_chance=1.0)
    picks = simulate_micrograph(settings, np.random.default_rng(2)).picks
    true = picks["class"] == PARTICLE
    assert picks["picker_score"].between(0, 1).all()
    assert picks["picker_score"][true].mean() > picks["picker_score"][~true].mean() + 0.05
    assert picks["picker_score"][~true].max() > picks["picker_score"][true].min()


def test_without_carbon_there_are_no_carbon_picks(tiny) -> None:
    settings = tiny(carbon=False, carbon_chance=1.0)
    assert CARBON not in set(
        simulate_micrograph(settings, np.random.default_rng(1)).picks["class"]
    )


def test_with_every_switch_off_the_ground_is_flat(tiny) -> None:
    settings = tiny(n_particles=0, shot_noise=False, solvent_noise=False, **NOTHING_ELSE)
    simulated = simulate_micrograph(settings, np.random.default_rng(0))
    assert np.ptp(simulated.image) < 1e-3 * simulated.image.mean()
    assert simulated.truth.empty
    assert simulated.picks.empty


def test_without_ctf_no_fringes_remain_only_absorption(tiny) -> None:
    settings = tiny(ctf=False, shot_noise=False, solvent_noise=False, **NOTHING_ELSE)
    image = simulate_micrograph(settings, np.random.default_rng(0)).image
    ground = np.median(image)
    assert image.max() < 1.001 * ground
    assert image.min() < 0.99 * ground


def test_shot_noise_has_the_variance_of_counting(tiny) -> None:
    settings = tiny(n_particles=0, solvent_noise=False, **NOTHING_ELSE)
    image = simulate_micrograph(settings, np.random.default_rng(0)).image
    assert image.var() == pytest.approx(image.mean(), rel=0.05)
    assert (image == np.round(image)).all()


def test_switching_noise_moves_no_object(tiny) -> None:
    noisy, clean = (
        simulate_micrograph(tiny(shot_noise=on, solvent_noise=on), np.random.default_rng(0))
        for on in (True, False)
    )
    assert noisy.truth.equals(clean.truth)
    assert noisy.regions.objects == clean.regions.objects


def test_the_same_stream_gives_the_same_micrograph_bit_for_bit(tiny) -> None:
    first, second = (simulate_micrograph(tiny(), np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    assert first.picks.equals(second.picks)
    other = simulate_micrograph(tiny(), np.random.default_rng(8))
    assert not np.array_equal(first.image, other.image)


def test_dark_spots_are_found_in_the_pixels_of_the_micrograph() -> None:
    image = np.full((120, 200), 10.0, dtype=np.float32)
    y, x = np.indices(image.shape)
    image -= 4 * np.exp(-((y - 40) ** 2 + (x - 150) ** 2) / (2 * 8**2)).astype(np.float32)
    np.testing.assert_allclose(dark_spots_yx_px(image, diameter_px=36.0)[0], (40, 150), atol=2)
