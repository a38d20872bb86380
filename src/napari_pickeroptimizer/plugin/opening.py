"""What opening a file means beyond reading it: picks find micrographs, files join stacks."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import labelling, matching
from napari_pickeroptimizer.plugin.images.locate import locate_micrographs
from napari_pickeroptimizer.plugin.images.stack import extend_stack, make_stack, stack_of
from napari_pickeroptimizer.plugin.layer_state import (
    PicksView,
    make_view,
    points_data,
    view_of,
)
from napari_pickeroptimizer.plugin.session import micrograph_layers, session_of, unwrap

LayerData = tuple[Any, ...]
N_NAMES = 3


def picks_with_micrographs(
    viewer: Any | None, picks: Picks, name: str, *, diameter_px: float | None = None
) -> list[LayerData]:
    """Return layer data of picks, with those of their micrographs where these are not open.

    Micrographs that are found nowhere are listed by `matching.missing_micrographs`, and told
    in a warning: here, or by the session as soon as the picks are in the viewer.

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
    view = make_view(picks, diameter_px=diameter_px)
    if viewer is not None and matching.best_stack(unwrap(viewer), view) is not None:
        return [matched_points_data(viewer, view, name)]
    located = locate_micrographs(picks)
    looked_for = {matching.LOOKED_FOR_KEY: located.missing}
    if not len(located.micrographs):
        if located.missing and not (viewer is not None and micrograph_layers(viewer)):
            warnings.warn(_none_found(located.missing), UserWarning, stacklevel=2)
        points = points_data(view, name)
        points[1]["metadata"].update(looked_for)
        return [points]
    title = _folder_name(located.micrographs)
    if viewer is None:
        stack = make_stack(located.micrographs, name=title)
    else:
        stack = prepared_stack(viewer, located.micrographs, title)
    points = points_on(view, stack, name)
    points[1]["metadata"].update(looked_for)
    return [stack, points]


def points_on(view: PicksView, stack: LayerData, name: str) -> LayerData:
    """Return the layer data of picks that lie on a stack which is not in a viewer yet."""
    stack_view = stack_of(stack[1]["metadata"])
    assert stack_view is not None  # made by `make_stack`
    points = points_data(matching.match(view, stack_view, None).view, name)
    points[1].update(scale=stack_view.points_scale, units=stack_view.units)
    return points


def join_open_stack(viewer: Any, micrographs: Micrographs) -> bool:
    """Add micrograph files to the open stack of their folder; whether there is one.

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
    """Return the data of a stack layer; picks that wait for it are scaled as it will be.

    napari complains of layers in pixels beside layers in Å, even if for an instant only.
    """
    data, attributes, kind = make_stack(micrographs, name=name)
    stack = stack_of(attributes["metadata"])
    assert stack is not None  # made above
    for layer in matching.picks_layers(unwrap(viewer)):
        view = view_of(layer.metadata)
        if view is not None and view.stack is None:
            with suppress(PickerOptimizerError):  # `_match` will tell
                if matching.match(view, stack, None).n_found:
                    layer.scale, layer.units = stack.points_scale, stack.units
    return data, attributes, kind


def matched_points_data(viewer: Any, view: PicksView, name: str) -> tuple[Any, Any, str]:
    """Return the data of a picks layer, in the frame of the open stack that fits it best.

    Raises
    ------
    AmbiguousMicrographError
        A micrograph name fits several of the open micrographs.
    """
    best = matching.best_stack(unwrap(viewer), view)
    if best is None:
        return points_data(view, name)
    stack = stack_of(best[0].metadata)
    assert stack is not None
    if best[1].text:
        warnings.warn(best[1].text, UserWarning, stacklevel=2)
    data, attributes, kind = points_data(best[1].view, name)
    return data, {**attributes, "scale": stack.points_scale, "units": stack.units}, kind


def _rematch(viewer: Any, stack_layer: Any) -> None:
    """Put picks on the slices that came to a stack, where these are micrographs of theirs."""
    stack = stack_of(stack_layer.metadata)
    assert stack is not None
    for layer in matching.picks_layers(viewer):
        view = view_of(layer.metadata)
        if view is None or view.stack not in (None, stack_layer.unique_id):
            continue
        fit = matching.match(view, stack, stack_layer.unique_id)
        if fit.n_found and fit.view.slice_of != view.slice_of:
            labelling.show(layer, fit.view)
            layer.scale, layer.units = stack.points_scale, stack.units


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
