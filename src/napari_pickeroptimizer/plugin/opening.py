"""Opening files: micrographs of picks are found, micrograph files join the open stack."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import diameters, matching, transforms
from napari_pickeroptimizer.plugin.images.locate import locate_micrographs
from napari_pickeroptimizer.plugin.images.stack import (
    checked_stack,
    extend_stack,
    make_stack,
    stack_of,
)
from napari_pickeroptimizer.plugin.layer_state import (
    LayerState,
    picks_layers,
    picks_state,
    unwrap,
)
from napari_pickeroptimizer.plugin.painting import points_data
from napari_pickeroptimizer.plugin.session import session_of

LayerData = tuple[Any, ...]
N_NAMES = 3


def picks_with_micrographs(viewer: Any | None, picks: Picks, name: str) -> list[LayerData]:
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
    """
    state = LayerState.of_picks(picks)
    if viewer is not None and matching.best_stack(unwrap(viewer), state) is not None:
        return [matched_points_data(viewer, state, name)]
    located = locate_micrographs(picks)
    stacks: list[LayerData] = []
    if len(located.micrographs):
        folders = {m.path.parent for m in located.micrographs}
        title = folders.pop().name if len(folders) == 1 else "micrographs"
        stacks = [prepared_stack(viewer, located.micrographs, title)]
        points = points_on(state, stacks[0], name)
    else:
        if located.missing and not (viewer is not None and matching.micrograph_layers(viewer)):
            warnings.warn(_none_found(located.missing), UserWarning, stacklevel=2)
        diameters.take_of_run(state, None)
        points = points_data(state, name)
    points[1]["metadata"][matching.LOOKED_FOR_KEY] = located.missing
    return [*stacks, points]


def points_on(state: LayerState, stack: LayerData, name: str) -> LayerData:
    """Return the layer data of picks on a stack that is not in a viewer yet."""
    stack_view = stack_of(stack[1]["metadata"])
    assert stack_view is not None  # made by `make_stack`
    diameters.take_of_run(state, stack_view.pixel_size_ang)
    return _points_in(matching.match(state, stack_view), state, name, None)


def join_open_stack(viewer: Any, micrographs: Micrographs) -> bool:
    """Add micrograph files to the open stack of their folder; return whether there is one.

    Picks that waited for them are put on their slices.
    """
    viewer = unwrap(viewer)
    folders = {m.path.absolute().parent for m in micrographs}
    if len(folders) != 1:
        return False
    for layer in matching.micrograph_layers(viewer):
        stacked = checked_stack(layer).micrographs
        is_same_folder = {m.path.absolute().parent for m in stacked} == folders
        if not (is_same_folder and extend_stack(layer, micrographs)):
            continue
        first = stacked.items[0].path
        if layer.name == first.stem:  # it was named after the one file
            layer.name = first.absolute().parent.name or layer.name
        _rematch(viewer, layer)
        session_of(viewer).layers_changed.emit()
        return True
    return False


def prepared_stack(
    viewer: Any | None, micrographs: Micrographs, name: str
) -> tuple[Any, Any, str]:
    """Return the data of a stack layer; picks that were opened before it get its scale.

    napari warns of layers in pixels beside layers in Å, even if only for a moment.
    """
    data, attributes, kind = make_stack(micrographs, name=name)
    stack = stack_of(attributes["metadata"])
    assert stack is not None  # made above
    for layer in [] if viewer is None else picks_layers(unwrap(viewer)):
        state = picks_state(layer)
        if state.stack is None:
            # an error is reported by the session, once the layer is in the viewer
            with suppress(PickerOptimizerError):
                if matching.match(state, stack).n_found:
                    wanted = transforms.points_transform(stack.pixel_size_ang)
                    transforms.set_transform(layer, wanted)
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
        diameters.take_of_run(state, None)
        return points_data(state, name)
    stack_layer, matched = best
    if matched.text:
        warnings.warn(matched.text, UserWarning, stacklevel=2)
    _take_diameter(unwrap(viewer), stack_layer, state)
    diameters.take_of_run(state, matched.stack.pixel_size_ang)
    return _points_in(matched, state, name, stack_layer.unique_id)


def _take_diameter(viewer: Any, stack_layer: Any, state: LayerState) -> None:
    """Take the diameter of other picks on the same micrographs: one that was set, if any was."""
    others = [picks_state(layer) for layer in picks_layers(viewer)]
    here = [o for o in others if o.role == "picks" and o.stack == stack_layer.unique_id]
    if state.diameter_is_guess and here:
        taken = next((o for o in reversed(here) if not o.diameter_is_guess), here[-1])
        state.diameter_px = taken.diameter_px
        state.diameter_is_guess = taken.diameter_is_guess


def _points_in(
    matched: matching.Match, state: LayerState, name: str, unique_id: Any
) -> LayerData:
    """Return the data of a picks layer on the slices, and in the world, of a stack."""
    state.place(matched.slice_of, matched.slice_names, unique_id)
    data, attributes, kind = points_data(state, name)
    attributes |= transforms.points_transform(matched.stack.pixel_size_ang)
    return data, attributes, kind


def _rematch(viewer: Any, stack_layer: Any) -> None:
    """Put picks on the slices that were added to a stack, if these are their micrographs."""
    stack = checked_stack(stack_layer)
    for layer in picks_layers(viewer):
        state = picks_state(layer)
        if state.stack not in (None, stack_layer.unique_id):
            continue
        matched = matching.match(state, stack)
        if matched.n_found and matched.slice_of != state.slice_of:
            matching.place(layer, matched, stack_layer)


def _none_found(missing: dict[str, str]) -> str:
    names = ", ".join(Path(name).name for name in list(missing)[:N_NAMES])
    more = ", ..." if len(missing) > N_NAMES else ""
    return (
        f"The {len(missing)} micrographs of these picks were not found: {names}{more}. "
        "Drag their folder here, or open it with File > Open Folder."
    )
