"""When layers follow their scores: visible ones once the mouse rests, the others later.

Up to `outputs.LARGE` picks all of them do at once. Larger outputs are made in a thread.
"""

from collections.abc import Callable
from typing import Any
from weakref import ref

from qtpy.QtWidgets import QWidget

from napari_pickeroptimizer.plugin import outputs
from napari_pickeroptimizer.plugin.layer_state import picks_layers, picks_state
from napari_pickeroptimizer.plugin.output_layers import outputs_of
from napari_pickeroptimizer.plugin.panels.controls import single_shot
from napari_pickeroptimizer.plugin.panels.decide.output_maker import OutputMaker
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
        self._maker = OutputMaker(panel, for_session)
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
        return bool(self._rest.isActive() or self._maker.busy)

    @property
    def idle(self) -> bool:
        """Whether all is up to date, hidden layers included."""
        return not (self.waiting or self._idle.isActive())

    def refresh_now(self) -> None:
        """Wait no longer: the mouse rests."""
        self._rest.start(0)

    def choose_shown(self, layer: Any, shown: outputs.Shown) -> None:
        """Show all picks, or the kept or rejected ones; of many once they are made."""
        viewer, state = self._session.viewer, picks_state(layer)
        if len(state.picks) <= outputs.LARGE or not outputs.is_behind(viewer, layer, shown):
            outputs.choose_shown(viewer, layer, shown)
            return
        outputs.refresh_colors(viewer, layer)
        self._maker.make(layer, [shown], lambda: outputs.choose_shown(viewer, layer, shown))
        self._idle.start(IDLE_MS)

    def _refresh(self) -> None:
        """Bring everything on the screen up to date."""
        viewer = self._session.viewer
        for layer in self._layers():
            if picks_state(layer).needs_refresh and outputs.refresh_colors(viewer, layer):
                made = outputs_of(viewer, layer)
                if seen := [role for role, output in made.items() if output.visible]:
                    self._maker.make(layer, seen)
        if any(picks_state(layer).outdated for layer in self._layers()):
            self._idle.start(IDLE_MS)
        self._on_refreshed()

    def _catch_up(self) -> None:
        """Bring hidden layers up to date, now that nothing happened for a while."""
        if self.waiting:
            self._idle.start(IDLE_MS)
            return
        for layer in self._layers():
            state = picks_state(layer)
            if state.outdated and not state.needs_refresh:
                self._maker.make(layer, state.outdated)

    def _layers(self) -> list[Any]:
        layers = picks_layers(self._session.viewer)
        return [layer for layer in layers if picks_state(layer).scores is not None]
