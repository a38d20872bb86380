"""The particle diameter that a model was taught with, for picks whose own is a guess. No Qt."""

from __future__ import annotations

import json
from typing import Any  # Any: viewers, which are not imported here

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import matching
from napari_pickeroptimizer.plugin.layer_state import LayerState
from napari_pickeroptimizer.staging import RUN_RECORD

N_FOLDERS = 2  # the record is beside a file, or beside the folder of many


def take_of_run(state: LayerState, pixel_size_ang: float | None) -> None:
    """Give picks the diameter of the run that wrote their file, unless one was set.

    Parameters
    ----------
    state : LayerState
        The picks. Where no record of a run is beside their file, nothing happens.
    pixel_size_ang : float or None
        Of their micrographs; by default that of the run's model.
    """
    if state.diameter_is_guess and (recorded := _recorded(state.picks)) is not None:
        boxes, model_pixel_size_ang = recorded
        _take(state, boxes, pixel_size_ang or model_pixel_size_ang)


def take_of_model(viewer: Any, state: LayerState, card: ModelCard) -> None:
    """Give picks the diameter of a model, unless one was set."""
    if state.role == "picks" and state.diameter_is_guess:
        stack = matching.find_stack(viewer, state)
        of_stack = None if stack is None else stack.pixel_size_ang
        _take(state, card.boxes, of_stack or card.pixel_size_ang)


def _take(state: LayerState, boxes: BoxSettings, pixel_size_ang: float | None) -> None:
    try:
        diameter_px = boxes.diameter_in(pixel_size_ang)
    except SettingsError:  # in Å, and the pixel size is unknown
        return
    state.diameter_is_guess = False
    if diameter_px == state.diameter_px:
        state.diameter_changed.emit()
    state.set_diameter(diameter_px)


def _recorded(picks: Picks) -> tuple[BoxSettings, float | None] | None:
    """Return boxes and pixel size of the model in the record beside a file; None without one."""
    if not picks.sources:
        return None
    for folder in picks.sources[0].path.absolute().parents[:N_FOLDERS]:
        try:
            model = json.loads((folder / RUN_RECORD).read_text(encoding="utf-8"))["model"]
            return BoxSettings(**model["boxes"]), model.get("pixel_size_ang")
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # none there, or a record of something else
    return None
