"""How micrographs and rings are shown: low-pass, resolution, diameter."""

from typing import Any

from magicgui.widgets import CheckBox, Container, Label, Slider
from qtpy.QtCore import QTimer

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.images.display import MAX_DISPLAY_PX
from napari_pickeroptimizer.plugin.images.stack import (
    set_full_resolution,
    set_low_pass,
    stack_of,
)
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.panels.form_parts import DiameterBox, form
from napari_pickeroptimizer.plugin.panels.signals import follow

DEFAULT_LOW_PASS_ANG = 20
# Each step of a drag would filter micrographs anew: wait until the hand rests.
REST_MS = 120


class ViewBox(Container):
    """Low-pass of the micrographs, and diameter of the rings.

    Parameters
    ----------
    for_session : Session
        Whose layers are shown otherwise.
    """

    def __init__(self, for_session: session.Session) -> None:
        self._session = for_session
        self._showing = False
        self.low_pass = CheckBox(
            text="Low-pass",
            tooltip="Blur what is finer, for the eye only: files and scores do not change.",
        )
        self.resolution = Slider(
            value=DEFAULT_LOW_PASS_ANG,
            min=5,
            max=80,
            tooltip="Resolution of the low-pass in Å: finer detail is blurred.",
        )
        self.full = CheckBox(
            text="Every pixel",
            tooltip="Show micrographs unbinned where no low-pass is on. Slower.",
        )
        self.diameter = DiameterBox()
        super().__init__(
            widgets=[
                _row(self.low_pass, self.resolution, Label(value="Å")),
                self.full,
                form(self.diameter),
            ],
            labels=False,
        )
        self.margins = (0, 0, 0, 0)
        self._timer = QTimer(self.native)  # goes when the panel goes
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self._filter)
        self.low_pass.changed.connect(self._on_low_pass)
        self.resolution.changed.connect(self._on_low_pass)
        self.full.changed.connect(self._on_full)
        self.diameter.number.changed.connect(self._on_diameter)
        follow(self.native, for_session.layers_changed, self.show_layers)
        follow(self.native, for_session.target_changed, self.show_layers)
        follow(self.native, for_session.diameter_changed, self._follow_rings)
        self.show_layers()

    def show_layers(self) -> None:
        """Show how the layers are shown now."""
        self._showing = True
        try:
            stack = _stack(self._session.stack_layer)
            known = stack is not None and stack.pixel_size_ang is not None
            self.low_pass.enabled = known
            self.low_pass.value = bool(known and stack.low_pass_ang)
            if known and stack.low_pass_ang:
                self.resolution.value = round(stack.low_pass_ang)
            self.resolution.enabled = known and self.low_pass.value
            self.low_pass.tooltip = (
                "Blur what is finer, for the eye only: files and scores do not change."
                if known or stack is None
                else "The pixel size is unknown, so there is no low-pass in Å."
            )
            binned = stack is not None and max(stack.canvas_px) > MAX_DISPLAY_PX
            self.full.enabled = binned and not self.low_pass.value
            self.full.value = binned and stack.max_display_px > MAX_DISPLAY_PX
            self.diameter.pixel_size_ang = stack.pixel_size_ang if known else None
            self._show_diameter()
        finally:
            self._showing = False

    def _follow_rings(self) -> None:
        """Show the ring diameter: other panels set it too."""
        self._showing, before = True, self._showing
        try:
            self._show_diameter()
        finally:
            self._showing = before

    def _show_diameter(self) -> None:
        layer = self._session.picks_layer
        view = None if layer is None else view_of(layer.metadata)
        self.diameter.enabled = view is not None
        if view is not None and round(self.diameter.diameter_px or 0, 1) != round(
            view.diameter_px, 1
        ):
            self.diameter.show_px(view.diameter_px)

    def _on_low_pass(self, *_: Any) -> None:
        if not self._showing:
            self._timer.start()

    def _filter(self) -> None:
        layer = self._session.stack_layer
        if _stack(layer) is None:
            return
        wanted = float(self.resolution.value) if self.low_pass.value else None
        try:
            set_low_pass(layer, wanted)
        except PickerOptimizerError as error:
            self._session.viewer.status = str(error)
        self.show_layers()

    def _on_full(self, on: bool) -> None:
        layer = self._session.stack_layer
        if not self._showing and _stack(layer) is not None:
            set_full_resolution(layer, on)

    def _on_diameter(self, *_: Any) -> None:
        layer, diameter_px = self._session.picks_layer, self.diameter.diameter_px
        if not self._showing and layer is not None and diameter_px is not None:
            actions.set_diameter(layer, diameter_px)


def _stack(layer: Any) -> Any:
    return None if layer is None else stack_of(layer.metadata)


def _row(*widgets: Any) -> Container:
    row = Container(widgets=list(widgets), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row
