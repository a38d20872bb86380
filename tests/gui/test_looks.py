"""How the docks look and where they are, in a real window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_pickeroptimizer.classes import CARBON
from napari_pickeroptimizer.plugin.layer_state import picks_state

pytestmark = pytest.mark.gui
PLUGIN = "napari-pickeroptimizer"


@pytest.fixture
def desk(shown_viewer, project, picks_star):
    """Return a window of 1600 x 975 with micrographs and picks, and the panel Curate."""
    from napari_pickeroptimizer.plugin import actions

    actions.open_micrographs(shown_viewer, project / "Micrographs")
    layer = actions.open_picks(shown_viewer, picks_star, diameter_px=40)
    shown_viewer.window.resize(1600, 975)
    _, curate = shown_viewer.window.add_plugin_dock_widget(PLUGIN, "Curate picks")
    return shown_viewer, layer, curate


def size_at_rest(qtbot, widget):
    """Return the size that Qt's layouts leave a widget, once it stays from event to event."""
    sizes = []

    def at_rest():
        sizes.append((widget.width(), widget.height()))
        return len(sizes) > 5 and len({*sizes[-5:]}) == 1

    qtbot.waitUntil(at_rest)
    return sizes[-1]


def test_the_panel_keeps_its_width_from_page_to_page_and_its_height_beside_the_gallery(
    desk, qtbot
):
    viewer, _, curate = desk
    qtbot.waitUntil(lambda: curate.label.isVisible())
    sizes = set()
    for page in range(curate.pages.count()):
        curate.pages.setCurrentIndex(page)
        sizes.add(size_at_rest(qtbot, curate))
    assert len(sizes) == 1
    _, gallery = viewer.window.add_plugin_dock_widget(PLUGIN, "Gallery")
    qtbot.waitUntil(lambda: gallery.width() > gallery.height())  # it went below the canvas
    assert {size_at_rest(qtbot, curate)} == sizes


def test_a_low_window_does_not_grow_with_the_gallery(desk, qtbot):
    viewer, _, curate = desk
    qtbot.waitUntil(lambda: curate.label.isVisible())
    window = curate.window()
    viewer.window.resize(1000, 650)
    size_at_rest(qtbot, window)
    _, gallery = viewer.window.add_plugin_dock_widget(PLUGIN, "Gallery")
    qtbot.waitUntil(lambda: gallery.mapTo(window, gallery.rect().topLeft()).y() > 300)
    assert size_at_rest(qtbot, window)[1] == 650
    assert size_at_rest(qtbot, gallery)[1] > 120  # a row of boxes below the tools


@pytest.mark.parametrize(
    ("title", "area"),
    [
        ("Gallery (PickerOptimizer)", "BottomDockWidgetArea"),  # from napari's menu
        ("Gallery (napari-pickeroptimizer)", "BottomDockWidgetArea"),  # by its package
        ("my gallery", "RightDockWidgetArea"),  # a script has said where
    ],
)
def test_a_gallery_from_a_menu_goes_below_the_canvas(qtbot, title, area):
    from qtpy.QtCore import Qt
    from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget

    from napari_pickeroptimizer.plugin.panels.gallery.docking import dock_below

    window, gallery = QMainWindow(), QWidget()
    qtbot.addWidget(window)
    dock = QDockWidget(title, window)
    dock.setWidget(gallery)
    window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    dock_below(gallery)
    assert window.dockWidgetArea(dock) == Qt.DockWidgetArea[area]


def test_a_polygon_over_carbon_labels_the_picks_inside_by_one_button(desk, qtbot):
    viewer, layer, curate = desk
    assert not curate.label.others.has_layers
    corners = np.array([[0, 0, 0], [0, 0, 512], [0, 480, 512], [0, 480, 0]], dtype=float)
    shapes = viewer.add_shapes(
        [corners], shape_type="polygon", scale=layer.scale, units=layer.units
    )
    box = curate.label.others
    assert (box.source.value, box.kind.value) == (shapes, CARBON)
    box.start.click()
    labels, inside = picks_state(layer).picks.labels, layer.data[:, 0] == 0
    assert (labels[inside] == CARBON).all()
    assert not labels[~inside].any()
    assert viewer.status == f"{inside.sum()} picks labelled carbon."


def test_choosing_picks_in_the_panel_selects_their_layer(desk, picks_star):
    from napari_pickeroptimizer.plugin import actions

    viewer, layer, curate = desk
    second = actions.open_picks(viewer, picks_star, name="second")
    assert curate.label.layers.picks.value is second
    curate.label.layers.picks.value = layer
    assert viewer.layers.selection.active == layer


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_is_disabled_can_be_read(theme):
    """The contrast is that of text, as WCAG reckons it: 4.5."""
    from types import SimpleNamespace

    from napari_pickeroptimizer.plugin.panels.theme import theme_colors

    colors = theme_colors(SimpleNamespace(theme=theme))
    light = sorted(map(luminance, (colors.disabled_text, colors.foreground)))
    assert (light[1] + 0.05) / (light[0] + 0.05) > 4.5
    assert colors.disabled_text != colors.text


def luminance(color: str) -> float:
    channels = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(
        channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
    )
    return float(linear @ [0.2126, 0.7152, 0.0722])
