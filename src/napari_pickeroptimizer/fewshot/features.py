"""What a sample of the picks looks like to a network, read micrograph by micrograph."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_pickeroptimizer.boxes import cut_windows, render, window_side, working_image
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import MicrographNotFoundError, MicrographReadError
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped
from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS, Classifier, ModelCard
from napari_pickeroptimizer.model.weights import backbone_of, initial_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from napari_pickeroptimizer.boxes import BoxSettings, WorkingImage
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

# In particle diameters. A pick this close to a label shows what the label shows; of two picks
# closer than the second number, one is enough; and one closer to the border is cut off by it.
OF_A_LABEL = 0.5
OF_ANOTHER_PICK = 0.25
OF_THE_BORDER = 0.5
BATCH_SIZE = 256
# Micrographs with labels are read first, but leave this share for those without.
SHARE_OF_OTHERS = 0.5


@dataclass(frozen=True)
class Sample:
    """Picks as a network sees them, and the labels beside them.

    Parameters
    ----------
    rows : (n,) int
        Positions in the table of picks, none of them labelled.
    groups : (n,) int
        Micrograph of each.
    features : (n, c) float32
        The feature map's mean over the box.
    probabilities : (n, n_classes) float32
        P(class); without a meaning where the network has learned no classes yet.
    label_rows : (m,) int
        Positions in the table of labels, of those on micrographs that were read.
    label_features : (m, c) float32
        Features of these labels.
    label_probabilities : (m, n_classes) float32
        P(class) of these labels.
    """

    rows: NDArray[np.intp]
    groups: NDArray[np.intp]
    features: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    label_rows: NDArray[np.intp]
    label_features: NDArray[np.float32]
    label_probabilities: NDArray[np.float32]


def pretrained_features(base: str | Path, boxes: BoxSettings, seed: int) -> Classifier:
    """Return the network of `base` as it is: good for features, its classes mean nothing.

    Raises
    ------
    CheckpointError
        The weights are not there, or do not fit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = initial_network(base, None, 2)
    card = ModelCard((1, 2), ("particle", "contaminant"), backbone_of(base), boxes)
    return Classifier(network.eval(), card)


def sample_features(
    micrographs: Micrographs,
    picks: Picks,
    labels: Picks | None,
    classifier: Classifier,
    *,
    n_micrographs: int,
    n_pool: int,
    seed: int,
    device: str = "auto",
    n_views: int = DEFAULT_VIEWS,
) -> Iterator[BoxesRead | MicrographSkipped | Sample]:
    """Draw picks from some micrographs and compute their features; the sample comes last.

    Each micrograph is read once; one that cannot be read is told, and another takes its place.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        Picks of any number of micrographs.
    labels : Picks or None
        Labelled picks: what lies on one of them is left out.
    classifier : Classifier
        Whose features, and whose box size.
    n_micrographs, n_pool : int
        Most micrographs that are read, and about how many picks are drawn from them.
    seed : int
        Seed of both draws.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    n_views : int
        Looks at each box that are averaged.

    Raises
    ------
    MicrographNotFoundError, MicrographReadError
        No micrograph of the picks is there, or none can be read.
    SettingsError
        The diameter is given in Å and the pixel size is unknown.
    """
    classifier = classifier.to(choose_device(device))
    rows_of, missing = micrographs.rows_of(picks)
    if not rows_of and missing:
        raise MicrographNotFoundError(next(iter(missing.values())))
    for name, reason in missing.items():
        yield MicrographSkipped(name, reason, 0.0)
    label_rows_of = {} if labels is None else micrographs.rows_of(labels)[0]
    rng = np.random.default_rng(seed)
    plan = reading_order(list(rows_of), label_rows_of, n_micrographs, rng)
    everywhere = picks.coords_yx_px()
    of_labels = np.empty((0, 2)) if labels is None else labels.coords_yx_px()
    none = np.empty(0, dtype=np.intp)
    n_read, n_wanted, parts = 0, min(n_micrographs, len(plan)), []
    reasons: list[str] = []
    for micrograph in plan:
        if n_read == n_wanted:
            break
        try:
            pixels = micrograph.read()
        except (MicrographReadError, MicrographNotFoundError) as error:
            reasons.append(str(error))
            yield MicrographSkipped(micrograph.name, str(error), n_read / n_wanted)
            continue
        image = working_image(pixels, classifier.card.boxes, micrograph.pixel_size_ang)
        diameter_px = classifier.card.boxes.diameter_in(micrograph.pixel_size_ang)
        label_rows = label_rows_of.get(micrograph, none)
        label_rows = label_rows[whole(of_labels[label_rows], image.shape_px, 0.0)]
        rows = rng.permutation(rows_of[micrograph])
        free = labelling_candidates(
            everywhere[rows], of_labels[label_rows], image.shape_px, diameter_px
        )
        rows = np.sort(rows[free][: math.ceil(n_pool / n_wanted)])
        coords = np.concatenate([everywhere[rows], of_labels[label_rows]])
        parts.append(
            _part(n_read, rows, label_rows, predict_at(classifier, image, coords, n_views))
        )
        n_read += 1
        yield BoxesRead(micrograph.name, n_read, n_wanted, n_read / n_wanted)
    if not parts:
        raise MicrographReadError(f"none of {len(plan)} micrographs can be read; {reasons[0]}")
    yield joined(parts)


