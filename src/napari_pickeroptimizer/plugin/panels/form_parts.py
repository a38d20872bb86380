"""Small parts that the panels share."""

from pathlib import Path
from typing import Any, Literal

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, FloatSpinBox, Label, Widget
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QWidget,
)

from napari_pickeroptimizer.device import DEVICES
from napari_pickeroptimizer.errors import PickerOptimizerError, SettingsError
from napari_pickeroptimizer.plugin import session
from napari_pickeroptimizer.plugin.panels.qt_parts import quiet_label
from napari_pickeroptimizer.plugin.panels.signals import follow


def wrapped_label(text: str = "") -> Label:
    """Return a text that breaks lines instead of widening the panel."""
    label = Label(value=text)
    label.native.setWordWrap(True)
    # else Qt guesses a narrow column for long texts and leaves the panel's width unused
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def form(*widgets: Widget) -> Container:
    """Return labelled fields, one a row."""
    fields = Container(widgets=list(widgets), labels=True)
    fields.margins = (0, 0, 0, 0)
    return fields


def layer_box(viewer: Any, list_layers: Any, label: str, tooltip: str) -> ComboBox:
    """Return a choice of the layers that `list_layers` finds, kept up to date by napari."""

    def choices(_widget: Any = None) -> list[tuple[str, Any]]:
        return [(layer.name, layer) for layer in reversed(list_layers(viewer))]

    return ComboBox(choices=choices, label=label, tooltip=tooltip, nullable=True)


def micrographs_box(viewer: Any) -> ComboBox:
    """Return a choice of the micrograph stacks."""
    return layer_box(
        viewer,
        session.micrograph_layers,
        "Micrographs",
        "The stack of micrographs that the picks lie on.",
    )


def picks_box(viewer: Any) -> ComboBox:
    """Return a choice of the picks layers that can be labelled."""
    return layer_box(viewer, session.label_layers, "Picks", "The picks to label and to prune.")


def device_box() -> ComboBox:
    """Return a choice of the devices."""
    return ComboBox(
        choices=DEVICES,
        value="auto",
        label="Device",
        tooltip="Where the network runs; auto takes a GPU if there is one.",
    )


def file_box(
    mode: Literal["r", "w"], pattern: str, label: str, value: str | None = None
) -> FileEdit:
    """Return a choice of a file to read or to write."""
    return FileEdit(
        mode=FileDialogMode(mode),
        filter=pattern,
        label=label,
        value=None if value is None else Path(value),
        nullable=value is None,
    )


def chosen_path(box: FileEdit) -> Path:
    """Return the file that is chosen.

    Raises
    ------
    SettingsError
        None is.
    """
    if not isinstance(box.value, Path) or box.value == Path():
        raise SettingsError(f"Choose a file: {box.label}.")
    return box.value


def fill_empty(box: ComboBox) -> None:
    """Choose the newest layer where none is chosen yet."""
    if box.value is None and len(box.choices) > 1:
        box.value = next(choice for choice in box.choices if choice is not None)


class DiameterBox(Container):
    """A particle diameter in Å or in micrograph pixels."""

    def __init__(self) -> None:
        self.number = FloatSpinBox(value=0, min=0, max=100_000, step=1)
        self.number.native.setDecimals(1)
        # "108" is typed as a whole: its first digit is no diameter
        self.number.native.setKeyboardTracking(False)
        self.number.native.setSpecialValueText("not set")
        self.unit = ComboBox(choices=("px", "Å"), value="px")
        self.pixel_size_ang: float | None = None
        super().__init__(
            widgets=[self.number, self.unit],
            layout="horizontal",
            labels=False,
            label="Diameter",
        )
        self.margins = (0, 0, 0, 0)
        self.native.setToolTip("Longest particle diameter; the rings show it on the image.")
        self.unit.changed.connect(self._convert)

    @property
    def diameter_px(self) -> float | None:
        """Diameter in micrograph pixels; None where Å cannot be converted, or it is unset."""
        if self.number.value <= 0:
            return None
        if self.unit.value == "px":
            return float(self.number.value)
        return self.number.value / self.pixel_size_ang if self.pixel_size_ang else None

    def follow_pixel_size(self, pixel_size_ang: float | None) -> None:
        """Take another pixel size over: Å where it is known, as the user has it in mind."""
        if pixel_size_ang != self.pixel_size_ang:
            self.pixel_size_ang = pixel_size_ang
            self.unit.value = "Å" if pixel_size_ang else "px"

    def show_px(self, diameter_px: float) -> None:
        """Show a diameter given in pixels, in the unit that is chosen."""
        factor = self.pixel_size_ang if self.unit.value == "Å" else None
        self.number.value = round(diameter_px * (factor or 1.0), 1)

    def _convert(self, unit: str) -> None:
        if self.pixel_size_ang and self.number.value > 0:
            factor = self.pixel_size_ang if unit == "Å" else 1 / self.pixel_size_ang
            self.number.value = round(self.number.value * factor, 1)


