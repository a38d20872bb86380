"""A gallery in a real window, and a hand that works on it."""

from __future__ import annotations

import pytest


@pytest.fixture
def show(viewer, qtbot):
    """Return a function that docks a gallery and shows the window."""
    from napari_pickeroptimizer.plugin.panels.gallery.widget import GalleryWidget

    def docked(area: str = "bottom"):
        widget = GalleryWidget(viewer)
        viewer.window.add_dock_widget(widget, area=area, name="Gallery")
        viewer.window.resize(1280, 800)
        viewer.show() if hasattr(viewer, "show") else None
        qtbot.waitUntil(lambda: widget.grid.viewport().width() > 100)
        return widget

    return docked


@pytest.fixture
def opened(viewer, project, picks_star):
    """Return the picks layer of a viewer with micrographs and picks."""
    from napari_pickeroptimizer.plugin import actions

    actions.open_micrographs(viewer, project / "Micrographs")
    return actions.open_picks(viewer, picks_star, diameter_px=40)


@pytest.fixture
def choose():
    """Return a function that chooses an order or a filter, as the boxes' menus do."""

    def chosen(widget, *, sort=None, show=None) -> None:
        from napari_pickeroptimizer.plugin.panels.gallery.order import Show, Sort

        for box, kinds, value in (
            (widget.tools.sort_box, Sort, sort),
            (widget.tools.show_box, Show, show),
        ):
            if value is not None:
                box.setCurrentIndex(list(kinds).index(kinds[value]))
                box.activated.emit(box.currentIndex())

    return chosen


@pytest.fixture
def click(qtbot):
    """Return a function that clicks on the box at a position."""

    def clicked(widget, position: int, *, shift: bool = False, double: bool = False) -> None:
        from qtpy.QtCore import Qt

        modifier = (
            Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        )
        where = widget.grid.cell_rect(position).center()
        # by place: the bindings call the modifier differently
        qtbot.mouseClick(widget.grid.viewport(), Qt.MouseButton.LeftButton, modifier, where)
        if double:
            qtbot.mouseDClick(widget.grid.viewport(), Qt.MouseButton.LeftButton, pos=where)

    return clicked
