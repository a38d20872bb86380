"""Labels from other layers: areas that the user draws, points that the user clicks. No Qt.

A polygon over carbon labels the picks inside it. Points on picks label these; those that lie on
no pick become picks. Either is one step of undo.
"""

from __future__ import annotations

from collections import Counter
from typing import Any  # napari viewers and layers, which are not imported here

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import (
    CARBON,
    CONTAMINANT,
    PARTICLE,
    UNLABELLED,
    plural,
)
from napari_pickeroptimizer.errors import LabelError, MicrographNotFoundError
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import transforms
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.plugin.images.stack import checked_stack, off_micrographs
from napari_pickeroptimizer.plugin.labels.changes import Change, Rows
from napari_pickeroptimizer.plugin.labels.vocabulary import (
    Vocabulary,
    labelled_text,
)
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    layer_state,
    picks_state,
    unwrap,
)
from napari_pickeroptimizer.plugin.learning_labels import labelled_layer, picks_under
from napari_pickeroptimizer.plugin.matching import stack_layer_of

AREAS = ("polygon", "rectangle", "ellipse")
N_CORNERS = 90  # of the polygon that stands for an ellipse


def other_layers(viewer: Any, layer: Any) -> list[Any]:
    """Return the layers of points or shapes that labels can be taken from, the newest first."""
    layers = [x for x in reversed(unwrap(viewer).layers) if x is not unwrap(layer)]
    return [
        x
        for x in layers
        if is_areas(x)
        or (
            type(x).__name__ == "Points"
            and ((state := layer_state(x)) is None or state.role == "picks")
        )
    ]


def is_areas(layer: Any) -> bool:
    """Whether a layer holds areas, and not points."""
    return type(layer).__name__ == "Shapes"


def proposed_class(layer: Any, vocabulary: Vocabulary) -> int:
    """Return the class that a layer is named after, else the likeliest of its kind."""
    if named := vocabulary.class_of_layer(layer.name):
        return named
    if not is_areas(layer):
        return PARTICLE
    return CARBON if CARBON in vocabulary else CONTAMINANT


def take_from(viewer: Any, layer: Any, other: Any, class_id: int) -> str:
    """Label picks by another layer, as one step of undo; return what was done.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are.
    layer : napari.layers.Points
        A picks layer.
    other : napari.layers.Shapes or napari.layers.Points
        Areas: the picks inside get the label. Points: the picks that they lie on get it, and
        those that lie on no pick are added.
    class_id : int
        The label; 0 adds points without one, and leaves the labels of picks as they are.

    Raises
    ------
    LabelError
        The layer has no areas or points, they cannot be reconciled with the micrographs, or
        they are on no pick.
    MicrographNotFoundError
        The micrographs are not open.
    """
    viewer, layer, other = unwrap(viewer), unwrap(layer), unwrap(other)
    picks_of(layer)  # takes over what was edited
    state = picks_state(layer)
    stack_layer = stack_layer_of(viewer, state)
    if stack_layer is None:
        raise MicrographNotFoundError("open the micrographs of these picks first.")
    if not is_areas(other):
        return _take_points(viewer, state, other, stack_layer, class_id)
    rows, note = rows_inside(state, other, stack_layer)
    changed = rows[state.picks.labels[rows] != class_id]
    state.set_labels(rows, class_id)
    said = labelled_text(len(changed), state.vocabulary, class_id)
    as_before = len(rows) - len(changed)
    more = f"; {as_before:,} inside had that label" if as_before else ""
    return f"{said}{more}.{note}"


