"""Training windows from labelled and unlabelled picks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import window_side
from napari_pickeroptimizer.boxes import (
    Windows,
    check_diameter,
    cut_windows,
    resampled_micrographs,
)
from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.errors import (
    BoxOutsideError,
    LabelError,
    MicrographNotFoundError,
)
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    LabelsLeftOut,
    LabelsSampled,
    MicrographSkipped,
)
from napari_pickeroptimizer.fewshot.sample_labels import sample_labels
from napari_pickeroptimizer.image_frame.check import other_frame
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.label_places import label_places
from napari_pickeroptimizer.micrograph import outside
from napari_pickeroptimizer.picks import concatenate
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    group_by_micrograph,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

FineTuneReading = (
    OtherFrameFits | BoxesRead | MicrographSkipped | LabelsLeftOut | LabelsSampled
)
# Share of reading micrographs in the progress of the job.
READING_SHARE = 0.15


@dataclass(frozen=True)
class TrainingBoxes:
    """Training data of the network.

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
        (m, 1, side, side) windows of unlabelled picks.
    unlabelled_groups : (m,) int
        Micrograph of each of them.
    pixel_size_ang : float or None
        Median pixel size of the labelled micrographs.
    sampled : LabelsSampled or None
        How many of the labels these are; None for all of them.
    """

    labelled: Windows
    targets: NDArray[np.intp]
    groups: NDArray[np.intp]
    suggested: NDArray[np.bool_]
    class_ids: tuple[int, ...]
    unlabelled: Windows
    unlabelled_groups: NDArray[np.intp]
    pixel_size_ang: float | None
    sampled: LabelsSampled | None = None


def checked_class_ids(
    labels: NDArray[np.int8], names: Mapping[int, str] | None = None
) -> tuple[int, ...]:
    """Return the classes that labels hold, ascending; `names` are the user's names.

    Raises
    ------
    LabelError
        There is no label, or one class only.
    """
    class_ids = tuple(int(c) for c in np.unique(labels) if c != UNLABELLED)
    if not class_ids:
        raise LabelError(
            "no pick is labelled: give labels as a column rlnParticleSelectionType (1 particle, "
            "2 contaminant, 3 carbon), or as two sets (--positive and --negative)."
        )
    if len(class_ids) == 1:
        raise LabelError(
            f"all {int((labels > 0).sum())} labels are of one class "
            f"({class_ids[0]}, {class_name(class_ids[0], names)}): "
            "label some picks of a second class too."
        )
    return class_ids


def gather(
    micrographs: Micrographs,
    labels: Picks,
    unlabelled: Picks | None,
    settings: FineTuneSettings,
) -> Iterator[FineTuneReading | TrainingBoxes]:
    """Cut the windows of labels and of unlabelled picks; they come last.

    Each micrograph is read once; one that cannot be read is skipped with an event. So are the
    labels of a place that is labelled as two classes; one that is labelled twice alike teaches
    once. Of more labels than the settings' maxima a sample is used; the rest are unlabelled
    picks where `unlabelled` is None. Before the first box there is an `OtherFrameFits` if the
    particles, or the unlabelled picks, seem to be flipped, swapped, scaled or shifted.

    Raises
    ------
    LabelError
        Fewer than two classes are labelled on readable micrographs.
    MicrographNotFoundError
        A label's micrograph is missing.
    BoxOutsideError
        A label lies outside its micrograph.
    SettingsError
        The diameter fits none of the micrographs.
    """
    _check_labelled(labels, settings)
    labelled = labels.select(labels.labels != UNLABELLED)
    all_picks = (
        labels.select(labels.labels == UNLABELLED) if unlabelled is None else unlabelled
    )
    every_label_rows = _label_rows(micrographs, labelled, all_picks)
    places = label_places(labelled, every_label_rows.values(), settings.class_names)
    if places.clash_note:
        yield LabelsLeftOut(places.clash_note)
    counted = {m: rows[places.counts[rows]] for m, rows in every_label_rows.items()}
    label_rows, sampled = _sampled(counted, labelled, settings)
    if sampled is not None:
        yield sampled
    if unlabelled is None:
        rest = np.setdiff1d(_all_rows(counted), _all_rows(label_rows))
        all_picks = concatenate([all_picks, labelled.select(rest)])
    of_labels, of_picks = labelled.coords_yx_px(), all_picks.coords_yx_px()
    picked_rows = _rows_by_micrograph(group_by_micrograph(micrographs, all_picks))
    sample_rows = _sample_rows(picked_rows, label_rows, settings)
    side = window_side(settings.boxes, settings.augmentation.reach)
    none = np.array([], dtype=np.intp)
    label_parts, sample_parts = [], []
    kept_rows, groups, sample_groups = [none], [none], [none]
    plan = [
        MicrographRows(micrograph.name, micrograph, label_rows.get(micrograph, none))
        for micrograph in dict.fromkeys([*label_rows, *sample_rows])
    ]
    check_diameter(plan, settings.boxes)
    particles = {m: rows[labelled.labels[rows] == PARTICLE] for m, rows in label_rows.items()}
    picked = {m: picked_rows[m] for m in sample_rows}
    yield from _frame_doubts([(particles, of_labels), (picked, of_picks)], settings)
    for event in resampled_micrographs(plan, settings.boxes):
        i, rows, progress = event.n_done - 1, event.group.rows, READING_SHARE * event.progress
        micrograph = event.group.micrograph
        if isinstance(event, MicrographFailed):
            yield MicrographSkipped(event.group.name, event.reason, progress)
            continue
        assert micrograph is not None  # read
        image = event.image
        if len(rows):
            try:
                label_parts.append(cut_windows(image, of_labels[rows], side))
            except BoxOutsideError as error:
                raise BoxOutsideError(f"labels on {micrograph.name}: {error}") from error
            kept_rows.append(rows)
            groups.append(np.full(len(rows), i))
        if micrograph in sample_rows:
            coords = of_picks[sample_rows[micrograph]]
            coords = coords[~outside(coords, image.shape_px)]
            sample_parts.append(cut_windows(image, coords, side))
            sample_groups.append(np.full(len(coords), i))
        yield BoxesRead(micrograph.name, event.n_done, event.n_total, progress)

    readable = np.concatenate(kept_rows)
    kept_labels = labelled.labels[readable]
    try:
        class_ids = checked_class_ids(kept_labels, settings.class_names)
    except LabelError as error:
        raise LabelError(f"{places.clash_note} {error}".strip()) from None
    sizes = [m.pixel_size_ang for m in label_rows if m.pixel_size_ang is not None]
    yield TrainingBoxes(
        labelled=_joined(label_parts, side),
        targets=np.searchsorted(class_ids, kept_labels).astype(np.intp),
        groups=np.concatenate(groups),
        suggested=labelled.was_suggested[readable],
        class_ids=class_ids,
        unlabelled=_joined(sample_parts, side),
        unlabelled_groups=np.concatenate(sample_groups),
        pixel_size_ang=float(np.median(sizes)) if sizes else None,
        sampled=sampled,
    )


def _frame_doubts(
    of_each: Iterable[tuple[_RowsByMicrograph, NDArray[np.float64]]],
    settings: FineTuneSettings,
) -> Iterator[OtherFrameFits]:
    """Yield the first doubt whether picks, given as rows and all coordinates, fit the images."""
    for rows_of, coords_yx_px in of_each:
        groups = [MicrographRows(m.name, m, rows) for m, rows in rows_of.items()]
        doubt = other_frame(groups, coords_yx_px, settings.boxes)
        if doubt is not None:
            yield doubt
            return


def _check_labelled(labels: Picks, settings: FineTuneSettings) -> None:
    if not labels.labels.any() and "predicted" in labels.table:
        raise LabelError(
            "no pick is labelled: the classes in these picks are decisions of an earlier pruning, "
            "not labels. Label some picks; or, to train on those decisions, give --positive "
            "kept.star --negative rejected.star."
        )
    checked_class_ids(labels.labels, settings.class_names)


_RowsByMicrograph = dict["Micrograph", NDArray[np.intp]]


def _rows_by_micrograph(groups: list[MicrographRows]) -> _RowsByMicrograph:
    return {g.micrograph: g.rows for g in groups if g.micrograph is not None}


def _label_rows(
    micrographs: Micrographs, labelled: Picks, all_picks: Picks
) -> _RowsByMicrograph:
    """Return the rows of each micrograph's labels; none of them may be missing."""
    groups = group_by_micrograph(micrographs, labelled, beside=all_picks)
    reasons = [group.reason for group in groups if group.micrograph is None]
    if reasons:
        raise MicrographNotFoundError(
            f"{len(reasons)} micrographs of the labels are missing; {reasons[0]}"
        )
    return _rows_by_micrograph(groups)


