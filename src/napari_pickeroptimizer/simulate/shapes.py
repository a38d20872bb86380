"""Particles as clouds of residues: analytic shapes, filled at random, with their symmetry.

Atomic models and maps become such clouds as well (`structures`).

A cloud is projected by rotating its points and dropping z; no volume is interpolated, so the
projected centre of mass lies where it is put, to a fraction of a pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.settings import ShapeName

Points = NDArray[np.float64]

# 1.21 Å³/Da (partial specific volume 0.73 cm³/g) times 110 Da.
RESIDUE_VOLUME_ANG3 = 133.0
RESIDUE_MASS_DA = 110.0
# The envelopes drawn below are looser than a protein's surface.
PACKING = 0.72


@dataclass(frozen=True)
class ParticleModel:
    """A rigid cloud of residues.

    Parameters
    ----------
    points_ang : (n, 3) float64
        Residue centres (x, y, z) in Å, centre of mass at the origin.
    diameter_ang : float
        Longest extent in Å.
    weights : (n,) float64
        How much each point scatters, in average residues (110 Da, 133 Å³).
    """

    points_ang: Points
    diameter_ang: float
    weights: NDArray[np.float64]

    @classmethod
    def centred(
        cls, points_ang: Points, weights: NDArray[np.float64], diameter_ang: float
    ) -> ParticleModel:
        """Return the model of points anywhere, moved to their centre of mass."""
        centre = (points_ang * weights[:, None]).sum(axis=0) / weights.sum()
        return cls(points_ang - centre, diameter_ang, weights)


def _lobes(p: Points) -> NDArray[np.bool_]:
    """Return which points lie in one of four lobes at (±a, ±b, 0) or the core: 1 × 0.75 × 0.5."""
    a, b = 0.26, 0.16
    lobe = np.zeros(len(p), dtype=bool)
    for sx, sy, tilt in ((1, 1, 1), (-1, -1, 1), (1, -1, -1), (-1, 1, -1)):
        q = p - np.array([sx * a, sy * b, tilt * 0.06])
        lobe |= (q[:, 0] / 0.235) ** 2 + (q[:, 1] / 0.21) ** 2 + (q[:, 2] / 0.19) ** 2 < 1
    core = (p[:, 0] / 0.3) ** 2 + (p[:, 1] / 0.12) ** 2 + (p[:, 2] / 0.12) ** 2 < 1
    return lobe | core


def _barrel(p: Points) -> NDArray[np.bool_]:
    """Return which points lie in a hollow double ring of seven columns, 0.94 across, 1 tall."""
    rho = np.hypot(p[:, 0], p[:, 1])
    angle = np.arctan2(p[:, 1], p[:, 0])
    height = np.abs(p[:, 2])
    # the two rings touch at the equator by a waist; seven knobs stand out on each
    outer = 0.43 + 0.04 * np.cos(7 * angle) - 0.09 * np.exp(-((height / 0.06) ** 2))
    inner = 0.17 + 0.06 * np.exp(-(((height - 0.25) / 0.1) ** 2))
    return np.asarray((rho < outer) & (rho > inner) & (height < 0.5))


def _ring(p: Points) -> NDArray[np.bool_]:
    """Return which points lie in a flat ring of eight beads, 1 across, 0.3 tall."""
    angle = np.arctan2(p[:, 1], p[:, 0])
    nearest = np.round(angle / (np.pi / 4)) * (np.pi / 4)
    dx = p[:, 0] - 0.345 * np.cos(nearest)
    dy = p[:, 1] - 0.345 * np.sin(nearest)
    return np.asarray(dx**2 + dy**2 + p[:, 2] ** 2 < 0.155**2)


def _y(p: Points) -> NDArray[np.bool_]:
    """Return which points lie in the three arms of a Y, each of two domains."""
    inside = np.zeros(len(p), dtype=bool)
    for degrees in (90.0, 215.0, 325.0):
        along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.0])
        for distance in (0.15, 0.36):
            q = p - distance * along
            t = q @ along
            across2 = (q**2).sum(axis=1) - t**2
            inside |= (t / 0.145) ** 2 + across2 / 0.115**2 < 1
    return inside


# Shapes in units of the diameter, in the cube [-0.5, 0.5]³: what is inside, and symmetry.
_SHAPES: dict[ShapeName, tuple[Callable[[Points], NDArray[np.bool_]], str]] = {
    "lobes": (_lobes, "D2"),
    "barrel": (_barrel, "D7"),
    "ring": (_ring, "D8"),
    "y": (_y, "C1"),
}


def particle_model(
    shape: ShapeName, diameter_ang: float, rng: np.random.Generator
) -> ParticleModel:
    """Fill a shape with residues, symmetric copies included.

    Residues are spread at random within one asymmetric unit's share, so that every
    particle of a project shows the same inner structure from its own side.

    Parameters
    ----------
    shape : {"lobes", "barrel", "ring", "y"}
        A four-lobed globule (D2, the size ratios of beta-galactosidase), a hollow double
        ring (D7, after GroEL), a flat ring of eight beads (D8), or a Y (after an antibody).
    diameter_ang : float
        Longest extent in Å.
    rng : numpy.random.Generator
        Where the residues' places come from.
    """
    inside, symmetry = _SHAPES[shape]
    group = Rotation.create_group(symmetry)
    trial = rng.uniform(-0.5, 0.5, size=(60_000, 3))
    trial = trial[inside(trial)]
    scale_ang = diameter_ang / longest_extent(trial)
    volume_ang3 = len(trial) / 60_000 * scale_ang**3
    n_residues = max(1, round(PACKING * volume_ang3 / RESIDUE_VOLUME_ANG3 / len(group)))
    unit = trial[rng.integers(len(trial), size=n_residues)]
    points = np.concatenate([g.apply(unit) for g in group]) * scale_ang
    return ParticleModel(points - points.mean(axis=0), diameter_ang, np.ones(len(points)))


def longest_extent(points: Points) -> float:
    """Return the longest distance between two of the points, 0 of a single one."""
    if len(points) > 4:
        try:
            points = points[ConvexHull(points).vertices]
        except QhullError:  # all in one plane: too few to need the short cut, or a bare line
            directions = np.random.default_rng(0).standard_normal((3, 500))
            points = points[np.unique((points @ directions).argmax(axis=0))]  # the outermost
    return float(pdist(points).max(initial=0.0))


def broken_model(model: ParticleModel, rng: np.random.Generator) -> ParticleModel:
    """Return a fragment: the points on one side of a random cut, 20 to 50 % of all."""
    direction = rng.standard_normal(3)
    along = model.points_ang @ (direction / np.linalg.norm(direction))
    kept = along < np.quantile(along, rng.uniform(0.2, 0.5))
    return ParticleModel.centred(
        model.points_ang[kept], model.weights[kept], model.diameter_ang
    )


def splat(
    canvas: NDArray[np.float64],
    points_yx_px: NDArray[np.float64],
    weight: NDArray[np.float64] | float,
) -> None:
    """Add each point's weight to the (ny, nx) canvas, shared bilinearly by four pixels.

    Parts of points outside the canvas are dropped.
    """
    weights = np.broadcast_to(weight, len(points_yx_px))
    ny, nx = canvas.shape
    flat = canvas.reshape(-1)  # one index is added at several times faster than two
    assert np.shares_memory(flat, canvas)
    corner = np.floor(points_yx_px).astype(np.int64)  # (n, 2)
    fraction = points_yx_px - corner
    for dy in (0, 1):
        for dx in (0, 1):
            y, x = corner[:, 0] + dy, corner[:, 1] + dx
            share = np.abs(1 - dy - fraction[:, 0]) * np.abs(1 - dx - fraction[:, 1])
            inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
            np.add.at(flat, (y * nx + x)[inside], (weights * share)[inside])


def project_at(
    canvas: NDArray[np.float64],
    model: ParticleModel,
    centre_yx_px: tuple[float, float],
    rotation: Rotation,
    pixel_size_ang: float,
) -> None:
    """Add a rotated model's projected residues per pixel to the canvas.

    The model's z is the beam's direction, its x the canvas's columns, its y the rows.
    """
    turned = rotation.apply(model.points_ang)[:, 1::-1]  # (n, 2), y and x in Å
    splat(canvas, turned / pixel_size_ang + np.asarray(centre_yx_px), model.weights)
