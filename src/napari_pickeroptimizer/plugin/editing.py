"""Edits of a picks layer by napari's own tools: accepted as labels, or reverted. No Qt.

Picks of a file stay: removed ones come back as rejected picks, dragged ones to their position.
The user's own points are removed and moved as in any layer, with undo. Added ones become picks,
and labels typed into the feature table are taken over.
"""

from __future__ import annotations

import warnings
from typing import Any  # napari layers and events, which are not imported here

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import (
    CONTAMINANT,
    PARTICLE,
    UNLABELLED,
    plural,
)
from napari_pickeroptimizer.errors import LabelError, PickerOptimizerError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import painting, transforms
from napari_pickeroptimizer.plugin.labels import features as further
from napari_pickeroptimizer.plugin.labels.changes import Change, Rows, with_added
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    DEFAULT_VOCABULARY,
    Vocabulary,
    labelled_text,
)
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_state,
)
from napari_pickeroptimizer.plugin.targets import place_text

NEW_PICK = -1
STAYS = (
    "Picks of a file stay where it says they are. To correct one, add a point at the right place, "
    "and label the wrong one."
)
LEAST_MOVE_PX = 1e-6  # a click without a drag moves nothing


def follow_edits(layer: Any) -> None:
    """Guard a picks layer; a second call has no effect."""
    layer.events.data.connect(_take_edit)
    layer.events.features.connect(_take_edit)


def picks_of(layer: Any) -> Picks:
    """Return a layer's picks, with the labels and points the user added.

    Raises
    ------
    LabelError
        The layer holds no picks, or its feature table holds an unknown label.
    """
    state = picks_state(layer)
    edited = read_back(state, layer.data, layer.features)
    if edited is not state.picks:  # edited in place, without an event
        state.set_picks(edited)
        painting.paint(layer)
    return state.picks


def read_back(state: LayerState, points: NDArray[Any], features: pd.DataFrame) -> Picks:
    """Return the picks with the user's edits of the layer: labels, and added points.

    Picks are never lost or moved here: a point that is missing in the layer keeps its pick,
    and a dragged one its place. A point without a ``pick_id`` of its own (added, or pasted)
    is a new pick, in the micrograph of its slice.

    Parameters
    ----------
    state : LayerState
        What the layer showed.
    points : (m, 3) or (m, 2) array
        The layer's points: slice, y, x in micrograph pixels; y, x on a single micrograph.
    features : pandas.DataFrame
        The layer's features, one row a point.

    Raises
    ------
    LabelError
        A cell of the column ``label`` is no class, or a new point is on no micrograph.
    """
    picks = state.picks
    if _is_as_shown(state, points, features):
        return picks
    ids = _pick_ids(features, len(points), len(picks))
    has_pick = ids != NEW_PICK
    labels = picks.labels.copy()
    given = parsed_labels(features, len(points), state.vocabulary)
    labels[ids[has_pick]] = given[has_pick]
    if not np.array_equal(labels, picks.labels):
        picks = picks.with_labels(labels)
    picks = further.edited(picks, features, ids)
    if has_pick.all():
        return picks
    slices, coords_yx_px = transforms.from_points(np.asarray(points)[~has_pick])
    names = [_slice_name(state, index) for index in slices]
    y, x = coords_yx_px.T
    new = given[~has_pick]
    new[new == UNLABELLED] = state.class_of_new
    added = Picks.from_arrays(names, x=x, y=y, label=new)
    if not picks.sources and len(features) == len(points):  # a file has columns of its own
        added = further.with_features(added, features[~has_pick])
    return with_added(picks, added)


def adopt(
    points: NDArray[Any],
    features: pd.DataFrame,
    names: tuple[str, ...],
    vocabulary: Vocabulary = DEFAULT_VOCABULARY,
    class_of_new: int = UNLABELLED,
) -> LayerState:
    """Make the state of a Points layer that another reader or the user made.

    Parameters
    ----------
    points : (n, 3) array
        Slice, y, x in micrograph pixels.
    features : pandas.DataFrame
        The layer's features, with ``label`` where the points have classes.
    names : tuple of str
        The slices' micrographs.
    vocabulary : Vocabulary
        The classes.
    class_of_new : int
        Class of the points without a label of their own, also of those that are added later.

    Raises
    ------
    LabelError
        The points have no micrograph axis, or one of them is on no slice.
    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise LabelError(
            f"the points have {points.shape[-1]} coordinates: expected 3 (micrograph, y, x). "
            "Open the picks with this plugin, or add the points on the micrograph stack."
        )
    state = LayerState.of_picks(Picks.from_arrays([], x=[], y=[]))
    state.vocabulary, state.class_of_new = vocabulary, class_of_new
    state.place({name: i for i, name in enumerate(names)}, names, None)
    state.picks = read_back(state, points, features.drop(columns="pick_id", errors="ignore"))
    return state


def _take_edit(event: Any) -> None:
    """Reconcile picks and layer after napari changed the layer's points or features."""
    layer = event.source
    state = layer_state(layer)
    if state is None or state.is_painted:
        return
    action = "features" if event.type == "features" else str(event.action.value)
    if action not in ("removed", "added", "changed", "features"):
        return
    before = state.picks
    said = ""
    try:
        edited = _read_edit(state, layer, action)
        if action == "removed":
            left = layer.features["pick_id"].to_numpy() if len(layer.data) else []
            gone = np.setdiff1d(np.arange(len(before)), left)
            said = remove(state, gone, edited.labels)
        elif len(edited) > len(before) and state.origin is not state:
            _add_to_origin(state, edited.select(np.arange(len(before), len(edited))))
        elif action == "changed" and len(layer.data) == len(before) == len(edited):
            said = _move(state, layer)
        else:
            state.set_picks(edited)
            if action == "features" and edited is before:
                return
    except PickerOptimizerError as error:
        warnings.warn(str(error), UserWarning, stacklevel=2)
        painting.paint(layer)
        return
    if action != "added" or state.origin is not state:
        painting.paint(layer)  # points are where the picks are
    if said:
        state.said.emit(said)


