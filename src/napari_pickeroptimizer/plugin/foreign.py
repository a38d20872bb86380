"""Points layers that the user or another program made: their points as picks. No Qt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any  # napari viewers and layers, which are not imported here
from weakref import WeakKeyDictionary, WeakSet

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import UNLABELLED, plural
from napari_pickeroptimizer.errors import LabelError, MicrographNotFoundError
from napari_pickeroptimizer.plugin import editing, painting, transforms
from napari_pickeroptimizer.plugin.images.stack import (
    StackView,
    checked_stack,
    off_micrographs,
    stack_of,
)
from napari_pickeroptimizer.plugin.labels.features import left_out
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary, label_text, rgb_of
from napari_pickeroptimizer.plugin.layer_state import (
    METADATA_KEY,
    LayerState,
    layer_state,
    picks_layers,
    picks_state,
)
from napari_pickeroptimizer.plugin.matching import keep_in_place, micrograph_layers

# Columns of a feature table that tell the micrograph of a point.
NAME_COLUMNS = ("micrograph", "rlnMicrographName")
# napari's size of points that nobody has set: it says nothing about a particle
NAPARI_SIZE = 10.0
# So clicked points are seen on a micrograph, where napari's are a few pixels of the screen.
OWN_COLOR, OWN_WIDTH = "#C8FF00", 0.12
N_ACROSS = 40  # rings side by side on a micrograph, before there are picks to go by
# the size that new layers were given here: nobody has set it
_given: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
# the colour that they were given
_coloured: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
# layers whose size was changed while the plugin saw it: what it is now, somebody has set
_sized: WeakSet[Any] = WeakSet()


def adopt(viewer: Any, layer: Any, stack_layer: Any, vocabulary: Vocabulary) -> str:
    """Make a Points layer a layer of picks of a micrograph stack.

    Returns
    -------
    str
        What was assumed, in words for the user.

    Raises
    ------
    LabelError
        As `state_of`; the layer is as before.
    """
    state = state_of(viewer, layer, stack_layer, vocabulary)
    state.diameter_px = diameter_px(
        layer, state, stack_layer, [picks_state(x) for x in picks_layers(viewer)]
    )
    told = _assumed(layer, state, stack_layer)
    layer.metadata = {**layer.metadata, METADATA_KEY: state}
    keep_in_place(viewer, layer)
    painting.paint(layer)
    return told


def _assumed(layer: Any, state: LayerState, stack_layer: Any) -> str:
    """Return what is assumed of a layer that becomes picks."""
    sentences = []
    if len(state.picks) and state.class_of_new != UNLABELLED:
        sentences.append(f"{label_text(state.picks, state.vocabulary)}, by its name.")
    if not has_own_size(layer):
        sentences.append(
            f"Nobody set its point size, {_size(layer):.4g}, so the rings are "
            f"{state.diameter_px:.4g} px: set their diameter on the page Label if they should not "
            "be."
        )
    sentences += filter(None, [beside_note(state, stack_layer), left_out(layer.features)])
    return f"{layer.name}: {' '.join(sentences)}" if sentences else ""


def state_of(viewer: Any, layer: Any, stack_layer: Any, vocabulary: Vocabulary) -> LayerState:
    """Return the state of a Points layer as picks of a micrograph stack.

    The points are where they are shown. Their class is that of the feature ``label``, else the
    one that the layer is named after (particles, junk, carbon). Points beside their micrograph
    have none.

    Raises
    ------
    LabelError
        The points cannot be reconciled with the micrographs, or a label is no class.
    """
    if transforms.is_plain_beside(layer, stack_layer) and _has_other_images(viewer):
        raise LabelError(
            f"layer {layer.name!r} has no scale and no unit, and other images are open: are its "
            "points pixels of the micrographs, or shown on another image? Give it the scale and "
            "the units of the micrographs."
        )
    stack = checked_stack(stack_layer)
    names = _slice_names(stack)
    points = transforms.on_micrographs(layer, stack_layer, len(names), stack.binning)
    state = editing.adopt(
        points, layer.features, names, vocabulary, vocabulary.class_of_layer(layer.name)
    )
    _check_named(layer.name, layer.features, points, names, stack)
    off = off_micrographs(stack, state.slices, state.picks.coords_yx_px())
    if (off & (state.picks.labels != UNLABELLED)).any():
        state.picks = state.picks.with_labels(np.where(off, UNLABELLED, state.picks.labels))
    state.stack = stack_layer.unique_id
    paths = [str(m.path.resolve()) for m in stack.micrographs]
    state.home = "\n".join([layer.name, *paths])
    return state


def beside_note(state: LayerState, stack_layer: Any) -> str:
    """Return a sentence on points that lie beside their micrograph; empty for none."""
    stack = checked_stack(stack_layer)
    n = int(off_micrographs(stack, state.slices, state.picks.coords_yx_px()).sum())
    if not n:
        return ""
    lie, are = ("lies", "is no label") if n == 1 else ("lie", "are no labels")
    return (
        f"{plural(n, 'point')} of {len(state.picks):,} {lie} beside the micrograph, and {are}."
    )


def diameter_px(
    layer: Any, state: LayerState, stack_layer: Any, others: Sequence[LayerState]
) -> float:
    """Return the diameter of the rings of a layer that becomes picks, in micrograph pixels.

    It is the size that its points were given; without one, the diameter of the newest picks on
    these micrographs, else a guess as for picks of a file.
    """
    if has_own_size(layer):
        binning = checked_stack(stack_layer).binning
        return _size(layer) * transforms.diameter_scale(layer, stack_layer, binning)
    on_same = [other.diameter_px for other in others if other.stack == state.stack]
    return on_same[-1] if on_same else transforms.guess_diameter_px(state.picks)


def has_own_size(layer: Any) -> bool:
    """Return whether the size of a layer's points is known to be one that somebody has set.

    It is if it is not napari's default, nor what the layer was given here, or was another one
    before.
    """
    return layer in _sized or _size(layer) not in (NAPARI_SIZE, _given.get(layer))


def _size(layer: Any) -> float:
    """Return the size of new points; if that is napari's, and those there have others, theirs."""
    size = float(layer.current_size)
    if size == NAPARI_SIZE and len(layer.size) and layer not in _sized:
        return float(np.median(layer.size))
    return size


