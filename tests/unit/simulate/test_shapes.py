from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from napari_pickeroptimizer.simulate.settings import ShapeName
from napari_pickeroptimizer.simulate.shapes import (
    RESIDUE_VOLUME_ANG3,
    ParticleModel,
    broken_model,
    longest_extent,
    particle_model,
    project_at,
    splat,
)

SHAPES = get_args(ShapeName)


def test_splat_shares_a_point_among_four_pixels() -> None:
    canvas = np.zeros((3, 4))
    splat(canvas, np.array([[1.25, 2.5]]), weight=8.0)
    np.testing.assert_allclose(canvas, [[0, 0, 0, 0], [0, 0, 3, 3], [0, 0, 1, 1]])


def test_splat_drops_what_lies_outside() -> None:
    canvas = np.zeros((2, 2))
    splat(canvas, np.array([[-5.0, 0.0], [0.0, 1.5]]), weight=1.0)
    np.testing.assert_allclose(canvas, [[0, 0.5], [0, 0]])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_projected_particle_is_centred_where_it_is_put(shape: ShapeName) -> None:
    model = particle_model(shape, 100.0, np.random.default_rng(0))
    canvas = np.zeros((100, 120))
    turn = Rotation.from_rotvec([0.3, -1.2, 0.8])
    project_at(canvas, model, (40.3, 70.6), turn, pixel_size_ang=2.0)
    y, x = np.indices(canvas.shape)
    assert canvas.sum() == pytest.approx(len(model.points_ang))
    assert (canvas * y).sum() / canvas.sum() == pytest.approx(40.3, abs=1e-6)
    assert (canvas * x).sum() / canvas.sum() == pytest.approx(70.6, abs=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_particle_is_as_long_as_its_diameter(shape: ShapeName) -> None:
    points = particle_model(shape, 200.0, np.random.default_rng(1)).points_ang
    assert pdist(points).max() == pytest.approx(200.0, rel=0.05)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_particle_holds_as_many_residues_as_a_protein_of_that_size(shape: ShapeName) -> None:
    points = particle_model(shape, 150.0, np.random.default_rng(1)).points_ang
    volume = len(points) * RESIDUE_VOLUME_ANG3
    assert 0.04 < volume / 150.0**3 < 0.4  # of the cube around it; a full ball has 0.52


@pytest.mark.parametrize(
    ("shape", "turn"),
    [
        ("lobes", Rotation.from_rotvec([0, 0, np.pi])),
        ("lobes", Rotation.from_rotvec([np.pi, 0, 0])),
        ("barrel", Rotation.from_rotvec([0, 0, 2 * np.pi / 7])),
        ("ring", Rotation.from_rotvec([0, 0, 2 * np.pi / 8])),
    ],
    ids=["lobes-about-z", "lobes-about-x", "barrel", "ring"],
)
def test_a_symmetric_particle_looks_the_same_after_its_turn(
    shape: ShapeName, turn: Rotation
) -> None:
    points = particle_model(shape, 50.0, np.random.default_rng(2)).points_ang
    turned = turn.apply(points)
    nearest = np.linalg.norm(points[None] - turned[:40, None], axis=2).min(axis=1)
    assert nearest.max() < 1e-6


def test_weighted_points_project_with_their_mass_and_centre() -> None:
    points = np.array([[-30.0, 0, 5], [10, 0, -5]])
    model = ParticleModel(points, 40.0, np.array([1.0, 3.0]))
    canvas = np.zeros((40, 50))
    project_at(canvas, model, (20.0, 25.0), Rotation.identity(), pixel_size_ang=2.0)
    assert canvas[20, 10] == pytest.approx(1)
    assert canvas[20, 30] == pytest.approx(3)
    assert canvas.sum() == pytest.approx(4)


def test_a_ball_projects_to_its_chords() -> None:
    # a ball of radius R and density D has the projection 2 D sqrt(R² - r²)
    radius, rng = 40.0, np.random.default_rng(0)
    points = rng.uniform(-radius, radius, size=(200_000, 3))
    points = points[(points**2).sum(axis=1) < radius**2]
    model = ParticleModel(points, 2 * radius, np.full(len(points), 0.5))
    canvas = np.zeros((41, 41))
    project_at(canvas, model, (20.0, 20.0), Rotation.from_rotvec([1, 2, 3]), 4.0)
    density = 0.5 * len(points) / (4 / 3 * np.pi * radius**3)
    y, x = np.indices(canvas.shape) - 20
    r = 4.0 * np.hypot(y, x)
    expected = 2 * density * np.sqrt(np.maximum(radius**2 - r**2, 0)) * 4.0**2
    inner = r < 0.8 * radius
    np.testing.assert_allclose(canvas[inner], expected[inner], rtol=0.15)
    assert np.corrcoef(canvas.ravel(), expected.ravel())[0, 1] > 0.99


def test_the_longest_extent_of_flat_and_straight_clouds() -> None:
    square = np.array([[x, y, 0.0] for x in (0, 3, 6) for y in (0, 4, 8)])
    assert longest_extent(square) == pytest.approx(10)
    assert longest_extent(square[:3]) == pytest.approx(8)
    assert longest_extent(square[:1]) == 0


def test_a_broken_particle_is_a_centred_part_of_the_whole() -> None:
    whole = particle_model("barrel", 100.0, np.random.default_rng(0))
    part = broken_model(whole, np.random.default_rng(5))
    assert 0.2 <= len(part.points_ang) / len(whole.points_ang) <= 0.5
    np.testing.assert_allclose(part.points_ang.mean(axis=0), 0, atol=1e-9)
