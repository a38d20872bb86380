"""Are these data like those that the model learned from? Warns with the figure that tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.trust.reference import (
    GREY_NAMES,
    LEAST_PICKS,
    FeatureStatistics,
    MicrographFigures,
    Reference,
    joined,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard

# Pixel sizes in headers differ in the last digits; magnifications by more.
PIXEL_SIZE_TOLERANCE = 1.1
ADVICE = " Label some picks of these data and fine-tune anew, or look at the result with care."


@dataclass(frozen=True)
class Drift:
    """How these picks differ from those of the model's fine-tuning.

    Parameters
    ----------
    record : dict
        Figures for ``run.json``: pixel sizes, distances and their limits.
    warnings : tuple of str
        What is beyond its limit, in sentences.
    """

    record: dict[str, Any]
    warnings: tuple[str, ...]


def reference_of(card: ModelCard) -> Reference | None:
    """Return what picks looked like at fine-tuning; None where a card does not tell."""
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

    What counts is the typical micrograph, the median of all distances: that one of many is odd
    is no reason to distrust a model.

    Parameters
    ----------
    card : ModelCard
        Of the model, with its reference.
    figures : mapping of str to MicrographFigures
        What scoring saw, by micrograph.
    pixel_sizes_ang : iterable of float or None
        Of the micrographs scored.
    """
    parts = [_pixel_size(card, pixel_sizes_ang)]
    reference, seen = reference_of(card), _enough(figures)
    # other lengths would be of another network; such a reference is none
    if (
        reference is not None
        and seen
        and len(seen[0].features) == len(reference.features.mean)
    ):
        grey = np.stack([f.grey for f in seen])
        features = np.stack([f.features for f in seen])
        n = [f.n for f in seen]
        parts += [
            _looks("grey_levels", "these picks look", reference.grey, grey, n),
            _looks(
                "features", "to the network these picks look", reference.features, features, n
            ),
            _share(reference, seen),
        ]
    record = {key: values for part, _ in parts for key, values in part.items()}
    warnings = [said for _, said in parts if said]
    if warnings:
        warnings[-1] += ADVICE
    return Drift(record, tuple(warnings))


_Part = tuple[dict[str, Any], str]  # of the record, and a warning where there is one


def _pixel_size(card: ModelCard, pixel_sizes_ang: Iterable[float | None]) -> _Part:
    sizes = [s for s in pixel_sizes_ang if s is not None]
    if not sizes or card.pixel_size_ang is None:
        return {}, ""
    here, model = float(np.median(sizes)), card.pixel_size_ang
    said = ""
    if max(here / model, model / here) > PIXEL_SIZE_TOLERANCE:
        said = (
            f"the model was made at {model:.3g} Å a pixel, these micrographs have {here:.3g}: "
            "boxes are scaled to the same size in Å, but they hold more or less detail. If one "
            "of the two is wrong, so is every box: see --pixel-size."
        )
    return {"pixel_size_ang": {"model": model, "here": here}}, said


def _looks(
    key: str, what: str, family: FeatureStatistics, rows: NDArray[np.float64], n: list[int]
) -> _Part:
    """Compare the (k, d) mean figures of micrographs with those of the reference."""
    distances = np.array([family.distance(x, m) for x, m in zip(rows, n, strict=True)])
    typical = float(np.median(distances))
    record = {
        "distance": round(typical, 3),
        "limit": round(family.limit, 3),
        "micrographs_beyond": int((distances > family.limit).sum()),
    }
    said = ""
    if typical > family.limit:
        most = ""
        if key == "grey_levels":
            here = np.median(rows, axis=0)
            i = int(np.argmax(np.abs(here - family.mean) / family.spread))
            most = f", most of all in {GREY_NAMES[i]}"
            most += f" ({here[i]:.2f} here, {family.mean[i]:.2f} there)"
        said = (
            f"{what} different from those of the fine-tuning: {typical:.2f} standard deviations "
            f"away, where {family.limit:.2f} is the limit{most}."
        )
    return {key: record}, said


def _share(reference: Reference, seen: list[MicrographFigures]) -> _Part:
    share = float(np.median([f.share for f in seen]))
    record = {
        "here": round(share, 3),
        "model": round(reference.share, 3),
        "limit": round(reference.share_limit, 3),
    }
    said = ""
    if abs(share - reference.share) > reference.share_limit:
        said = (
            f"the model holds {share:.0%} of these picks for particles, and held "
            f"{reference.share:.0%} of those of the fine-tuning: another picker, another sample, "
            "or the model does not fit."
        )
    return {"share_of_particles": record}, said


def _enough(figures: Mapping[str, MicrographFigures]) -> list[MicrographFigures]:
    """Return the micrographs with enough picks; where none has, all picks as one."""
    seen = [f for f in figures.values() if f.n >= LEAST_PICKS]
    total = sum(f.n for f in figures.values())
    if seen or total < LEAST_PICKS:
        return seen
    return [joined(list(figures.values()))]
