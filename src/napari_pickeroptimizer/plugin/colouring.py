"""A picks layer in the colours of what is decided. No Qt.

The scores' say is put on the picks that the layer shows, as columns for the eye: they are not
the picks' own, and never reach what is made from them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import labelling
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import unwrap
from napari_pickeroptimizer.schema import PROBABILITY_PREFIX

# Columns that are put on the layer of all picks, for the eye only.
DISPLAY_COLUMNS = ("predicted", f"{PROBABILITY_PREFIX}{PARTICLE}")
# What they are called in the layer's table of features.
FEATURES = dict(zip(DISPLAY_COLUMNS, ("predicted", "probability"), strict=True))

# What the picks of dressed layers have in these columns by themselves, from their file.
_own_columns: WeakKeyDictionary[Any, dict[str, NDArray[Any]]] = WeakKeyDictionary()


def paint_all(layer: Any, scores: Scores) -> None:
    """Dress a layer anew in these scores, and in no others."""
    if layer not in _own_columns:
        table = shown_picks(layer).table
        own = {name: table[name].to_numpy() for name in DISPLAY_COLUMNS if name in table}
        _own_columns[layer] = own
    picks = without_display_columns(layer)
    n = len(picks)
    said = np.zeros(n, dtype=np.int8)
    said[: len(scores)] = _scored_class(scores, np.arange(len(scores)))
    p_particle = _column_of(scores.p_particle.astype(np.float64), n)
    columns = dict(zip(DISPLAY_COLUMNS, (said, p_particle), strict=True))
    _show_where_it_differs(layer, picks.with_columns(**columns))


def paint_rows(
    layer: Any,
    scores: Scores,
    rows: NDArray[np.intp] | None,
    *,
    probabilities: bool = False,
) -> None:
    """Colour those of `rows` (None: of all) that are decided differently than they look."""
    view = view_of(layer.metadata)
    if view is None or (rows is not None and not len(rows)):
        return
    n = len(view.picks)
    painted = _column(view.picks, "predicted", n, UNLABELLED, np.int8)
    said = painted.copy()
    at = np.arange(min(n, len(scores))) if rows is None else rows
    said[at] = _scored_class(scores, at)
    changed = np.flatnonzero(said != painted)
    columns: dict[str, Any] = {"predicted": said}
    if probabilities:
        name = DISPLAY_COLUMNS[1]
        p_particle = _column(view.picks, name, n, np.nan, np.float64).copy()
        p_particle[at] = scores.p_particle[at]
        columns[name] = p_particle
        changed = np.union1d(changed, at)
    if len(changed):
        labelling.show_rows(layer, view.picks.with_columns(**columns), changed)


def _scored_class(scores: Scores, rows: NDArray[np.intp]) -> NDArray[np.int8]:
    """Return what scores and places say of some picks; also while other scores still come."""
    if scores.complete:
        return scores.decision.scored_class(scores.threshold, rows)
    p = scores.p_particle[rows].astype(np.float64)
    said = np.where(p >= scores.threshold, np.int8(PARTICLE), scores.other_of(rows))
    said[np.isnan(p)] = UNLABELLED
    return said


def _column(picks: Picks, name: str, n: int, missing: Any, kind: Any) -> NDArray[Any]:
    if name not in picks.table:
        return np.full(n, missing, dtype=kind)
    return picks.table[name].to_numpy(kind)


def without_display_columns(layer: Any) -> Picks:
    """Return a layer's picks as they are without scores, the columns of their file again."""
    picks = shown_picks(layer)
    table = picks.table.drop(columns=[*DISPLAY_COLUMNS], errors="ignore")
    for name, values in _own_columns.get(layer, {}).items():
        table[name] = _column_of(values, len(table))
    return replace(picks, table=table)


def has_display_columns(layer: Any) -> bool:
    """Whether a layer has the colours of scores."""
    return layer in _own_columns


def remove_display_columns(layer: Any) -> None:
    """Take the colours of scores off a layer."""
    if layer in _own_columns:
        picks = without_display_columns(layer)
        del _own_columns[layer]
        _show_where_it_differs(layer, picks)


def _show_where_it_differs(layer: Any, picks: Picks) -> None:
    """Show picks with other scores; those that look the same are not touched."""
    before, n = shown_picks(layer), len(picks)
    differ = np.zeros(n, dtype=bool)
    for name, missing in zip(DISPLAY_COLUMNS, (UNLABELLED, np.nan), strict=True):
        old, new = (_column(x, name, n, missing, np.float64) for x in (before, picks))
        differ |= (old != new) & ~(np.isnan(old) & np.isnan(new))
        if name not in picks.table and (feature := FEATURES[name]) in layer.features:
            unset = "not scored" if feature == "predicted" else np.nan
            layer.features.loc[:, feature] = unset  # the column itself is napari's to remove
    labelling.show_rows(layer, picks, np.flatnonzero(differ))


def shown_picks(layer: Any) -> Picks:
    """Return the picks of a layer as it shows them."""
    view = view_of(layer.metadata)
    assert view is not None  # only scored layers come here
    return view.picks


def _column_of(values: NDArray[Any], n: int) -> NDArray[Any]:
    """Return a column as long as the picks are now, nothing for those added since."""
    if len(values) == n:
        return values
    nothing = 0 if values.dtype.kind in "iu" else np.nan
    return np.concatenate([values, np.full(n - len(values), nothing, values.dtype)])


def visible_rows(viewer: Any, layer: Any, scores: Scores) -> NDArray[np.intp]:
    """Return the picks of the micrograph that is seen."""
    view = view_of(layer.metadata)
    viewer = unwrap(viewer)
    if view is None or viewer.dims.ndim < 3 or viewer.dims.ndisplay > 2:
        return np.arange(len(scores))
    here = round(float(viewer.dims.point[-3]))
    seen = [i for i, name in enumerate(scores.names) if view.slice_of.get(name) == here]
    return np.flatnonzero(np.isin(scores.codes, seen))