def reading_order(
    with_picks: list[Micrograph],
    with_labels: dict[Micrograph, NDArray[np.intp]],
    n_micrographs: int,
    rng: np.random.Generator,
) -> list[Micrograph]:
    """Return micrographs in the order of reading: a random one, some with labels first."""
    shuffled = [with_picks[i] for i in rng.permutation(len(with_picks))]
    labelled = [m for m in shuffled if m in with_labels]
    first = labelled[: math.ceil(n_micrographs * (1 - SHARE_OF_OTHERS))]
    return first + [m for m in shuffled if m not in set(first)]


def _part(
    group: int,
    rows: NDArray[np.intp],
    label_rows: NDArray[np.intp],
    seen: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> Sample:
    """Return the part of a sample that one micrograph gives: first its picks were seen."""
    probabilities, features = seen
    n = len(rows)
    return Sample(
        rows,
        np.full(n, group, dtype=np.intp),
        features[:n],
        probabilities[:n],
        label_rows,
        features[n:],
        probabilities[n:],
    )


def whole(
    coords_yx_px: NDArray[np.float64], shape_px: tuple[int, int], margin_px: float
) -> NDArray[np.bool_]:
    """Return which (n, 2) centres lie in a (ny, nx) micrograph, `margin_px` off its border."""
    limits = np.asarray(shape_px, dtype=np.float64) - 0.5
    inside = (coords_yx_px >= margin_px - 0.5) & (coords_yx_px < limits - margin_px)
    return np.asarray(inside.all(axis=1))


def labelling_candidates(
    coords_yx_px: NDArray[np.float64],
    labels_yx_px: NDArray[np.float64],
    shape_px: tuple[int, int],
    diameter_px: float,
) -> NDArray[np.intp]:
    """Return positions of picks that are whole, not labelled, and no doubles of others.

    Examples
    --------
    >>> picks = np.array([[50.0, 50], [51, 50], [50, 90], [2, 50]])
    >>> labelling_candidates(picks, np.array([[52.0, 92]]), (100, 100), 20.0)
    array([0])
    """
    ask = whole(coords_yx_px, shape_px, OF_THE_BORDER * diameter_px)
    if len(labels_yx_px):
        distance, _ = cKDTree(labels_yx_px).query(coords_yx_px)
        ask &= distance > OF_A_LABEL * diameter_px
    pairs = cKDTree(coords_yx_px).query_pairs(OF_ANOTHER_PICK * diameter_px)
    for first, second in sorted(pairs):
        if ask[first]:
            ask[second] = False
    return np.flatnonzero(ask)


def predict_at(
    classifier: Classifier,
    image: WorkingImage,
    coords_yx_px: NDArray[np.float64],
    n_views: int = DEFAULT_VIEWS,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, n_classes) probabilities and (n, c) features of picks, from one pass."""
    settings = classifier.card.boxes
    boxes = render(cut_windows(image, coords_yx_px, window_side(settings)), settings.box_px)
    return classifier.predict_with_features(boxes, BATCH_SIZE, n_views)


def joined(parts: list[Sample]) -> Sample:
    """Put the samples of several micrographs together."""
    return Sample(
        *(
            np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(Sample)
        )
    )
