"""Picks that napari's own writer refused, from its dialog: written by ours after all.

Among the writers of points napari's own, for ``.csv``, comes first, and its dialog takes the one
that is chosen there, whatever the typed name ends in: with ``saved.star`` nothing is written.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any  # Any: layers and events, which are not imported here

from napari.utils.notifications import notification_manager, show_info, show_warning

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io.registry import SUFFIXES
from napari_pickeroptimizer.plugin.layer_state import layer_state
from napari_pickeroptimizer.plugin.preferences import PLUGIN

REFUSED = re.compile(r"File (?P<path>.+) save failed\.")  # as napari's dialog says it


def watch() -> None:
    """Write picks with our writer whenever napari's dialog says that it could not."""
    notification_manager.notification_ready.connect(_on_notification)  # twice is once


def _on_notification(notification: Any) -> None:
    error = getattr(notification, "exception", None)
    refused = REFUSED.match(str(error)) if isinstance(error, OSError) else None
    if refused is None or Path(refused["path"]).suffix.lower() not in SUFFIXES:
        return
    from napari import current_viewer

    viewer = current_viewer()
    chosen = [] if viewer is None else list(viewer.layers.selection)
    if len(chosen) == 1 and layer_state(chosen[0]) is not None:
        save(chosen[0], refused["path"])


def save(layer: Any, path: str) -> None:
    """Write a layer of picks, and say so, or why not."""
    try:
        written = layer.save(path, plugin=PLUGIN)
    except (OSError, PickerOptimizerError) as error:
        show_warning(str(error))
        return
    names = ", ".join(Path(p).name for p in written)
    verb = "is" if len(written) == 1 else "are"
    show_info(f"{names} {verb} written after all: napari's writer of points takes .csv alone.")
