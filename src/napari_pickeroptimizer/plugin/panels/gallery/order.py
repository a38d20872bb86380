"""Sorting and filtering of the gallery's picks. Pure, no Qt.

Everything is an array over all picks, and nothing loops over them: a million picks are
sorted in a fraction of a second, and a key press touches none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin.labels.vocabulary import ClassStyle, Vocabulary
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.plugin.panels.gallery.selection import Display
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.settings import DEFAULT_THRESHOLD

# rows of features that are turned into float32 at once: 25 MB
FEATURE_CHUNK = 100_000


class Sort(StrEnum):
    """Orders of the gallery."""

    MICROGRAPH = "Micrograph"
    SCORE_DOWN = "Score, high first"
    SCORE_UP = "Score, low first"
    UNCERTAINTY = "Uncertainty"
    CLASS = "Class"
    SIMILARITY = "Similarity"
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
    Sort.SCORE_DOWN: "The most certain particles first.",
    Sort.SCORE_UP: "The most certain false picks first.",
    Sort.UNCERTAINTY: "Scores closest to the threshold first: their labels help most.",
    Sort.CLASS: "By label, else by the class that the score gives.",
    Sort.SIMILARITY: "Those first that are most like the selected ones to the network.",
    Sort.PICKER_SCORE: "By the figure of merit in the pick file, high first.",
}
SCORE_FIRST = "Score the picks first: there is nothing to sort or to filter by yet."
BY_SCORE = frozenset(
    {Sort.SCORE_DOWN, Sort.SCORE_UP, Sort.UNCERTAINTY, Sort.SIMILARITY, Sort.CLASS}
)


@dataclass(frozen=True)
class CellLook:
    """Style of the cell of one pick.

    Parameters
    ----------
    label : ClassStyle or None
        The user's label.
    decided : ClassStyle or None
        The class by score and place.
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
    """Columns that the gallery sorts, filters and shows; classes come from the `Decision`.

    Parameters
    ----------
    labels : (n,) int8
        The user's labels, 0 = unlabelled.
    slices : (n,) int32
        Slice of the stack that each pick lies on.
    decision : Decision or None
        Scores, labels and places; None before there are scores.
    threshold : float
        Least P(particle) of a kept pick.
    picker_score : (n,) float32 or None
        The picker's own score.
    features : (n, d) float16 or None
        The network's features of each box; NaN where not scored.
    """

    labels: NDArray[np.int8]
    slices: NDArray[np.int32]
    decision: Decision | None = None
    threshold: float = DEFAULT_THRESHOLD
    picker_score: NDArray[np.float32] | None = None
    features: NDArray[np.float16] | None = None

    @classmethod
    def of(cls, state: LayerState, slices: NDArray[np.floating]) -> GalleryPicks:
        """Return the columns of a layer's picks.

        Parameters
        ----------
        state : LayerState
            Of the picks; probabilities of their file are used before they are scored.
        slices : (n,) array
            Slice of each pick.
        """
        picks, scores, picker_score = state.picks, state.scores, None
        if "picker_score" in picks.table:
            picker_score = picks.table["picker_score"].to_numpy(dtype=np.float32)
        columns = cls(
            picks.labels, np.asarray(slices, dtype=np.int32), picker_score=picker_score
        )
        if scores is not None:
            features, threshold = scores.features, state.threshold
            return replace(
                columns, decision=state.decision, threshold=threshold, features=features
            )
        if PARTICLE in picks.class_ids:
            return replace(columns, decision=Decision.of_picks(picks))
        return columns

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def probability(self) -> NDArray[np.float64]:
        """(n,) P(particle), NaN where not scored."""
        if self.decision is None:
            return np.full(len(self), np.nan)
        return self.decision.p_particle

    @property
    def scored(self) -> bool:
        """Whether any pick is scored."""
        return bool(np.isfinite(self.probability).any())

    def scored_class(self, rows: NDArray[np.intp]) -> NDArray[np.int8]:
        """Return the classes of some picks by score and place, 0 where there is none."""
        if self.decision is None:
            return np.zeros(len(rows), dtype=np.int8)
        return self.decision.scored_class(self.threshold, rows)

    def classes(self) -> NDArray[np.int8]:
        """Return the (n,) classes: by label, else by score and place."""
        if self.decision is None:
            return self.labels
        return self.decision.predicted(self.threshold)

    def looks(self, rows: NDArray[np.intp], vocabulary: Vocabulary) -> list[CellLook]:
        """Return the cell styles of some picks."""
        labels, classes, p = self.labels[rows], self.scored_class(rows), self.probability[rows]
        return [
            CellLook(
                label=vocabulary.style(int(label)) if label else None,
                decided=vocabulary.style(int(class_id)) if class_id else None,
                kept=bool(class_id == PARTICLE),
                score="" if np.isnan(score) else score_text(float(score)),
            )
            for label, class_id, score in zip(labels, classes, p, strict=True)
        ]


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
        Rows whose similarity is asked for by `Sort.SIMILARITY`.

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
                raise SettingsError("The pick file has no score of the picker.")
            return _ascending(-picks.picker_score)
        case Sort.SIMILARITY:
            return _ascending(-similarity(picks, reference))
        case Sort.CLASS:
            return _by_class(picks)
    if not picks.scored:
        raise SettingsError(SCORE_FIRST)
    p = picks.probability
    if sort is Sort.UNCERTAINTY:
        return _ascending(np.abs(p - picks.threshold))
    return _ascending(p if sort is Sort.SCORE_UP else -p)


def similarity(picks: GalleryPicks, reference: NDArray[np.intp] | None) -> NDArray[np.float32]:
    """Return the (n,) cosine between each pick's features and the mean of the reference's.

    Raises
    ------
    SettingsError
        There are no features yet, or no scored pick is selected.
    """
    features = picks.features
    if features is None or len(features) != len(picks):
        raise SettingsError("Score the picks first: the network tells how similar boxes are.")
    if reference is None or not len(reference):
        raise SettingsError("Select a pick first: the others are sorted by similarity to it.")
    selected = _unit(np.asarray(features[reference], dtype=np.float32))
    selected = selected[np.isfinite(selected).all(axis=1)]
    if not len(selected):
        raise SettingsError("The selected pick is not scored: select another one.")
    direction = _unit(selected.mean(axis=0, keepdims=True))[0]
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
            return np.asarray(picks.slices == slice_index)
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
    return Display.of(rows if mask.all() else rows[mask[rows]], len(picks))
