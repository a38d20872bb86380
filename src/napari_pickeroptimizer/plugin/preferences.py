"""Preferences, stored by napari (0.9 and newer: *Preferences ▸ PickerOptimizer*). No Qt.

An older napari cannot store them; the defaults below are used then. The manifest has the
same defaults; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

PLUGIN = "napari-pickeroptimizer"
DISPLAY_NAME = "PickerOptimizer"  # in napari.yaml
# Key of the group in the manifest's `configurations`.
GROUP = "curation"


@dataclass(frozen=True)
class Preferences:
    """Choices that persist between sessions.

    Parameters
    ----------
    auto_advance : bool
        Go to the next pick in the queue after a label.
    low_pass_ang : float
        Low-pass of shown micrographs and boxes in Å; 0 for none.
    device : str
        Where networks run: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    n_suggestions : int
        Picks that are suggested for labelling at a time.
    gallery_box_px : int
        Side of a box in the gallery, in pixels of the screen.
    """

    auto_advance: bool = True
    low_pass_ang: float = 20.0
    device: str = "auto"
    n_suggestions: int = 20
    gallery_box_px: int = 96


DEFAULTS = Preferences()


def preferences() -> Preferences:
    """Return the user's preferences, with defaults for those that are not set."""
    try:
        from napari.settings import get_plugin_settings

        settings = getattr(get_plugin_settings(PLUGIN), GROUP, None)
    except (ImportError, KeyError):
        # before napari 0.9; or the manifest is not registered, as in a script without a viewer
        return DEFAULTS
    values = {
        f.name: getattr(settings, f.name, getattr(DEFAULTS, f.name)) for f in fields(DEFAULTS)
    }
    return Preferences(**values)