def give_scale(viewer: Any, layer: Any) -> None:
    """Let a Points layer in plain pixels beside micrographs in Å be shown in their pixels.

    Its points are taken for pixels of the micrographs (see `transforms.on_micrographs`), and
    shall be shown there, and clicked there. With other images in the viewer, a layer that has
    points is left alone: it may be theirs.
    """
    if type(layer).__name__ != "Points" or layer_state(layer) is not None or layer.ndim > 3:
        return
    stacks = micrograph_layers(viewer)
    if not stacks or (len(layer.data) and _has_other_images(viewer)):
        return
    if transforms.is_plain_beside(layer, stacks[-1]):
        binning = checked_stack(stacks[-1]).binning
        transforms.set_transform(layer, transforms.picks_transform(stacks[-1], binning))


def show_well(viewer: Any, layer: Any) -> None:
    """Let points that are added to a new layer beside micrographs be rings that are well seen.

    They are as large as the newest picks, and as a fortieth of a micrograph before there are any.
    """
    if type(layer).__name__ != "Points" or len(layer.data) or layer_state(layer) is not None:
        return
    stacks = micrograph_layers(viewer)
    if not stacks or layer.current_size != NAPARI_SIZE:
        return
    stack = checked_stack(stacks[-1])
    on_same = [picks_state(x).diameter_px for x in picks_layers(viewer)]
    diameter_px = on_same[-1] if on_same else max(stack.canvas_px) / N_ACROSS
    try:
        scale = transforms.diameter_scale(layer, stacks[-1], stack.binning)
    except LabelError:  # of a unit that no micrograph has
        return
    layer.current_size = diameter_px / scale
    layer.current_border_color, layer.current_border_width = OWN_COLOR, OWN_WIDTH
    layer.current_face_color = "transparent"
    _given[layer], _coloured[layer] = float(layer.current_size), OWN_COLOR


