"""What picks looked like when a model was made, so that later ones can be compared with them.

Micrographs of one session differ a little, and so do their picks. How much is measured here, on
the unlabelled picks of fine-tuning, micrograph by micrograph: what is farther away than they
are from each other is other data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

N_BANDS = 6
N_RINGS = 6
GREY_NAMES = (
    "mean grey level",
    "spread of grey levels (log)",
    "skewness of grey levels",
    *(f"power at spatial frequency {i + 1} of {N_BANDS} (log)" for i in range(N_BANDS)),
    *(f"grey level at radius {i + 1} of {N_RINGS}" for i in range(N_RINGS)),
)
# Fewer picks tell too little of a micrograph.
LEAST_PICKS = 5
# A shift below these, in standard deviations of single picks, is never told of, and decides
# alone where the reference is of one micrograph only.
GREY_FLOOR, FEATURE_FLOOR = 0.5, 0.5
LIMIT_OF_ONE = 1.0
# How much farther than the farthest of the reference's own micrographs counts as other data.
MARGIN = 1.5
SHARE_FLOOR = 0.3


def grey_figures(boxes: torch.Tensor) -> NDArray[np.float32]:
    """Return (n, len(GREY_NAMES)) figures of the grey levels of (n, 1, h, h) boxes.

    Mean, spread and skewness; the power spectrum in rings, relative to the whole; and the grey
    level in rings around the pick, in standard deviations of the micrograph.
    """
    pixels = boxes.detach()[:, 0].to("cpu", torch.float32)  # (n, h, h)
    n, h, _ = pixels.shape
    if not n:
        return np.zeros((0, len(GREY_NAMES)), dtype=np.float32)
    mean = pixels.mean(dim=(1, 2))
    centred = pixels - mean[:, None, None]
    spread = centred.square().mean(dim=(1, 2)).sqrt().clamp(min=1e-3)
    skewness = (centred / spread[:, None, None]).pow(3).mean(dim=(1, 2))
    power = torch.fft.rfft2(centred).abs().square()  # (n, h, h // 2 + 1)
    frequency = torch.hypot(
        torch.fft.fftfreq(h)[:, None], torch.fft.rfftfreq(h)[None, :]
    )  # cycles a pixel
    bands = _means(power, frequency, 0.5, N_BANDS)
    bands = (bands / bands.sum(dim=1, keepdim=True).clamp(min=1e-12)).clamp(min=1e-6).log()
    axis = torch.arange(h) - (h - 1) / 2
    rings = _means(pixels, torch.hypot(axis[:, None], axis[None, :]), h / 2, N_RINGS)
    figures = [mean[:, None], spread.log()[:, None], skewness[:, None], bands, rings]
    return torch.cat(figures, dim=1).numpy()


def _means(
    values: torch.Tensor, radius: torch.Tensor, largest: float, n_rings: int
) -> torch.Tensor:
    """Return (n, n_rings) means of (n, ...) values over rings of equal width."""
    ring = torch.clamp((radius / largest * n_rings).long(), max=n_rings).flatten()
    membership = torch.nn.functional.one_hot(ring, n_rings + 1)[:, :n_rings].float()
    return values.flatten(1) @ (membership / membership.sum(dim=0).clamp(min=1))


@dataclass(frozen=True, eq=False)
class MicrographFigures:
    """The picks of one micrograph, in figures.

    Parameters
    ----------
    n : int
        Picks.
    grey : (g,) float64
        Means of `grey_figures`.
    features : (c,) float64
        Means of the network's features.
    share : float
        Mean P(particle).
    """

    n: int
    grey: NDArray[np.float64]
    features: NDArray[np.float64]
    share: float

    @classmethod
    def of(cls, grey: ArrayLike, features: ArrayLike, p_particle: ArrayLike) -> Self:
        """Return the means of (n, g), (n, c) and (n,) figures of single picks."""
        p = np.asarray(p_particle, dtype=np.float64)
        return cls(
            len(p),
            np.asarray(grey, dtype=np.float64).mean(axis=0),
            np.asarray(features, dtype=np.float64).mean(axis=0),
            float(p.mean()),
        )


def joined(parts: Sequence[MicrographFigures]) -> MicrographFigures:
    """Return the figures of all picks of several parts."""
    n = np.array([p.n for p in parts])
    weights = n / n.sum()
    return MicrographFigures(
        int(n.sum()),
        weights @ np.stack([p.grey for p in parts]),
        weights @ np.stack([p.features for p in parts]),
        float(weights @ np.array([p.share for p in parts])),
    )


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Figures of one kind, and how far they may be from here.

    Parameters
    ----------
    mean : (d,) float64
        Mean over the reference's micrographs.
    spread : (d,) float64
        Standard deviation of single picks within their micrograph.
    limit : float
        Distance beyond which picks are other data, see `distance`.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    limit: float

    def distance(self, figures: NDArray[np.float64], n: int) -> float:
        """Return how far the (d,) mean figures of n picks are, in standard deviations of picks.

        The root of the mean squared shift over all figures, without what so few picks differ
        by chance.
        """
        shifts = (figures - self.mean) / self.spread
        return float(np.sqrt(max(0.0, float((shifts**2).mean()) - 1 / n)))


@dataclass(frozen=True, eq=False)
class Reference:
    """What the unlabelled picks of fine-tuning looked like.

    Parameters
    ----------
    n_picks, n_micrographs : int
        What it was measured on.
    grey, features : FeatureStatistics
        See `grey_figures` and `Classifier.predict_with_features`.
    share : float
        Mean P(particle), over the micrographs.
    share_limit : float
        How far a mean P(particle) may be from that.
    """

    n_picks: int
    n_micrographs: int
    grey: FeatureStatistics
    features: FeatureStatistics
    share: float
    share_limit: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "n_picks": self.n_picks,
            "n_micrographs": self.n_micrographs,
            "grey": _family_to_dict(self.grey),
            "features": _family_to_dict(self.features),
            "share": round(self.share, 4),
            "share_limit": round(self.share_limit, 4),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make a reference from what `to_dict` gave.

        Raises
        ------
        ValueError, KeyError, TypeError
            It is none.
        """
        return cls(
            int(values["n_picks"]),
            int(values["n_micrographs"]),
            _family_from_dict(values["grey"]),
            _family_from_dict(values["features"]),
            float(values["share"]),
            float(values["share_limit"]),
        )


