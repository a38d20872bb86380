"""A closed panel ends at once, and nothing that outlives it knows it any more."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from psygnal import Signal, SignalInstance

pytestmark = pytest.mark.gui


class Sender:
    sent = Signal()


def panel(sender: Sender, done: list[str]) -> None:
    """Make a widget in a cycle, as panels are, and let it go."""
    from qtpy.QtWidgets import QWidget

    from napari_pickeroptimizer.plugin.panels.signals import follow, when_destroyed

    class Panel:
        def __init__(self) -> None:
            self.native = QWidget()
            self.native.panel = self
            follow(self.native, self.slot, sender.sent)
            when_destroyed(self.native, lambda: done.append("done"))

        def slot(self) -> None: ...

    Panel()


def test_what_is_collected_by_another_thread_is_told_and_disconnected(qtbot: Any) -> None:
    from qtpy.QtCore import QCoreApplication, QEvent

    sender, done = Sender(), []
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            panel(sender, done)
        worker = threading.Thread(target=gc.collect)
        worker.start()
        worker.join()
    finally:
        gc.enable()
    # the wrappers are gone, the widgets wait for the main thread: a crash without care
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(lambda: len(done) == 20)
    assert len(sender.sent) == 0


# ------------------------------------------------------------------- panels in a window

PLUGIN = "napari-pickeroptimizer"
PANELS = (
    "Curate picks", "Gallery", "Label", "Learn", "Decide", "Export", "Fine-tune a model",
    "Apply a model",
)  # fmt: skip
ROUNDS = 10  # of all panels: a hundred of them are made and closed, Curate being four


def settle() -> None:
    """Let Qt do what is due: also what it deletes later."""
    from qtpy.QtCore import QCoreApplication, QEvent

    for _ in range(3):
        QCoreApplication.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def scored(viewer: Any, project: Any, picks_star: Any, untrained_model: Any) -> Any:
    """Return a picks layer with labels and scores, on its micrographs."""
    from napari_pickeroptimizer.plugin import actions, jobs

    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, picks_star, diameter_px=40)
    actions.label_picks(layer, [0, 1], 1)
    jobs.load_model(viewer, untrained_model)
    score(viewer, layer)
    return layer


def score(viewer: Any, layer: Any) -> None:
    from napari_pickeroptimizer.plugin import jobs

    jobs.score_layer(viewer, layer, device="cpu")


def listeners(viewer: Any, layer: Any) -> dict[str, int]:
    """Return how many slots each signal has that outlives a panel."""
    from napari_pickeroptimizer.plugin.layer_state import picks_state
    from napari_pickeroptimizer.plugin.panels import signals
    from napari_pickeroptimizer.plugin.session import session_of

    counts = {"pending": len(signals._PENDING)}
    for owner in (session_of(viewer), picks_state(layer)):
        for name in dir(type(owner)):
            if isinstance(signal := getattr(owner, name, None), SignalInstance):
                counts[f"{type(owner).__name__}.{name}"] = len(signal)
    counts["selected"] = len(layer.selected_data.events.items_changed)
    events = {"dims": viewer.dims.events.current_step, "layers": viewer.layers.events.inserted}
    for name, emitter in events.items():
        counts[name] = len(emitter.callbacks)
    return counts


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return what has more slots than before; napari forgets those that are gone when it calls."""
    return {name: n for name, n in after.items() if n > before[name]}


def open_panel(viewer: Any, name: str, alive: list[weakref.ref[Any]]) -> Callable[[], None]:
    """Open a panel from napari's menu; return what its cross does."""
    dock, panel = viewer.window.add_plugin_dock_widget(PLUGIN, name)
    alive.append(weakref.ref(panel))
    settle()
    return dock.destroyOnClose


def use(viewer: Any, layer: Any) -> None:
    """Do what tells every panel something."""
    from napari_pickeroptimizer.plugin import actions
    from napari_pickeroptimizer.plugin.layer_state import picks_state

    data, attributes, _ = layer.as_layer_data_tuple()
    copy = viewer.add_points(data, **{**attributes, "name": "copy"})
    settle()
    actions.label_picks(copy, [2], 2)
    actions.label_picks(layer, [3], 2)
    actions.undo(layer)
    picks_state(layer).set_threshold(0.4)
    layer.selected_data = {4}
    viewer.dims.set_current_step(0, (viewer.dims.current_step[0] + 1) % 3)
    viewer.layers.remove(copy)
    settle()


def test_panels_are_opened_and_closed_a_hundred_times_and_leave_nothing(
    viewer: Any, scored: Any
) -> None:
    alive: list[weakref.ref[Any]] = []
    for name in PANELS:  # what napari itself makes at the first time
        open_panel(viewer, name, alive)()
    settle()
    use(viewer, scored)
    before = listeners(viewer, scored)
    for _ in range(ROUNDS):
        for name in PANELS:
            close = open_panel(viewer, name, alive)
            close()
            del close
            settle()
            gc.collect(0)
    gc.collect()
    assert len(alive) == (ROUNDS + 1) * len(PANELS)
    assert [panel() for panel in alive if panel() is not None] == []
    use(viewer, scored)
    score(viewer, scored)
    assert more(before, listeners(viewer, scored)) == {}


def test_a_gallery_stays_open_while_other_panels_come_and_go(viewer: Any, scored: Any) -> None:
    alive: list[weakref.ref[Any]] = []
    close_gallery = open_panel(viewer, "Gallery", alive)
    gallery = alive[0]()
    use(viewer, scored)
    before = listeners(viewer, scored)
    for name in ("Label", "Decide", "Export"):
        open_panel(viewer, name, alive)()
        settle()
        use(viewer, scored)
    gc.collect()
    assert more(before, listeners(viewer, scored)) == {}
    assert [panel() for panel in alive[1:]] == [None] * 3
    scored.selected_data = {5}
    assert gallery.grid.selection.rows.tolist() == [5]
    del gallery
    close_gallery()
    settle()
    use(viewer, scored)


@pytest.mark.parametrize("name", ["Gallery", "Curate picks"])
def test_a_closed_panel_is_destroyed_before_a_worker_thread_can_collect_it(
    viewer: Any, scored: Any, name: str
) -> None:
    gc.collect()
    gc.disable()
    try:
        alive: list[weakref.ref[Any]] = []
        close = open_panel(viewer, name, alive)
        destroyed: list[str] = []
        panel = alive[0]()
        panel.destroyed.connect(lambda: destroyed.append(name))
        del panel
        close()
        del close
        settle()
        assert destroyed == [name]
        use(viewer, scored)  # nobody is left who would be told
        worker = threading.Thread(target=gc.collect)
        worker.start()
        worker.join()
    finally:
        gc.enable()
    use(viewer, scored)
    assert alive[0]() is None


def test_a_panel_that_goes_to_another_dock_stays(viewer: Any, scored: Any) -> None:
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Label")
    viewer.window.remove_dock_widget(panel)
    viewer.window.add_dock_widget(panel, name="again", area="left")
    settle()
    panel.show_state()
    assert panel.layer is not None
