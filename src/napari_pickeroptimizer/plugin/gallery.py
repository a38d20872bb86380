"""What the gallery shows: picks in an order, some of them, some selected. Pure, no Qt.

Everything is an array over all picks, and nothing loops over them: a million picks are
sorted in a fraction of a second, and a key press touches none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.vocabulary import ClassStyle, Vocabulary

NOTHING = -1
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
    LIKENESS = "Likeness to selected"
    PICKER_SCORE = "Picker's score"


class Show(StrEnum):
    """Which picks the gallery shows."""

    ALL = "All picks"
    KEPT = "Kept"
    REJECTED = "Rejected"
    LABELLED = "Labelled"
    UNLABELLED = "Unlabelled"
    MICROGRAPH = "Current micrograph"


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
    norms = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))
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


@dataclass(frozen=True)
class Display:
    """Picks in the order in which they are displayed.

    Parameters
    ----------
    rows : (m,) int array
        Row of the pick at each position.
    position : (n,) int32 array
        Position of each pick, -1 for those that are not shown.
    """

    rows: NDArray[np.intp]
    position: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, row: int) -> int:
        """Return the position of a pick, -1 where it is not shown."""
        return int(self.position[row]) if 0 <= row < len(self.position) else NOTHING


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


# ----------------------------------------------------------------------- selection


@dataclass(frozen=True)
class Selection:
    """Selected picks, the current one (with the keyboard's focus), and where a range begins.

    A selection that has been labelled is `spent`: it stays to be seen, and to be corrected
    by another key, but the next click or step begins a new one. So nobody relabels the last
    dozen along with the next pick.
    """

    mask: NDArray[np.bool_]
    current: int = NOTHING
    anchor: int = NOTHING
    spent: bool = False

    @classmethod
    def none(cls, n: int) -> Selection:
        """Return the empty selection of `n` picks."""
        return cls(np.zeros(n, dtype=bool))

    @property
    def rows(self) -> NDArray[np.intp]:
        """Selected rows, ascending."""
        return np.flatnonzero(self.mask)

    @property
    def targets(self) -> NDArray[np.intp]:
        """Rows that a label key means: the selected ones, else the current one."""
        rows = self.rows
        if len(rows) or self.current == NOTHING:
            return rows
        return np.array([self.current], dtype=np.intp)

    def _base(self) -> NDArray[np.bool_]:
        return np.zeros_like(self.mask) if self.spent else self.mask.copy()

    def toggled(self, row: int) -> Selection:
        """Return the selection after a click on a pick."""
        mask = self._base()
        mask[row] = not mask[row]
        return Selection(mask, row, row)

    def extended(self, display: Display, position: int) -> Selection:
        """Return the selection after a Shift-click: all from the anchor to there."""
        start = display.at(self.anchor)
        start = position if start == NOTHING else start
        low, high = sorted((start, position))
        mask = self._base()
        mask[display.rows[low : high + 1]] = True
        return Selection(mask, int(display.rows[position]), int(display.rows[start]))

    def with_all(self, display: Display) -> Selection:
        """Return the selection of all that is displayed."""
        mask = np.zeros_like(self.mask)
        mask[display.rows] = True
        return Selection(mask, self.current, self.anchor)

    def cleared(self) -> Selection:
        """Return the selection of nothing; the current pick stays."""
        return Selection(np.zeros_like(self.mask), self.current, self.current)

    def moved(self, row: int) -> Selection:
        """Return the selection with another pick as the current one."""
        return Selection(self._base(), row, row)

    def pointed(self, row: int) -> Selection:
        """Return the same selection, somebody elsewhere having gone to a pick."""
        return replace(self, current=row)

    def used(self) -> Selection:
        """Return the selection as it is after it has been labelled."""
        return replace(self, spent=bool(self.mask.any()))

    def resized(self, n: int) -> Selection:
        """Return the selection when picks were added; those before them keep their rows."""
        if n == len(self.mask):
            return self
        mask = np.zeros(n, dtype=bool)
        m = min(n, len(self.mask))
        mask[:m] = self.mask[:m]
        current, anchor = (r if r < n else NOTHING for r in (self.current, self.anchor))
        return Selection(mask, current, anchor, self.spent)


# ----------------------------------------------------------------------- geometry


@dataclass(frozen=True)
class Grid:
    """Where the cells of a grid are, in pixels of its contents.

    Parameters
    ----------
    n : int
        Cells.
    width_px, height_px : int
        The part that is seen at once.
    cell_px : int
        Side of a cell with its margin.
    """

    n: int
    width_px: int
    height_px: int
    cell_px: int

    @property
    def columns(self) -> int:
        """Cells side by side, at least one."""
        return max(1, self.width_px // self.cell_px)

    @property
    def left_px(self) -> int:
        """Margin that centres whole rows of cells; a single short row begins at the left."""
        if self.n < self.columns:
            return 0
        return max(0, (self.width_px - self.columns * self.cell_px) // 2)

    @property
    def total_height_px(self) -> int:
        """Height of all rows."""
        return -(-self.n // self.columns) * self.cell_px

    @property
    def page(self) -> int:
        """Positions that Page Down goes on: the rows that are wholly seen."""
        return max(1, self.height_px // self.cell_px) * self.columns

    def corner(self, position: int) -> tuple[int, int]:
        """Return (x, y) of a cell's upper left corner."""
        row, column = divmod(position, self.columns)
        return self.left_px + column * self.cell_px, row * self.cell_px

    def at(self, x_px: int, y_px: int) -> int:
        """Return the position of the cell at a point, -1 where there is none."""
        column, row = (x_px - self.left_px) // self.cell_px, y_px // self.cell_px
        position = row * self.columns + column
        inside = 0 <= column < self.columns and row >= 0 and position < self.n
        return position if inside else NOTHING

    def within(self, top_px: int, bottom_px: int) -> range:
        """Return the positions of the rows that touch a stripe."""
        first = max(0, top_px // self.cell_px) * self.columns
        last = (bottom_px // self.cell_px + 1) * self.columns
        return range(min(first, self.n), min(max(last, 0), self.n))

    def stepped(self, position: int, step: str) -> int:
        """Return the position that a step key leads to, from -1 the first or the last."""
        if not self.n:
            return NOTHING
        if position == NOTHING:
            return self.n - 1 if step == "end" else 0
        steps = {
            "left": -1,
            "right": 1,
            "up": -self.columns,
            "down": self.columns,
            "page_up": -self.page,
            "page_down": self.page,
            "home": -self.n,
            "end": self.n,
        }
        moved = position + steps[step]
        if step in ("up", "down") and not 0 <= moved < self.n:
            # the last row may be short: down from above its gap leads to its end
            last_row = (self.n - 1) // self.columns
            return (
                self.n - 1 if moved > 0 and position // self.columns < last_row else position
            )
        return min(max(moved, 0), self.n - 1)