def measure_reference(
    boxes: torch.Tensor,
    features: NDArray[np.floating],
    p_particle: NDArray[np.floating],
    micrograph: NDArray[np.integer],
) -> Reference | None:
    """Return what picks look like, and how far micrographs differ in it.

    Parameters
    ----------
    boxes : (n, 1, h, h) tensor
        Boxes of unlabelled picks as they are scored (`render` without augmentation).
    features : (n, c) float
        Their features, by the final network.
    p_particle : (n,) float
        Their calibrated P(particle).
    micrograph : (n,) int
        Number of the micrograph of each.

    Returns
    -------
    Reference or None
        None where no micrograph has enough picks.
    """
    grey = grey_figures(boxes)
    groups = [np.flatnonzero(micrograph == m) for m in np.unique(micrograph)]
    groups = [rows for rows in groups if len(rows) >= LEAST_PICKS]
    if not groups:
        return None
    parts = [MicrographFigures.of(grey[r], features[r], p_particle[r]) for r in groups]
    shares = np.array([p.share for p in parts])
    share_limit = SHARE_FLOOR
    if len(parts) > 1:
        away = np.abs(shares - _means_of_others(shares[:, None])[:, 0])
        share_limit = max(SHARE_FLOOR, MARGIN * float(away.max()))
    return Reference(
        sum(len(rows) for rows in groups),
        len(groups),
        _family([grey[r] for r in groups], GREY_FLOOR),
        _family([np.asarray(features[r], np.float64) for r in groups], FEATURE_FLOOR),
        float(shares.mean()),
        share_limit,
    )


def _family(groups: list[NDArray[Any]], floor: float) -> FeatureStatistics:
    """Measure figures, (n_i, d) of each micrograph; each is compared with all others."""
    means = np.stack([g.mean(axis=0, dtype=np.float64) for g in groups])
    within = np.concatenate([g - m for g, m in zip(groups, means, strict=True)])
    # a feature that is nearly always 0 must not make a mountain of a rare 0.1
    spread = within.std(axis=0)
    spread = np.maximum(spread, max(1e-6, 0.1 * float(np.median(spread))))
    limit = LIMIT_OF_ONE
    if len(groups) > 1:
        others = _means_of_others(means)
        distances = [
            FeatureStatistics(other, spread, 0.0).distance(mean, len(group))
            for group, mean, other in zip(groups, means, others, strict=True)
        ]
        limit = max(floor, MARGIN * max(distances))
    return FeatureStatistics(means.mean(axis=0), spread, limit)


def _means_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each of (k, d) rows, the mean of the other rows."""
    return np.asarray((values.sum(axis=0) - values) / (len(values) - 1))


def _family_to_dict(family: FeatureStatistics) -> dict[str, Any]:
    return {
        "mean": [float(f"{v:.5g}") for v in family.mean],
        "spread": [float(f"{v:.5g}") for v in family.spread],
        "limit": round(family.limit, 4),
    }


def _family_from_dict(values: dict[str, Any]) -> FeatureStatistics:
    mean, spread = (np.asarray(values[k], dtype=np.float64) for k in ("mean", "spread"))
    if mean.ndim != 1 or mean.shape != spread.shape:
        raise ValueError(f"{mean.shape} means for {spread.shape} spreads")
    return FeatureStatistics(mean, spread, float(values["limit"]))