def rows_inside(state: LayerState, shapes: Any, stack_layer: Any) -> tuple[Rows, str]:
    """Return the picks inside the areas of a Shapes layer, and a note on what is left out.

    An area counts on the micrograph that it is drawn on, and nowhere else.

    Parameters
    ----------
    state : LayerState
        The picks.
    shapes : napari.layers.Shapes
        Polygons, rectangles and ellipses; paths and lines enclose nothing.
    stack_layer : napari.layers.Image
        The micrographs.

    Raises
    ------
    LabelError
        There is no area, or one cannot be reconciled with the micrographs.
    """
    from skimage.measure import points_in_poly  # heavy

    kinds = [str(kind) for kind in shapes.shape_type]
    others = Counter(kind for kind in kinds if kind not in AREAS)
    without = " and ".join(plural(n, kind) for kind, n in others.items())
    if len(kinds) == others.total():
        what = f"only {without}, which enclose nothing" if without else "nothing"
        raise LabelError(
            f"layer {shapes.name!r} holds {what}: draw a polygon, a rectangle or an ellipse."
        )
    coords, on_slice = state.picks.coords_yx_px(), state.slices
    inside, n_empty = np.zeros(len(coords), dtype=bool), 0
    for i, (kind, vertices) in enumerate(zip(kinds, shapes.data, strict=True)):
        if kind in AREAS:
            index, corners = _corners(shapes, i, kind, vertices, stack_layer)
            rows = np.flatnonzero(on_slice == index)
            is_in = points_in_poly(coords[rows], corners)
            inside[rows] |= is_in
            n_empty += not is_in.any()
    rows = np.flatnonzero(inside)
    if not len(rows):
        raise LabelError(f"no pick lies in the areas of {shapes.name!r}.")
    notes = [f" Left out: {without}, which enclose nothing."] if without else []
    notes += [f" No pick lies in {n_empty:,} of the areas."] if n_empty else []
    return rows, "".join(notes)


def _corners(
    shapes: Any, i: int, kind: str, vertices: Any, stack_layer: Any
) -> tuple[int, NDArray[np.float64]]:
    """Return the slice of an area, and its (n, 2) corners, y and x in micrograph pixels."""
    stack = checked_stack(stack_layer)
    places = transforms.on_micrographs(
        shapes, stack_layer, len(stack.micrographs), stack.binning, vertices
    )
    slices, corners = transforms.from_points(places)
    if len(np.unique(slices)) > 1:
        raise LabelError(
            f"shape {i} of {shapes.name!r} goes through several micrographs: draw it on one."
        )
    if kind == "ellipse":  # its box, which may be turned
        middle = corners.mean(axis=0)
        half_axes = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
        turn = np.linspace(0, 2 * np.pi, N_CORNERS, endpoint=False)
        circle = np.column_stack([np.cos(turn), np.sin(turn)])
        corners = middle + circle @ np.array(half_axes)
    return int(slices[0]), corners


def _take_points(
    viewer: Any, state: LayerState, other: Any, stack_layer: Any, class_id: int
) -> str:
    found = labelled_layer(viewer, other, stack_layer, state.vocabulary).state
    if not len(found.picks):
        raise LabelError(f"layer {other.name!r} has no points yet: add some.")
    slices, coords = found.slices, found.picks.coords_yx_px()
    stack, boxes = checked_stack(stack_layer), BoxSettings(diameter_px=state.diameter_px)
    off = off_micrographs(stack, slices, coords)
    if off.all():
        raise LabelError(
            f"all {plural(len(off), 'point')} of {other.name!r} lie beside the micrographs: move "
            "them onto one."
        )
    slices, coords, n_off = slices[~off], coords[~off], int(off.sum())
    on = picks_under(state.picks, state.slices, coords, slices, stack, boxes)
    is_new, under = on < 0, np.unique(on[on >= 0])
    labels = state.picks.labels.copy()
    if class_id != UNLABELLED:
        labels[under] = class_id
    names = [state.slice_names[int(i)] for i in slices[is_new]]
    y, x = coords[is_new].T
    added = Picks.from_arrays(names, x=x, y=y, label=class_id)
    change = Change.of(state.picks, labels, added=added)
    state.change(change)
    said = [labelled_text(len(change.rows), state.vocabulary, class_id)] if class_id else []
    if len(added):
        kind = f" as {state.vocabulary.name(class_id)}" if class_id else ""
        said.append(f"{plural(len(added), 'pick')} added{kind}")
    on_picks = "" if class_id or not len(under) else f"; {len(under):,} were there already"
    beside = f" Left out: {plural(n_off, 'point')} beside the micrographs." if n_off else ""
    return f"{' and '.join(said) or 'No pick added'}{on_picks}.{beside}"
