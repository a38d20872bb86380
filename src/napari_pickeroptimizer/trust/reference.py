"""Statistics of the picks of a model's fine-tuning, the reference for drift detection.

Picks differ a little between the micrographs of one session. This measures by how much, on the
unlabelled picks of fine-tuning: picks that differ by more count as different data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.fft
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
# Fewer picks do not characterise a micrograph.
LEAST_PICKS = 5
# Least limits, in standard deviations of single picks; smaller shifts are never reported.
GREY_FLOOR, FEATURE_FLOOR = 0.5, 0.5
# The limit where the reference is a single micrograph.
LIMIT_OF_ONE = 1.0
# Beyond this multiple of the largest distance within the reference, picks count as different
# data.
MARGIN = 1.5
SHARE_FLOOR = 0.3


def grey_figures(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (n, len(GREY_NAMES)) statistics of the grey levels of (n, 1, h, h) boxes.

    Mean, spread and skewness; the power spectrum in rings, relative to its sum; and the grey
    level in rings around the pick, in standard deviations of the micrograph.
    """
    pixels = np.asarray(boxes, dtype=np.float32)[:, 0]  # (n, h, h)
    n, h, _ = pixels.shape
    if not n:
        return np.zeros((0, len(GREY_NAMES)), dtype=np.float32)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    centred = pixels - mean
    squared = centred * centred
    spread = np.maximum(np.sqrt(squared.mean(axis=(1, 2), keepdims=True)), 1e-3)
    skewness = (squared * centred).mean(axis=(1, 2)) / spread[:, 0, 0] ** 3
    spectrum = scipy.fft.rfft2(centred)
    power = spectrum.real**2 + spectrum.imag**2  # (n, h, h // 2 + 1)
    frequency = np.hypot(
        np.fft.fftfreq(h)[:, None], np.fft.rfftfreq(h)[None, :]
    )  # cycles per pixel
    bands = _ring_means(power, frequency, 0.5, N_BANDS)
    bands = bands / np.maximum(bands.sum(axis=1, keepdims=True), 1e-12)
    axis = np.arange(h) - (h - 1) / 2
    rings = _ring_means(pixels, np.hypot(axis[:, None], axis[None, :]), h / 2, N_RINGS)
    columns = [mean[:, 0], np.log(spread[:, 0]), skewness[:, None]]
    return np.concatenate([*columns, np.log(np.maximum(bands, 1e-6)), rings], axis=1)


def _ring_means(
    values: NDArray[np.float32], radius: NDArray[np.float64], largest: float, n_rings: int
) -> NDArray[np.float32]:
    """Return (n, n_rings) means of (n, ...) values over rings of equal width."""
    ring = np.minimum((radius / largest * n_rings).astype(np.intp), n_rings).ravel()
    membership = (ring[:, None] == np.arange(n_rings)).astype(np.float32)
    weights = membership / np.maximum(membership.sum(axis=0), 1)
    return np.asarray(values.reshape(len(values), -1) @ weights)


@dataclass(frozen=True, eq=False)
class MicrographFigures:
    """Mean figures of the picks of one micrograph.

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
    """Mean and spread of one kind of figures, and the largest distance that is normal.

    Parameters
    ----------
    mean : (d,) float64
        Mean over the reference's micrographs.
    spread : (d,) float64
        Standard deviation of single picks within their micrograph.
    limit : float
        Distance beyond which picks count as different data, see `distance`.
    """

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    limit: float

    def distance(self, figures: NDArray[np.float64], n: int) -> float:
        """Return how far the (d,) mean figures of n picks are, in standard deviations of picks.

        The root mean square shift over all figures, less what is expected by chance of n picks.
        """
        shifts = (figures - self.mean) / self.spread
        return float(np.sqrt(max(0.0, float((shifts**2).mean()) - 1 / n)))

    @classmethod
    def measure(cls, groups: list[NDArray[Any]], floor: float) -> Self:
        """Measure (n_i, d) figures of each micrograph; each is compared with all others."""
        means = np.stack([g.mean(axis=0, dtype=np.float64) for g in groups])
        within = np.concatenate([g - m for g, m in zip(groups, means, strict=True)])
        # a feature that is nearly always 0 must not be scaled up by its tiny spread
        spread = within.std(axis=0)
        spread = np.maximum(spread, max(1e-6, 0.1 * float(np.median(spread))))
        limit = LIMIT_OF_ONE
        if len(groups) > 1:
            distances = [
                cls(other, spread, 0.0).distance(mean, len(group))
                for group, mean, other in zip(
                    groups, means, _means_of_others(means), strict=True
                )
            ]
            limit = max(floor, MARGIN * max(distances))
        return cls(means.mean(axis=0), spread, limit)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "mean": [float(f"{v:.5g}") for v in self.mean],
            "spread": [float(f"{v:.5g}") for v in self.spread],
            "limit": round(self.limit, 4),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make statistics from the result of `to_dict`."""
        mean, spread = (np.asarray(values[k], dtype=np.float64) for k in ("mean", "spread"))
        if mean.ndim != 1 or mean.shape != spread.shape:
            raise ValueError(f"{mean.shape} means for {spread.shape} spreads")
        return cls(mean, spread, float(values["limit"]))


@dataclass(frozen=True, eq=False)
class Reference:
    """Statistics of the unlabelled picks of fine-tuning.

    Parameters
    ----------
    n_picks, n_micrographs : int
        Size of the sample.
    grey, features : FeatureStatistics
        See `grey_figures` and `Classifier.predict_with_features`.
    share : float
        Mean P(particle), over the micrographs.
    share_limit : float
        Largest normal difference from that.
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
            "grey": self.grey.to_dict(),
            "features": self.features.to_dict(),
            "share": round(self.share, 4),
            "share_limit": round(self.share_limit, 4),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Make a reference from the result of `to_dict`.

        Raises
        ------
        ValueError, KeyError, TypeError
            The values are of another kind.
        """
        grey = FeatureStatistics.from_dict(values["grey"])
        if len(grey.mean) != len(GREY_NAMES):
            raise ValueError(f"{len(grey.mean)} figures of grey levels, not {len(GREY_NAMES)}")
        return cls(
            int(values["n_picks"]),
            int(values["n_micrographs"]),
            grey,
            FeatureStatistics.from_dict(values["features"]),
            float(values["share"]),
            float(values["share_limit"]),
        )


def measure_reference(
    boxes: NDArray[np.float32],
    features: NDArray[np.floating],
    p_particle: NDArray[np.floating],
    micrograph: NDArray[np.integer],
) -> Reference | None:
    """Measure grey levels, features and scores of picks, and how much micrographs differ.

    Parameters
    ----------
    boxes : (n, 1, h, h) float32
        Boxes of unlabelled picks as they are scored, without augmentation.
    features : (n, c) float
        Their features, by the final network.
    p_particle : (n,) float
        Their calibrated P(particle).
    micrograph : (n,) int
        Index of the micrograph of each.

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
        differences = np.abs(shares - _means_of_others(shares[:, None])[:, 0])
        share_limit = max(SHARE_FLOOR, MARGIN * float(differences.max()))
    return Reference(
        sum(len(rows) for rows in groups),
        len(groups),
        FeatureStatistics.measure([grey[r] for r in groups], GREY_FLOOR),
        FeatureStatistics.measure(
            [np.asarray(features[r], np.float64) for r in groups], FEATURE_FLOOR
        ),
        float(shares.mean()),
        share_limit,
    )


def _means_of_others(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return, for each of (k, d) rows, the mean of the other rows."""
    return np.asarray((values.sum(axis=0) - values) / (len(values) - 1))
