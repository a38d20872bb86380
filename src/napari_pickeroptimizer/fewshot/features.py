"""Features of a sample of the picks, computed micrograph by micrograph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_pickeroptimizer.box_size import window_side
from napari_pickeroptimizer.boxes import (
    MicrographResampled,
    check_diameter,
    cut_windows,
    render,
    resampled_micrographs,
)
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import MicrographReadError
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import backbone_of, initial_network
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    check_any_found,
    group_by_micrograph,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterator
    from pathlib import Path

    from napari_pickeroptimizer.box_size import BoxSettings
    from napari_pickeroptimizer.fewshot.settings import SuggestSettings
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

# In particle diameters: a pick closer to a label duplicates it; of two picks closer to each
# other, one is enough; a pick closer to the border is cut off.
OF_A_LABEL = 0.5
OF_ANOTHER_PICK = 0.25
OF_THE_BORDER = 0.5
# Micrographs with labels are read first, but this share is left for those without.
SHARE_OF_OTHERS = 0.5


class Sample(NamedTuple):
    """Features and probabilities of picks, and of the labels on the same micrographs.

    Parameters
    ----------
    rows : (n,) int
        Positions in the table of picks, none of them labelled.
    groups : (n,) int
        Micrograph of each.
    features : (n, c) float32
        The feature map's mean over the box.
    probabilities : (n, n_classes) float32
        P(class); meaningless where the network was not fine-tuned yet.
    label_rows : (m,) int
        Positions in the table of labels, of those on micrographs that were read.
    label_features : (m, c) float32
        Features of these labels.
    label_probabilities : (m, n_classes) float32
        P(class) of these labels.
    label_first_features : (m, c) float32
        Features of these labels by the network that is not fine-tuned; those of the other one
        where there is only one.
    """

    rows: NDArray[np.intp]
    groups: NDArray[np.intp]
    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    label_rows: NDArray[np.intp]
    label_features: NDArray[np.float32]
    label_probabilities: NDArray[np.float32]
    label_first_features: NDArray[np.float32]


def pretrained_features(base: str | Path, boxes: BoxSettings, seed: int) -> Classifier:
    """Return the network of `base` with untrained heads: for its features only.

    Raises
    ------
    CheckpointError
        The weights are missing, or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = initial_network(base, None, 2)
    card = ModelCard((1, 2), ("particle", "contaminant"), backbone_of(base), boxes)
    return Classifier(network.eval(), card)


