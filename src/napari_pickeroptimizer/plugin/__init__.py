"""The napari plugin: layers are views of `Picks` and `Micrographs`.

The names below are what scripts use; each is imported on first use. Everything takes a
viewer (`napari.Viewer`, or a `ViewerModel` without a window) or a layer of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    # open
    "open_micrographs": "actions",
    "open_picks": "actions",
    "set_low_pass": "images.stack",
    "set_diameter": "actions",
    # label
    "take_labels": "actions",
    "label_picks": "actions",
    "take_from": "other_layers",
    "undo": "actions",
    "redo": "actions",
    "recoverable": "actions",
    "recover": "actions",
    "discard_recovery": "actions",
    "set_vocabulary": "actions",
    "suggest_picks": "suggestions",
    "go_to_pick": "navigation",
    "step_queue": "navigation",
    # learn and decide
    "fine_tune": "functions",
    "apply_model": "functions",
    "finetune_layer": "jobs",
    "load_model": "jobs",
    "score_layer": "jobs",
    "score_without_labels": "before_labels",
    "set_threshold": "outputs",
    "set_place_rules": "outputs",
    "scores_of": "outputs",
    "outputs_of": "output_layers",
    # save
    "picks_of": "editing",
    "save_picks": "actions",
    "export": "panels.export.export",
    "ExportSettings": "panels.export.export",
    # all of it
    "picks_state": "layer_state",
    "session_of": "session",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:  # Any: one function hands out classes and functions alike
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