def show_class(layer: Any, vocabulary: Vocabulary) -> None:
    """Give a layer of own points the colour of the class that it is named after.

    Only where it has the colour that it was given here: another one is the user's.
    """
    if layer not in _coloured or layer_state(layer) is not None:
        return
    before, class_id = _coloured[layer], vocabulary.class_of_layer(layer.name)
    color = vocabulary.style(class_id).color if class_id else OWN_COLOR
    if color == before or not _has_color(layer, before):
        return
    _coloured[layer] = color
    layer.current_border_color = color
    if len(layer.data):
        layer.border_color = color


def _has_color(layer: Any, color: str) -> bool:
    """Return whether the points that are added to a layer, and those there, have a colour."""
    shown = np.asarray(layer.border_color).reshape(-1, 4)[:, :3]
    current = str(layer.current_border_color).lower()  # "#rrggbbaa", or a name
    return current.startswith(color.lower()) and np.allclose(shown, rgb_of(color), atol=1e-3)


def watch(layer: Any, changed: Callable[[], None]) -> None:
    """Call `changed` when a layer is renamed, shown or hidden, or a user's own one is edited.

    Edits of picks have signals of their own. Whether the size of own points is set is remembered.
    """

    def edited(event: Any) -> None:
        if layer_state(event.source) is None:
            changed()

    for event in (layer.events.name, layer.events.visible):
        event.connect(lambda _: changed())
    if type(layer).__name__ == "Points":
        size_before = layer.current_size

        def sized(event: Any) -> None:
            own = event.source
            if own.current_size != size_before and layer_state(own) is None:
                _sized.add(own)  # napari emits this when points are selected, too

        layer.events.current_size.connect(sized)
        layer.events.data.connect(edited)
        layer.events.features.connect(edited)


def _has_other_images(viewer: Any) -> bool:
    images = [x for x in viewer.layers if type(x).__name__ == "Image"]
    return any(stack_of(image.metadata) is None for image in images)


def _slice_names(stack: StackView) -> tuple[str, ...]:
    """Return the name of each slice; the whole path where two have the same name."""
    count = Counter(stack.micrographs.names)
    return tuple(m.name if count[m.name] == 1 else str(m.path) for m in stack.micrographs)


def _check_named(
    layer_name: str,
    features: pd.DataFrame,
    points: NDArray[np.float64],
    names: tuple[str, ...],
    stack: StackView,
) -> None:
    """Check that points lie on the micrographs that their features name.

    Raises
    ------
    LabelError
        One of them does not.
    """
    column = next((c for c in NAME_COLUMNS if c in features), None)
    if column is None:
        return
    slice_at = {(m.path, m.section): i for i, m in enumerate(stack.micrographs)}
    slices, _ = transforms.from_points(points)
    named = features[column].astype(object).where(features[column].notna(), "")
    for name in map(str, pd.unique(named)):
        if not name:
            continue
        try:
            micrograph = stack.micrographs.resolve(name)
            index = slice_at[micrograph.path, micrograph.section]
        except MicrographNotFoundError:
            index = -1
        wrong = np.flatnonzero((named.astype(str) == name).to_numpy() & (slices != index))
        if len(wrong):
            raise LabelError(
                f"point {wrong[0]} of {layer_name!r} lies on {names[slices[wrong[0]]]}, but its "
                f"feature {column!r} says {name}. Correct it, remove that column, or open the "
                "micrographs of these points."
            )
