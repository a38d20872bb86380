"""Large outputs, made in a thread and shown one by one, so that the window stays alive."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget
from superqt.utils import create_worker

from napari_pickeroptimizer.plugin import output_layers
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.output_layers import MadeOutput, Plan
from napari_pickeroptimizer.plugin.panels.signals import weakly, when_destroyed
from napari_pickeroptimizer.plugin.session import Session

# Between two outputs, so that the window can follow mouse and keys.
PAUSE_MS = 20


class OutputMaker:
    """Makes outputs of picks layers, for as long as a panel is open.

    Parameters
    ----------
    panel : QWidget
        The panel.
    for_session : Session
        Whose layers are meant.
    """

    def __init__(self, panel: QWidget, for_session: Session) -> None:
        self._session = for_session
        self._n_running = 0
        self._to_show: list[Callable[[], None]] = []
        self._next = QTimer(panel)
        self._next.setInterval(PAUSE_MS)
        self._next.timeout.connect(self._show_next)
        is_closed: list[bool] = []
        self._is_closed = is_closed
        when_destroyed(panel, partial(is_closed.append, True))

    @property
    def busy(self) -> bool:
        """Whether outputs are being made."""
        return bool(self._n_running or self._to_show)

    def make(
        self, layer: Any, roles: Collection[str], then: Callable[[], None] | None = None
    ) -> None:
        """Make some outputs of a layer, and show them soon.

        They are dropped where the decision changes meanwhile: who changed it asks again.

        Parameters
        ----------
        layer : napari.layers.Points
            A scored picks layer.
        roles : collection of str
            Which of its outputs.
        then : callable, optional
            Called once they are shown. With it, they are made again where they were dropped.
        """
        plan = output_layers.plan(self._session.viewer, layer, roles)
        # the worker must not keep a closed panel
        worker = create_worker(plan.compute, _start_thread=False)
        worker.returned.connect(partial(weakly(self._take), layer, plan, then))
        worker.finished.connect(weakly(self._count_down))
        self._n_running += 1
        worker.start()

    def _count_down(self) -> None:
        self._n_running -= 1

    def _take(
        self, layer: Any, plan: Plan, then: Callable[[], None] | None, result: Any
    ) -> None:
        if self._is_closed:
            return
        _, made = result
        self._to_show += [partial(self._show, layer, plan, one) for one in made]
        self._to_show.append(partial(self._end, layer, plan, then))
        self._next.start()

    def _show_next(self) -> None:
        if self._to_show:
            self._to_show.pop(0)()
        if not self._to_show:
            self._next.stop()

    def _show(self, layer: Any, plan: Plan, made: MadeOutput) -> None:
        viewer = self._session.viewer
        if plan.is_current and layer in viewer.layers:
            made.show(viewer, layer)
            state = picks_state(layer)
            state.outdated -= {made.state.role}

    def _end(self, layer: Any, plan: Plan, then: Callable[[], None] | None) -> None:
        if layer not in self._session.viewer.layers:
            return
        if plan.is_current:
            state = picks_state(layer)
            state.outdated -= frozenset(plan.roles)  # also of those that have no pick
            if then is not None:
                then()
        elif then is not None and plan.source.scores is not None:
            self.make(layer, plan.roles, then)
