"""`Picks` as the data of a napari Points layer, and back. Pure functions, no Qt.

The picks are the truth and the layer is a view of them: napari removes selected points on
a key and has no undo. So the layer's metadata holds the picks themselves, every point knows
its pick by the feature ``pick_id`` (its row in ``picks.table``), and only labels and new
points are ever read back from a layer.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.classes import MAX_CLASS, UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary

METADATA_KEY = "pickeroptimizer"
NEW_PICK = -1

# The user's labels are thick, and have a symbol of their own class.
RING_WIDTH = 0.07
LABEL_WIDTH = 0.18
FALLBACK_DIAMETER_PX = 100.0

Role = Literal["picks", "kept", "rejected", "unscored"]


@dataclass(frozen=True)
class PicksView:
    """What a Points layer shows.

    Parameters
    ----------
    picks : Picks
        The truth; row i is the point with ``pick_id`` i.
    slice_of : mapping of str to int
        Slice index of each micrograph name that the picks use.
    slice_names : tuple of str
        Micrograph name of each slice, for points that the user adds.
    diameter_px : float
        Diameter of the rings in micrograph pixels.
    role : str
        Whether these are the picks to work on, or an output of ours.
    stack : hashable or None
        ``unique_id`` of the image layer whose slices these are, None before there is one.
    source : hashable or None
        For outputs, the ``unique_id`` of the layer they were made from.
    rows : (n,) int array or None
        For outputs, the rows of that layer's picks.
    vocabulary : Vocabulary
        What the classes are called and how they are drawn.
    """

    picks: Picks
    slice_of: Mapping[str, int]
    slice_names: tuple[str, ...]
    diameter_px: float
    role: Role = "picks"
    stack: Hashable = None
    source: Hashable = None
    rows: NDArray[np.intp] | None = None
    vocabulary: Vocabulary = DEFAULT_VOCABULARY


def make_view(
    picks: Picks,
    *,
    diameter_px: float | None = None,
    role: Role = "picks",
) -> PicksView:
    """Return a view whose slices are the micrographs in order of first appearance."""
    names = tuple(str(name) for name in pd.unique(picks.table["micrograph"]))
    return PicksView(
        picks=picks,
        slice_of={name: i for i, name in enumerate(names)},
        slice_names=names,
        diameter_px=diameter_px or guess_diameter_px(picks),
        role=role,
    )


def view_of(metadata: Mapping[str, Any]) -> PicksView | None:
    """Return the view that a layer's metadata hold, None for a layer that is not ours."""
    view = metadata.get(METADATA_KEY)
    return view if isinstance(view, PicksView) else None


def guess_diameter_px(picks: Picks, n_micrographs: int = 5) -> float:
    """Return a ring diameter to begin with: the usual distance of a pick to its neighbour.

    It is for the eye only (pickers hardly place two picks closer than one diameter); the
    user sets the real one.
    """
    distances = []
    for rows in list(picks.rows_by_micrograph().values())[:n_micrographs]:
        coords = picks.coords_yx_px()[rows]
        if len(coords) > 1:
            distances.append(KDTree(coords).query(coords, k=2)[0][:, 1])
    if not distances:
        return FALLBACK_DIAMETER_PX
    guess = float(np.median(np.concatenate(distances)))
    return round(guess) if guess >= 1 else FALLBACK_DIAMETER_PX


def coords_zyx(view: PicksView) -> NDArray[np.float64]:
    """Return the (n, 3) points: slice index, then y and x in micrograph pixels."""
    slices = view.picks.table["micrograph"].map(dict(view.slice_of)).to_numpy(np.float64)
    return np.column_stack([slices, view.picks.coords_yx_px()])


def shown_classes(picks: Picks, rows: Any = slice(None)) -> NDArray[np.int8]:
    """Return the class that picks are drawn in: the user's label, else the predicted one."""
    labels = picks.labels[rows]
    if "predicted" not in picks.table:
        return labels
    predicted = picks.table["predicted"].to_numpy(np.int8)[rows]
    return cast(NDArray[np.int8], np.where(labels != UNLABELLED, labels, predicted))


