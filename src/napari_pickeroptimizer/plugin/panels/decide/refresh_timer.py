"""When layers follow their scores: what is seen once the hand is still, the rest after it."""

from collections.abc import Callable
from typing import Any
from weakref import ref

from qtpy.QtWidgets import QWidget

from napari_pickeroptimizer.plugin import outputs
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.matching import picks_layers
from napari_pickeroptimizer.plugin.panels.controls import single_shot
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
    on_settled : callable
        Called whenever everything that is seen is up to date.
    """

    def __init__(
        self, panel: QWidget, for_session: Session, on_settled: Callable[[], None]
    ) -> None:
        self._session = for_session
        self._on_settled = on_settled
        self._rest = single_shot(panel, self._settle)
        self._idle = single_shot(panel, self._catch_up)
        me = ref(self)  # the session outlives the panel

        def later(_layer: Any) -> None:
            refresh_timer = me()
            if refresh_timer is not None:
                refresh_timer._settle_later()

        self._later = later
        for_session.refresh_later = later

    @property
    def waiting(self) -> bool:
        """Whether something that is seen is not up to date yet."""
        return bool(self._rest.isActive())

    def refresh_now(self) -> None:
        """Wait no longer: the hand is still."""
        self._rest.start(0)

    def stop(self) -> None:
        """Have layers follow at once again: the panel is closed."""
        if self._session.refresh_later is self._later:
            self._session.refresh_later = None

    def _settle_later(self) -> None:
        self._idle.stop()
        self._rest.start(REST_MS)

    def _settle(self) -> None:
        """Bring everything that is seen up to date, now that the hand is still."""
        viewer = self._session.viewer
        for layer in self._layers():
            is_behind = picks_state(layer).needs_refresh
            if is_behind and outputs.refresh_visible(viewer, layer):
                self._idle.start(IDLE_MS)
        self._on_settled()

    def _catch_up(self) -> None:
        """Bring up to date what is not seen, now that nothing happened for a while."""
        viewer = self._session.viewer
        for layer in self._layers():
            if picks_state(layer).outdated:
                outputs.refresh(viewer, layer)

    def _layers(self) -> list[Any]:
        layers = picks_layers(self._session.viewer)
        return [layer for layer in layers if picks_state(layer).scores is not None]
