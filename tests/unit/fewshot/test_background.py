"""Background lies away from every pick and from the border, and only where there is room."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.fewshot.background import background_coords

DIAMETER = 20.0
SHAPE = (200, 400)  # (ny, nx)
PICKS = np.array([[50.0, 50.0], [150.0, 300.0], [100.0, 390.0]])


def drawn(picks: np.ndarray, n: int = 100, seed: int = 0, shape=SHAPE) -> np.ndarray:
    return background_coords(picks, shape, DIAMETER, n, np.random.default_rng(seed))


def distance_to_picks(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - PICKS, axis=-1).min(axis=1)


def test_no_point_is_near_a_pick() -> None:
    points = drawn(PICKS)
    assert points.shape == (100, 2)
    assert distance_to_picks(points).min() >= 0.9 * DIAMETER


def test_points_reach_everywhere_else() -> None:
    points = drawn(PICKS, n=4000)
    assert distance_to_picks(points).min() < DIAMETER
    # half a diameter stays free along each edge, y by the rows and x by the columns
    np.testing.assert_allclose(points.min(axis=0), [10, 10], atol=1)
    np.testing.assert_allclose(points.max(axis=0), [190, 390], atol=1)


def test_a_micrograph_without_picks_tells_nothing() -> None:
    assert drawn(np.empty((0, 2))).shape == (0, 2)


def test_where_picks_are_crowded_there_are_fewer_points() -> None:
    rows, columns = np.mgrid[0:201:10, 0:401:10]
    everywhere = np.stack([rows.ravel(), columns.ravel()], axis=1).astype(float)
    assert len(drawn(everywhere)) == 0
    nearly = everywhere[everywhere[:, 1] <= 370]  # leaves x = 387..390
    points = drawn(nearly, n=500)
    assert 0 < len(points) < 500
    assert points[:, 1].min() > 387


def test_a_micrograph_smaller_than_a_particle_has_no_room() -> None:
    assert len(drawn(PICKS, shape=(18, 400))) == 0


@pytest.mark.parametrize("n", [0, 1, 7])
def test_no_more_points_than_wanted(n: int) -> None:
    assert len(drawn(PICKS, n=n)) == n


def test_the_same_seed_draws_the_same_points() -> None:
    np.testing.assert_array_equal(drawn(PICKS), drawn(PICKS))
    assert not np.array_equal(drawn(PICKS), drawn(PICKS, seed=1))
