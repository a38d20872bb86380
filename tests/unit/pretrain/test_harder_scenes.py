"""Overlaps, unfolded protein, specks, dirt, and areas of other ice, over a micrograph."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.pretrain.harder_scenes import (
    HARDER,
    HARDER_DEFOCUS_SPREAD_ANG,
    HarderScenes,
    add_overlaps,
    denatured_model,
)
from napari_pickeroptimizer.pretrain.ice_areas import crystalline_ice, share_inside
from napari_pickeroptimizer.simulate import simulate_micrograph
from napari_pickeroptimizer.simulate.layout import lay_out
from napari_pickeroptimizer.simulate.regions import Area, Layout, Placed
from napari_pickeroptimizer.simulate.shapes import particle_model

DISC = np.zeros((0, 3))
SWITCHES = {
    "overlap_share": 0.5,
    "denatured_share": 0.4,
    "speckle_chance": 1.0,
    "crystalline_chance": 1.0,
    "empty_chance": 1.0,
    "dirt_chance": 1.0,
}


def places(layout: Layout) -> Counter[tuple[float, float]]:
    return Counter((o.y, o.x) for o in layout.objects)


@pytest.mark.parametrize("name", SWITCHES)
def test_switching_one_difficulty_moves_nothing_else(tiny, name: str) -> None:
    rest = {k: v for k, v in SWITCHES.items() if k not in ("empty_chance", name)}
    on, off = (
        lay_out(tiny(carbon_chance=1.0), np.random.default_rng(0), HarderScenes(**switches))
        for switches in ({**rest, name: SWITCHES[name]}, rest)
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
        simulate_micrograph(tiny(**quiet), np.random.default_rng(5), scene=scene)
        for scene in (HarderScenes(empty_chance=1.0), None)
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
    dirty = HarderScenes(dirt_chance=1.0)
    layout = lay_out(tiny(carbon_chance=1.0), np.random.default_rng(1), dirty)
    dirt = [o for o in layout.objects if o.kind == "dirt"]
    y, x = np.array([(o.y, o.x) for o in dirt]).T
    assert (layout.carbon_depth_px(y, x) > 0).all()
    assert (layout.class_at(y, x) == 3).all()
    none = lay_out(tiny(carbon=False), np.random.default_rng(1), dirty)
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


def test_with_everything_at_once_every_pick_has_the_class_of_its_place(tiny) -> None:
    settings = tiny(
        carbon_chance=1.0,
        defocus_spread_ang=HARDER_DEFOCUS_SPREAD_ANG,
        shape_px=(500, 600),
        n_particles=30,
        false_share=0.6,
    )
    everything = HarderScenes(**SWITCHES)
    simulated = simulate_micrograph(settings, np.random.default_rng(2), scene=everything)
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


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("overlap_share", 1.5),
        ("denatured_share", -0.1),
        ("speckle_chance", 2.0),
        ("crystalline_chance", -1.0),
        ("empty_chance", 1.1),
        ("dirt_chance", 1.1),
    ],
)
def test_a_bad_setting_is_named_in_the_error(name: str, bad: float) -> None:
    with pytest.raises(SettingsError, match=name):
        HarderScenes(**{name: bad})


def test_all_difficulties_together_hold_each_of_them() -> None:
    assert all(value > 0 for value in asdict(HARDER).values())


def test_a_scene_without_difficulties_changes_nothing(tiny) -> None:
    plain, empty = (
        simulate_micrograph(tiny(), np.random.default_rng(0), scene=scene)
        for scene in (None, HarderScenes())
    )
    np.testing.assert_array_equal(plain.image, empty.image)
    assert plain.picks.equals(empty.picks)