class Fields(QWidget):
    """Labelled fields, one a row, the fields in one column; rows can be hidden."""

    def __init__(self, *fields: Widget) -> None:
        super().__init__()
        self._fields = fields  # magicgui's own are kept with what they are drawn by
        self._labels: dict[int, QLabel] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        # the fields of several of these stand below each other in one panel
        grid.setColumnMinimumWidth(0, self.fontMetrics().horizontalAdvance("Micrographs "))
        for row, field in enumerate(fields):
            label = QLabel(field.label)
            label.setToolTip(field.tooltip or field.native.toolTip())
            grid.addWidget(label, row, 0)
            grid.addWidget(field.native, row, 1)
            self._labels[id(field)] = label

    def show_row(self, field: Widget, shown: bool) -> None:
        """Show or hide a field with its label."""
        self._labels[id(field)].setVisible(shown)
        field.native.setVisible(shown)


def tell(label: Any, text: str) -> None:
    """Show a text, and leave no gap where there is none."""
    if hasattr(label, "setText"):
        label.setText(text)
        label.setVisible(bool(text))
    else:
        label.value = text
        label.native.setVisible(bool(text))


def small_print() -> QLabel:
    """Return a text in small print that breaks lines."""
    label = quiet_label()
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def row_of(*widgets: QWidget) -> QHBoxLayout:
    """Return widgets side by side, in equal parts."""
    row = QHBoxLayout()
    row.setSpacing(6)
    for widget in widgets:
        row.addWidget(widget, 1)
    return row


class TargetBoxes(Container):
    """The micrographs and the picks that the session works on, the same in all panels.

    Parameters
    ----------
    for_session : Session
        Whose targets are shown, and chosen.
    """

    def __init__(self, for_session: session.Session) -> None:
        self._session = for_session
        self._following = False
        viewer = for_session.viewer
        self.micrographs = micrographs_box(viewer)
        self.picks = picks_box(viewer)
        self.note = wrapped_label()
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        layout: Any = self.native.layout()
        layout.addWidget(Fields(self.micrographs, self.picks))
        layout.addWidget(self.note.native)
        tell(self.note, "")
        for box in (self.micrographs, self.picks):
            # a long file name must not widen the panel
            box.native.setMinimumContentsLength(8)
            box.native.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        self.micrographs.changed.connect(self._choose)
        self.picks.changed.connect(self._choose)
        follow(self.native, for_session.layers_changed, self._show)
        follow(self.native, for_session.target_changed, self._show)
        self._show()

    def reset_choices(self, *_: Any) -> None:
        """Follow the viewer's layers; napari calls this for panels of their own."""
        self._show()

    def _show(self) -> None:
        self._following = True  # else each box tells the session what it tells the box
        try:
            for box, layer in (
                (self.micrographs, self._session.stack_layer),
                (self.picks, self._session.picks_layer),
            ):
                box.reset_choices()
                box.value = layer if layer in box.choices else None
        finally:
            self._following = False

    def _choose(self, *_: Any) -> None:
        if self._following:
            return
        tell(self.note, "")
        try:
            self._session.choose(
                stack_layer=self.micrographs.value, picks_layer=self.picks.value
            )
        except PickerOptimizerError as error:
            tell(self.note, str(error))
        self._show()
