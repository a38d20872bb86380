"""How picks are drawn in a layer: all of them, or the few that changed, in place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.layer_state import (
    LABEL_WIDTH,
    METADATA_KEY,
    RING_WIDTH,
    PicksView,
    appearance,
    coords_zyx,
    feature_table,
    label_names,
    shown_classes,
    view_of,
)


def paint(layer: Any, view: PicksView) -> None:
    """Make a layer show a view: its points, features and looks are set anew."""
    layer.metadata = {**layer.metadata, METADATA_KEY: view}
    points = coords_zyx(view)
    if not np.array_equal(points, layer.data):
        layer.selected_data = set()
        layer.data = points
    layer.size = view.diameter_px
    layer.current_size = view.diameter_px
    if len(points):
        layer.features = feature_table(view)
        looks = appearance(view)
        layer.symbol = view.vocabulary.symbols[UNLABELLED]
        _write_symbols(layer, view, np.flatnonzero(view.picks.labels != UNLABELLED))
        layer.border_width = looks["border_width"]
        layer.border_color = looks["border_color"]  # last: it draws all three


def repaint(layer: Any, picks: Picks, rows: NDArray[Any]) -> None:
    """Make a layer show `picks`, which differ from what it shows in `rows` only.

    They may differ in labels, predictions and probabilities. Only these rows are written,
    into napari's own arrays: setting an attribute of a million points takes a quarter of a
    second, this a few milliseconds.

    Parameters
    ----------
    layer : napari.layers.Points
        A layer with a `PicksView` of as many picks.
    picks : Picks
        What it shall show.
    rows : (m,) int
        Which of them changed.
    """
    view = view_of(layer.metadata)
    if view is None:
        return
    view = replace(view, picks=picks)
    layer.metadata = {**layer.metadata, METADATA_KEY: view}
    rows = np.asarray(rows, dtype=np.intp)
    if not len(rows):
        return
    labels, vocabulary = picks.labels[rows], view.vocabulary
    layer.border_color[rows] = vocabulary.palette_rgba[shown_classes(picks, rows)]
    layer.border_width[rows] = np.where(labels != UNLABELLED, LABEL_WIDTH, RING_WIDTH)
    _write_symbols(layer, view, rows)
    _write_features(layer, view, rows)
    layer.events.border_color()  # an edit in place tells nobody; this one redraws all three
    layer.events.features()


def _write_symbols(layer: Any, view: PicksView, rows: NDArray[np.intp]) -> None:
    """Set symbols in place: napari looks at each of a million for a second, if it is asked."""
    labels = view.picks.labels[rows]
    kind = type(layer.current_symbol)  # napari's own enumeration, which is not public
    for class_id in np.unique(labels):
        symbol = kind(view.vocabulary.symbols[class_id])
        layer.symbol[rows[labels == class_id]] = symbol


def _write_features(layer: Any, view: PicksView, rows: NDArray[np.intp]) -> None:
    features, table = layer.features, view.picks.table
    wanted = {"label", *(["predicted"] if "predicted" in table else [])}
    wanted |= {"probability"} if view.picks.class_ids else set()
    labels = label_names(view.picks.labels[rows], view.vocabulary)
    # the first scores, or a layer that was duplicated: columns come through napari's own door
    if not wanted <= set(features) or features["label"].dtype != labels.dtype:
        layer.features = feature_table(view)
        return
    features.loc[rows, "label"] = labels
    if "predicted" in wanted:
        predicted = table["predicted"].to_numpy(np.int8)[rows]
        features.loc[rows, "predicted"] = label_names(predicted, view.vocabulary, "not scored")
    if "probability" in wanted:
        features.loc[rows, "probability"] = view.picks.particle_probability[rows]
