"""How micrographs and rings are displayed: low-pass, resolution, diameter."""

from magicgui.widgets import CheckBox, Container, Label, Slider, Widget
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin.images.stack import (
    StackView,
    set_full_resolution,
    set_low_pass,
    stack_of,
)
from napari_pickeroptimizer.plugin.panels.controls import fill, single_shot
from napari_pickeroptimizer.plugin.panels.fields import DiameterBox, Fields
from napari_pickeroptimizer.plugin.panels.label.model import MicrographDisplay
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.session import Session

DEFAULT_LOW_PASS_ANG = 20
# Each step of a drag would filter micrographs anew: wait until the mouse stops.
REST_MS = 120
BLUR_HELP = "Blur finer detail, on the screen only: files and scores do not change."
UNKNOWN_PIXEL_SIZE = "The pixel size is unknown, so there is no low-pass in Å."


class ViewBox(QWidget):
    """Low-pass of the micrographs, and diameter of the rings.

    Parameters
    ----------
    session : Session
        Session of the layers.
    """

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._showing = False
        self.low_pass = CheckBox(text="Low-pass", tooltip=BLUR_HELP)
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
        self.diameter = DiameterBox(session)
        self._row: Container[Widget] = Container(
            widgets=[self.low_pass, self.resolution, Label(value="Å")],
            layout="horizontal",
            labels=False,
        )
        self._row.margins = (0, 0, 0, 0)
        fill(QVBoxLayout(self), self._row, self.full, Fields(self.diameter))
        self._timer = single_shot(self, self._filter, REST_MS)
        self.low_pass.changed.connect(self._on_low_pass)
        self.resolution.changed.connect(self._on_low_pass)
        self.full.changed.connect(self._on_full)
        follow(self, session.layers_changed, self.show_layers)
        follow(self, session.target_changed, self.show_layers)
        self.show_layers()

    @property
    def _stack(self) -> StackView | None:
        layer = self._session.stack_layer
        return None if layer is None else stack_of(layer.metadata)

    def show_layers(self) -> None:
        """Show how the layers are displayed now."""
        display = MicrographDisplay.of(self._stack)
        self._showing = True
        try:
            on = display.low_pass_ang is not None
            self.low_pass.enabled, self.low_pass.value = display.can_low_pass, on
            if display.low_pass_ang is not None:
                self.resolution.value = round(display.low_pass_ang)
            self.resolution.enabled = on
            self.low_pass.tooltip = (
                BLUR_HELP
                if display.can_low_pass or self._stack is None
                else UNKNOWN_PIXEL_SIZE
            )
            self.full.enabled = display.binned and not on
            self.full.value = display.every_pixel
        finally:
            self._showing = False

    def _on_low_pass(self, *_: object) -> None:
        if not self._showing:
            self._timer.start()

    def _filter(self) -> None:
        if self._stack is None:
            return
        wanted = float(self.resolution.value) if self.low_pass.value else None
        try:
            set_low_pass(self._session.stack_layer, wanted)
        except PickerOptimizerError as error:
            self._session.viewer.status = str(error)
        self.show_layers()

    def _on_full(self, on: bool) -> None:
        if not self._showing and self._stack is not None:
            set_full_resolution(self._session.stack_layer, on)
