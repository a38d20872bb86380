"""Keys with real events in a real window: they belong to what is seen, whatever has the focus."""

from __future__ import annotations

import pytest

from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


class Desk:
    """A window with the panels, a pointer that really moves, keys that go where the focus is."""

    def __init__(self, viewer, layer, qtbot) -> None:
        self.viewer, self.layer, self.qtbot = viewer, layer, qtbot
        _, self.label = viewer.window.add_plugin_dock_widget(PLUGIN, "Label")
        _, self.gallery = viewer.window.add_plugin_dock_widget(PLUGIN, "Gallery")
        window = self.label.window()
        window.move(0, 0)
        screen = window.screen().size()
        window.resize(min(1300, screen.width()), min(900, screen.height()))
        window.activateWindow()
        qtbot.waitUntil(window.isActiveWindow)
        qtbot.waitUntil(lambda: self.gallery.grid.viewport().width() > 100)
        # wherever an earlier test has left the pointer
        self.move_to(self.canvas)
        self.move_to(self.label)

    @property
    def canvas(self):
        from qtpy.QtWidgets import QApplication

        found = [w for w in QApplication.allWidgets() if type(w).__name__[:6] == "Canvas"]
        return max((w for w in found if w.isVisible()), key=lambda w: w.width() * w.height())

    def move_to(self, widget, at=None) -> None:
        from qtpy.QtGui import QCursor

        place = widget.mapToGlobal(widget.rect().center() if at is None else at)
        QCursor.setPos(place)
        over = widget is self.canvas
        self.qtbot.waitUntil(lambda: self.viewer.mouse_over_canvas == over)

    def click(self, widget, at=None) -> None:
        from qtpy.QtCore import QPoint, Qt

        self.move_to(widget, at)
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton, pos=at or QPoint())

    def press(self, key, *held) -> None:
        from qtpy.QtCore import Qt
        from qtpy.QtWidgets import QApplication

        modifiers = held[0] if held else Qt.KeyboardModifier.NoModifier
        self.qtbot.keyClick(QApplication.focusWidget() or self.label.window(), key, modifiers)

    @property
    def shown(self) -> int:
        return int(self.viewer.dims.current_step[0])

    @property
    def labels(self) -> list[int]:
        return self.layer.metadata["pickeroptimizer"].picks.labels.tolist()

    def box(self, position: int):
        return self.gallery.grid.cell_rect(position).center()


@pytest.fixture
def desk(shown_viewer, project, picks_star, qtbot):
    from napari_pickeroptimizer.plugin import actions

    actions.open_micrographs(shown_viewer, project / "Micrographs")
    layer = actions.open_picks(shown_viewer, picks_star, diameter_px=40)
    layer.mode = "select"
    shown_viewer.dims.set_current_step(0, 0)
    return Desk(shown_viewer, layer, qtbot)


def test_a_selection_on_another_micrograph_is_left_and_the_panel_says_so(desk):
    from qtpy.QtCore import QPoint, Qt

    desk.layer.selected_data = {0, 1, 2}
    desk.move_to(desk.canvas, QPoint(3, 3))
    desk.press(Qt.Key.Key_PageDown)
    assert desk.shown == 1
    desk.press(Qt.Key.Key_J)
    assert not any(desk.labels)
    assert "3 selected picks are on simulated_0001.mrc" in desk.label.status.text()
    desk.press(Qt.Key.Key_PageUp)
    desk.press(Qt.Key.Key_J)
    assert desk.labels[:4] == [CONTAMINANT] * 3 + [0]
    assert desk.label.status.text() == ""


def test_undo_goes_to_the_micrograph_where_it_changes_something(desk):
    from qtpy.QtCore import QPoint, Qt

    desk.layer.selected_data = {0}
    desk.move_to(desk.canvas, QPoint(3, 3))
    desk.press(Qt.Key.Key_K)
    desk.viewer.dims.set_current_step(0, 2)
    desk.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert desk.shown == 0
    assert not any(desk.labels)
    desk.viewer.dims.set_current_step(0, 2)
    desk.click(desk.label.redo)
    assert desk.shown == 0
    assert desk.labels[0] == PARTICLE


