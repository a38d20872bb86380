from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from napari_pickeroptimizer.simulate import simulate_micrograph
from napari_pickeroptimizer.simulate.areas import Area, crystalline_ice, share_inside
from napari_pickeroptimizer.simulate.ctf import (
    detector_mtf,
    flattening,
    focal_envelope,
    low_pass,
)
from napari_pickeroptimizer.simulate.extras import add_overlaps
from napari_pickeroptimizer.simulate.layout import Layout, Placed, lay_out
from napari_pickeroptimizer.simulate.settings import HARDER
from napari_pickeroptimizer.simulate.shapes import denatured_model, particle_model

DISC = np.zeros((0, 3))
SWITCHES = {
    "overlap_share": 0.5,
    "denatured_share": 0.4,
    "speckle_chance": 1.0,
    "crystalline_chance": 1.0,
    "empty_chance": 1.0,
    "dirt_chance": 1.0,
}
EVERYTHING = {**SWITCHES, "carbon_chance": 1.0, "defocus_spread_ang": 80.0}


def places(layout: Layout) -> Counter[tuple[float, float]]:
    return Counter((o.y, o.x) for o in layout.objects)


@pytest.mark.parametrize("name", SWITCHES)
def test_switching_one_difficulty_moves_nothing_else(tiny, name: str) -> None:
    rest = {k: v for k, v in SWITCHES.items() if k not in ("empty_chance", name)}
    on, off = (
        lay_out(tiny(carbon_chance=1.0, **rest, **extra), np.random.default_rng(0))
        for extra in ({name: SWITCHES[name]}, {})
    )
    if name == "empty_chance":  # takes away, and adds nothing
        assert places(on) + Counter((o.y, o.x) for o in on.emptied) == places(off)
    elif name != "denatured_share":  # which may take specks' room, never that of others
        assert not places(off) - places(on)
    kept = [(o.y, o.x, o.order) for o in off.objects if o.kind in ("particle", "broken")]
    drawn = {(o.y, o.x, o.order) for o in (*on.objects, *on.emptied)}
    assert drawn.issuperset(kept)


def test_particles_look_the_same_whatever_an_empty_area_takes_away(tiny) -> None:
    # noise off: what is far from the area and from every object of it is untouched
    quiet = {"shot_noise": False, "solvent_noise": False, "ctf": False, "carbon": False}
    with_area, without = (
        simulate_micrograph(tiny(empty_chance=c, **quiet), np.random.default_rng(5))
        for c in (1.0, 0.0)
    )
    (area,) = with_area.regions.areas
    assert with_area.regions.emptied
    y, x = np.indices(without.image.shape, dtype=np.float64)
    far = area.depth_px(y, x) < -40
    assert far.mean() > 0.2
    np.testing.assert_allclose(with_area.image[far], without.image[far], rtol=1e-4)


def test_overlap_nearer_than_half_a_diameter_spoils_both_farther_apart_neither() -> None:
    alone = Layout((4000, 4000), 40.0, (Placed("particle", 2000.0, 2000.0, 20.0),), None)
    for seed in range(20):
        layout = add_overlaps(alone, 1.0, np.random.default_rng(seed))
        one, two = layout.objects
        apart = np.hypot(one.y - two.y, one.x - two.x)
        assert 0.2 * 40 <= apart <= 0.8 * 40
        assert one.kind == two.kind == ("overlap" if apart < 20 else "particle")
        assert len(layout.whole_particles()) == (0 if apart < 20 else 2)


@pytest.mark.parametrize("kind", ["ethane", "denatured"])
def test_a_speck_or_unfolded_chain_over_a_particle_spoils_it(kind) -> None:
    free = (Placed("particle", 100.0, 50.0, 10.0), Placed("particle", 100.0, 150.0, 10.0))
    layout = Layout((200, 300), 20.0, (*free, Placed(kind, 103.0, 50.0, 3.0)), None)
    assert layout.whole_particles().to_dict("records") == [{"x": 150.0, "y": 100.0}]
    assert layout.class_at(np.array([100.0, 100.0]), np.array([50.0, 150.0])).tolist() == [
        2,
        1,
    ]


