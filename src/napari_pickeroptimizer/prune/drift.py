"""Are these data like those that the model learned from? Warns with the figure that tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.model.reference import (
    GREY_NAMES,
    LEAST_PICKS,
    Family,
    MicrographFigures,
    Reference,
    joined,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import ModelCard

# Pixel sizes in headers differ in the last digits; magnifications by more.
PIXEL_SIZE_TOLERANCE = 1.1
ADVICE = "Label some picks of these data and fine-tune anew, or look at the result with care."


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
    record: dict[str, Any] = {}
    warnings: list[str] = []
    sizes = [s for s in pixel_sizes_ang if s is not None]
    if sizes and card.pixel_size_ang is not None:
        here = float(np.median(sizes))
        record["pixel_size_ang"] = {"model": card.pixel_size_ang, "here": here}
        ratio = here / card.pixel_size_ang
        if max(ratio, 1 / ratio) > PIXEL_SIZE_TOLERANCE:
            warnings.append(
                f"the model was made at {card.pixel_size_ang:.3g} Å a pixel, these micrographs "
                f"have {here:.3g}: boxes are scaled to the same size in Å, but they hold more or "
                "less detail. If one of the two is wrong, so is every box: see --pixel-size."
            )
    reference = reference_of(card)
    seen = _enough(figures)
    if reference is None or not seen:
        return Drift(record, tuple(warnings))
    if len(seen[0].features) != len(reference.features.mean):
        return Drift(record, tuple(warnings))
    for key, family, rows, what in (
        ("grey_levels", reference.grey, [f.grey for f in seen], "look different"),
        (
            "features",
            reference.features,
            [f.features for f in seen],
            "look different to the network",
        ),
    ):
        distances = [family.distance(x, f.n) for x, f in zip(rows, seen, strict=True)]
        typical = float(np.median(distances))
        record[key] = {
            "distance": round(typical, 3),
            "limit": round(family.limit, 3),
            "micrographs_beyond": int((np.array(distances) > family.limit).sum()),
        }
        if typical > family.limit:
            most = (
                f", most of all in {_worst(family, np.stack(rows))}" if "g" in key[0] else ""
            )
            warnings.append(
                f"these picks {what} from those of the fine-tuning: {typical:.2f} standard "
                f"deviations away, where its own micrographs stay below {family.limit:.2f}"
                f"{most}. {ADVICE}"
            )
    share = float(np.median([f.share for f in seen]))
    record["share_of_particles"] = {
        "here": round(share, 3),
        "model": round(reference.share, 3),
        "limit": round(reference.share_limit, 3),
    }
    if abs(share - reference.share) > reference.share_limit:
        warnings.append(
            f"the model holds {share:.0%} of these picks for particles, and held "
            f"{reference.share:.0%} of those of the fine-tuning: another picker, another sample, "
            f"or the model does not fit. {ADVICE}"
        )
    return Drift(record, tuple(warnings))


def _enough(figures: Mapping[str, MicrographFigures]) -> list[MicrographFigures]:
    """Return the micrographs with enough picks; where none has, all picks as one."""
    seen = [f for f in figures.values() if f.n >= LEAST_PICKS]
    total = sum(f.n for f in figures.values())
    if seen or total < LEAST_PICKS:
        return seen
    return [joined(list(figures.values()))]


def _worst(family: Family, rows: NDArray[np.float64]) -> str:
    """Name the grey figure whose typical value is farthest from the reference."""
    here = np.median(rows, axis=0)
    i = int(np.argmax(np.abs(here - family.mean) / family.spread))
    return f"{GREY_NAMES[i]} ({here[i]:.2f} here, {family.mean[i]:.2f} there)"