@pytest.mark.parametrize(
    "field", ["diameter", "unit", "suggestions", "picks", "class", "gallery"]
)
def test_the_canvas_has_its_keys_whatever_was_clicked_before(desk, field):
    from qtpy.QtCore import QPoint, Qt

    label = desk.label
    number, layers = label.view.diameter.number, label.layers
    desk.layer.selected_data = {0}
    focused = {
        "diameter": number.native,
        "unit": label.view.diameter.unit.native,
        "suggestions": label.suggesting.n.native,
        "picks": layers.picks.native,
        "class": label.classes.names[CARBON],
        "gallery": desk.gallery.grid,
    }[field]
    desk.move_to(focused)
    focused.setFocus()
    shown = desk.viewer.layers[-1].name, label.suggesting.n.value
    desk.move_to(desk.canvas, QPoint(3, 3))
    desk.press(Qt.Key.Key_PageDown)
    assert desk.shown == 1
    desk.press(Qt.Key.Key_PageUp)
    assert desk.shown == 0
    desk.press(Qt.Key.Key_J)
    assert desk.labels[0] == CONTAMINANT
    desk.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    desk.press(Qt.Key.Key_1)
    assert desk.labels[0] == CONTAMINANT
    assert number.value == 160  # 40 px of 4 Å
    assert (layers.picks.current_choice, label.suggesting.n.value) == shown


def test_a_number_that_was_typed_counts_when_the_pointer_goes_to_the_image(desk):
    from qtpy.QtCore import Qt

    number = desk.label.view.diameter.number
    desk.click(number.native.lineEdit())
    number.native.selectAll()
    for key in (Qt.Key.Key_5, Qt.Key.Key_5):
        desk.press(key)
    assert number.value == 160  # the first digit alone is no diameter
    desk.move_to(desk.canvas)
    assert number.value == 55
    assert desk.layer.metadata["pickeroptimizer"].diameter_px == 55 / 4


def test_a_number_field_keeps_its_digits_and_gives_up_what_it_cannot_use(desk):
    from qtpy.QtCore import Qt

    number = desk.label.view.diameter.number
    desk.layer.selected_data = {0}
    desk.click(number.native.lineEdit())
    desk.press(Qt.Key.Key_PageDown)
    assert (desk.shown, number.value) == (1, 160)
    desk.press(Qt.Key.Key_PageUp)
    desk.press(Qt.Key.Key_C)
    assert desk.labels[0] == CARBON
    number.native.selectAll()
    desk.press(Qt.Key.Key_1)
    desk.press(Qt.Key.Key_1)
    desk.press(Qt.Key.Key_Backspace)
    desk.press(Qt.Key.Key_2)
    assert number.native.lineEdit().text() == "12"
    desk.press(Qt.Key.Key_Return)
    assert number.value == 12
    assert not number.native.hasFocus()
    assert desk.labels[0] == CARBON


def test_a_name_that_is_typed_keeps_its_letters(desk):
    from qtpy.QtCore import Qt

    desk.layer.selected_data = {0}
    desk.click(desk.label.classes.add)
    editor = desk.label.classes.editor
    desk.qtbot.waitUntil(editor.hasFocus)
    for letter in "JUCK":
        desk.press(getattr(Qt.Key, f"Key_{letter}"))
    assert editor.text().lower().endswith("juck")
    assert not any(desk.labels)


