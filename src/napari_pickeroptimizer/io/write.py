"""Write picks: the source text again, rows gone, columns come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.io.relion import (
    PARTIAL_LABEL,
    PARTICLE_PROBABILITY,
    SELECTION_TYPE,
)
from napari_pickeroptimizer.picks import Picks


def star_columns(picks: Picks) -> dict[str, NDArray[Any]]:
    """Return the columns that `write_picks` adds to a STAR by default, (n,) each.

    ``rlnParticleSelectionType`` is the class that was decided, else the user's label. RELION
    5 stops at values outside 1..6: where only some picks have a class, the classes go to the
    private column ``poLabel`` (0 = none) instead. ``poParticleProbability`` is P(particle).
    """
    classes = picks.labels
    if "predicted" in picks.table:
        predicted = picks.table["predicted"].to_numpy(dtype=np.int8)
        classes = np.where(predicted != 0, predicted, classes)
    columns: dict[str, NDArray[Any]] = {}
    if classes.any():
        columns[SELECTION_TYPE if classes.all() else PARTIAL_LABEL] = classes
    probability = picks.particle_probability
    if not np.isnan(probability).all():
        columns[PARTICLE_PROBABILITY] = probability
    return columns


def write_picks(
    picks: Picks, output: str | Path, *, columns: Mapping[str, NDArray[Any]] | None = None
) -> list[Path]:
    columns = star_columns(picks) if columns is None else columns
    (source,) = picks.sources
    rows = picks.table["source_row"].to_numpy()
    return [write_text_atomic(output, source.render(rows, columns))]
