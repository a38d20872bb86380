"""A simulated picker: most of the particles, and a known share of false picks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, minimum_filter

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.regions import Layout
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

Points = NDArray[np.float64]

# In particle diameters.
JITTER_SIGMA = 0.05
PICK_SPACING = 0.4
EMPTY_DISTANCE = 0.75

# Of each kind of false pick: its share where every kind is there, and the mean score.
FALSE_PICKS = {
    "carbon": (0.30, 0.45),
    "empty": (0.24, 0.36),
    "aggregate": (0.14, 0.56),
    "crystal": (0.12, 0.47),
    "broken": (0.10, 0.50),
    "drop": (0.10, 0.47),
    "overlap": (0.12, 0.60),
    "denatured": (0.12, 0.50),
    "ethane": (0.06, 0.44),
    "crystalline": (0.14, 0.45),
}
# Mean of a particle's score, and the spread of all: a good picker's, but no judge's.
PARTICLE_SCORE = 0.62
SCORE_SIGMA = 0.12


def imitate_picker(
    image: NDArray[np.float32],
    layout: Layout,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Return the picks of a simulated picker with their true classes.

    Whole particles are found with the chance ``settings.recall`` and a centring error of
    0.05 diameters in x and in y. False picks are added until they make up
    ``settings.false_share`` of all, or no place is left: on carbon and in empty ice at the
    darkest spots of the low-passed image (where real pickers fail), and on crystals, drops,
    aggregates and fragments, as on whatever else the settings add to a micrograph.

    Returns
    -------
    pandas.DataFrame
        x, y (px, 0-based), picker_score (0 to 1), class (1 to 3), kind (str), in random order.
    """
    accepted = _Accepted(layout)
    truth = layout.whole_particles()[["y", "x"]].to_numpy(dtype=np.float64)
    found = truth[rng.random(len(truth)) < settings.recall]
    accepted.take("particle", found, len(found), rng)
    n_true = len(accepted.rows)
    n_false = round(n_true * settings.false_share / (1 - settings.false_share))
    candidates = _false_candidates(image, layout, rng)
    shares = {kind: FALSE_PICKS[kind][0] for kind, points in candidates.items() if len(points)}
    whole = sum(shares.values())
    for kind, share in shares.items():
        accepted.take(kind, candidates[kind], int(n_false * share / whole), rng)
    # what one kind could not give, the others do
    for kind, points in candidates.items():
        accepted.take(kind, points, n_true + n_false - len(accepted.rows), rng)
    picks = pd.DataFrame(accepted.rows, columns=["x", "y", "class", "kind"])
    scores = {"particle": PARTICLE_SCORE} | {
        kind: mean for kind, (_, mean) in FALSE_PICKS.items()
    }
    means = picks["kind"].map(scores).to_numpy(dtype=np.float64)
    score = means + SCORE_SIGMA * rng.standard_normal(len(picks))
    picks.insert(2, "picker_score", np.clip(score, 0.01, 0.99))
    picks["class"] = picks["class"].astype(np.int8)
    return picks.iloc[rng.permutation(len(picks))].reset_index(drop=True)


@dataclass
class _Accepted:
    """Picks so far; none nearer to another than `PICK_SPACING` diameters."""

    layout: Layout
    rows: list[tuple[float, float, int, str]] = field(default_factory=list)

    def take(self, kind: str, points: Points, n: int, rng: np.random.Generator) -> None:
        """Accept picks near up to `n` of the candidates, in their order."""
        wanted = {"particle": PARTICLE, "carbon": CARBON}.get(kind, CONTAMINANT)
        for y, x in points:
            if n <= 0:
                return
            n -= self._add_near(kind, y, x, wanted, rng)

    def _add_near(
        self, kind: str, y: float, x: float, wanted: int, rng: np.random.Generator
    ) -> bool:
        """Add a pick near a point if it has the wanted class; five attempts with random offsets."""
        for _ in range(5):
            py, px = (y, x) + JITTER_SIGMA * self.layout.diameter_px * rng.standard_normal(2)
            if (
                self.layout.class_at(py, px) == wanted
                and self.layout.inside_border(py, px)
                and self._is_free(py, px)
            ):
                self.rows.append((float(px), float(py), wanted, kind))
                return True
        return False

    def _is_free(self, y: float, x: float) -> bool:
        taken = np.array([row[:2] for row in self.rows]).reshape(-1, 2)
        distance_px = np.hypot(taken[:, 1] - y, taken[:, 0] - x)
        return bool((distance_px >= PICK_SPACING * self.layout.diameter_px).all())