def test_the_wheel_changes_no_number_in_passing(desk):
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    fields = desk.label.view.diameter, desk.label.suggesting.n
    before = [fields[0].number.value, fields[1].value]
    for native in (fields[0].number.native, fields[1].native):
        middle = QPointF(native.rect().center())
        event = QWheelEvent(
            middle, QPointF(native.mapToGlobal(middle.toPoint())), QPoint(), QPoint(0, -120),
            Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(native, event)
    assert [fields[0].number.value, fields[1].value] == before


def test_a_click_a_double_click_and_a_key_mean_the_box_clicked_last(desk):
    from qtpy.QtCore import Qt

    port = desk.gallery.grid.viewport()
    third, fourth = (int(r) for r in desk.gallery.grid.display.rows[[2, 3]])
    desk.click(port, desk.box(2))
    assert desk.layer.selected_data == {third}
    desk.click(port, desk.box(3))
    desk.qtbot.mouseDClick(port, Qt.MouseButton.LeftButton, pos=desk.box(3))
    assert desk.layer.selected_data == {fourth}
    assert desk.gallery.grid.selection.rows.tolist() == [fourth]
    desk.press(Qt.Key.Key_K)
    assert [i for i, label in enumerate(desk.labels) if label] == [fourth]


def test_what_is_selected_on_the_micrograph_is_selected_in_the_gallery_and_back(desk):
    from qtpy.QtCore import Qt

    grid = desk.gallery.grid
    desk.layer.selected_data = {1, 4, 5}
    assert grid.selection.rows.tolist() == [1, 4, 5]
    grid.setFocus()
    desk.press(Qt.Key.Key_Escape)
    assert desk.layer.selected_data == set()
    desk.press(Qt.Key.Key_Right)
    assert desk.layer.selected_data == {grid.selection.current}
    desk.press(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(desk.layer.selected_data) == len(desk.layer.data)


def test_a_queue_that_goes_on_takes_the_gallery_along(desk):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin import navigation

    last = len(desk.layer.data) - 1
    desk.click(desk.gallery.grid.viewport(), desk.box(2))
    navigation.set_queue(desk.viewer, desk.layer, [last, 0])
    desk.gallery.grid.setFocus()
    desk.press(Qt.Key.Key_C)  # the pick that was gone to, not the box that was clicked
    assert [i for i, label in enumerate(desk.labels) if label] == [last]


def test_labels_out_of_sight_and_boxes_that_are_filtered_out_are_told(desk):
    from qtpy.QtCore import Qt

    from napari_pickeroptimizer.plugin.panels.gallery.order import Show

    gallery = desk.gallery
    gallery.grid.setFocus()
    desk.press(Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    desk.press(Qt.Key.Key_J)
    assert "46 picks labelled contaminant" in desk.viewer.status
    assert "scrolled out of sight" in desk.viewer.status
    desk.press(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    gallery.tools.show_box.setCurrentText(Show.LABELLED)
    gallery.label(CARBON)  # before the boxes are filtered
    gallery.tools.show_box.setCurrentText(Show.UNLABELLED)
    gallery._choose()
    assert "not among those shown" in gallery.status.text()
    gallery.label(PARTICLE)
    assert PARTICLE not in desk.labels


def test_a_hidden_layer_is_not_labelled(desk):
    from qtpy.QtCore import QPoint, Qt

    desk.layer.selected_data = {0}
    desk.layer.visible = False
    desk.move_to(desk.canvas, QPoint(3, 3))
    for key in (Qt.Key.Key_J, Qt.Key.Key_Delete):
        desk.press(key)
        assert "picks is hidden" in desk.label.status.text()
    desk.click(desk.label.classes.names[CARBON])
    assert not any(desk.labels)
    assert "picks is hidden" in desk.label.status.text()


def test_what_naparis_own_button_rejects_on_other_micrographs_is_told(desk):
    desk.layer.selected_data = {0, 1}
    desk.viewer.dims.set_current_step(0, 2)
    desk.layer.remove_selected()
    assert desk.labels[:2] == [CONTAMINANT] * 2
    assert desk.viewer.status == "2 picks labelled contaminant, on simulated_0001.mrc."
