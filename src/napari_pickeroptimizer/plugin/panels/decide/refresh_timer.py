"""When layers follow their scores: visible ones once the mouse rests, the others later."""

from collections.abc import Callable
from typing import Any
from weakref import ref

from qtpy.QtWidgets import QWidget

from napari_pickeroptimizer.plugin import outputs
from napari_pickeroptimizer.plugin.layer_state import picks_layers, picks_state
from napari_pickeroptimizer.plugin.panels.controls import single_shot
from napari_pickeroptimizer.plugin.panels.signals import when_destroyed
from napari_pickeroptimizer.plugin.session import Session

REST_MS = 150
IDLE_MS = 2500


class RefreshTimer:
    """Brings layers up to date with their scores, for as long as a panel is open.

    Parameters
    ----------
    panel : QWidget
        The panel.
    for_session : Session
        Whose layers are meant.
    on_refreshed : callable
        Called whenever everything on the screen is up to date.
    """

    def __init__(
        self, panel: QWidget, for_session: Session, on_refreshed: Callable[[], None]
    ) -> None:
        self._session = for_session
        self._on_refreshed = on_refreshed
        self._rest = single_shot(panel, self._refresh)
        self._idle = single_shot(panel, self._catch_up)
        weak = ref(self)  # the session outlives the panel

        def later(_layer: Any) -> None:
            timer = weak()
            if timer is not None:
                timer._idle.stop()
                timer._rest.start(REST_MS)

        def at_once() -> None:  # again, unless another panel has taken it over
            if for_session.refresh_later is later:
                for_session.refresh_later = None

        for_session.refresh_later = later
        when_destroyed(panel, at_once)

    @property
    def waiting(self) -> bool:
        """Whether something on the screen is not up to date yet."""
        return bool(self._rest.isActive())

    def refresh_now(self) -> None:
        """Wait no longer: the mouse rests."""
        self._rest.start(0)

    def _refresh(self) -> None:
        """Bring everything on the screen up to date."""
        viewer = self._session.viewer
        for layer in self._layers():
            is_behind = picks_state(layer).needs_refresh
            if is_behind and outputs.refresh_visible(viewer, layer):
                self._idle.start(IDLE_MS)
        self._on_refreshed()

    def _catch_up(self) -> None:
        """Bring hidden layers up to date, now that nothing happened for a while."""
        viewer = self._session.viewer
        for layer in self._layers():
            if picks_state(layer).outdated:
                outputs.refresh(viewer, layer)

    def _layers(self) -> list[Any]:
        layers = picks_layers(self._session.viewer)
        return [layer for layer in layers if picks_state(layer).scores is not None]
