"""What the gallery shows: picks in an order, some of them, some selected. Pure, no Qt.

Everything is an array over all picks, and nothing loops over them: a million picks are
sorted in a fraction of a second, and a key press touches none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.labels.vocabulary import ClassStyle, Vocabulary
from napari_pickeroptimizer.plugin.panels.gallery.selection import NOTHING, Display

DEFAULT_THRESHOLD = 0.5
# rows of features that are turned into float32 at once: 25 MB
FEATURE_CHUNK = 100_000


class Sort(StrEnum):
    """Orders of the gallery."""

    MICROGRAPH = "Micrograph"
    SCORE_DOWN = "Score, high first"
    SCORE_UP = "Score, low first"
    DOUBT = "Doubt"
    CLASS = "Class"
    LIKENESS = "Likeness"
    PICKER_SCORE = "Picker's score"


class Show(StrEnum):
    """Which picks the gallery shows."""

    ALL = "All picks"
    KEPT = "Kept"
    REJECTED = "Rejected"
    LABELLED = "Labelled"
    UNLABELLED = "Unlabelled"
    MICROGRAPH = "This micrograph"


SORT_HELP = {
    Sort.MICROGRAPH: "As the picks are in their file, micrograph by micrograph.",
    Sort.SCORE_DOWN: "The surest particles first.",
    Sort.SCORE_UP: "The surest false picks first.",
    Sort.DOUBT: "Scores closest to the threshold first: labels tell most there.",
    Sort.CLASS: "By label, else by the class that the score decides on.",
    Sort.LIKENESS: "Those first that look most like the selected ones to the network.",
    Sort.PICKER_SCORE: "By the figure of merit in the pick file, high first.",
}
SCORE_FIRST = "Score the picks first: there is nothing to sort or to filter by yet."
BY_SCORE = frozenset({Sort.SCORE_DOWN, Sort.SCORE_UP, Sort.DOUBT, Sort.LIKENESS, Sort.CLASS})


@dataclass(frozen=True)
class CellLook:
    """What there is to tell about one pick.

    Parameters
    ----------
    label : ClassStyle or None
        The user's label.
    decided : ClassStyle or None
        The class that the score decides on.
    kept : bool
        Whether that is the particle.
    score : str
        The score as it is shown.
    """

    label: ClassStyle | None = None
    decided: ClassStyle | None = None
    kept: bool = False
    score: str = ""


def score_text(probability: float) -> str:
    """Return a probability with two digits, never rounded up to certainty.

    Examples
    --------
    >>> score_text(0.456), score_text(0.9996), score_text(1.0)
    ('0.46', '0.99', '1.00')
    """
    if probability < 1.0:
        probability = min(probability, 0.99)
    return f"{probability:.2f}"


@dataclass(frozen=True)
class GalleryPicks:
    """The columns that the gallery sorts, filters and shows by.

    Parameters
    ----------
    labels : (n,) int8
        The user's labels, 0 = unlabelled.
    slices : (n,) int32
        Slice of the stack that each pick lies on.
    probability : (n,) float32
        P(particle), NaN where not scored.
    other : (n,) int8
        Most probable class besides the particle, 0 where not scored.
    threshold : float
        Least probability of a kept pick.
    picker_score : (n,) float32 or None
        The picker's own score.
    features : (n, d) float16 or None
        What the network makes of each box; NaN where not scored.
    blocked : (n,) bool or None
        Picks that their place rejects, whatever their score.
    """

    labels: NDArray[np.int8]
    slices: NDArray[np.int32]
    probability: NDArray[np.float32]
    other: NDArray[np.int8]
    threshold: float = DEFAULT_THRESHOLD
    picker_score: NDArray[np.float32] | None = None
    features: NDArray[Any] | None = None
    blocked: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def scored(self) -> bool:
        """Whether any pick is scored."""
        return bool(np.isfinite(self.probability).any())

    def decided(self, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return the classes that the scores decide on, 0 where there is none."""
        p = self.probability[rows]
        kept = np.asarray(p >= self.threshold)  # False for NaN
        if self.blocked is not None:
            kept &= ~self.blocked[rows]
        return np.where(kept, np.int8(PARTICLE), self.other[rows]).astype(np.int8)

    def looks(self, rows: NDArray[np.intp], vocabulary: Vocabulary) -> list[CellLook]:
        """Return what the cells of some picks show."""
        labels, decided = self.labels[rows], self.decided(rows)
        return [
            CellLook(
                label=vocabulary.style(int(label)) if label else None,
                decided=vocabulary.style(int(by_score)) if by_score else None,
                kept=bool(by_score == PARTICLE),
                score="" if np.isnan(p) else score_text(float(p)),
            )
            for label, by_score, p in zip(labels, decided, self.probability[rows], strict=True)
        ]

    def classes(self, rows: Any = slice(None)) -> NDArray[np.int8]:
        """Return the classes that count: the label, else the decided one."""
        labels = self.labels[rows]
        return np.where(labels != UNLABELLED, labels, self.decided(rows)).astype(np.int8)