def test_a_pick_in_crystalline_ice_is_a_contaminant_in_an_empty_area_by_what_is_there() -> (
    None
):
    objects = tuple(Placed("particle", 100.0, float(x), 10.0) for x in (50, 150, 250))
    areas = (
        Area("crystalline", (100.0, 50.0), 30.0, DISC),
        Area("empty", (100.0, 250.0), 30.0, DISC),
    )
    layout = replace(Layout((200, 300), 20.0, objects, None), areas=areas)
    at = np.array([100.0] * 4), np.array([50.0, 84.0, 150.0, 250.0])
    assert layout.class_at(*at).tolist() == [2, 2, 1, 1]  # 84: within a quarter diameter
    assert sorted(layout.whole_particles()["x"]) == [150.0, 250.0]


def test_dirt_lies_on_carbon_only(tiny) -> None:
    layout = lay_out(tiny(carbon_chance=1.0, dirt_chance=1.0), np.random.default_rng(1))
    dirt = [o for o in layout.objects if o.kind == "dirt"]
    y, x = np.array([(o.y, o.x) for o in dirt]).T
    assert (layout.carbon_depth_px(y, x) > 0).all()
    assert (layout.class_at(y, x) == 3).all()
    none = lay_out(tiny(carbon=False, dirt_chance=1.0), np.random.default_rng(1))
    assert not [o for o in none.objects if o.kind == "dirt"]


def test_an_area_is_a_disc_with_a_rough_rim() -> None:
    disc = Area("empty", (10.0, 20.0), 30.0, DISC)
    y, x = np.array([10.0, 10.0, 58.0]), np.array([20.0, 60.0, 84.0])
    np.testing.assert_allclose(disc.depth_px(y, x), [30, -10, -50])
    wavy = replace(disc, waves=np.array([[5.0, 2.0, 0.0]]))
    np.testing.assert_allclose(wavy.depth_px(y[1:2], x[1:2]), -5, atol=1e-3)


def test_the_share_inside_an_area_is_right_off_the_coarse_grid() -> None:
    disc = Area("empty", (40.0, 50.0), 30.0, DISC)
    y = np.arange(81, dtype=np.float32)[:, None]
    x = np.arange(102, dtype=np.float32)[None, :]
    share = share_inside(disc, y, x, 20.0)
    assert share.shape == (81, 102)
    depth = disc.depth_px(y, x)
    assert (share[depth > 26] == 1).all()
    assert (share[depth < -6] == 0).all()
    assert share[40, 50 + 20] == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("pixel_ang", [3.0, 10.0])
def test_crystalline_ice_has_dark_grains_bright_ghosts_and_the_size_asked_for(
    pixel_ang: float,
) -> None:
    shape_px = (round(1500 / pixel_ang), round(2000 / pixel_ang))
    phase, absorbed = crystalline_ice(shape_px, pixel_ang, np.random.default_rng(0))
    assert phase.shape == absorbed.shape == shape_px
    assert np.isfinite(phase).all()
    assert absorbed.max() > 0.1
    assert absorbed.min() < -0.02
    assert abs(phase.mean()) < 0.05


def test_unfolded_protein_keeps_its_mass_and_fits_its_radius() -> None:
    model = particle_model("lobes", 120.0, np.random.default_rng(0))
    loose = denatured_model(model, 80.0, np.random.default_rng(1))
    assert loose.weights.sum() == pytest.approx(model.weights.sum())
    np.testing.assert_allclose(loose.weights @ loose.points_ang, 0, atol=1e-6)
    assert np.quantile(np.linalg.norm(loose.points_ang, axis=1), 0.9) < 100


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


def test_with_everything_at_once_every_pick_has_the_class_of_its_place(tiny) -> None:
    settings = tiny(**EVERYTHING, shape_px=(500, 600), n_particles=30, false_share=0.6)
    simulated = simulate_micrograph(settings, np.random.default_rng(2))
    picks, regions = simulated.picks, simulated.regions
    found = regions.class_at(picks["y"].to_numpy(), picks["x"].to_numpy())
    np.testing.assert_array_equal(picks["class"], found)
    truth = simulated.truth
    assert (regions.class_at(truth["y"].to_numpy(), truth["x"].to_numpy()) == 1).all()
    kinds = {o.kind for o in regions.objects}
    assert {"overlap", "denatured", "ethane", "dirt"} <= kinds
    assert {a.kind for a in regions.areas} == {"crystalline", "empty"}
    assert np.isfinite(simulated.image).all()
    assert {"crystalline", "denatured"} <= set(picks["kind"])


def test_the_harder_settings_are_valid(tiny) -> None:
    assert tiny(**HARDER).overlap_share > 0
