"""The layers of kept, rejected and unscored picks: made once, brought up to date after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import labelling
from napari_pickeroptimizer.plugin.colouring import DISPLAY_COLUMNS
from napari_pickeroptimizer.plugin.layer_state import PicksView, points_data, view_of

Role = Literal["kept", "rejected", "unscored"]
OUTPUT_ROLES: tuple[Role, ...] = ("rejected", "kept", "unscored")


def show_output_layers(
    viewer: Any, layer: Any, picks: Picks, existing: Mapping[str, Any]
) -> dict[str, Any]:
    """Make or update the outputs of decided picks; the user's active layer stays active.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where all of the picks are.
    picks : Picks
        All of them, with ``predicted``.
    existing : mapping
        Output layer by role, as far as there are any.

    Returns
    -------
    dict
        Output layer by role.
    """
    origin = view_of(layer.metadata)
    assert origin is not None
    predicted = picks.table["predicted"].to_numpy()
    masks = {
        "kept": predicted == PARTICLE,
        "rejected": predicted > PARTICLE,
        "unscored": predicted == UNLABELLED,
    }
    layers: dict[str, Any] = {}
    active = viewer.layers.selection.active
    for role in OUTPUT_ROLES:
        rows = np.flatnonzero(masks[role])
        if role in existing:
            _update_output(existing[role], origin, picks, rows)
            layers[role] = existing[role]
        elif role != "unscored" or len(rows):
            layers[role] = _add_output(viewer, layer, origin, picks, rows, role)
    if viewer.layers.selection.active is not active:
        viewer.layers.selection.active = active
    return layers


def _update_output(
    output: Any, origin: PicksView, picks: Picks, rows: NDArray[np.intp]
) -> None:
    old = view_of(output.metadata)
    assert old is not None  # found by it
    if old.rows is not None and np.array_equal(old.rows, rows):
        columns = ("label", *DISPLAY_COLUMNS)
        if all(
            np.array_equal(old.picks.table[c], picks.table[c].to_numpy()[rows], equal_nan=True)
            for c in columns
            if c in old.picks.table
        ):
            return  # a million points take a second, and look no different after it
    labelling.show(output, _output_view(origin, picks, rows, old.role, old.source))


def _add_output(
    viewer: Any,
    layer: Any,
    origin: PicksView,
    picks: Picks,
    rows: NDArray[np.intp],
    role: Role,
) -> Any:
    view = _output_view(origin, picks, rows, role, layer.unique_id)
    data, attributes, _ = points_data(view, f"{layer.name} {role}")
    attributes |= {"scale": layer.scale, "units": layer.units, "visible": False}
    return viewer.add_points(data, **attributes)


def _output_view(
    origin: PicksView, picks: Picks, rows: NDArray[np.intp], role: Any, source: Any
) -> PicksView:
    return replace(origin, picks=picks.select(rows), role=role, source=source, rows=rows)
