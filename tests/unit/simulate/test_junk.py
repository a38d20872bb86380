from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.simulate.junk import (
    CarbonFilm,
    add_at,
    carbon_film,
    crystal_thickness_ang,
    drop_thickness_ang,
)


def test_depth_in_carbon_grows_away_from_the_hole() -> None:
    film = CarbonFilm((0.0, 0.0), 100.0, np.zeros((0, 3)), 150.0, 50.0)
    y, x = np.array([0.0, 60.0, 120.0]), np.array([0.0, 80.0, 160.0])
    np.testing.assert_allclose(film.depth_px(y, x), [-100, 0, 100])


def test_rough_rim_bends_only_the_rim() -> None:
    film = CarbonFilm((0.0, 0.0), 1000.0, np.array([[5.0, 0.1, 0.0]]), 150.0, 50.0)
    y, x = np.zeros(2), np.array([1000.0, 100.0])
    np.testing.assert_allclose(film.depth_px(y, x), [-5, -900])


@pytest.mark.parametrize("seed", range(5))
def test_carbon_covers_a_part_of_the_micrograph(seed: int) -> None:
    film = carbon_film((300, 400), 40.0, 2.0, np.random.default_rng(seed))
    y, x = np.arange(300.0)[:, None], np.arange(400.0)[None, :]
    assert 0.05 < (film.depth_px(y, x) > 0).mean() < 0.45


@pytest.mark.parametrize("make", [crystal_thickness_ang, drop_thickness_ang])
@pytest.mark.parametrize("seed", range(5))
def test_lumps_are_finite_and_end_within_their_window(make, seed: int) -> None:
    thickness, darkness = make(30.0, 2.0, np.random.default_rng(seed))
    assert np.isfinite(thickness).all()
    assert thickness[len(thickness) // 2, len(thickness) // 2] > 0
    assert (thickness >= 0).all()
    assert (darkness > 0).all()
    assert thickness[0].max() == thickness[:, 0].max() == 0


def test_a_patch_is_added_around_its_centre() -> None:
    canvas = np.zeros((5, 6), dtype=np.float32)
    add_at(canvas, np.ones((3, 3), dtype=np.float32), (1.0, 4.2))
    assert canvas.sum() == 9
    assert (canvas[0:3, 3:6] == 1).all()


@pytest.mark.parametrize(
    ("centre", "left"), [((0, 0), 4), ((-1, 2), 3), ((9, 9), 0)], ids=["corner", "rim", "out"]
)
def test_a_patch_is_cut_at_the_rim(centre: tuple[float, float], left: int) -> None:
    canvas = np.zeros((5, 6), dtype=np.float32)
    add_at(canvas, np.ones((3, 3), dtype=np.float32), centre)
    assert canvas.sum() == left
