"""Scoring: a stream over micrographs, each read once, with constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import (
    cut_windows,
    outside,
    render,
    window_side,
    working_image,
)
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRead,
    MicrographRows,
    check_any_found,
    group_by_micrograph,
    read_micrographs,
)
from napari_pickeroptimizer.schema import PROBABILITY_PREFIX
from napari_pickeroptimizer.trust.reference import MicrographFigures, grey_figures, joined

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks


@dataclass(frozen=True, eq=False)
class MicrographScored:
    """The picks of one micrograph have their probabilities.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its n picks.
    probabilities : (n, n_classes) float32
        P(class); NaN for picks outside the micrograph.
    n_outside : int
        How many lie outside.
    n_done, n_total : int
        Finished micrographs, and all.
    features : (n, d) float32 or None
        The network's features of each box; NaN as above. None
        for scores of an earlier run, which keeps none.
    figures : MicrographFigures or None
        Statistics of the picks, for models with a reference to compare with.
    shape_px : tuple of int or None
        (ny, nx) of the micrograph.
    """

    group: MicrographRows
    probabilities: NDArray[np.float32]
    n_outside: int
    n_done: int
    n_total: int
    features: NDArray[np.float32] | None = field(default=None, repr=False)
    figures: MicrographFigures | None = field(default=None, repr=False)
    shape_px: tuple[int, int] | None = None

    @property
    def progress(self) -> float:
        """Finished part of the micrographs, 0..1."""
        return self.n_done / self.n_total


@dataclass(frozen=True, eq=False)
class BatchScored:
    """One batch of a micrograph's picks has been scored.

    It allows the generator to be closed before the micrograph is finished.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its picks.
    n_scored, n_picks : int
        Scored picks of this micrograph, and all.
    n_done, n_total : int
        Finished micrographs, and all.
    """

    group: MicrographRows
    n_scored: int
    n_picks: int
    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Finished part of the micrographs, 0..1, including a part of this one."""
        return (self.n_done + self.n_scored / self.n_picks) / self.n_total


@dataclass(frozen=True)
class PicksScored:
    """The last event.

    Parameters
    ----------
    picks : Picks
        The picks with a column ``probability_<id>`` for each class.
    failures : dict
        Reason by micrograph that could not be read.
    outside : dict
        Number of picks outside by micrograph, where there are any.
    figures : dict
        Statistics of the picks by micrograph, for models with a reference to compare with.
    """

    picks: Picks
    failures: dict[str, str]
    outside: dict[str, int]
    figures: dict[str, MicrographFigures] = field(default_factory=dict, repr=False)
    progress: float = 1.0


ScoreEvent = BatchScored | MicrographScored | MicrographFailed | PicksScored


def checked_for_picks(classifier: Classifier) -> Classifier:
    """Return the classifier if its outputs are classes of picks.

    Raises
    ------
    CheckpointError
        It is a pretrained model, whose outputs are categories of many data sets.
    """
    card = classifier.card
    if card.is_pretrained:
        raise CheckpointError(
            f"this model is a pretrained one: it distinguishes {len(card.class_names)} "
            "categories of boxes and cannot score picks. It is a base to start from: "
            "fine-tune it on labelled picks (`pickeroptimizer finetune --base FILE`) "
            "and use the resulting model."
        )
    return classifier


def score(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    *,
    device: str = "auto",
    batch_size: int = 256,
    n_views: int = DEFAULT_VIEWS,
    first: Sequence[str] = (),
) -> Iterator[ScoreEvent]:
    """Give every pick its class probabilities; closing the generator cancels.

    Between the batches of a micrograph there is a `BatchScored`, so that it can be closed then.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of any number of micrographs.
    classifier : Classifier
        The trained model.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes per forward pass; affects memory and speed, not the result.
    n_views : int
        Test-time augmentation views of each box (rotated, flipped) that are averaged, 1 to 8.
        A single view is that many times faster, and a little less accurate.
    first : sequence of str
        Micrographs, as the picks spell them, to be scored before the others, in this order;
        names that no pick has are ignored. The results do not depend on it.

    Raises
    ------
    AmbiguousMicrographError
        A pick's micrograph name fits several micrographs.
    CheckpointError
        The model is a pretrained one.
    SettingsError
        The model's diameter is in Å and the pixel size is unknown.
    MicrographNotFoundError
        None of the picks' micrographs is among the given ones.
    """
    classifier = checked_for_picks(classifier).to(choose_device(device))
    groups = group_by_micrograph(micrographs, picks, first=first)
    check_any_found(groups)
    events: list[MicrographScored | MicrographFailed] = []
    for event in score_groups(
        groups, picks.coords_yx_px(), classifier, batch_size=batch_size, n_views=n_views
    ):
        if isinstance(event, MicrographScored):
            events.append(replace(event, features=None))  # large, and not needed below
        elif isinstance(event, MicrographFailed):
            events.append(event)
        yield event
    yield picks_scored(picks, classifier.card.class_ids, events)


def score_groups(
    groups: Sequence[MicrographRows],
    coords_yx_px: NDArray[np.float64],
    classifier: Classifier,
    *,
    batch_size: int = 256,
    n_views: int = DEFAULT_VIEWS,
) -> Iterator[BatchScored | MicrographScored | MicrographFailed]:
    """Score the picks of some micrographs with a classifier that is on its device already.

    Parameters
    ----------
    groups : sequence of MicrographRows
        The micrographs, in the order of scoring.
    coords_yx_px : (n, 2) float64
        Centres of all picks, (row, column); the groups hold positions in it.
    classifier, batch_size, n_views
        As in `score`.
    """
    for event in read_micrographs(groups):
        if isinstance(event, MicrographFailed):
            yield event
        else:
            yield from _score_one(event, coords_yx_px, classifier, batch_size, n_views)


def _score_one(
    read: MicrographRead,
    coords_yx_px: NDArray[np.float64],
    classifier: Classifier,
    batch_size: int,
    n_views: int,
) -> Iterator[BatchScored | MicrographScored]:
    group, card = read.group, classifier.card
    assert group.micrograph is not None  # read
    working = working_image(read.image, card.boxes, group.micrograph.pixel_size_ang)
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


def picks_scored(
    picks: Picks,
    class_ids: Sequence[int],
    events: Iterable[MicrographScored | MicrographFailed],
) -> PicksScored:
    """Return picks with the probabilities of scoring events, which may be in any order."""
    probabilities = np.full((len(picks), len(class_ids)), np.nan, np.float32)
    failures: dict[str, str] = {}
    n_outside: dict[str, int] = {}
    figures: dict[str, MicrographFigures] = {}
    for event in events:
        name = event.group.name
        if isinstance(event, MicrographFailed):
            failures[name] = event.reason
            continue
        probabilities[event.group.rows] = event.probabilities
        if event.n_outside:
            n_outside[name] = event.n_outside
        if event.figures is not None:
            figures[name] = event.figures
    columns = {
        f"{PROBABILITY_PREFIX}{class_id}": probabilities[:, i].astype(np.float64)
        for i, class_id in enumerate(class_ids)
    }
    return PicksScored(picks.with_columns(**columns), failures, n_outside, figures)
