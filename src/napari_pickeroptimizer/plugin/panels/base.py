"""Base classes: `Panel` (session, errors, theme) and `Page`, a panel that is a page of Curate.

A subclass overrides `build` (make the widgets), `connect_signals` (see `Panel.follow`) and
`show_state` (show the state of the session); they are called in this order.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QComboBox, QVBoxLayout, QWidget

from napari_pickeroptimizer.plugin import session
from napari_pickeroptimizer.plugin.panels.controls import Note, fill
from napari_pickeroptimizer.plugin.panels.fields import Fields, silenced
from napari_pickeroptimizer.plugin.panels.key_forwarding import (
    KeyForwarder,
    leave_to_canvas,
    press_on_canvas,
)
from napari_pickeroptimizer.plugin.panels.only_one import OnlyOne
from napari_pickeroptimizer.plugin.panels.signals import EndsWithDock, follow
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, style_sheet, theme_colors

if TYPE_CHECKING:
    import napari.viewer


class Panel(QWidget):
    """A dock that works on a session.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self.viewer: Any = session.unwrap(napari_viewer)  # Any: a viewer, or its model alone
        self.session = session.session_of(self.viewer)
        self.status = Note()
        self.build()
        self.connect_signals()
        self.follow(self._follow_theme, self.viewer.events.theme)
        self.follow(self._leave_to_canvas, self.session.pointer_on_canvas)
        self._follow_theme()
        self.show_state()
        EndsWithDock(self, self)
        OnlyOne(self, self.viewer)

    def build(self) -> None:
        """Make the widgets."""

    def connect_signals(self) -> None:
        """Follow signals (see `follow`)."""

    def show_state(self, *_: object) -> None:
        """Show the state of the session."""

    def apply_theme(self, colors: ThemeColors) -> None:
        """Apply a theme to custom-painted widgets."""

    def follow(self, method: Callable[..., None], *signals: Any) -> Callable[[], None]:
        """Call a method of the panel on some signals, until it is closed, or this is ended."""
        return follow(self, method, *signals)

    def say(self, text: str) -> None:
        """Show a message; an empty text clears it."""
        self.status.say(text)

    def attempt(self, action: Callable[[], Any], prefix: str = "") -> bool:
        """Run an action and show its error as a message; return whether it succeeded."""
        return self.status.attempt(action, prefix)

    def _leave_to_canvas(self) -> None:
        leave_to_canvas(self)

    def _follow_theme(self, *_: object) -> None:
        colors = theme_colors(self.viewer)
        self.setStyleSheet(style_sheet(colors))
        self.apply_theme(colors)


class Page(Panel):
    """A panel that is a page of Curate too: one column, a choice of layers on top.

    Label keys work while it has the focus, except in its text fields.
    """

    @property
    def layer(self) -> Any | None:
        """The picks layer that is worked on. Any: napari's layers are not typed here."""
        return self.session.picks_layer

    def next_step(self) -> str:
        """Return what the next page of Curate is for, once this one is done; empty before."""
        return ""

    def add_column(self, *parts: Any) -> None:
        """Put the page's parts below each other, the choice of layers on top."""
        self.layers = LayerChoice(self.session)
        self.column = QVBoxLayout(self)
        margins = self.column.contentsMargins()
        fill(self.column, self.layers, *parts, spacing_px=8)
        self.column.setContentsMargins(margins)
        KeyForwarder(self, partial(press_on_canvas, self.session))


class LayerChoice(QWidget):
    """The micrographs and the picks that the session works on, the same in all panels.

    Parameters
    ----------
    for_session : Session
        Whose layers are shown, and chosen.
    """

    def __init__(self, for_session: session.Session) -> None:
        super().__init__()
        self._session = for_session
        self.micrographs = self._box(
            session.micrograph_layers,
            "Micrographs",
            "The stack of micrographs that the picks lie on.",
        )
        self.picks = self._box(
            session.label_layers, "Picks", "The picks to label and to prune."
        )
        self._note = Note()
        self._note.hide()
        fill(QVBoxLayout(self), Fields(self.micrographs, self.picks), self._note)
        follow(self, self._show, for_session.layers_changed, for_session.target_changed)
        self._show()

    def _box(self, list_layers: Callable[[Any], list[Any]], label: str, tip: str) -> ComboBox:
        """Return a choice of the layers that `list_layers` finds, the newest first."""
        viewer = self._session.viewer

        def choices(_box: Any = None) -> list[tuple[str, Any]]:
            return [(layer.name, layer) for layer in reversed(list_layers(viewer))]

        box = ComboBox(choices=choices, label=label, tooltip=tip, nullable=True)
        # a long file name must not widen the panel
        box.native.setMinimumContentsLength(8)
        box.native.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        box.changed.connect(self._choose)
        return box

    def _show(self) -> None:
        with silenced(self.micrographs, self.picks):  # else they would set the session in turn
            for box, layer in (
                (self.micrographs, self._session.stack_layer),
                (self.picks, self._session.picks_layer),
            ):
                box.reset_choices()
                box.value = layer if layer in box.choices else None

    def _choose(self, *_: object) -> None:
        self._note.say("")
        before = self._session.picks_layer
        self._note.attempt(
            lambda: self._session.choose(
                stack_layer=self.micrographs.value, picks_layer=self.picks.value
            )
        )
        chosen = self._session.picks_layer
        # the keys over the canvas are to be those of the same picks
        if chosen is not None and chosen is not before:
            self._session.viewer.layers.selection.active = chosen
        self._show()
