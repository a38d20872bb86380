"""Suggested picks: the job that chooses them, and the queue for labelling. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import LabelError, MicrographNotFoundError
from napari_pickeroptimizer.fewshot.events import Suggested, SuggestEvent
from napari_pickeroptimizer.fewshot.settings import By, SuggestSettings
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import StackView
from napari_pickeroptimizer.plugin.layer_state import (
    SUGGESTED,
    TO_CHECK,
    LayerState,
    Queue,
    layer_state,
    picks_state,
)
from napari_pickeroptimizer.plugin.matching import match
from napari_pickeroptimizer.plugin.navigation import set_queue
from napari_pickeroptimizer.plugin.session import picks_of, session_of, stack_for

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier

# A temporary column that identifies the row of each pick.
ROW = "row_in_layer"


def suggest_events(
    viewer: Any,
    layer: Any,
    n: int = 20,
    *,
    by: By = "auto",
    seed: int = 0,
    device: str = "auto",
) -> Iterator[SuggestEvent]:
    """Prepare suggestions for a layer's picks; the iterator itself touches no layer.

    With the session's model, if there is one; else picks that are unlike each other.

    Parameters
    ----------
    viewer, layer
        Whose picks.
    n : int
        Number of picks to suggest.
    by : str
        Strategy, see `SuggestSettings`.
    seed : int
        Seed of the choice.
    device : str
        Where the network runs.

    Raises
    ------
    LabelError, MicrographNotFoundError
        At once, where there are no picks or no micrographs.
    """
    from napari_pickeroptimizer.fewshot.suggest import suggest  # torch

    stack = stack_for(viewer, layer, None)
    picks = picks_of(layer)
    if not len(picks):
        raise LabelError(f"layer {layer.name!r} has no picks to choose from.")
    state = picks_state(layer)
    settings = SuggestSettings(
        n=n, by=by, diameter_px=state.diameter_px, seed=seed, device=device
    )
    rows = _rows_with_image(state, stack)
    if not len(rows):
        raise MicrographNotFoundError(
            f"none of the micrographs of {layer.name!r} is open and readable: open their folder."
        )
    numbered = picks.select(rows).with_columns(**{ROW: rows})
    return suggest(
        stack.micrographs, numbered, settings, classifier=_usable(session_of(viewer).model)
    )


def show_suggestions(viewer: Any, layer: Any, suggested: Suggested) -> Queue:
    """Put suggested picks into the layer's queue, and mark them as suggested.

    Labels of suggested picks are not a random sample, which the forecast of precision and
    recall takes into account.
    """
    state = picks_state(layer)
    rank, rows = _ranks(state.picks), suggested.picks.table[ROW].to_numpy(np.intp)
    first = int(np.nanmax(rank, initial=0)) + 1
    rank[rows] = np.arange(first, first + len(rows))
    state.picks = state.picks.with_columns(suggestion=rank)  # it is not drawn
    state.doubtful = suggested.doubtful.table[ROW].to_numpy(np.intp)
    return set_queue(viewer, layer, rows, SUGGESTED)


def suggest_picks(
    viewer: Any,
    layer: Any,
    n: int = 20,
    *,
    by: By = "auto",
    seed: int = 0,
    device: str = "auto",
    on_event: Callable[[SuggestEvent], None] | None = None,
) -> Queue:
    """Suggest picks to label, wait, and put them into the layer's queue.

    Parameters are those of `suggest_events`; `on_event` is called with every event.
    """
    last = None
    for last in suggest_events(viewer, layer, n, by=by, seed=seed, device=device):
        if on_event is not None:
            on_event(last)
    assert isinstance(last, Suggested)  # the core's last event
    return show_suggestions(viewer, layer, last)


def doubtful_rows(layer: Any) -> NDArray[np.intp]:
    """Return the labelled picks that the model puts into another class, most certain first."""
    state = layer_state(layer)
    if state is None:
        return np.empty(0, dtype=np.intp)
    return state.doubtful[state.picks.labels[state.doubtful] != UNLABELLED]


def check_labels(viewer: Any, layer: Any) -> Queue:
    """Put the labels that contradict the model into the layer's queue.

    Raises
    ------
    LabelError
        There are none, or no suggestions were made with a model yet.
    """
    rows = doubtful_rows(layer)
    if not len(rows):
        raise LabelError("the model contradicts no label of the compared micrographs.")
    return set_queue(viewer, layer, rows, TO_CHECK)


def _rows_with_image(state: LayerState, stack: StackView) -> NDArray[np.intp]:
    """Return the picks whose micrograph is open and readable; only these can be compared."""
    matched, names = match(state, stack), stack.micrographs.names
    readable = [
        name
        for name, i in matched.slice_of.items()
        if name not in matched.missing and names[i] not in stack.unreadable
    ]
    return np.flatnonzero(state.picks.table["micrograph"].isin(readable))


def _ranks(picks: Picks) -> NDArray[np.float64]:
    if "suggestion" in picks.table:
        return picks.table["suggestion"].to_numpy(np.float64).copy()
    return np.full(len(picks), np.nan)


def _usable(model: Classifier | None) -> Classifier | None:
    """Return the model; None for a pretrained one, which has no particle class."""
    if model is None or model.card.is_pretrained or PARTICLE not in model.card.class_ids:
        return None
    return model
