"""Colours, widths, symbols and features of picks, from decision and labels. No Qt.

napari's own colour cycles are slow beyond 1e5 points, and give colours by order of first
appearance: the same class would have another colour in the next file. So all is computed here,
and what changed is written into napari's arrays in place: setting an attribute of a million
points takes a quarter of a second, a few rows of them some milliseconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast  # Any: napari layers, which are not imported here

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS, UNLABELLED
from napari_pickeroptimizer.plugin import transforms
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.layer_state import (
    METADATA_KEY,
    LayerState,
    for_layer,
    layer_state,
    picks_state,
)

# The user's labels are thick, and have a symbol of their own class.
RING_WIDTH = 0.07
LABEL_WIDTH = 0.18
NOT_SCORED = "not scored"
# napari looks all symbols up when points are added: this text in a tenth of the time of its own.
SHORT_SYMBOL = "o"
# Selected picks are filled, whatever their class: napari's blue rim is nearly the particles'.
SELECTED_RGBA = (1.0, 0.85, 0.2, 0.5)


@dataclass(frozen=True)
class Drawn:
    """What a layer shows of its picks. Computing it touches no layer: any thread may.

    Parameters
    ----------
    points : (n, 3) float64
        Slice, row and column in layer data coordinates.
    features : pandas.DataFrame
        One row a point.
    appearance : dict
        See `appearance`.
    """

    points: NDArray[np.float64]
    features: pd.DataFrame
    appearance: dict[str, Any]

    @classmethod
    def of(cls, state: LayerState) -> Drawn:
        """Return what a layer of these picks shows."""
        return cls(_points(state), feature_table(state), appearance(state))


def points_data(
    state: LayerState, name: str, drawn: Drawn | None = None
) -> tuple[NDArray[np.float64], dict[str, Any], str]:
    """Return the layer data tuple of a Points layer of picks, of `drawn` if that is known."""
    drawn = drawn or Drawn.of(state)
    attributes = {
        "name": name,
        "ndim": 3,
        "axis_labels": transforms.AXIS_LABELS,
        "features": drawn.features,
        "size": state.diameter_px,
        "face_color": "transparent",
        "border_width_is_relative": True,
        "metadata": {METADATA_KEY: state},
        **drawn.appearance,
    }
    if not len(state.picks):  # napari cannot take colours of no points
        for per_point in ("features", "border_color", "border_width", "symbol"):
            del attributes[per_point]
    return drawn.points, attributes, "points"


def appearance(state: LayerState) -> dict[str, Any]:
    """Return colour, line width and symbol of each pick."""
    labels, symbols = state.picks.labels, state.vocabulary.symbols
    return {
        "border_color": state.palette_rgba[shown_class(state)],
        "border_width": _widths(labels),
        # napari takes a second to check a million symbols, and no time for one
        "symbol": symbols[labels] if labels.any() else symbols[UNLABELLED],
    }


def shown_class(state: LayerState, rows: Any = slice(None)) -> NDArray[np.int8]:
    """Return the class that picks are drawn as: the user's label, else the decided class."""
    labels = state.picks.labels[rows]
    decided = state.scored_class(rows)
    return cast(NDArray[np.int8], np.where(labels != UNLABELLED, labels, decided))


def feature_table(state: LayerState) -> pd.DataFrame:
    """Return the features of the points, for the status bar and the feature table."""
    table = state.picks.table
    codes, names = pd.factorize(table["micrograph"])
    features = pd.DataFrame(
        {
            "pick_id": np.arange(len(table), dtype=np.int64),
            "micrograph": pd.Categorical.from_codes(codes, _index(names)),
            **_changing_features(state, slice(None)),
        }
    )
    if "picker_score" in table:
        features["picker_score"] = table["picker_score"].to_numpy(np.float64)
    return features.assign(**state.picks.features())


def _changing_features(
    state: LayerState, rows: Any, shown: Collection[str] = ()
) -> dict[str, Any]:
    """Return those features of some points that labels and scores change."""
    columns: dict[str, Any] = {
        "label": label_names(state.picks.labels[rows], state.vocabulary)
    }
    has_scores = state.scores is not None
    if has_scores or "predicted" in state.picks.table or "predicted" in shown:
        decided = state.scored_class(rows)
        columns["predicted"] = label_names(decided, state.vocabulary, NOT_SCORED)
    if has_scores or state.picks.class_ids or "probability" in shown:
        columns["probability"] = state.p_particle(rows).astype(np.float64)
    return columns


def label_names(
    class_ids: NDArray[np.int8],
    vocabulary: Vocabulary = DEFAULT_VOCABULARY,
    unset: str = "unlabelled",
) -> pd.Categorical:
    """Return the (n,) names of class ids, `unset` for 0; the codes are the ids."""
    names = [unset, *(vocabulary.name(i) for i in range(1, MAX_CLASS + 1))]
    return pd.Categorical.from_codes(class_ids, _index(names))


def follow_state(layer: Any, state: LayerState) -> None:
    """Redraw a layer whenever its state changes; a second call has no effect."""
    if len(state.redraw):
        return
    state.redraw.connect(for_layer(layer, paint_rows))
    state.view_changed.connect(for_layer(layer, paint))
    state.diameter_changed.connect(for_layer(layer, _resize))


def follow_selection(layer: Any) -> None:
    """Fill the selected picks from now on."""
    layer.selected_data.events.items_changed.connect(for_layer(layer, _on_selected))


def _on_selected(layer: Any, *_: object) -> None:
    if layer_state(layer) is not None and len(layer.face_color) == len(layer.data):
        _fill_selected(layer)
        layer.events.border_color()  # an edit in place emits no event; this redraws all


