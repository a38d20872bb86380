"""After picks were opened by hand: a notification with the way to the panel.

A script that opens picks and then a panel, or has no window, is told nothing: what is offered
waits until the window is at rest.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any  # Any: viewers, which are not imported here
from weakref import WeakSet, ref

from napari.utils.notifications import Notification, notification_manager

from napari_pickeroptimizer.plugin.layer_state import layer_state, picks_state, unwrap
from napari_pickeroptimizer.plugin.preferences import DISPLAY_NAME, PLUGIN
from napari_pickeroptimizer.plugin.session import Session, session_of

PANEL = "Curate picks"  # in napari.yaml
TEXT = "Label a few picks: a network sorts the rest."
WITHOUT_IMAGES = "No micrographs yet: drag their folder here."  # napari shows one line
LOOK_MS, MOST_LOOKS = 300, 100
_asked_soon: WeakSet[Session] = WeakSet()


class Invitation(Notification):
    """A notification that says who speaks; napari's own name an object of Python."""

    @property
    def source(self) -> str:
        """Return the plugin's name."""
        return DISPLAY_NAME


def invite(viewer: Any | None) -> None:
    """Offer the panel once the window is at rest, if none of this plugin is open then."""
    if viewer is None:
        return
    session = session_of(viewer)
    if session not in _asked_soon:  # several files that are opened together: one offer
        _asked_soon.add(session)
        _soon(partial(_offer, ref(unwrap(viewer)), MOST_LOOKS))


def keep_picks_selected(viewer: Any | None) -> None:
    """Let picks that are selected stay so when the micrographs that are read now are added.

    napari selects what is added, and over an image the label keys do nothing.
    """
    picks_layer = None if viewer is None else unwrap(viewer).layers.selection.active
    if picks_layer is None or layer_state(picks_layer) is None:
        return
    viewer_ref, picks_ref, events = (
        ref(unwrap(viewer)),
        ref(picks_layer),
        unwrap(viewer).layers.events,
    )

    def added(event: Any) -> None:
        events.inserted.disconnect(added)
        _soon(partial(_select, viewer_ref, picks_ref, event.value.unique_id), 0)

    events.inserted.connect(added)


def _select(viewer_ref: ref[Any], picks_ref: ref[Any], unique_id: Any) -> None:
    """Select picks in place of their micrographs."""
    viewer, picks_layer = viewer_ref(), picks_ref()
    if viewer is None or picks_layer not in viewer.layers:
        return
    active = viewer.layers.selection.active
    is_theirs = active is not None and active.unique_id == unique_id
    if is_theirs and picks_state(picks_layer).stack == unique_id:
        viewer.layers.selection.active = picks_layer


def _offer(viewer_ref: ref[Any], n_looks: int) -> None:
    from qtpy.QtCore import QThread
    from qtpy.QtWidgets import QApplication, QMainWindow

    viewer = viewer_ref()
    if viewer is None:
        return
    windows = [w for w in QApplication.topLevelWidgets() if isinstance(w, QMainWindow)]
    thread = QThread.currentThread()
    is_at_rest = thread is not None and thread.loopLevel() > 0  # else a script may open it yet
    # napari opens the files of its command line before it shows its window
    is_ready = is_at_rest and any(window.isVisible() for window in windows)
    if not is_ready and n_looks:
        _soon(partial(_offer, viewer_ref, n_looks - 1))
        return
    session = session_of(viewer)
    _asked_soon.discard(session)
    if not is_ready or not _lacks_panels(session):
        return

    def open_panel(_notification: Any = None) -> None:
        open_viewer = viewer_ref()
        if open_viewer is not None and _lacks_panels(session_of(open_viewer)):
            from npe2 import PluginManager

            panel = PluginManager.instance().commands.get(f"{PLUGIN}.curate")(open_viewer)
            # as the menu would call it: there must not be two of them
            name = f"{PANEL} ({DISPLAY_NAME})"
            open_viewer.window.add_dock_widget(panel, name=name, area="right")

    text = WITHOUT_IMAGES if session.stack_layer is None else TEXT
    notification_manager.dispatch(Invitation(text, "info", actions=((PANEL, open_panel),)))


def _lacks_panels(session: Session) -> bool:
    """Whether picks are open, and no panel."""
    has_panels = len(session.target_changed) > 0  # each follows the current layers
    return session.picks_layer is not None and not has_panels


def _soon(action: Callable[[], None], ms: int | None = None) -> None:
    from qtpy.QtCore import QTimer  # there is a window

    QTimer.singleShot(LOOK_MS if ms is None else ms, action)