def gallery_picks(picks: Picks, slices: NDArray[Any], scores: Any = None) -> GalleryPicks:
    """Return the columns of `picks`, with the scores of a session where it has any.

    Parameters
    ----------
    picks : Picks
        As the layer shows them; probabilities in its table are used without `scores`.
    slices : (n,) array
        Slice of each pick.
    scores : plugin.scores.Scores, optional
        What has been scored in this session so far.
    """
    table, n = picks.table, len(picks)
    threshold, features, blocked = DEFAULT_THRESHOLD, None, None
    if scores is not None and len(scores.probabilities) == n:
        probability = np.asarray(scores.p_particle, dtype=np.float32)
        other = _best_other(np.asarray(scores.probabilities), tuple(scores.class_ids))
        threshold, features = float(scores.threshold), scores.features
        if scores.complete:  # before, places are not known, and asking for them is slow
            blocked = scores.decision.blocked
    else:
        probability = np.asarray(picks.particle_probability, dtype=np.float32)
        columns = [table[f"probability_{i}"] for i in picks.class_ids]
        stacked = np.column_stack(columns) if columns else np.empty((n, 0))
        other = _best_other(stacked, picks.class_ids)
    picker_score = None
    if "picker_score" in table:
        picker_score = table["picker_score"].to_numpy(dtype=np.float32)
    return GalleryPicks(
        labels=picks.labels,
        slices=np.asarray(slices, dtype=np.int32),
        probability=probability,
        other=other,
        threshold=threshold,
        picker_score=picker_score,
        features=features,
        blocked=blocked,
    )


def _best_other(probabilities: NDArray[Any], class_ids: Sequence[int]) -> NDArray[np.int8]:
    others = [i for i, c in enumerate(class_ids) if c != PARTICLE]
    if not others or not len(probabilities):
        scored = np.isfinite(probabilities).any(axis=1)
        return np.where(scored, np.int8(CONTAMINANT), np.int8(0)).astype(np.int8)
    columns = np.nan_to_num(probabilities[:, others], nan=-1.0)
    ids = np.array([class_ids[i] for i in others], dtype=np.int8)
    best = ids[columns.argmax(axis=1)]
    return np.where(columns.max(axis=1) >= 0, best, np.int8(0)).astype(np.int8)


# ----------------------------------------------------------------------- order


