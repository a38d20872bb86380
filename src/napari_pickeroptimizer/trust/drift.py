"""Compares picks with those that the model was fine-tuned on, and warns where they differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.shares import percent
from napari_pickeroptimizer.trust.reference import (
    GREY_NAMES,
    LEAST_PICKS,
    FeatureStatistics,
    MicrographFigures,
    Reference,
    joined,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.card import ModelCard

# Pixel sizes in headers differ in the last digits; magnifications by more.
PIXEL_SIZE_TOLERANCE = 1.1
ADVICE = " Label some picks of these data and fine-tune again, or check the result carefully."


@dataclass(frozen=True)
class Drift:
    """How these picks differ from those of the model's fine-tuning.

    Parameters
    ----------
    record : dict
        Figures for ``run.json``: pixel sizes, distances and their limits.
    warnings : tuple of str
        A sentence for each figure beyond its limit.
    """

    record: dict[str, Any]
    warnings: tuple[str, ...]


def reference_of(card: ModelCard) -> Reference | None:
    """Return the statistics of the picks at fine-tuning; None where the card has none."""
    stored = card.training.get("reference")
    if not stored:
        return None
    try:
        return Reference.from_dict(stored)
    except (KeyError, TypeError, ValueError):
        return None  # of another version: nothing to compare with


def check_drift(
    card: ModelCard,
    figures: Mapping[str, MicrographFigures],
    pixel_sizes_ang: Iterable[float | None],
) -> Drift:
    """Compare picks with those that the model was fine-tuned on.

    Compared is the median distance over the micrographs: a single unusual one among many does
    not make a model unreliable.

    Parameters
    ----------
    card : ModelCard
        Of the model, with its reference.
    figures : mapping of str to MicrographFigures
        Of the scored picks, by micrograph.
    pixel_sizes_ang : iterable of float or None
        Of the scored micrographs.
    """
    parts = [_pixel_size(card, pixel_sizes_ang)]
    reference, sample = reference_of(card), _large_enough(figures)
    # features of another length are those of another network: not comparable
    if (
        reference is not None
        and sample
        and len(sample[0].features) == len(reference.features.mean)
    ):
        grey = np.stack([f.grey for f in sample])
        features = np.stack([f.features for f in sample])
        n = [f.n for f in sample]
        parts += [
            _distance("grey_levels", "these picks look", reference.grey, grey, n),
            _distance(
                "features", "to the network these picks look", reference.features, features, n
            ),
            _share(reference, sample),
        ]
    record = {key: values for part, _ in parts for key, values in part.items()}
    warnings = [warning for _, warning in parts if warning]
    if warnings:
        warnings[-1] += ADVICE
    return Drift(record, tuple(warnings))


_Part = tuple[dict[str, Any], str]  # for the record, and a warning or ""


def _pixel_size(card: ModelCard, pixel_sizes_ang: Iterable[float | None]) -> _Part:
    sizes = [s for s in pixel_sizes_ang if s is not None]
    if not sizes or card.pixel_size_ang is None:
        return {}, ""
    scored, model = float(np.median(sizes)), card.pixel_size_ang
    warning = ""
    if max(scored / model, model / scored) > PIXEL_SIZE_TOLERANCE:
        warning = (
            f"the model was fine-tuned at {model:.3g} Å per pixel, these micrographs have "
            f"{scored:.3g} Å: boxes are scaled to the same size in Å, but hold more or less "
            "detail. If one of the two is wrong, every box has the wrong size: see --pixel-size."
        )
    return {"pixel_size_ang": {"model": model, "here": scored}}, warning


def _distance(
    key: str,
    subject: str,
    statistics: FeatureStatistics,
    means: NDArray[np.float64],
    n: list[int],
) -> _Part:
    """Compare the (k, d) mean figures of micrographs with those of the reference."""
    distances = np.array([statistics.distance(x, m) for x, m in zip(means, n, strict=True)])
    typical = float(np.median(distances))
    record = {
        "distance": round(typical, 3),
        "limit": round(statistics.limit, 3),
        "micrographs_beyond": int((distances > statistics.limit).sum()),
    }
    warning = ""
    if typical > statistics.limit:
        largest = ""
        if key == "grey_levels":
            median = np.median(means, axis=0)
            i = int(np.argmax(np.abs(median - statistics.mean) / statistics.spread))
            largest = f", the largest difference being in {GREY_NAMES[i]}"
            largest += f" ({median[i]:.2f} here, {statistics.mean[i]:.2f} at fine-tuning)"
        warning = (
            f"{subject} different from those of the fine-tuning: {typical:.2f} standard "
            f"deviations away, where {statistics.limit:.2f} is the limit{largest}."
        )
    return {key: record}, warning


def _share(reference: Reference, sample: list[MicrographFigures]) -> _Part:
    share = float(np.median([f.share for f in sample]))
    record = {
        "here": round(share, 3),
        "model": round(reference.share, 3),
        "limit": round(reference.share_limit, 3),
    }
    warning = ""
    if abs(share - reference.share) > reference.share_limit:
        warning = (
            f"the model takes {percent(share)} of these picks for particles, but took "
            f"{percent(reference.share)} at fine-tuning: another picker, another sample, or the "
            "model does not fit these data."
        )
    return {"share_of_particles": record}, warning


def _large_enough(figures: Mapping[str, MicrographFigures]) -> list[MicrographFigures]:
    """Return the micrographs with enough picks, or all picks as one where none has."""
    sample = [f for f in figures.values() if f.n >= LEAST_PICKS]
    total = sum(f.n for f in figures.values())
    if sample or total < LEAST_PICKS:
        return sample
    return [joined(list(figures.values()))]
