"""The labels that are learned from: of the chosen picks, and of the user's own layers. No Qt.

Users sort points into layers called after classes, "particles" and "junk". All that are shown
teach together; to leave one out, it is hidden.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any  # napari viewers and layers, which are not imported here

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial import KDTree

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import LabelError
from napari_pickeroptimizer.label_places import LabelPlaces, label_places
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.plugin import foreign, matching
from napari_pickeroptimizer.plugin.editing import picks_of
from napari_pickeroptimizer.plugin.images.stack import StackView, checked_stack
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary, label_text
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    label_layers,
    layer_state,
    unwrap,
)
from napari_pickeroptimizer.prune.label_matching import label_radius_px


@dataclass(frozen=True, eq=False)
class LabelledLayer:
    """A layer whose labels are learned from.

    Parameters
    ----------
    layer : napari.layers.Points
        The layer.
    state : LayerState
        Its points as picks; of a layer that was never chosen as picks, made for this.
    """

    layer: Any
    state: LayerState


@dataclass(frozen=True, eq=False)
class LearningLabels:
    """The labels of one or several layers.

    Parameters
    ----------
    labels : Picks
        The labelled picks.
    unlabelled : Picks
        The picks of the chosen layer that no layer labels.
    layers : tuple of str
        Names of the layers that the labels are from.
    places : LabelPlaces
        Which of the labels count: none of a place that two layers call differently.
    """

    labels: Picks
    unlabelled: Picks
    layers: tuple[str, ...]
    places: LabelPlaces

    @property
    def counting(self) -> Picks:
        """The labels that count, each once."""
        return self.labels.select(self.places.counts)

    def text(self, vocabulary: Vocabulary) -> str:
        """Return what is learned from: ``20 particle, 20 junk, from layers particles, junk``."""
        layers = "layers" if len(self.layers) > 1 else "layer"
        text = (
            f"{label_text(self.counting, vocabulary)}, from {layers} {', '.join(self.layers)}"
        )
        return f"{text}. {self.places.clash_note}".rstrip(". ") + "."


def own_layers(
    viewer: Any, chosen: Any | None, stack_layer: Any | None, vocabulary: Vocabulary
) -> tuple[list[LabelledLayer], list[str]]:
    """Return the user's own layers that are learned from beside the chosen picks.

    These are the Points layers on the same micrographs that napari or another program made,
    that are shown, and whose name or features give their points a class.

    Returns
    -------
    list of LabelledLayer
        They, in the order of the layer list.
    list of str
        A sentence on each layer that is called after a class, but cannot be used as a whole.
    """
    found: list[LabelledLayer] = []
    reasons: list[str] = []
    if stack_layer is None:
        return found, reasons
    for layer in label_layers(viewer):
        if layer is unwrap(chosen) or not layer.visible or not _may_be_own(layer, vocabulary):
            continue
        try:
            labelled = labelled_layer(viewer, layer, stack_layer, vocabulary)
        except LabelError as error:
            reasons.append(f"Layer {layer.name!r} is left out: {error}")
            continue
        if labelled.state.stack != stack_layer.unique_id:
            continue
        if note := foreign.beside_note(labelled.state, stack_layer):
            reasons.append(f"Layer {layer.name!r}: {note}")
        if labelled.state.picks.labels.any():
            found.append(labelled)
    return found, reasons


def only_learned_from(viewer: Any, chosen: Any | None, vocabulary: Vocabulary) -> str:
    """Return that the labels of the user's own layers decide on no pick; empty without any."""
    names = [
        repr(layer.name)
        for layer in label_layers(viewer)
        if layer is not unwrap(chosen) and layer.visible and _may_be_own(layer, vocabulary)
    ]
    if chosen is None or not names:
        return ""
    return (
        f"Labels in {', '.join(names)} are learned from, but do not decide which picks are kept. "
        "To let them: page Label, Points and areas of other layers."
    )


def labelled_layer(
    viewer: Any, layer: Any, stack_layer: Any, vocabulary: Vocabulary
) -> LabelledLayer:
    """Return any Points layer with its points as picks; the layer is left as it is.

    Raises
    ------
    LabelError
        As `foreign.state_of`.
    """
    layer = unwrap(layer)
    state = layer_state(layer)
    if state is None:
        state = foreign.state_of(viewer, layer, unwrap(stack_layer), vocabulary)
    else:
        picks_of(layer)  # takes over what was edited
    return LabelledLayer(layer, state)


