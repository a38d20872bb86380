"""Small parts that the panels share."""

from pathlib import Path
from typing import Any, Literal

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, Container, FileEdit, FloatSpinBox, Label, Widget
from qtpy.QtWidgets import QSizePolicy

from napari_pickeroptimizer.device import DEVICES
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.plugin import session


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

    def show_px(self, diameter_px: float) -> None:
        """Show a diameter given in pixels, in the unit that is chosen."""
        factor = self.pixel_size_ang if self.unit.value == "Å" else None
        self.number.value = round(diameter_px * (factor or 1.0), 1)

    def _convert(self, unit: str) -> None:
        if self.pixel_size_ang and self.number.value > 0:
            factor = self.pixel_size_ang if unit == "Å" else 1 / self.pixel_size_ang
            self.number.value = round(self.number.value * factor, 1)