def _fill_selected(layer: Any) -> None:
    if layer.face_color_mode != "direct":  # of the user's own points
        layer.face_color = "transparent"
    rows = np.fromiter(layer.selected_data, np.intp, len(layer.selected_data))
    layer.face_color[layer.face_color[:, 3] > 0] = 0
    layer.face_color[rows[rows < len(layer.data)]] = SELECTED_RGBA


def paint(layer: Any, drawn: Drawn | None = None) -> None:
    """Redraw a layer: points, features, colours and symbols; of `drawn` if that is known."""
    state = picks_state(layer)
    drawn = drawn or Drawn.of(state)
    points, plain = drawn.points[:, -layer.ndim :], state.vocabulary.symbols[UNLABELLED]
    with marked(state):
        if not np.array_equal(points, layer.data):
            layer.selected_data = set()
            if len(points) > len(layer.data):
                layer.symbol[:] = SHORT_SYMBOL
            layer.data = points
            if not layer.visible:  # else napari goes on to draw points that are gone
                layer.set_view_slice()
        _resize(layer)
        if not len(points):
            return
        layer.features = drawn.features
        layer.symbol = plain
        _write_symbols(layer, state, np.flatnonzero(state.picks.labels != UNLABELLED))
        layer.border_width = drawn.appearance["border_width"]
        _fill_selected(layer)
        layer.border_color = drawn.appearance["border_color"]  # last: it draws all three


def paint_rows(layer: Any, rows: NDArray[np.intp] | None) -> None:
    """Redraw some picks; None for all whose class or score has changed."""
    state = picks_state(layer)
    if len(layer.data) != len(state.picks):  # picks were added, or napari removed points
        paint(layer)
    else:
        _write(layer, state, _differing(layer, state) if rows is None else rows)


def paint_decided(layer: Any, rows: NDArray[np.intp] | None = None) -> None:
    """Redraw those of some picks (by default of all) whose decision has changed."""
    state = picks_state(layer)
    if len(layer.data) != len(state.picks):
        return  # napari is in the middle of an edit
    at = slice(None) if rows is None else rows
    differ = np.flatnonzero(_drawn_class(layer)[at] != state.scored_class(at))
    _write(layer, state, differ if rows is None else rows[differ])


def _resize(layer: Any) -> None:
    layer.size = layer.current_size = picks_state(layer).diameter_px


@contextmanager
def marked(state: LayerState) -> Iterator[None]:
    """Mark changes of a layer as the plugin's, so that they are not taken for the user's edits."""
    before, state.is_painted = state.is_painted, True
    try:
        yield
    finally:
        state.is_painted = before


def _write(layer: Any, state: LayerState, rows: NDArray[np.intp]) -> None:
    """Write some rows into napari's arrays."""
    if not len(rows):
        return
    with marked(state):
        layer.border_color[rows] = state.palette_rgba[shown_class(state, rows)]
        layer.border_width[rows] = _widths(state.picks.labels[rows])
        _write_symbols(layer, state, rows)
        _write_features(layer, state, rows)
        layer.events.border_color()  # an edit in place emits no event; this redraws all three
        layer.events.features()


def _write_symbols(layer: Any, state: LayerState, rows: NDArray[np.intp]) -> None:
    """Set symbols in place: napari's own setter takes a second for a million points."""
    labels = state.picks.labels[rows]
    kind = type(layer.current_symbol)  # napari's own enumeration, which is not public
    for class_id in np.unique(labels):
        symbol = kind(state.vocabulary.symbols[class_id])
        layer.symbol[rows[labels == class_id]] = symbol


def _write_features(layer: Any, state: LayerState, rows: NDArray[np.intp]) -> None:
    features = layer.features
    # a column of dropped scores is kept, emptied: only napari's setter removes columns
    columns = _changing_features(state, rows, features)
    # the first scores, or a layer that was duplicated: columns are set through napari's setter
    if not set(columns) <= set(features) or features["label"].dtype != columns["label"].dtype:
        layer.features = feature_table(state)
        return
    for name, values in columns.items():
        features.loc[rows, name] = values


def _differing(layer: Any, state: LayerState) -> NDArray[np.intp]:
    """Return the picks whose class or score differs from the drawn one."""
    differ = _drawn_class(layer) != state.scored_class()
    p_particle = state.p_particle()
    if "probability" in layer.features:
        drawn = layer.features["probability"].to_numpy(np.float64)
        differ |= (drawn != p_particle) & ~(np.isnan(drawn) & np.isnan(p_particle))
    else:
        differ |= np.isfinite(p_particle)
    return np.flatnonzero(differ)


def _drawn_class(layer: Any) -> NDArray[np.int8]:
    """Return the class of each pick when it was drawn."""
    if "predicted" in layer.features:
        column = layer.features["predicted"].array
        if isinstance(column, pd.Categorical) and len(column.categories) == MAX_CLASS + 1:
            return np.asarray(column.codes, dtype=np.int8)
    return np.zeros(len(layer.data), dtype=np.int8)


def _points(state: LayerState) -> NDArray[np.float64]:
    return transforms.to_points(state.slices, state.picks.coords_yx_px())


def _widths(labels: NDArray[np.int8]) -> NDArray[np.float64]:
    return np.where(labels != UNLABELLED, LABEL_WIDTH, RING_WIDTH)


def _index(names: Any) -> pd.Index:
    """Categories as Python strings: pandas' string dtype costs 70 ms for each click."""
    return pd.Index(np.asarray(names, dtype=object), dtype=object)
