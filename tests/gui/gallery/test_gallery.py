"""The gallery on a real viewer, with real mouse and key events."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.picks import Picks

pytestmark = pytest.mark.gui


def labels(layer) -> np.ndarray:
    from napari_pickeroptimizer.plugin import session

    return session.picks_of(layer).labels


def selected(widget) -> list[int]:
    return widget.grid.selection.rows.tolist()


def boxes_there(widget, qtbot) -> None:
    grid = widget.grid
    qtbot.waitUntil(
        lambda: all(
            widget.loader.get(int(r))
            for r in grid.display.rows[grid.seen.start : grid.seen.stop]
        )
    )


def test_what_is_missing_is_said_in_words(viewer, show, project, picks_star, choose):
    from napari_pickeroptimizer.plugin import actions

    widget = show()
    assert "drag a STAR or .box file" in widget.grid.message
    layer = actions.open_picks(viewer, Picks.from_arrays([], x=[], y=[]), name="none")
    assert widget.grid.message == "This layer has no picks yet."
    viewer.layers.remove(layer)
    layer = actions.open_picks(viewer, Picks.from_arrays("nowhere.mrc", [10.0], [20.0]))
    assert "Open the micrographs" in widget.grid.message
    assert not widget.tools.class_buttons[PARTICLE].isEnabled()
    viewer.layers.remove(layer)
    actions.open_picks(viewer, picks_star)
    if not len(widget.grid.display):  # picks that do not bring their micrographs along
        actions.open_micrographs(viewer, project / "Micrographs")
    assert len(widget.grid.display) > 10
    assert widget.grid.message == ""
    choose(widget, show="LABELLED")
    assert "is labelled" in widget.grid.message
    widget.grid.viewport().repaint()  # words are painted
    viewer.layers.clear()
    assert "drag a STAR" in widget.grid.message


def test_boxes_are_cut_and_shown(show, opened, qtbot):
    widget = show()
    boxes_there(widget, qtbot)
    picture = widget.grid.viewport().grab().toImage()
    box = widget.grid.cell_rect(0)
    colors = {
        picture.pixelColor(x, box.center().y()).lightness()
        for x in range(box.left() + 10, box.right() - 10)
    }
    assert len(colors) > 10  # grey levels, not a flat placeholder
    thumbnail = widget.loader.get(int(widget.grid.display.rows[0]))
    assert thumbnail.problem == ""
    assert thumbnail.pixels.shape == (widget.grid.thumbnail_side,) * 2


@pytest.mark.parametrize("area", ["bottom", "right"])
def test_clicks_select_and_keys_label(show, opened, qtbot, area, click):
    from qtpy.QtCore import Qt

    widget = show(area)
    click(widget, 1)
    click(widget, 4, shift=True)
    click(widget, 2)
    rows = widget.grid.display.rows[[1, 3, 4]]
    assert selected(widget) == sorted(rows.tolist())
    assert "3 selected" in widget.tools.counts.text()
    qtbot.keyClick(widget.grid, Qt.Key.Key_J)
    assert np.flatnonzero(labels(opened)).tolist() == sorted(rows.tolist())
    assert (labels(opened)[rows] == CONTAMINANT).all()
    # the same picks are still selected: another key corrects
    qtbot.keyClick(widget.grid, Qt.Key.Key_C)
    assert (labels(opened)[rows] == CARBON).all()
    # but a new click begins anew
    click(widget, 0)
    qtbot.keyClick(widget.grid, Qt.Key.Key_K)
    assert labels(opened)[widget.grid.display.rows[0]] == PARTICLE
    assert (labels(opened)[rows] == CARBON).all()
    for _ in range(3):
        qtbot.keyClick(widget.grid, Qt.Key.Key_Z, modifier=Qt.KeyboardModifier.ControlModifier)
    assert not labels(opened).any()
    both = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(widget.grid, Qt.Key.Key_Z, modifier=both)
    assert (labels(opened)[rows] == CONTAMINANT).all()


def test_buttons_label_as_keys_do_and_leave_the_focus(show, opened, qtbot, click):
    from qtpy.QtCore import Qt

    widget = show()
    assert not widget.tools.class_buttons[CARBON].isEnabled()
    click(widget, 3)
    row = int(widget.grid.display.rows[3])
    qtbot.mouseClick(widget.tools.class_buttons[CARBON], Qt.MouseButton.LeftButton)
    assert labels(opened)[row] == CARBON
    qtbot.mouseClick(widget.tools.class_buttons[UNLABELLED], Qt.MouseButton.LeftButton)
    assert labels(opened)[row] == UNLABELLED


def test_the_keyboard_alone_is_enough(show, opened, qtbot):
    from qtpy.QtCore import Qt

    widget = show()
    grid = widget.grid
    grid.setFocus()
    qtbot.keyClick(grid, Qt.Key.Key_Home)
    qtbot.keyClick(grid, Qt.Key.Key_Right)
    qtbot.keyClick(grid, Qt.Key.Key_K)  # labels the current one, and goes on
    qtbot.keyClick(grid, Qt.Key.Key_J)
    first = grid.display.rows
    assert labels(opened)[first[1:3]].tolist() == [PARTICLE, CONTAMINANT]
    assert grid.selection.current == first[3]
    qtbot.keyClick(grid, Qt.Key.Key_Right, modifier=Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(grid, Qt.Key.Key_Right, modifier=Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClick(grid, Qt.Key.Key_Left, modifier=Qt.KeyboardModifier.ShiftModifier)
    assert selected(widget) == sorted(first[3:5].tolist())
    qtbot.keyClick(grid, Qt.Key.Key_Escape)
    assert selected(widget) == []
    qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert selected(widget) == [first[4]]
    qtbot.keyClick(grid, Qt.Key.Key_A, modifier=Qt.KeyboardModifier.ControlModifier)
    assert len(selected(widget)) == len(first)
    qtbot.keyClick(grid, Qt.Key.Key_End)
    assert grid.selection.current == first[-1]
    assert len(first) - 1 in grid.seen
    qtbot.keyClick(grid, Qt.Key.Key_PageUp)
    assert grid.selection.current != first[-1]


def test_dragging_selects_all_between(show, opened, qtbot):
    from qtpy.QtCore import Qt

    widget = show()
    port, rect = widget.grid.viewport(), widget.grid.cell_rect
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=rect(1).center())
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent

    where = QPointF(rect(3).center())
    moved = QMouseEvent(
        QEvent.Type.MouseMove,
        where,
        QPointF(port.mapToGlobal(where.toPoint())),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    widget.grid.mouseMoveEvent(moved)
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=rect(3).center())
    assert selected(widget) == sorted(widget.grid.display.rows[1:4].tolist())


def test_a_click_beside_the_boxes_selects_none(show, opened, qtbot, click, choose):
    from qtpy.QtCore import QPoint, Qt

    widget = show()
    click(widget, 0)
    choose(widget, show="MICROGRAPH")
    last = widget.grid.cell_rect(len(widget.grid.display) - 1)
    widget.grid.verticalScrollBar().setValue(10**6)
    port = widget.grid.viewport()
    assert last.right() + 20 < port.width()
    assert last.center().y() < port.height()
    where = QPoint(last.right() + 20, last.center().y())
    qtbot.mouseClick(port, Qt.MouseButton.LeftButton, pos=where)
    assert selected(widget) == []


def test_a_double_click_goes_to_the_micrograph(viewer, show, opened, click):
    widget = show()
    click(widget, 2)
    row = int(widget.grid.display.rows[-1])
    widget.grid.reveal(row)
    click(widget, len(widget.grid.display) - 1, double=True)
    assert viewer.dims.current_step[0] == int(opened.data[row, 0])
    assert set(opened.selected_data) == {row}
    # it alone is selected, here and there: a key means what was clicked last
    assert selected(widget) == [row]
    assert widget.grid.selection.current == row


def test_the_gallery_follows_where_one_goes_on_the_micrograph(viewer, show, opened, choose):
    from napari_pickeroptimizer.plugin import navigation

    widget = show()
    last = int(widget.grid.display.rows[-1])
    assert widget.grid.display.at(last) not in widget.grid.seen
    navigation.go_to_pick(viewer, opened, last)
    assert widget.grid.selection.current == last
    assert widget.grid.display.at(last) in widget.grid.seen
    first = int(widget.grid.display.rows[0])
    opened.selected_data = {first}
    assert widget.grid.selection.current == first
    assert 0 in widget.grid.seen
    # one that the filter hides is told of
    from napari_pickeroptimizer.plugin import actions

    actions.label_picks(opened, [first], PARTICLE)
    choose(widget, show="LABELLED")
    opened.selected_data = {last}
    assert "not among those shown" in widget.status.text()
    widget.label(CARBON)  # of what is not seen nothing is labelled
    assert not (labels(opened) == CARBON).any()
    opened.selected_data = {first}
    assert widget.status.isHidden()


def test_the_current_micrograph_follows_the_slider(viewer, show, opened, choose):
    widget = show()
    for step in (0, 2):
        viewer.dims.set_current_step(0, step)
        choose(widget, show="MICROGRAPH")
        wanted = np.flatnonzero(opened.data[:, 0] == step)
        assert sorted(widget.grid.display.rows.tolist()) == wanted.tolist()
    viewer.dims.set_current_step(0, 1)
    assert (opened.data[widget.grid.display.rows, 0] == 1).all()


def test_classes_of_ones_own_have_buttons_and_keys(viewer, show, opened, qtbot, click):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import actions, session

    widget = show()
    click(widget, 0)
    qtbot.keyClick(widget.grid, Qt.Key.Key_D)
    assert "no class 4 yet" in widget.status.text()
    vocabulary = session.session_of(viewer).vocabulary
    actions.set_vocabulary(viewer, vocabulary.added("ice"))
    assert widget.tools.class_buttons[4].text().startswith("ice")
    qtbot.keyClick(widget.grid, Qt.Key.Key_D)
    assert labels(opened)[widget.grid.display.rows[0]] == 4


def test_size_and_contrast(show, opened, qtbot):
    widget = show()
    boxes_there(widget, qtbot)
    row = int(widget.grid.display.rows[0])
    by_micrograph = widget.loader.get(row).pixels
    widget.tools.contrast_box.setChecked(True)
    qtbot.waitUntil(lambda: not np.array_equal(widget.loader.get(row).pixels, by_micrograph))
    columns = widget.grid.grid.columns
    widget.tools.size_slider.setValue(200)
    assert widget.grid.grid.columns < columns
    side = widget.grid.thumbnail_side
    qtbot.waitUntil(lambda: widget.loader.get(row).pixels.shape[0] == side)
    widget.grid.zoomed.emit(-1)
    assert widget.grid.box_px == 184


def test_the_diameter_decides_how_much_is_seen(show, opened, qtbot):
    from napari_pickeroptimizer.plugin import actions

    widget = show()
    boxes_there(widget, qtbot)
    assert widget.loader._settings.box_px == 60
    actions.set_diameter(opened, 80)
    assert widget.loader._settings.box_px == 120


def test_layers_renamed_deleted_and_duplicated(viewer, show, opened, qtbot, picks_star, click):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import actions, session

    widget = show()
    opened.name = "mine"
    assert len(widget.grid.display) == len(opened.data)
    click(widget, 0)
    second = actions.open_picks(viewer, picks_star, name="second")
    session.session_of(viewer).choose(picks_layer=second)
    assert widget.model.layer is second
    assert selected(widget) == []
    click(widget, 1)
    viewer.layers.remove(second)
    assert widget.model.layer is opened
    click(widget, 2)
    qtbot.keyClick(widget.grid, Qt.Key.Key_K)
    assert labels(opened)[widget.grid.display.rows[2]] == PARTICLE
    micrographs = session.session_of(viewer).stack_layer
    viewer.layers.remove(micrographs)
    assert "Open the micrographs" in widget.grid.message
    qtbot.keyClick(widget.grid, Qt.Key.Key_K)  # into nowhere
    viewer.layers.remove(opened)
    assert "drag a STAR" in widget.grid.message


def test_picks_added_on_the_micrograph_come_into_the_gallery(show, opened, viewer):
    widget = show()
    n = len(opened.data)
    opened.add([[0, 50.0, 60.0]])
    assert len(widget.grid.display) == n + 1


def test_unreadable_micrographs_are_marked(viewer, show, project, tmp_path, picks_star, qtbot):
    import shutil

    from napari_pickeroptimizer.plugin import actions

    copy = tmp_path / "Micrographs"
    shutil.copytree(project / "Micrographs", copy)
    broken = sorted(copy.glob("*.mrc"))[0]
    actions.open_micrographs(viewer, copy)
    broken.write_bytes(broken.read_bytes()[:3000])
    layer = actions.open_picks(viewer, picks_star)
    widget = show()
    row = int(np.flatnonzero(np.asarray(layer.data)[:, 0] == 0)[0])
    widget.grid.reveal(row)
    boxes_there(widget, qtbot)
    assert widget.model.micrographs[0].path == broken
    assert widget.loader.get(row).problem == "unreadable"
    assert "truncated" in widget._tip(row)
    widget.grid.viewport().repaint()


def test_both_themes_and_a_closed_dock(viewer, show, opened, qtbot):
    widget = show("right")
    dark = widget.grid._painter.background.name()
    viewer.theme = "light"
    assert widget.grid._painter.background.name() != dark
    boxes_there(widget, qtbot)
    viewer.window.remove_dock_widget(widget)
    with qtbot.waitSignal(widget.destroyed):
        widget.deleteLater()
    del widget
    # nobody is left who could be told
    from napari_pickeroptimizer.plugin import actions

    viewer.theme = "dark"
    actions.label_picks(opened, [0], PARTICLE)
    viewer.dims.set_current_step(0, 1)
    opened.selected_data = {1}
    viewer.layers.remove(opened)