def sample_features(
    micrographs: Micrographs,
    picks: Picks,
    labels: Picks,
    classifier: Classifier,
    settings: SuggestSettings,
    first: Classifier | None = None,
) -> Generator[BoxesRead | MicrographSkipped, None, Sample]:
    """Draw picks from some micrographs and return their features, yielding the progress.

    Each micrograph is read once; one that cannot be read is skipped with an event and replaced.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of any number of micrographs.
    labels : Picks
        Labelled picks; picks at their positions are left out.
    classifier : Classifier
        Network for the features, and its box size.
    settings : SuggestSettings
        Number of micrographs and of picks, views, seed of both draws, device.
    first : Classifier, optional
        Network that is not fine-tuned, for features of the labels.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        No micrograph of the picks is found, or none can be read.
    SettingsError
        The diameter is given in Å and the pixel size is unknown.
    """
    device = choose_device(settings.device)
    classifier, first = classifier.to(device), first and first.to(device)
    groups = group_by_micrograph(micrographs, picks)
    check_any_found(groups)
    for group in groups:
        if group.micrograph is None:
            yield MicrographSkipped(group.name, group.reason, 0.0)
    label_groups = group_by_micrograph(micrographs, labels, beside=picks)
    label_rows_of = {g.micrograph: g.rows for g in label_groups if g.micrograph is not None}
    rng = np.random.default_rng(settings.seed)
    available = [group for group in groups if group.micrograph is not None]
    plan = reading_order(available, label_rows_of, settings.n_micrographs, rng)
    everywhere, of_labels = picks.coords_yx_px(), labels.coords_yx_px()
    none = np.empty(0, dtype=np.intp)
    box_settings = classifier.card.boxes
    check_diameter(plan, box_settings)
    n_wanted = min(settings.n_micrographs, len(plan))
    parts: list[Sample] = []
    reasons: list[str] = []
    for event in _read_some(plan, n_wanted, box_settings):
        micrograph = event.group.micrograph
        assert micrograph is not None  # of those in the plan
        if isinstance(event, MicrographFailed):
            reasons.append(event.reason)
            yield MicrographSkipped(micrograph.name, event.reason, len(parts) / n_wanted)
            continue
        shape_px = event.image.shape_px
        diameter_px = box_settings.diameter_in(micrograph.pixel_size_ang)
        label_rows = label_rows_of.get(micrograph, none)
        label_rows = label_rows[~outside(of_labels[label_rows], shape_px)]
        rows = rng.permutation(event.group.rows)
        free = labelling_candidates(
            everywhere[rows], of_labels[label_rows], shape_px, diameter_px
        )
        rows = np.sort(rows[free][: math.ceil(settings.n_pool / n_wanted)])
        n = len(rows)
        coords = np.concatenate([everywhere[rows], of_labels[label_rows]])
        windows = cut_windows(event.image, coords, window_side(box_settings))
        boxes = render(windows, box_settings.box_px)
        p, features = classifier.predict_with_features(boxes, n_views=settings.n_views)
        of_first = features[n:]
        if first is not None:
            _, of_first = first.predict_with_features(boxes[n:], n_views=settings.n_views)
        where = np.full(n, len(parts), dtype=np.intp)
        parts.append(
            Sample(rows, where, features[:n], p[:n], label_rows, features[n:], p[n:], of_first)
        )
        yield BoxesRead(micrograph.name, len(parts), n_wanted, len(parts) / n_wanted)
    if not parts:
        raise MicrographReadError(f"none of {len(plan)} micrographs can be read; {reasons[0]}")
    return Sample(*map(np.concatenate, zip(*parts, strict=True)))


def _read_some(
    plan: list[MicrographRows], n_wanted: int, settings: BoxSettings
) -> Iterator[MicrographResampled | MicrographFailed]:
    """Read micrographs in order until `n_wanted` are read; others replace unreadable ones."""
    while n_wanted and plan:
        part, plan = plan[:n_wanted], plan[n_wanted:]
        for event in resampled_micrographs(part, settings):
            n_wanted -= isinstance(event, MicrographResampled)
            yield event


def reading_order(
    groups: list[MicrographRows],
    with_labels: Collection[Micrograph],
    n_micrographs: int,
    rng: np.random.Generator,
) -> list[MicrographRows]:
    """Return micrographs in random order, some of those with labels first."""
    shuffled = [groups[i] for i in rng.permutation(len(groups))]
    labelled = [i for i, group in enumerate(shuffled) if group.micrograph in with_labels]
    first_rows = labelled[: math.ceil(n_micrographs * (1 - SHARE_OF_OTHERS))]
    other_rows = np.setdiff1d(np.arange(len(shuffled)), first_rows)
    return [shuffled[i] for i in (*first_rows, *other_rows)]


def labelling_candidates(
    coords_yx_px: NDArray[np.float64],
    labels_yx_px: NDArray[np.float64],
    shape_px: tuple[int, int],
    diameter_px: float,
) -> NDArray[np.intp]:
    """Return positions of picks that are unlabelled, off the border, and no duplicates.

    Examples
    --------
    >>> picks = np.array([[50.0, 50], [51, 50], [50, 90], [2, 50]])
    >>> labelling_candidates(picks, np.array([[52.0, 92]]), (100, 100), 20.0)
    array([0])
    """
    candidate = ~outside(coords_yx_px, shape_px, OF_THE_BORDER * diameter_px)
    if len(labels_yx_px):
        distance, _ = cKDTree(labels_yx_px).query(coords_yx_px)
        candidate &= distance > OF_A_LABEL * diameter_px
    pairs = cKDTree(coords_yx_px).query_pairs(OF_ANOTHER_PICK * diameter_px)
    for first, second in sorted(pairs):
        if candidate[first]:
            candidate[second] = False
    return np.flatnonzero(candidate)
