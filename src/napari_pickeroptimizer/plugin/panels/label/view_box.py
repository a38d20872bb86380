"""How micrographs and rings are displayed: low-pass, resolution, diameter."""

from magicgui.widgets import CheckBox, Slider
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin.images.stack import set_full_resolution, set_low_pass
from napari_pickeroptimizer.plugin.panels.controls import column_of, fill, row_of, single_shot
from napari_pickeroptimizer.plugin.panels.fields import DiameterBox, Fields, silenced
from napari_pickeroptimizer.plugin.panels.label.model import MicrographDisplay
from napari_pickeroptimizer.plugin.panels.panel_model import PanelModel
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
        self._session, self._model = session, PanelModel(session)
        self.low_pass = CheckBox(text="Low-pass", tooltip=BLUR_HELP)
        self.resolution = Slider(
            value=DEFAULT_LOW_PASS_ANG,
            min=5,
            max=80,
            tooltip="Resolution of the low-pass in Å: finer detail is blurred.",
        )
        self.full = CheckBox(
            text="Full resolution",
            tooltip="Show all pixels of large micrographs, where no low-pass is on. Slower.",
        )
        self.diameter = DiameterBox(session)
        fields = Fields(self.diameter)
        fields.add_row(self.low_pass.native, column_of(row_of(self.resolution, QLabel("Å"))))
        fill(QVBoxLayout(self), fields, self.full)
        self._timer = single_shot(self, self._filter, REST_MS)
        for field in (self.low_pass, self.resolution):
            field.changed.connect(self._filter_soon)
        self.full.changed.connect(self._on_full)
        follow(self, self.show_layers, session.layers_changed, session.target_changed)
        self.show_layers()

    def show_layers(self) -> None:
        """Show how the layers are displayed now."""
        stack = self._model.stack
        display = MicrographDisplay.of(stack)
        on = display.low_pass_ang is not None
        with silenced(self.low_pass, self.resolution, self.full):
            self.low_pass.value = on
            if display.low_pass_ang is not None:
                self.resolution.value = round(display.low_pass_ang)
            self.full.value = display.every_pixel
        self.low_pass.enabled, self.resolution.enabled = display.can_low_pass, on
        self.full.enabled = display.binned and not on
        can_blur = display.can_low_pass or stack is None
        self.low_pass.tooltip = BLUR_HELP if can_blur else UNKNOWN_PIXEL_SIZE

    def _filter_soon(self, *_: object) -> None:
        self._timer.start()

    def _filter(self) -> None:
        if self._model.stack is None:
            return
        wanted = float(self.resolution.value) if self.low_pass.value else None
        try:
            set_low_pass(self._session.stack_layer, wanted)
        except PickerOptimizerError as error:
            self._session.viewer.status = str(error)
        self.show_layers()

    def _on_full(self, on: bool) -> None:
        if self._model.stack is not None:
            set_full_resolution(self._session.stack_layer, on)
