"""The scoring of some micrographs by a model: the same function in this process and in workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import window_side
from napari_pickeroptimizer.boxes import (
    MicrographResampled,
    cut_windows,
    render,
    resampled_micrographs,
)
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.prune.events import BatchScored, MicrographScored
from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows
from napari_pickeroptimizer.trust.reference import MicrographFigures, grey_figures, joined

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.model.views import Auto


def score_groups(
    groups: Sequence[MicrographRows],
    coords_yx_px: NDArray[np.float64],
    classifier: Classifier,
    batch_size: int,
    n_views: int | Auto,
) -> Iterator[BatchScored | MicrographScored | MicrographFailed]:
    """Score the picks of some micrographs.

    Parameters
    ----------
    groups : sequence of MicrographRows
        The micrographs, in the order of scoring.
    coords_yx_px : (n, 2) float64
        Centres of all picks, (row, column); the groups hold positions in it.
    classifier : Classifier
        As `Classifier.for_inference` returns it.
    batch_size, n_views
        As in `score`.
    """
    for event in resampled_micrographs(groups, classifier.card.boxes):
        if isinstance(event, MicrographFailed):
            yield event
        else:
            yield from _score_one(event, coords_yx_px, classifier, batch_size, n_views)


def _score_one(
    read: MicrographResampled,
    coords_yx_px: NDArray[np.float64],
    classifier: Classifier,
    batch_size: int,
    n_views: int | Auto,
) -> Iterator[BatchScored | MicrographScored]:
    group, card, working = read.group, classifier.card, read.image
    rows = group.rows
    inside = np.flatnonzero(~outside(coords_yx_px[rows], working.shape_px))
    n_features = classifier.network.linear.in_features
    probabilities = np.full((len(rows), len(card.class_ids)), np.nan, np.float32)
    features = np.full((len(rows), n_features), np.nan, np.float32)
    figures: list[MicrographFigures] = []
    # not needed for models without a reference
    compares = bool(card.training.get("reference")) and PARTICLE in card.class_ids
    for start in range(0, len(inside), batch_size):
        if start:
            yield BatchScored(group, start, len(inside), read.n_done - 1, read.n_total)
        part = inside[start : start + batch_size]
        windows = cut_windows(working, coords_yx_px[rows[part]], window_side(card.boxes))
        boxes = render(windows, card.boxes.box_px)
        p, features[part] = classifier.predict_with_features(boxes, batch_size, n_views)
        probabilities[part] = p
        if compares:
            p_particle = p[:, card.class_ids.index(PARTICLE)]
            grey = grey_figures(boxes.numpy())
            figures.append(MicrographFigures.of(grey, features[part], p_particle))
    yield MicrographScored(
        group,
        probabilities,
        len(rows) - len(inside),
        read.n_done,
        read.n_total,
        features,
        joined(figures) if figures else None,
        working.shape_px,
    )


def without_features(
    event: MicrographScored | MicrographFailed,
) -> MicrographScored | MicrographFailed:
    """Return an event to be kept: features are large, and `picks_scored` needs none."""
    return replace(event, features=None) if isinstance(event, MicrographScored) else event
