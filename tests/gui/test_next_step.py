"""Where to go on: after opening picks, and from page to page."""

from __future__ import annotations

from weakref import ref

import numpy as np
import pytest

from napari_pickeroptimizer.plugin import invitation
from napari_pickeroptimizer.plugin.layer_state import unwrap
from napari_pickeroptimizer.plugin.session import session_of

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture(autouse=True)
def _own_journal(tmp_path, monkeypatch):
    monkeypatch.setenv("PICKEROPTIMIZER_STATE", str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("name", "command"),
    [("Curate picks", "curate"), ("Gallery", "gallery"), ("Apply a model", "apply_model")],
)
@pytest.mark.parametrize("first", ["menu", "script"])
def test_a_panel_has_one_dock_whoever_opens_it(shown_viewer, qtbot, name, command, first):
    from npe2 import PluginManager

    window = shown_viewer.window

    def by_menu() -> None:
        made = PluginManager.instance().commands.get(f"{PLUGIN}.{command}")(shown_viewer)
        window.add_dock_widget(made, name=f"{name} (PickerOptimizer)")

    def by_script() -> None:
        window.add_plugin_dock_widget(PLUGIN, name)

    openers = [by_menu, by_script] if first == "menu" else [by_script, by_menu]
    for open_panel in openers:
        open_panel()
    qtbot.waitUntil(lambda: list(window.dock_widgets) == [f"{name} ({PLUGIN})"])


def test_the_dock_stays_whose_job_runs(shown_viewer, qtbot, monkeypatch):
    from npe2 import PluginManager

    window = shown_viewer.window
    curate = PluginManager.instance().commands.get(f"{PLUGIN}.curate")(shown_viewer)
    window.add_dock_widget(curate, name="Curate picks (PickerOptimizer)")
    monkeypatch.setattr(curate.learn.job, "_worker", object())
    window.add_plugin_dock_widget(PLUGIN, "Curate picks")
    qtbot.waitUntil(lambda: list(window.dock_widgets) == ["Curate picks (PickerOptimizer)"])


def test_picks_that_were_opened_by_hand_lead_to_the_panel(
    shown_viewer, picks_star, qtbot, monkeypatch
):
    from napari.utils.notifications import notification_manager
    from qtpy.QtCore import QTimer

    monkeypatch.setattr(invitation, "LOOK_MS", 0)
    offers = []
    monkeypatch.setattr(notification_manager, "dispatch", offers.append)
    soon = []
    with monkeypatch.context() as held:
        held.setattr(invitation, "_soon", soon.append)
        for _ in range(2):
            shown_viewer.open(str(picks_star), plugin=PLUGIN)
    # files that are opened together are one occasion; windows of other tests may still wait
    (look,) = [look for look in soon if look.args[0]() is unwrap(shown_viewer)]
    invitation._offer(ref(shown_viewer), 0)  # while a script runs, which may open it itself
    assert offers == []
    QTimer.singleShot(0, look)
    qtbot.waitUntil(lambda: bool(offers))
    offer = offers.pop()
    assert (offer.source, offer.message) == ("PickerOptimizer", invitation.TEXT)
    shown_viewer.layers.remove(session_of(shown_viewer).stack_layer)
    QTimer.singleShot(0, look)
    qtbot.waitUntil(lambda: bool(offers))
    assert "drag their folder here" in offers.pop().message
    ((name, open_panel),) = offer.actions
    assert name == "Curate picks"
    open_panel()
    open_panel()  # pressed again
    docks = shown_viewer.window.dock_widgets
    assert list(docks) == ["Curate picks (PickerOptimizer)"]  # as from the menu
    asked = []

    def ask() -> None:
        invitation._offer(ref(shown_viewer), 0)
        asked.append(True)

    QTimer.singleShot(0, ask)
    qtbot.waitUntil(lambda: bool(asked))
    assert offers == []  # who has a panel needs none


def test_each_page_leads_to_the_next_once_it_is_done(
    viewer, project, picks_star, labelled, untrained_model, qtbot
):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import actions, jobs, layer_state, session

    _, curate = viewer.window.add_plugin_dock_widget(PLUGIN, "Curate picks")
    actions.open_micrographs(viewer, project / "Micrographs")
    layer = actions.open_picks(viewer, labelled.with_labels(0), diameter_px=40)
    assert not curate.next.isVisibleTo(curate)
    actions.label_picks(layer, np.arange(len(labelled)), labelled.labels)

    def go_on(to: str) -> None:
        assert curate.next_button.text() == f"{to} ▸"
        qtbot.mouseClick(curate.next_button, Qt.MouseButton.LeftButton)
        assert curate.pages.tabText(curate.pages.currentIndex()) == to

    go_on("Learn")
    assert not curate.next.isVisibleTo(curate)
    jobs.load_model(viewer, untrained_model)
    go_on("Decide")
    assert not curate.next.isVisibleTo(curate)
    state = layer_state.picks_state(layer)
    jobs.score_layer(viewer, layer, device="cpu")
    go_on("Export")
    assert not curate.next.isVisibleTo(curate)

    # what was pruned and is opened again says what can be done with it
    decided = state.decided_picks()
    viewer.layers.clear()
    session.session_of(viewer).models.clear()
    actions.open_picks(viewer, decided, diameter_px=40)
    assert "of this file are scored already" in curate.decide.status.text()
