"""Opening files: micrographs of picks are found, micrograph files join the open stack."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching, transforms
from napari_pickeroptimizer.plugin.images.locate import locate_micrographs
from napari_pickeroptimizer.plugin.images.stack import (
    StackView,
    extend_stack,
    make_stack,
    stack_of,
)
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state
from napari_pickeroptimizer.plugin.painting import points_data
from napari_pickeroptimizer.plugin.session import micrograph_layers, session_of, unwrap

LayerData = tuple[Any, ...]
N_NAMES = 3


def picks_with_micrographs(
    viewer: Any | None, picks: Picks, name: str, *, diameter_px: float | None = None
) -> list[LayerData]:
    """Return the layer data of picks, and of their micrographs if these are not open.

    Missing micrographs are listed by `matching.missing_micrographs`, and reported in a
    warning: by this function, or by the session as soon as the picks are in the viewer.

    Parameters
    ----------
    viewer : napari.Viewer or None
        Whose open micrographs are tried first.
    picks : Picks
        The picks.
    name : str
        Name of their layer.
    diameter_px : float, optional
        Diameter of the rings in micrograph pixels.
    """
    state = LayerState.of_picks(picks, diameter_px=diameter_px)
    if viewer is not None and matching.best_stack(unwrap(viewer), state) is not None:
        return [matched_points_data(viewer, state, name)]
    located = locate_micrographs(picks)
    looked_for = {matching.LOOKED_FOR_KEY: located.missing}
    if not len(located.micrographs):
        if located.missing and not (viewer is not None and micrograph_layers(viewer)):
            warnings.warn(_none_found(located.missing), UserWarning, stacklevel=2)
        points = points_data(state, name)
        points[1]["metadata"].update(looked_for)
        return [points]
    title = _folder_name(located.micrographs)
    if viewer is None:
        stack = make_stack(located.micrographs, name=title)
    else:
        stack = prepared_stack(viewer, located.micrographs, title)
    points = points_on(state, stack, name)
    points[1]["metadata"].update(looked_for)
    return [stack, points]


def points_on(state: LayerState, stack: LayerData, name: str) -> LayerData:
    """Return the layer data of picks on a stack that is not in a viewer yet."""
    stack_view = stack_of(stack[1]["metadata"])
    assert stack_view is not None  # made by `make_stack`
    matched = matching.match(state, stack_view)
    state.place(matched.slice_of, matched.slice_names, None)
    return _in_world(points_data(state, name), stack_view)


def join_open_stack(viewer: Any, micrographs: Micrographs) -> bool:
    """Add micrograph files to the open stack of their folder; return whether there is one.

    Picks that waited for them are put on their slices.
    """
    viewer = unwrap(viewer)
    folders = {m.path.absolute().parent for m in micrographs}
    if len(folders) != 1:
        return False
    for layer in micrograph_layers(viewer):
        stack = stack_of(layer.metadata)
        if stack is None or {m.path.absolute().parent for m in stack.micrographs} != folders:
            continue
        first = next(iter(stack.micrographs)).path
        if not extend_stack(layer, micrographs):
            continue
        if layer.name == first.stem:  # it was named after the one file
            layer.name = first.absolute().parent.name or layer.name
        _rematch(viewer, layer)
        session_of(viewer).layers_changed.emit()
        return True
    return False


def prepared_stack(viewer: Any, micrographs: Micrographs, name: str) -> tuple[Any, Any, str]:
    """Return the data of a stack layer; picks that were opened before it get its scale.

    napari warns of layers in pixels beside layers in Å, even if only for a moment.
    """
    data, attributes, kind = make_stack(micrographs, name=name)
    stack = stack_of(attributes["metadata"])
    assert stack is not None  # made above
    for layer in matching.picks_layers(unwrap(viewer)):
        state = picks_state(layer)
        if state.stack is None:
            with suppress(
                PickerOptimizerError
            ):  # the session reports it, once the layer is in the viewer
                if matching.match(state, stack).n_found:
                    transforms.set_transform(layer, stack.pixel_size_ang)
    return data, attributes, kind


def matched_points_data(viewer: Any, state: LayerState, name: str) -> LayerData:
    """Return the data of a picks layer, on the slices of the open stack that fits it best.

    Raises
    ------
    AmbiguousMicrographError
        A micrograph name fits several of the open micrographs.
    """
    best = matching.best_stack(unwrap(viewer), state)
    if best is None:
        return points_data(state, name)
    stack_layer, matched = best
    stack = stack_of(stack_layer.metadata)
    assert stack is not None  # best_stack returns only these
    if matched.text:
        warnings.warn(matched.text, UserWarning, stacklevel=2)
    state.place(matched.slice_of, matched.slice_names, stack_layer.unique_id)
    return _in_world(points_data(state, name), stack)


def _in_world(points: LayerData, stack: StackView) -> LayerData:
    data, attributes, kind = points
    return data, {**attributes, **transforms.points_transform(stack.pixel_size_ang)}, kind


def _rematch(viewer: Any, stack_layer: Any) -> None:
    """Put picks on the slices that were added to a stack, if these are their micrographs."""
    stack = stack_of(stack_layer.metadata)
    assert stack is not None  # it was extended
    for layer in matching.picks_layers(viewer):
        state = picks_state(layer)
        if state.stack not in (None, stack_layer.unique_id):
            continue
        matched = matching.match(state, stack)
        if matched.n_found and matched.slice_of != state.slice_of:
            matching.place(layer, matched, stack_layer)


def _folder_name(micrographs: Micrographs) -> str:
    folders = {m.path.parent for m in micrographs}
    return folders.pop().name if len(folders) == 1 else "micrographs"


def _none_found(missing: dict[str, str]) -> str:
    return (
        f"The {len(missing)} micrographs of these picks were not found: {_names(missing)}. "
        "Drag their folder here, or open it with File > Open Folder."
    )


def _names(missing: dict[str, str]) -> str:
    names = [Path(name).name for name in list(missing)[:N_NAMES]]
    return ", ".join(names) + (", ..." if len(missing) > N_NAMES else "")