def appearance(view: PicksView) -> dict[str, Any]:
    """Return colour, line width and symbol of each pick, computed by ourselves.

    napari's own colour cycles are slow beyond 1e5 points, and assign colours by order of
    first appearance: the same class would have another colour in the next file.
    """
    labels = view.picks.labels
    symbols = view.vocabulary.symbols
    return {
        "border_color": view.vocabulary.palette_rgba[shown_classes(view.picks)],
        "border_width": np.where(labels != UNLABELLED, LABEL_WIDTH, RING_WIDTH),
        # napari takes a second to look at a million symbols, and no time at one
        "symbol": symbols[labels] if labels.any() else symbols[UNLABELLED],
    }


def feature_table(view: PicksView) -> pd.DataFrame:
    """Return the features of the points: what the status bar and the feature table show."""
    picks, table = view.picks, view.picks.table
    codes, names = pd.factorize(table["micrograph"])
    features = pd.DataFrame(
        {
            "pick_id": np.arange(len(picks), dtype=np.int64),
            "micrograph": pd.Categorical.from_codes(codes, _index(names)),
            "label": label_names(picks.labels, view.vocabulary),
        }
    )
    if "predicted" in table:
        predicted = table["predicted"].to_numpy(np.int8)
        features["predicted"] = label_names(predicted, view.vocabulary, "not scored")
    if picks.class_ids:
        features["probability"] = picks.particle_probability
    if "picker_score" in table:
        features["picker_score"] = table["picker_score"].to_numpy(np.float64)
    return features


def points_data(view: PicksView, name: str) -> tuple[NDArray[np.float64], dict[str, Any], str]:
    """Return the layer data tuple of a Points layer that shows `view`."""
    attributes = {
        "name": name,
        "ndim": 3,
        "axis_labels": ("micrograph", "y", "x"),
        "features": feature_table(view),
        "size": view.diameter_px,
        "face_color": "transparent",
        "border_width_is_relative": True,
        "metadata": {METADATA_KEY: view},
        **appearance(view),
    }
    if not len(view.picks):  # napari cannot take colours of no points
        for per_point in ("features", "border_color", "border_width", "symbol"):
            del attributes[per_point]
    return coords_zyx(view), attributes, "points"


def label_names(
    class_ids: NDArray[np.int8],
    vocabulary: Vocabulary = DEFAULT_VOCABULARY,
    unset: str = "unlabelled",
) -> pd.Categorical:
    """Return the (n,) names of class ids, `unset` for 0; the codes are the ids."""
    names = [unset, *(vocabulary.name(i) for i in range(1, MAX_CLASS + 1))]
    return pd.Categorical.from_codes(class_ids, _index(names))


def with_added(view: PicksView, new: Picks) -> PicksView:
    """Return a view with picks that the user added behind its own; they belong to no file."""
    slice_of = dict(view.slice_of)
    for name in new.table["micrograph"].unique():
        if str(name) not in slice_of:
            known = str(name) in view.slice_names
            at = view.slice_names.index(str(name)) if known else len(view.slice_names)
            slice_of[str(name)] = at
    picks = concatenate([view.picks, replace(new, file_list=view.picks.file_list)])
    return replace(view, picks=picks, slice_of=slice_of)