def order(
    picks: GalleryPicks, sort: Sort, reference: NDArray[np.intp] | None = None
) -> NDArray[np.intp]:
    """Return the (n,) rows of all picks in an order; equal ones stay in their micrograph's.

    Parameters
    ----------
    picks : GalleryPicks
        What is sorted.
    sort : Sort
        By what. Picks that have no such value come last.
    reference : (m,) int array, optional
        Rows whose likeness is meant by `Sort.LIKENESS`.

    Raises
    ------
    SettingsError
        The picks do not have what they are to be sorted by.
    """
    match sort:
        case Sort.MICROGRAPH:
            return _ascending(picks.slices)
        case Sort.PICKER_SCORE:
            if picks.picker_score is None:
                raise SettingsError("The pick file tells no score of the picker.")
            return _ascending(-picks.picker_score)
        case Sort.LIKENESS:
            return _ascending(-likeness(picks, reference))
        case Sort.CLASS:
            return _by_class(picks)
    if not picks.scored:
        raise SettingsError(SCORE_FIRST)
    p = picks.probability
    match sort:
        case Sort.SCORE_DOWN:
            return _ascending(-p)
        case Sort.SCORE_UP:
            return _ascending(p)
    return _ascending(np.abs(p - np.float32(picks.threshold)))


def likeness(picks: GalleryPicks, reference: NDArray[np.intp] | None) -> NDArray[np.float32]:
    """Return the (n,) cosine between each pick's features and the mean of the reference's.

    Raises
    ------
    SettingsError
        There are no features yet, or no scored pick is selected.
    """
    features = picks.features
    if features is None or len(features) != len(picks):
        raise SettingsError("Score the picks first: the network tells what looks alike.")
    if reference is None or not len(reference):
        raise SettingsError("Select a pick first: the others are sorted by likeness to it.")
    wanted = _unit(np.asarray(features[reference], dtype=np.float32))
    wanted = wanted[np.isfinite(wanted).all(axis=1)]
    if not len(wanted):
        raise SettingsError("The selected pick is not scored: select another one.")
    direction = _unit(wanted.mean(axis=0, keepdims=True))[0]
    parts = [
        _unit(np.asarray(features[i : i + FEATURE_CHUNK], dtype=np.float32)) @ direction
        for i in range(0, len(features), FEATURE_CHUNK)
    ]
    return np.concatenate(parts).astype(np.float32)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / np.maximum(norms, 1e-12)[:, None], dtype=np.float32)


def _by_class(picks: GalleryPicks) -> NDArray[np.intp]:
    classes = picks.classes()
    if not classes.any():
        raise SettingsError("Label or score picks first: none has a class yet.")
    by_score = _ascending(-picks.probability)
    last = np.where(classes == 0, np.int8(127), classes)
    return by_score[_ascending(last[by_score])]


def _ascending(values: NDArray[Any]) -> NDArray[np.intp]:
    return np.argsort(values, kind="stable")  # NaN last


def shown(picks: GalleryPicks, show: Show, slice_index: int | None = None) -> NDArray[Any]:
    """Return the (n,) mask of the picks that a filter lets through.

    Raises
    ------
    SettingsError
        Kept or rejected picks are asked for, and none has a class.
    """
    labels = picks.labels
    match show:
        case Show.ALL:
            return np.ones(len(picks), dtype=bool)
        case Show.LABELLED:
            return np.asarray(labels != UNLABELLED)
        case Show.UNLABELLED:
            return np.asarray(labels == UNLABELLED)
        case Show.MICROGRAPH:
            return np.asarray(
                picks.slices == (NOTHING if slice_index is None else slice_index)
            )
    classes = picks.classes()
    if len(picks) and not classes.any():
        raise SettingsError(SCORE_FIRST)
    if show is Show.KEPT:
        return np.asarray(classes == PARTICLE)
    return np.asarray((classes != PARTICLE) & (classes != 0))


def display(
    picks: GalleryPicks,
    sort: Sort = Sort.MICROGRAPH,
    show: Show = Show.ALL,
    *,
    reference: NDArray[np.intp] | None = None,
    slice_index: int | None = None,
) -> Display:
    """Return the picks that are shown, in their order; see `order` and `shown`."""
    mask = shown(picks, show, slice_index)
    rows = order(picks, sort, reference)
    rows = rows if mask.all() else rows[mask[rows]]
    position = np.full(len(picks), NOTHING, dtype=np.int32)
    position[rows] = np.arange(len(rows), dtype=np.int32)
    return Display(rows, position)