def _read_edit(state: LayerState, layer: Any, action: str) -> Picks:
    """Return the picks after an edit; a point that was added has no label of its own.

    napari gives it the features of the point that was selected last.
    """
    picks = read_back(state, layer.data, layer.features)
    if action != "added":
        return picks
    labels = picks.labels.copy()
    labels[len(state.picks) :] = state.class_of_new
    return picks.with_labels(labels)


def remove(state: LayerState, rows: Rows, labels: NDArray[np.int8] | None = None) -> str:
    """Take picks away: the user's own points for good, those of a picker as contaminants.

    Both come back by one undo.

    Parameters
    ----------
    state : LayerState
        The picks.
    rows : (n,) int
        Which are taken away.
    labels : (m,) int8, optional
        Labels of all picks, by default theirs.

    Returns
    -------
    str
        What became of them, for the status bar.

    Raises
    ------
    LabelError
        Picks cannot be taken away now.
    """
    is_own = state.is_own[rows]
    wanted = (state.picks.labels if labels is None else labels).copy()
    wanted[rows[~is_own]] = CONTAMINANT
    where = place_text(state, rows) if len(rows) else ""
    if is_own.any():
        state.change(Change.of(state.picks, wanted, removed=rows[is_own]))
    else:
        state.set_picks(state.picks.with_labels(wanted))
    n_own = int(np.count_nonzero(is_own))
    said = [f"{plural(n_own, 'own point')} removed"] if n_own else []
    if n_own < len(rows):
        said.append(labelled_text(len(rows) - n_own, state.vocabulary, CONTAMINANT))
    back = " Ctrl+Z brings back what was there." if n_own else ""
    return f"{' and '.join(said)}, {where}.{back}" if said else ""


def _move(state: LayerState, layer: Any) -> str:
    """Let the user's own points be where they were dragged to; say that others stay."""
    ids = _pick_ids(layer.features, len(layer.data), len(state.picks))
    slices, coords = transforms.from_points(transforms.layer_points(layer))
    rows = ids[ids != NEW_PICK]
    slices, coords = slices[ids != NEW_PICK], coords[ids != NEW_PICK]
    differs = (np.abs(coords - state.picks.coords_yx_px()[rows]) > LEAST_MOVE_PX).any(axis=1)
    moved = differs & state.is_own[rows] & (slices == state.slices[rows])
    if moved.any():
        state.change(
            Change.of(state.picks, state.picks.labels, moved=(rows[moved], coords[moved]))
        )
    return STAYS if (differs & ~moved).any() else ""


def _add_to_origin(state: LayerState, added: Picks) -> None:
    """Add points that were clicked on an output to the picks it was made of, of its kind."""
    kinds = {"kept": PARTICLE, "rejected": CONTAMINANT}
    labels = np.where(added.labels, added.labels, kinds.get(state.role, UNLABELLED))
    origin = state.origin
    origin.set_picks(with_added(origin.picks, added.with_labels(labels)))


def _is_as_shown(state: LayerState, points: NDArray[Any], features: pd.DataFrame) -> bool:
    """Return whether labels and number of points are those of the picks, the usual case."""
    if len(points) != len(state.picks) or not {"label", "pick_id"} <= set(features):
        return False
    labels = features["label"].array
    wanted = painting.label_names(state.picks.labels, state.vocabulary)
    return bool(
        isinstance(labels, pd.Categorical)
        and labels.categories.equals(wanted.categories)
        and np.array_equal(labels.codes, wanted.codes)
        and np.array_equal(features["pick_id"], np.arange(len(points)))
        and further.are_shown(state.picks, features)
    )


def _pick_ids(features: pd.DataFrame, n_points: int, n_picks: int) -> NDArray[np.int64]:
    """Return the (m,) pick of each point; `NEW_PICK` where it has none or a used one."""
    if "pick_id" not in features or len(features) != n_points:
        return np.full(n_points, NEW_PICK, dtype=np.int64)
    values = pd.to_numeric(features["pick_id"], errors="coerce").fillna(NEW_PICK)
    ids = values.to_numpy(np.int64)
    taken = pd.Series(ids).duplicated().to_numpy()  # napari pastes features along with points
    return np.where(taken | (ids < 0) | (ids >= n_picks), NEW_PICK, ids)


def parsed_labels(
    features: pd.DataFrame, n_points: int, vocabulary: Vocabulary
) -> NDArray[np.int8]:
    """Return the (n,) class ids in the column ``label`` of a layer's features, 0 without one.

    Raises
    ------
    LabelError
        A cell is no class.
    """
    if "label" not in features or len(features) != n_points:
        return np.zeros(n_points, dtype=np.int8)
    codes, values = pd.factorize(features["label"], use_na_sentinel=False)
    return np.array([vocabulary.parse(v) for v in values], dtype=np.int8)[codes]


def _slice_name(state: LayerState, index: int) -> str:
    for name, i in state.slice_of.items():  # the spelling that the picks already use
        if i == index:
            return name
    if 0 <= index < len(state.slice_names):
        return state.slice_names[index]
    raise LabelError(
        f"a point was added on slice {index}, which has no micrograph: "
        f"there are {len(state.slice_names)}. Open the micrographs first."
    )