def read_back(view: PicksView, points: NDArray[Any], features: pd.DataFrame) -> PicksView:
    """Return the view with what the user did in the layer: labels, and added points.

    Picks are never lost or moved here: a point that is missing in the layer keeps its pick,
    and a dragged one its place. A point without a ``pick_id`` of its own (added, or pasted)
    is a new pick, in the micrograph of its slice.

    Parameters
    ----------
    view : PicksView
        What the layer showed.
    points : (m, 3) array
        The layer's points: slice, y, x.
    features : pandas.DataFrame
        The layer's features, one row a point.

    Raises
    ------
    LabelError
        A cell of the column ``label`` is no class, or a new point is on no micrograph.
    """
    n = len(view.picks)
    if _is_as_shown(view, points, features):
        return view
    ids = _pick_ids(features, len(points), n)
    known = ids != NEW_PICK
    labels = view.picks.labels.copy()
    given = _parsed_labels(features, len(points), view.vocabulary)
    labels[ids[known]] = given[known]
    picks = view.picks
    if not np.array_equal(labels, picks.labels):
        picks = picks.with_labels(labels)
    edited = replace(view, picks=picks)
    if not known.all():
        added = np.asarray(points, dtype=np.float64)[~known]
        names = [_slice_name(view, z) for z in added[:, 0]]
        new = Picks.from_arrays(names, x=added[:, 2], y=added[:, 1], label=given[~known])
        edited = with_added(edited, new)
    return edited


def adopt(points: NDArray[Any], features: pd.DataFrame, names: tuple[str, ...]) -> PicksView:
    """Make a view of a Points layer that another reader or the user made.

    `points` are (n, 3): slice, y, x in micrograph pixels; `names` the slices' micrographs.

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
    empty = make_view(Picks.from_arrays([], x=[], y=[]))
    view = replace(empty, slice_names=names, slice_of={n: i for i, n in enumerate(names)})
    return read_back(view, points, features.drop(columns="pick_id", errors="ignore"))


def count_labels(picks: Picks) -> dict[int, int]:
    """Return how many picks carry each class id that is used, ascending."""
    counts = np.bincount(picks.labels, minlength=UNLABELLED + 1)
    return {i: int(n) for i, n in enumerate(counts) if n and i != UNLABELLED}


def _is_as_shown(view: PicksView, points: NDArray[Any], features: pd.DataFrame) -> bool:
    """Whether labels and number of points are those of the picks: quick, for it is usual."""
    if len(points) != len(view.picks) or not {"label", "pick_id"} <= set(features):
        return False
    labels = features["label"].array
    wanted = label_names(view.picks.labels, view.vocabulary)
    return bool(
        isinstance(labels, pd.Categorical)
        and labels.categories.equals(wanted.categories)
        and np.array_equal(labels.codes, wanted.codes)
        and np.array_equal(features["pick_id"], np.arange(len(points)))
    )


def _index(names: Any) -> pd.Index:
    """Categories as Python strings: pandas' own kind takes 70 ms to look at for each click."""
    return pd.Index(np.asarray(names, dtype=object), dtype=object)


def _pick_ids(features: pd.DataFrame, n_points: int, n_picks: int) -> NDArray[np.int64]:
    """Return the (m,) pick of each point; `NEW_PICK` where it has none or a used one."""
    if "pick_id" not in features or len(features) != n_points:
        return np.full(n_points, NEW_PICK, dtype=np.int64)
    values = pd.to_numeric(features["pick_id"], errors="coerce").fillna(NEW_PICK)
    ids = values.to_numpy(np.int64)
    taken = pd.Series(ids).duplicated().to_numpy()  # napari pastes features along with points
    return np.where(taken | (ids < 0) | (ids >= n_picks), NEW_PICK, ids)


def _parsed_labels(
    features: pd.DataFrame, n_points: int, vocabulary: Vocabulary
) -> NDArray[np.int8]:
    if "label" not in features or len(features) != n_points:
        return np.zeros(n_points, dtype=np.int8)
    codes, values = pd.factorize(features["label"], use_na_sentinel=False)
    return np.array([vocabulary.parse(v) for v in values], dtype=np.int8)[codes]


def _slice_name(view: PicksView, z: float) -> str:
    index = round(z)
    for name, i in view.slice_of.items():  # the spelling that the picks already use
        if i == index:
            return name
    if 0 <= index < len(view.slice_names):
        return view.slice_names[index]
    raise LabelError(
        f"a point was added on slice {index}, which has no micrograph: "
        f"there are {len(view.slice_names)}. Open the micrographs first."
    )
