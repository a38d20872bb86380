"""Model of the gallery: the session's picks, their boxes, or what is missing. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import plural
from napari_pickeroptimizer.micrographs import Micrograph
from napari_pickeroptimizer.plugin import matching, transforms
from napari_pickeroptimizer.plugin.before_labels import BY_ORDER, are_before_labels
from napari_pickeroptimizer.plugin.layer_state import LayerState, layer_state
from napari_pickeroptimizer.plugin.panels.gallery.order import (
    BY_SCORE,
    CellLook,
    GalleryPicks,
    Show,
    Sort,
    display,
    score_text,
)
from napari_pickeroptimizer.plugin.panels.gallery.selection import Display
from napari_pickeroptimizer.plugin.panels.gallery.thumbnails import (
    BOX_FACTOR,
    MAX_BOX_PX,
    Contrast,
    Places,
    ThumbnailSettings,
    thumbnail_sigma_px,
)
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import Session

NO_PICKS = "Open picks to see their boxes: drag a STAR or .box file onto the viewer."
NO_MICROGRAPHS = "Open the micrographs to see the boxes: drag their folder onto the viewer."
NONE_SELECTED = "No box is selected: nothing was labelled. Click one."
EMPTY_LAYER = "This layer has no picks yet."
DECIDED = (Show.KEPT, Show.REJECTED)


class GalleryModel:
    """The picks of a session for the gallery.

    Parameters
    ----------
    session : Session
        Whose picks and micrographs are shown.

    Attributes
    ----------
    layer : napari.layers.Points or None
        The picks that are shown.
    picks : GalleryPicks or None
        Their columns, None before there are any.
    sort, show, contrast
        What the user chose.
    stale : bool
        Whether labels, scores or the threshold changed since the picks were sorted.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.layer: Any | None = None  # Any: napari's layers are not typed here
        self.picks: GalleryPicks | None = None
        self.sort, self.show = Sort.MICROGRAPH, Show.ALL
        self.contrast: Contrast = "micrograph"
        self.stale = False
        self._places: Places | None = None

    # ------------------------------------------------------------------- picks

    @property
    def state(self) -> LayerState | None:
        """The state of the layer's picks."""
        return None if self.layer is None else layer_state(self.layer)

    def follow_target(self) -> bool:
        """Take the session's picks; whether they are others than before."""
        before, self.layer = self.layer, self.session.picks_layer
        self.read()
        is_other = self.layer is not before
        if is_other:
            self._sort_first_scores()
        return is_other

    def read(self) -> None:
        """Read labels and scores anew; the order stays."""
        state = self.state
        if state is None:
            self.picks = None
            return
        points = transforms.layer_points(self.layer)
        if len(points) != len(state.picks):  # napari is in the middle of an edit
            return
        self.picks = GalleryPicks.of(state, points[:, 0])

    def changed_labels(self, rows: NDArray[np.intp]) -> None:
        """Update the labels of some picks, and whether the order depends on them."""
        state, picks = self.state, self.picks
        if state is not None and picks is not None and len(state.picks) == len(picks):
            labels, decision = state.picks.labels, picks.decision
            self.picks = replace(picks, labels=labels)
            if decision is not None and state.scores is None:
                decision.set_labels(rows, labels[rows])  # the state updates its own
        else:
            self.read()
        if self.sort is Sort.CLASS or self.show not in (Show.ALL, Show.MICROGRAPH):
            self.stale = True

    def changed_threshold(self) -> None:
        """Update the threshold; fast, as it is called at every step of a drag."""
        if self.picks is None or self.state is None:
            return
        # the arrays stay, so this is no copy
        self.picks = replace(self.picks, threshold=self.state.threshold)
        by_threshold = self.sort in (Sort.UNCERTAINTY, Sort.CLASS) or self.show in DECIDED
        self.stale = self.stale or by_threshold

    @property
    def scores(self) -> Scores | None:
        """Scores of this session, also while they come in."""
        return None if self.state is None else self.state.scores

    def changed_scores(self) -> bool:
        """Read scores anew; whether they are all there, so that a new order is due."""
        self.read()
        self._sort_first_scores()
        by_score = self.sort in BY_SCORE or self.show in DECIDED
        self.stale = self.stale or by_score
        return by_score and self.scores is not None and self.scores.complete

    # ------------------------------------------------------------------- order

    def _sort_first_scores(self) -> None:
        """Sort by the first scores at once: before any label there is nothing else to see."""
        scores = self.scores
        if self.sort is Sort.MICROGRAPH and scores is not None and scores.complete:
            self.sort = Sort.SCORE_DOWN if are_before_labels(scores) else self.sort

    def order_note(self) -> str:
        """Return what the scores are worth that picks are sorted by, where it is not much."""
        by_score = self.sort in BY_SCORE
        return BY_ORDER if by_score and are_before_labels(self.scores) else ""

    def arrange(self, reference: NDArray[np.intp] | None = None) -> Display:
        """Return the picks in their order.

        Raises
        ------
        SettingsError
            They cannot be sorted or filtered like that; the message says what to do.
        """
        if self.picks is None:
            return Display.of(np.empty(0, np.intp), 0)
        steps = self.session.viewer.dims.current_step
        index = int(steps[0]) if len(steps) > 2 else 0
        arranged = display(
            self.picks, self.sort, self.show, reference=reference, slice_index=index
        )
        self.stale = False
        return arranged

    # ------------------------------------------------------------------- boxes

    @property
    def micrographs(self) -> Sequence[Micrograph] | None:
        """The micrographs of the layer's slices, None where they are not open."""
        state = self.state
        if state is None:
            return None
        stack = matching.find_stack(self.session.viewer, state)
        return None if stack is None else stack.micrographs.items

    def places(self) -> Places | None:
        """Return where the boxes are; the same object as long as they are the same."""
        micrographs = self.micrographs
        if self.picks is None or micrographs is None or self.layer is None:
            self._places = None
            return None
        points = transforms.layer_points(self.layer)
        old = self._places
        if (
            old is None
            or old.micrographs is not micrographs
            or not np.array_equal(old.slices, self.picks.slices)
            or not np.array_equal(old.coords_yx_px, points[:, 1:])
        ):
            coords = np.array(points[:, 1:], dtype=np.float64)
            self._places = Places(micrographs, self.picks.slices, coords)
        return self._places

    def thumbnail_settings(self, side: int) -> ThumbnailSettings | None:
        """Return how boxes become thumbnails of `side` pixels."""
        state, micrographs = self.state, self.micrographs
        if state is None or not micrographs:
            return None
        sigma = thumbnail_sigma_px(
            preferences().low_pass_ang, micrographs[0].pixel_size_ang, state.diameter_px
        )
        box_px = min(BOX_FACTOR * state.diameter_px, MAX_BOX_PX)
        return ThumbnailSettings(box_px, side, sigma, self.contrast)

    # ------------------------------------------------------------------- cells, texts

    def looks(self, rows: NDArray[np.intp]) -> list[CellLook]:
        """Return the cell styles of some picks, by their labels and scores as they are now."""
        if self.picks is None:
            return [CellLook()] * len(rows)
        return self.picks.looks(rows, self.session.vocabulary)

    def message(self) -> str:
        """Return why nothing is shown."""
        if self.layer is None or self.picks is None:
            return NO_PICKS
        if not len(self.picks):
            return EMPTY_LAYER
        if self.micrographs is None:
            return NO_MICROGRAPHS
        if self.show is Show.MICROGRAPH:
            return "There are no picks on this micrograph."
        return f"None of the {len(self.picks):,} picks is {self.show.value.lower()}."

    def tip(self, row: int, problem: str = "") -> str:
        """Describe a pick: micrograph, place, scores, label."""
        state, picks = self.state, self.picks
        if state is None or picks is None or row >= len(state.picks):
            return ""
        pick = state.picks.table.iloc[row]
        vocabulary = self.session.vocabulary
        lines = [str(pick["micrograph"]), f"x {pick['x']:.1f}, y {pick['y']:.1f} px"]
        p = float(picks.probability[row])
        if picks.decision is None or np.isnan(p):
            lines.append("not scored")
        else:
            class_id = int(picks.scored_class(np.array([row]))[0])
            worth = ", not calibrated" if are_before_labels(state.scores) else ""
            lines.append(f"score {score_text(p)}{worth}: {vocabulary.name(class_id)}")
            if picks.decision.blocked_by[row]:
                lines.append(
                    "rejected for its place: too near to a better pick, or to the edge"
                )
        if picks.picker_score is not None and not np.isnan(picks.picker_score[row]):
            lines.append(f"picker's score {picks.picker_score[row]:.3g}")
        label = int(picks.labels[row])
        lines.append(f"labelled {vocabulary.name(label)}" if label else "no label")
        return "\n".join([*lines, problem] if problem else lines)


def count_text(n_shown: int, n_all: int, n_selected: int) -> str:
    """Return the number of picks as text.

    Examples
    --------
    >>> count_text(1234, 56789, 12)
    '1,234 of 56,789 · 12 selected'
    >>> count_text(7, 7, 0)
    '7 picks'
    """
    shown = f"{n_shown:,} of {n_all:,}" if n_shown != n_all else f"{n_all:,} picks"
    return f"{shown} · {n_selected:,} selected" if n_selected else shown


def no_longer_shown(n: int) -> str:
    """Return that some selected picks are not among the boxes; empty for none.

    Examples
    --------
    >>> no_longer_shown(2)
    '2 selected picks are not among those shown: keys here leave them as they are.'
    """
    if n <= 0:
        return ""
    verb, them = ("is", "it as it is") if n == 1 else ("are", "them as they are")
    return (
        f"{plural(n, 'selected pick')} {verb} not among those shown: keys here leave {them}."
    )


def out_of_sight(n: int) -> str:
    """Return how many of the labelled picks are scrolled out of sight; empty for none."""
    return f", {n:,} of them scrolled out of sight" if n else ""