def learning_labels(
    chosen: LabelledLayer | None,
    others: Sequence[LabelledLayer],
    stack_layer: Any,
    boxes: BoxSettings | None = None,
) -> LearningLabels:
    """Join the labels of the chosen picks and of other layers.

    A point of another layer that lies on a chosen pick labels that pick. A place that is
    labelled as two classes does not count. Layers come by their class, so that the result is
    that of ``finetune --labels PICKS --positive PARTICLES --negative JUNK``.

    Parameters
    ----------
    chosen : LabelledLayer or None
        The picks that the user chose, if any.
    others : sequence of LabelledLayer
        Layers whose labels are used as well.
    stack_layer : napari.layers.Image
        The micrographs of all of them.
    boxes : BoxSettings, optional
        For the particle diameter: a point is on a pick within a fifth of it, or one pixel. By
        default that of the chosen picks' rings.
    """
    stack = checked_stack(stack_layer)
    if boxes is None and chosen is not None:
        boxes = BoxSettings(diameter_px=chosen.state.diameter_px)
    picks = Picks.from_arrays([], x=[], y=[]) if chosen is None else chosen.state.picks
    at = np.empty(0) if chosen is None else _slices(chosen.state, stack_layer)
    is_taken = np.zeros(len(picks), dtype=bool)
    parts = []
    layers = [*others] if chosen is None else [chosen, *others]
    for labelled in sorted(layers, key=lambda x: x.state.class_of_new):  # stable
        state = labelled.state
        rows = np.flatnonzero(state.picks.labels != UNLABELLED)
        part, slices = state.picks.select(rows), _slices(state, stack_layer)[rows]
        if chosen is not None and boxes is not None and labelled is not chosen:
            part, is_on = _on_picks(part, slices, picks, at, stack, boxes)
            part = _called_as(part, slices, chosen.state, stack_layer)
            is_taken |= is_on
        if len(part):
            parts.append((labelled.layer.name, part, slices))
    labels = concatenate(
        [picks.select(np.empty(0, dtype=np.intp)), *(part for _, part, _ in parts)]
    )
    slices = np.concatenate([np.empty(0), *(s for _, _, s in parts)])
    rows_of = [np.flatnonzero(slices == i) for i in np.unique(slices)]
    names = layers[0].state.vocabulary.names() if layers else None
    return LearningLabels(
        labels,
        picks.select((picks.labels == UNLABELLED) & ~is_taken),
        tuple(name for name, _, _ in parts),
        label_places(labels, rows_of, names),
    )


def _may_be_own(layer: Any, vocabulary: Vocabulary) -> bool:
    state = layer_state(layer)
    if state is not None:
        return bool(state.home)  # others are opened from files: one of them is chosen
    named = vocabulary.class_of_layer(layer.name) != UNLABELLED
    return bool(len(layer.data)) and (named or "label" in layer.features)


def _slices(state: LayerState, stack_layer: Any) -> NDArray[np.float64]:
    """Return the (n,) slice of the stack that each pick lies on."""
    if state.stack == stack_layer.unique_id:
        return state.slices
    slice_of = matching.match(state, checked_stack(stack_layer)).slice_of
    slices = state.picks.table["micrograph"].map(slice_of)
    return np.asarray(slices, dtype=np.float64)


def _on_picks(
    points: Picks,
    slices: NDArray[np.float64],
    picks: Picks,
    slices_of_picks: NDArray[np.float64],
    stack: StackView,
    boxes: BoxSettings,
) -> tuple[Picks, NDArray[np.bool_]]:
    """Move points to the picks that they lie on; return them, and which picks these are."""
    coords, of_picks = points.coords_yx_px().copy(), picks.coords_yx_px()
    on = picks_under(picks, slices_of_picks, coords, slices, stack, boxes)
    near = on >= 0
    coords[near] = of_picks[on[near]]
    is_on = np.zeros(len(picks), dtype=bool)
    for i in np.unique(slices[near]):  # other picks at the very same place, too
        beside, moved = np.flatnonzero(slices_of_picks == i), coords[near & (slices == i)]
        is_on[beside[np.isin(of_picks[beside] @ (1j, 1), moved @ (1j, 1))]] = True
    return points.with_columns(y=coords[:, 0], x=coords[:, 1]), is_on


def picks_under(
    picks: Picks,
    slices_of_picks: NDArray[np.float64],
    coords_yx_px: NDArray[np.float64],
    slices: NDArray[np.float64],
    stack: StackView,
    boxes: BoxSettings,
) -> NDArray[np.intp]:
    """Return the row of the pick that each of some points lies on, -1 where it is on none."""
    on, of_picks = np.full(len(slices), -1, dtype=np.intp), picks.coords_yx_px()
    for i in np.unique(slices):
        points, beside = np.flatnonzero(slices == i), np.flatnonzero(slices_of_picks == i)
        if len(beside):
            radius_px = label_radius_px(boxes, stack.micrographs.items[int(i)].pixel_size_ang)
            distance, nearest = KDTree(of_picks[beside]).query(coords_yx_px[points])
            is_near = distance <= radius_px
            on[points[is_near]] = beside[nearest[is_near]]
    return on


def _called_as(
    points: Picks, slices: NDArray[np.float64], chosen: LayerState, stack_layer: Any
) -> Picks:
    """Return points whose micrographs are called as the chosen picks call them."""
    if chosen.stack != stack_layer.unique_id or not len(points):
        return points
    names = pd.Series([chosen.slice_names[int(i)] for i in slices], dtype="str")
    return replace(points, table=points.table.assign(micrograph=names))