def _sampled(
    counted: _RowsByMicrograph, labelled: Picks, settings: FineTuneSettings
) -> tuple[_RowsByMicrograph, LabelsSampled | None]:
    """Return the rows to train on, and what they are a sample of."""
    rows_of = sample_labels(
        counted,
        labelled.labels,
        settings.n_labels,
        settings.n_labelled_micrographs,
        np.random.default_rng(settings.seed),
    )
    n_used, n_labels = len(_all_rows(rows_of)), len(_all_rows(counted))
    if n_used == n_labels:
        return counted, None
    n_labelled = sum(len(rows) > 0 for rows in counted.values())
    return rows_of, LabelsSampled(n_used, n_labels, len(rows_of), n_labelled)


def _all_rows(rows_of: _RowsByMicrograph) -> NDArray[np.intp]:
    return np.concatenate([np.array([], dtype=np.intp), *rows_of.values()])


def _sample_rows(
    picked_rows: _RowsByMicrograph, label_rows: _RowsByMicrograph, settings: FineTuneSettings
) -> _RowsByMicrograph:
    """Draw unlabelled picks from the labelled micrographs and from a few others."""
    others = [micrograph for micrograph in picked_rows if micrograph not in label_rows]
    rng = np.random.default_rng(settings.seed)
    order = rng.permutation(len(others))[: settings.n_unlabelled_micrographs]
    chosen = {*(m for m in picked_rows if m in label_rows), *(others[i] for i in order)}
    parts = [np.array([], dtype=np.intp), *(picked_rows[m] for m in chosen)]
    rows = np.sort(np.concatenate(parts))
    if len(rows) > settings.n_unlabelled:
        rows = np.sort(rng.choice(rows, settings.n_unlabelled, replace=False))
    sampled = {m: np.intersect1d(picked_rows[m], rows) for m in chosen}
    by_first = sorted((m for m in sampled if len(sampled[m])), key=lambda m: sampled[m][0])
    return {micrograph: sampled[micrograph] for micrograph in by_first}


def _joined(parts: list[Windows], side: int) -> Windows:
    if not parts:
        return Windows(torch.zeros(0, 1, side, side), torch.zeros(0, 2))
    return Windows(
        torch.cat([p.pixels for p in parts]), torch.cat([p.offset_xy_px for p in parts])
    )
