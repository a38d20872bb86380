"""Regions drawn on micrographs: carbon polygons and ice discs, and random points in them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import BoxSetError

CARBON, ICE = "carbon", "ice"
KINDS = (CARBON, ICE)  # the first one that holds a point wins


@dataclass(frozen=True)
class Disc:
    """Points within `radius_px` of (x, y), in micrograph pixels."""

    x: float
    y: float
    radius_px: float

    @property
    def area_px(self) -> float:
        """Area in square pixels."""
        return math.pi * self.radius_px**2

    @property
    def bounds_xy(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (x, y) of the bounding box."""
        centre = np.array([self.x, self.y])
        return centre - self.radius_px, centre + self.radius_px

    def holds(self, xy_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of (n, 2) points lie within."""
        distance_px = np.hypot(xy_px[:, 0] - self.x, xy_px[:, 1] - self.y)
        return np.asarray(distance_px <= self.radius_px)


@dataclass(frozen=True, eq=False)
class Polygon:
    """Points enclosed by the (n, 2) corners (x, y), in micrograph pixels."""

    corners_xy: NDArray[np.float64]

    @property
    def area_px(self) -> float:
        """Area in square pixels."""
        x, y = self.corners_xy.T
        return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)

    @property
    def bounds_xy(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Corners (x, y) of the bounding box."""
        return self.corners_xy.min(axis=0), self.corners_xy.max(axis=0)

    def holds(self, xy_px: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which of (n, 2) points lie within."""
        # a ray to the right of a point within crosses an odd number of edges
        x, y = xy_px[:, 0, None], xy_px[:, 1, None]
        (x0, y0), (x1, y1) = self.corners_xy.T, np.roll(self.corners_xy, -1, axis=0).T
        crosses = (y0 > y) != (y1 > y)  # (n points, n edges)
        rise = np.where(y1 == y0, 1, y1 - y0)  # level edges are never crossed
        left_of = x < x0 + (y - y0) / rise * (x1 - x0)
        return np.asarray((crosses & left_of).sum(axis=1) % 2 == 1)


Region = Disc | Polygon


@dataclass(frozen=True)
class Regions:
    """The regions of one micrograph, by kind."""

    carbon: tuple[Region, ...] = ()
    ice: tuple[Region, ...] = ()

    def of_kind(self, kind: str) -> tuple[Region, ...]:
        """Return the regions of ``carbon`` or ``ice``."""
        return self.carbon if kind == CARBON else self.ice

    def kinds_at(self, xy_px: NDArray[np.float64]) -> NDArray[np.str_]:
        """Return the kind of region that each of (n, 2) points lies in, "" for none."""
        kinds = np.full(len(xy_px), "", dtype="U6")
        for kind in reversed(KINDS):
            for region in self.of_kind(kind):
                kinds[region.holds(xy_px)] = kind
        return kinds

    def room(self, kind: str, spacing_px: float) -> int:
        """Return how many points about `spacing_px` apart fit into the regions of a kind."""
        return sum(math.ceil(r.area_px / spacing_px**2) for r in self.of_kind(kind))

    def random_points(
        self,
        kind: str,
        n: int,
        shape_px: tuple[int, ...],
        border_px: float,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Return at most `n` random (x, y) in the regions of a kind, inside the micrograph.

        Fewer where the regions lie beyond the border, or under regions of another kind.
        """
        regions = self.of_kind(kind)
        areas = np.array([r.area_px for r in regions])
        if n == 0 or areas.sum() == 0:
            return np.zeros((0, 2))
        chosen = rng.choice(len(regions), 50 * n, p=areas / areas.sum())
        parts = []
        for i, region in enumerate(regions):
            low, high = region.bounds_xy
            xy = rng.uniform(low, high, (int((chosen == i).sum()), 2))
            parts.append(xy[region.holds(xy)])
        xy = rng.permutation(np.concatenate(parts))
        keep = within(xy, shape_px, border_px) & (self.kinds_at(xy) == kind)
        return np.asarray(xy[keep][:n])


def within(
    xy_px: NDArray[np.float64], shape_px: tuple[int, ...], border_px: float
) -> NDArray[np.bool_]:
    """Return which of (n, 2) points keep `border_px` from the edges of a (ny, nx) image."""
    limits = np.array(shape_px[::-1]) - 1 - border_px
    return np.asarray(((xy_px >= border_px) & (xy_px <= limits)).all(axis=1))


def read_regions(path: str | Path) -> dict[str, Regions]:
    """Read regions by micrograph from JSON.

    The file holds ``{micrograph: {"carbon": [[[x, y], ...], ...], "ice": [[x, y, r], ...]}}``,
    in 0-based pixels of the micrograph: polygons by their corners, discs by centre and radius.

    Raises
    ------
    BoxSetError
        The file is missing or holds something else; the message names the micrograph.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BoxSetError(f"{path} is not a readable JSON file of regions: {error}") from error
    if not isinstance(values, dict):
        raise BoxSetError(f"{path}: expected regions by micrograph, {{name: {{...}}, ...}}.")
    return {name: _regions(kinds, f"{path}: {name}") for name, kinds in values.items()}


def _regions(kinds: Any, where: str) -> Regions:  # Any: whatever JSON can hold
    if not isinstance(kinds, dict) or set(kinds) - set(KINDS):
        raise BoxSetError(
            f"{where}: expected the keys {' and '.join(KINDS)}, got {kinds!r:.80}."
        )
    try:
        corners = [np.array(p, dtype=np.float64) for p in kinds.get(CARBON, [])]
        discs = [Disc(*(float(v) for v in disc)) for disc in kinds.get(ICE, [])]
    except (TypeError, ValueError) as error:
        raise BoxSetError(f"{where}: a region is not made of numbers: {error}") from error
    for polygon in corners:
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise BoxSetError(
                f"{where}: a carbon polygon needs three or more corners [x, y], got "
                f"{polygon.tolist()!r:.80}."
            )
    for disc in discs:
        if not disc.radius_px > 0:
            raise BoxSetError(f"{where}: an ice disc needs a positive radius, got {disc}.")
    return Regions(tuple(Polygon(p) for p in corners), tuple(discs))