def _false_candidates(
    image: NDArray[np.float32], layout: Layout, rng: np.random.Generator
) -> dict[str, Points]:
    """Return (n, 2) centres (y, x) for each kind of false pick, best first."""
    d = layout.diameter_px
    spots = dark_spots_yx_px(image, d)
    on_carbon = layout.on_carbon(spots[:, 0], spots[:, 1])
    objects = np.array([(o.y, o.x, max(0.0, o.radius_px - 0.5 * d)) for o in layout.objects])
    objects = objects.reshape(-1, 3)
    gap = (
        np.hypot(spots[:, :1] - objects[:, 0], spots[:, 1:] - objects[:, 1]) - objects[:, 2]
    )  # (n_spots, n_objects)
    empty = ~on_carbon & (gap > EMPTY_DISTANCE * d).all(axis=1)
    crystalline = ~on_carbon & layout.in_crystalline_ice(spots[:, 0], spots[:, 1])
    # pickers find the film's rim first, but not only: any of the darker half
    carbon = spots[on_carbon]
    carbon = rng.permutation(carbon[: max(20, len(carbon) // 2)])
    result = {"carbon": carbon, "empty": spots[empty & ~crystalline]}
    for stream, kinds in (
        (rng, ("broken", "aggregate", "crystal", "drop")),
        (rng.spawn(1)[0], ("overlap", "denatured", "ethane")),
    ):
        result |= {kind: _places_on(kind, layout, stream) for kind in kinds}
    result["crystalline"] = spots[crystalline]
    return result


def _places_on(kind: str, layout: Layout, rng: np.random.Generator) -> Points:
    """Return (n, 2) positions on the objects of a kind, in random order.

    The centre of a small object, several positions on a large one.
    """
    d = layout.diameter_px
    places = [np.zeros((0, 2))]
    for placed in layout.objects:
        if placed.kind == kind:
            reach_px = max(0.0, placed.radius_px - 0.4 * d)
            n = 1 + int((reach_px / (0.6 * d)) ** 2 * 3)
            radius, angle = reach_px * np.sqrt(rng.random(n)), rng.uniform(0, 2 * np.pi, n)
            y, x = placed.y + radius * np.sin(angle), placed.x + radius * np.cos(angle)
            places.append(np.column_stack([y, x]))
    return rng.permutation(np.concatenate(places))


def dark_spots_yx_px(image: NDArray[np.float32], diameter_px: float) -> Points:
    """Return local minima of the image, low-passed to the particle's size, darkest first.

    A difference of Gaussians, as in blob pickers, on an image binned to about twelve
    pixels a diameter.
    """
    f = max(1, int(diameter_px // 12))
    ny, nx = (n // f * f for n in image.shape)
    small = image[:ny, :nx].reshape(ny // f, f, nx // f, f).mean(axis=(1, 3))
    width = diameter_px / f
    response = gaussian_filter(small, 0.18 * width) - gaussian_filter(small, 0.8 * width)
    least = minimum_filter(response, size=max(3, round(0.5 * width)))
    y, x = np.nonzero((response == least) & (response < 0))
    order = np.argsort(response[y, x], kind="stable")
    spots = np.column_stack([y, x])[order].astype(np.float64)
    return np.asarray((spots + 0.5) * f - 0.5, dtype=np.float64)
