"""Background: positions away from picks, negative examples that need no labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

# In particle diameters: from every pick, and from the micrograph's border.
LEAST_DISTANCE = 0.9
BORDER = 0.5
TRIALS = 40


def background_coords(
    taken_yx_px: NDArray[np.float64],
    shape_px: tuple[int, int],
    diameter_px: float,
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw up to n points of a micrograph away from all picks.

    Pickers miss few particles, so hardly any lie there; empty ice, carbon film and ice crystals
    do, in proportion to their area on the micrograph.

    Parameters
    ----------
    taken_yx_px : (m, 2) float64
        All picks of the micrograph, labelled or not.
    shape_px : tuple of int
        (ny, nx) of the micrograph.
    diameter_px : float
        Particle diameter.
    n : int
        Largest number of points; fewer where picks leave no room.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (k, 2) float64, k <= n
        Centres (y, x) in pixels.

    Examples
    --------
    >>> picks = np.array([[50.0, 50.0]])
    >>> points = background_coords(picks, (200, 100), 20.0, 30, np.random.default_rng(0))
    >>> points.shape, bool((np.hypot(*(points - picks).T) >= 18).all())
    ((30, 2), True)
    """
    border = BORDER * diameter_px
    high = np.array(shape_px, dtype=np.float64) - border
    if not len(taken_yx_px) or (high <= border).any():
        return np.empty((0, 2))
    points = rng.uniform(border, high, size=(TRIALS * n, 2))
    distance, _ = cKDTree(taken_yx_px).query(points)
    return np.asarray(points[distance >= LEAST_DISTANCE * diameter_px][:n])
