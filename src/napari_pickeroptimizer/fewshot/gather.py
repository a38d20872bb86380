"""From labelled and unlabelled picks to the windows that a network learns from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import (
    Windows,
    cut_windows,
    outside,
    window_side,
    working_image,
)
from napari_pickeroptimizer.classes import UNLABELLED, class_name
from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    LabelError,
    MicrographNotFoundError,
    MicrographReadError,
)
from napari_pickeroptimizer.fewshot.background import background_coords
from napari_pickeroptimizer.fewshot.events import BoxesRead, MicrographSkipped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.picks import Picks

# Share of the whole job's progress that reading micrographs counts for.
READING_SHARE = 0.15


@dataclass(frozen=True)
class TrainingBoxes:
    """Everything the network learns from.

    Parameters
    ----------
    labelled : Windows
        (n, 1, side, side) windows with room for augmentation.
    targets : (n,) int
        Position of each label's class in `class_ids`.
    groups : (n,) int
        Micrograph of each label.
    suggested : (n,) bool
        Whether the label is of a pick that was suggested.
    class_ids : tuple of int
        Classes found in the labels, ascending.
    unlabelled : Windows
        (m, 1, side, side) windows of picks nobody labelled.
    unlabelled_groups : (m,) int
        Micrograph of each of them.
    background : Windows
        (k, 1, side, side) windows away from all picks.
    pixel_size_ang : float or None
        Median pixel size of the labelled micrographs.
    """

    labelled: Windows
    targets: NDArray[np.intp]
    groups: NDArray[np.intp]
    suggested: NDArray[np.bool_]
    class_ids: tuple[int, ...]
    unlabelled: Windows
    unlabelled_groups: NDArray[np.intp]
    background: Windows
    pixel_size_ang: float | None


def checked_class_ids(
    labels: NDArray[np.int8], names: Mapping[int, str] | None = None
) -> tuple[int, ...]:
    """Return the classes that labels hold, ascending; `names` are the user's own for them.

    Raises
    ------
    LabelError
        There is no label, or one class only.
    """
    found = tuple(int(c) for c in np.unique(labels) if c != UNLABELLED)
    if not found:
        raise LabelError(
            "no pick is labelled: give labels as a column rlnParticleSelectionType (1 particle, "
            "2 contaminant, 3 carbon), or as two sets (--positive and --negative)."
        )
    if len(found) == 1:
        raise LabelError(
            f"all {int((labels > 0).sum())} labels are of one class "
            f"({found[0]}, {class_name(found[0], names)}): label some picks of a second class too."
        )
    return found


def gather(
    micrographs: Micrographs,
    labels: Picks,
    unlabelled: Picks | None,
    settings: FineTuneSettings,
) -> Iterator[BoxesRead | MicrographSkipped | TrainingBoxes]:
    """Cut the windows of labels, of unlabelled picks and of the background; they come last.

    The background is taken where unlabelled picks are: only where a picker has been is a place
    without a pick a place without a particle. Each micrograph is read once. One that cannot
    be read is skipped and told.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled on readable micrographs.
    MicrographNotFoundError
        A label's micrograph is not among the given ones.
    BoxOutsideError
        A label lies outside its micrograph.
    """
    if not labels.labels.any() and "predicted" in labels.table:
        raise LabelError(
            "no pick is labelled: the classes in these picks are decisions of an earlier pruning, "
            "not labels. Label some picks; or, to learn from those decisions, give --positive "
            "kept.star --negative rejected.star."
        )
    checked_class_ids(labels.labels, settings.class_names)
    labelled = labels.select(labels.labels != UNLABELLED)
    _, missing = micrographs.resolve_all(labelled.table["micrograph"].unique())
    if missing:
        raise MicrographNotFoundError(
            f"{len(missing)} micrographs of the labels are not there; "
            + next(iter(missing.values()))
        )
    everything = (
        labels.select(labels.labels == UNLABELLED) if unlabelled is None else unlabelled
    )
    pool = _unlabelled_sample(micrographs, labelled, everything, settings)
    labelled_rows, _ = micrographs.rows_of(labelled)
    pool_rows, _ = micrographs.rows_of(pool)
    picked_rows, _ = micrographs.rows_of(everything)
    plan = list(dict.fromkeys([*labelled_rows, *pool_rows]))

    everywhere, of_pool = everything.coords_yx_px(), pool.coords_yx_px()
    of_labels = labelled.coords_yx_px()
    side = window_side(settings.boxes, settings.augmentation.reach)
    none = np.array([], dtype=np.intp)
    label_parts, pool_parts, background_parts, row_parts, group_parts = [], [], [], [], []
    pool_group_parts = []
    rng = np.random.default_rng(settings.seed)
    n_each = math.ceil(settings.n_background / max(1, len(pool_rows)))
    for i, micrograph in enumerate(plan):
        progress = READING_SHARE * (i + 1) / len(plan)
        rows = labelled_rows.get(micrograph, none)
        try:
            image = working_image(micrograph.read(), settings.boxes, micrograph.pixel_size_ang)
        except (MicrographReadError, MicrographNotFoundError) as error:
            yield MicrographSkipped(micrograph.name, str(error), progress)
            continue
        if len(rows):
            try:
                windows = cut_windows(image, of_labels[rows], side)
            except BoxOutsideError as error:
                raise BoxOutsideError(f"labels on {micrograph.name}: {error}") from error
            label_parts.append(windows)
            row_parts.append(rows)
            group_parts.append(np.full(len(rows), i))
        if micrograph in pool_rows:
            coords = of_pool[pool_rows[micrograph]]
            coords = coords[~outside(coords, image.shape_px)]
            pool_parts.append(cut_windows(image, coords, side))
            pool_group_parts.append(np.full(len(coords), i))
            taken = np.concatenate(
                [
                    everywhere[picked_rows[micrograph]],
                    of_labels[rows],
                ]
            )
            diameter_px = settings.boxes.diameter_in(micrograph.pixel_size_ang)
            coords = background_coords(taken, image.shape_px, diameter_px, n_each, rng)
            background_parts.append(cut_windows(image, coords, side))
        yield BoxesRead(micrograph.name, i + 1, len(plan), progress)

    kept_rows = np.concatenate(row_parts) if row_parts else none
    kept_labels = labelled.labels[kept_rows]
    class_ids = checked_class_ids(kept_labels, settings.class_names)
    sizes = [m.pixel_size_ang for m in labelled_rows if m.pixel_size_ang is not None]
    yield TrainingBoxes(
        labelled=_joined(label_parts, side),
        targets=np.searchsorted(class_ids, kept_labels).astype(np.intp),
        groups=np.concatenate(group_parts),
        suggested=labelled.was_suggested[kept_rows],
        class_ids=class_ids,
        unlabelled=_joined(pool_parts, side),
        unlabelled_groups=np.concatenate([none, *pool_group_parts]),
        background=_joined(background_parts, side),
        pixel_size_ang=float(np.median(sizes)) if sizes else None,
    )


def _unlabelled_sample(
    micrographs: Micrographs, labelled: Picks, unlabelled: Picks, settings: FineTuneSettings
) -> Picks:
    """Draw unlabelled picks, from the labelled micrographs and a few others."""
    if settings.unlabelled_batch_size == settings.background_batch_size == 0:
        return unlabelled.select(np.array([], dtype=np.intp))
    with_labels, _ = micrographs.rows_of(labelled)
    found, _ = micrographs.rows_of(unlabelled)
    others = [micrograph for micrograph in found if micrograph not in with_labels]
    rng = np.random.default_rng(settings.seed)
    chosen = [micrograph for micrograph in found if micrograph in with_labels]
    order = rng.permutation(len(others))[: settings.n_unlabelled_micrographs]
    chosen += [others[i] for i in order]
    none = np.array([], dtype=np.intp)
    rows = np.sort(np.concatenate([none, *(found[micrograph] for micrograph in chosen)]))
    if len(rows) > settings.n_unlabelled:
        rows = np.sort(rng.choice(rows, settings.n_unlabelled, replace=False))
    return unlabelled.select(rows)


def _joined(parts: list[Windows], side: int) -> Windows:
    if not parts:
        return Windows(torch.zeros(0, 1, side, side), torch.zeros(0, 2))
    return Windows(
        torch.cat([p.pixels for p in parts]), torch.cat([p.offset_xy_px for p in parts])
    )
