"""The gallery: all boxes side by side, to be looked through, selected and labelled."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtWidgets import QVBoxLayout

from napari_pickeroptimizer.classes import CONTAMINANT
from napari_pickeroptimizer.plugin import actions, keys, navigation
from napari_pickeroptimizer.plugin.labels.vocabulary import labelled_text
from napari_pickeroptimizer.plugin.layer_state import layer_state, picks_state
from napari_pickeroptimizer.plugin.panels.base import Panel
from napari_pickeroptimizer.plugin.panels.controls import fill, single_shot
from napari_pickeroptimizer.plugin.panels.gallery.box_grid import BoxGrid
from napari_pickeroptimizer.plugin.panels.gallery.docking import dock_below
from napari_pickeroptimizer.plugin.panels.gallery.model import (
    NONE_SELECTED,
    GalleryModel,
    no_longer_shown,
    out_of_sight,
)
from napari_pickeroptimizer.plugin.panels.gallery.order import Show, Sort
from napari_pickeroptimizer.plugin.panels.gallery.selection import Display, Selection
from napari_pickeroptimizer.plugin.panels.gallery.thumbnail_loader import ThumbnailLoader
from napari_pickeroptimizer.plugin.panels.gallery.toolbar import ZOOM_STEP_PX, GalleryTools
from napari_pickeroptimizer.plugin.panels.key_forwarding import (
    KeyForwarder,
    key_name,
    press_on_canvas,
)
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors
from napari_pickeroptimizer.plugin.preferences import preferences

STREAM_MS = 500  # while scores stream in they are shown this often
RESIZE_MS = 150  # until thumbnails are made in the size that was chosen
OTHER_KEYS = (keys.UNDO_KEY, keys.REDO_KEY, *keys.QUEUE_KEYS)
# More are selected in the gallery alone: napari would take seconds for a hundred thousand.
MOST_ON_CANVAS = 5000
MARGIN_PX, LEAST_WIDTH_PX = 6, 480
HIDDEN = "The pick on the micrograph"
GRID_HELP = (
    "Click selects, Shift-click selects all between, Ctrl-A all; label keys label the "
    "selection. Arrows, Page and Home/End keys move, with Ctrl beside the selection. "
    "Double-click or Enter selects one alone, and goes to its micrograph."
)


class GalleryWidget(Panel):
    """Boxes of all picks in an order, with labels by key."""

    def build(self) -> None:
        """Make the widgets."""
        self.model = GalleryModel(self.session)
        self.loader = ThumbnailLoader()
        self.grid = BoxGrid(self.loader, self.model.looks, self._tip, self)
        self.grid.setToolTip("")
        self.grid.setAccessibleDescription(GRID_HELP)
        self.tools = GalleryTools()
        column = fill(QVBoxLayout(self), self.tools, self.status, self.grid, spacing_px=6)
        column.setContentsMargins(*[MARGIN_PX] * 4)
        column.setStretchFactor(self.grid, 1)
        self.grid.box_px = self.tools.size_slider.value()
        self.setFocusProxy(self.grid)
        KeyForwarder(self.tools, self._press)
        self._unwatch: Callable[[], None] = lambda: None
        self._mirrors = False  # one selection is being made like the other
        self._was_shown = False
        self._arranged = self.grid.display
        self._resized = single_shot(self, self._show_boxes, RESIZE_MS)
        self._stream = single_shot(self, self._show_scores, STREAM_MS)
        self._place = single_shot(
            self, partial(dock_below, self)
        )  # after napari has docked it
        self.say("")

    def showEvent(self, event: Any) -> None:
        """Move below the canvas when first shown: rows of boxes need width."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self._place.start()

    def connect_signals(self) -> None:
        """Follow the tools, the boxes and the session."""
        tools, grid, session = self.tools, self.grid, self.session
        tools.sort_box.activated.connect(self._choose)
        tools.show_box.activated.connect(self._choose)
        tools.contrast_box.toggled.connect(self._choose_contrast)
        tools.resort.clicked.connect(self.arrange)
        tools.size_slider.valueChanged.connect(self._resize_boxes)
        tools.labelled.connect(self.label)
        grid.selection_changed.connect(self._show_counts)
        grid.selection_changed.connect(self._select_on_canvas)
        grid.visited.connect(self._visit)
        grid.zoomed.connect(
            lambda step: tools.size_slider.setValue(grid.box_px + step * ZOOM_STEP_PX)
        )
        self.follow(self._follow_target, session.target_changed)
        self.follow(self._follow_layers, session.layers_changed)
        self.follow(self._on_labels, session.labels_changed)
        self.follow(self._on_scores, session.scores_changed)
        self.follow(self._on_threshold, session.threshold_changed)
        self.follow(self._show_classes, session.vocabulary_changed)
        self.follow(self._on_visited, session.pick_visited)
        self.follow(self._show_boxes, session.diameter_changed)
        self.follow(self._on_slice, self.viewer.dims.events.current_step)

    def show_state(self, *_: object) -> None:
        """Show the session's classes and picks."""
        self._show_classes()
        self._follow_target()

    def _show_classes(self) -> None:
        self.tools.show_classes(self.session.vocabulary)
        self._show_looks()

    # ------------------------------------------------------------------- contents

    def _follow_target(self) -> None:
        """Show the session's picks."""
        other = self.model.follow_target()
        if other:
            self._watch(self.model.layer)
            self.grid.selection = Selection.none(0)
            if self.model.sort is Sort.SIMILARITY:
                self._set_choice(Sort.MICROGRAPH, self.model.show)
        self.arrange(keep_place=not other)

    def _follow_layers(self) -> None:
        """Show boxes when micrographs are opened, a message when they are removed."""
        self.model.read()
        self._show_display(self._arranged, keep_place=True)

    def arrange(self, *_: Any, keep_place: bool = True) -> None:
        """Sort and filter again; if that fails, show why and keep the order."""
        self.say(self.model.order_note())
        self.tools.set_choice(self.model.sort, self.model.show)
        if not self.attempt(lambda: self._show_arranged(keep_place=keep_place)):
            self._set_choice(Sort.MICROGRAPH, Show.ALL)
            self._show_arranged(keep_place=keep_place)

    def _show_arranged(self, *, keep_place: bool) -> None:
        arranged = self.model.arrange(self.grid.selection.targets)
        self._show_display(arranged, keep_place=keep_place)

    def _show_display(self, arranged: Display, *, keep_place: bool) -> None:
        self._arranged = arranged
        if self.model.micrographs is None:  # a message instead of empty boxes
            arranged = Display.of(np.empty(0, np.intp), len(arranged.position))
        self.grid.set_display(arranged, keep_place=keep_place)
        self._show_boxes()
        self.grid.set_message("" if len(arranged) else self.model.message())
        self._show_counts()

    def _show_looks(self) -> None:
        """Show labels and scores as they are now, in the same order."""
        port: Any = self.grid.viewport()  # Any: Qt's types say that it may be missing
        port.update()
        self._show_counts()

    def _show_boxes(self, *_: Any) -> None:
        """Update the thumbnail settings; no effect if they are unchanged."""
        places = self.model.places()
        self.loader.show(places, self.model.thumbnail_settings(self.grid.thumbnail_side))
        self.grid.ask()

    def _show_counts(self) -> None:
        picks = self.model.picks
        n_all = 0 if picks is None else len(picks)
        n_selected = int(self.grid.selection.mask.sum())
        self.tools.show_counts(len(self.grid.display), n_all, n_selected)
        self.tools.resort.setEnabled(self.model.stale or self.model.sort is Sort.SIMILARITY)
        enabled = bool(n_all) and len(self.grid.display) > 0
        for button in self.tools.class_buttons.values():
            button.setEnabled(enabled and len(self.grid.selection.targets) > 0)

    def _tip(self, row: int) -> str:
        thumbnail = self.loader.get(row)
        return self.model.tip(row, "" if thumbnail is None else thumbnail.reason)

    # ------------------------------------------------------------------- user actions

    def _choose(self, *_: Any) -> None:
        """Sort or filter as chosen."""
        before = self.model.sort, self.model.show
        n_selected = len(self.grid.selection.rows)
        self.model.sort, self.model.show = self.tools.choice
        self.say("")
        if self.attempt(lambda: self._show_arranged(keep_place=False)):
            hidden = no_longer_shown(n_selected - len(self.grid.selection.rows))
            self.say(hidden or self.model.order_note())
            self.grid.setFocus()
        else:
            self._set_choice(*before)

    def _set_choice(self, sort: Sort, show: Show) -> None:
        self.model.sort, self.model.show = sort, show
        self.tools.set_choice(sort, show)

    def _choose_contrast(self, *_: Any) -> None:
        self.model.contrast = "box" if self.tools.contrast_box.isChecked() else "micrograph"
        self._show_boxes()
        self.grid.setFocus()

    def _resize_boxes(self, box_px: int) -> None:
        self.grid.set_box_px(box_px)
        self._resized.start()

    def label(self, class_id: int, *, removing: bool = False) -> None:
        """Label the selected picks, or the one with the focus and go on to the next.

        While `removing`, own points among them are taken away instead.
        """
        layer = self.model.layer
        selection = self.grid.selection.within(self.grid.display)
        rows = selection.targets
        if layer is None or not len(self.grid.display):
            return  # the message in place of the boxes says what is missing
        if not len(rows):
            if not self.status.text().startswith(HIDDEN):
                self.say(NONE_SELECTED)
            return
        if removing and picks_state(layer).is_own[rows].any():
            self.attempt(lambda: keys.remove(self.viewer, layer, rows))
            return
        vocabulary = self.session.vocabulary
        if not self.attempt(lambda: keys.check_class(vocabulary, class_id)):
            return
        self.say("")
        seen = self.grid.seen
        n_out = len(rows) - int(
            np.isin(rows, self.grid.display.rows[seen.start : seen.stop]).sum()
        )
        said = labelled_text(len(rows), vocabulary, class_id)
        # before: where the label goes on in the queue, the queue's place is said instead
        self.viewer.status = f"{said}{out_of_sight(n_out)}."
        if not self.attempt(lambda: actions.label_picks(layer, rows, class_id)):
            return
        self.grid.set_selection(selection.used())
        if not selection.mask.any() and preferences().auto_advance:
            self.grid.step("right")

    def _visit(self, row: int) -> None:
        """Go to a pick on its micrograph."""
        layer = self.model.layer
        self.attempt(lambda: navigation.go_to_pick(self.viewer, layer, row, zoom=True))

    # ------------------------------------------------------------------- signals

    def _on_labels(self, layer: Any, rows: Any) -> None:
        if layer is not self.model.layer:
            return
        n = 0 if self.model.picks is None else len(self.model.picks)
        self.model.changed_labels(np.asarray(rows, dtype=np.intp))
        if self.model.picks is not None and len(self.model.picks) != n:
            self.arrange()  # picks were added
            return
        self._show_looks()

    def _on_scores(self, layer: Any) -> None:
        if layer is not self.model.layer:
            return
        scores = self.model.scores
        if scores is None or scores.complete:
            self._show_scores()
        elif not self._stream.isActive():
            self._stream.start()

    def _show_scores(self) -> None:
        if self.model.changed_scores():
            self.arrange()
        else:
            self._show_looks()

    def _on_threshold(self, layer: Any) -> None:
        if layer is self.model.layer:
            self.model.changed_threshold()
            self._show_looks()

    def _on_visited(self, layer: Any, row: int) -> None:
        """Show a pick that was visited elsewhere."""
        state = layer_state(layer)
        if layer is not self.model.layer:
            if state is None or self.model.state is None or state.rows is None:
                return
            if state.source is not self.model.state or row >= len(state.rows):
                return
            row = int(state.rows[row])
        self._point_at(row)

    def _on_slice(self, *_: Any) -> None:
        if self.model.show is Show.MICROGRAPH and self.model.picks is not None:
            self.arrange(keep_place=False)

    def _on_canvas_selection(self, *_: Any) -> None:
        """Select the picks that were selected on the micrograph."""
        layer = self.model.layer
        if layer is None or self._mirrors:
            return
        selected = layer.selected_data
        if len(selected) == 1:
            self._point_at(int(next(iter(selected))))
            return
        rows = np.fromiter(selected, np.intp, len(selected))
        rows = rows[rows < len(self.grid.display.position)]
        selection = self.grid.selection.of(rows)
        self._mirror(lambda: self.grid.set_selection(selection.within(self.grid.display)))
        hidden = len(rows) - len(self.grid.selection.rows)
        if hidden or self.status.text().startswith(HIDDEN):
            self.say(no_longer_shown(hidden) if len(self.grid.display) else "")

    def _select_on_canvas(self) -> None:
        """Select on the micrograph what is selected here, so that keys mean the same there."""
        layer = self.model.layer
        if layer is None or self._mirrors:
            return
        rows = self.grid.selection.within(self.grid.display).targets
        wanted = set(rows.tolist()) if len(rows) <= MOST_ON_CANVAS else set()
        if wanted != set(layer.selected_data):
            self._mirror(lambda: setattr(layer, "selected_data", wanted))

    def _mirror(self, select: Callable[[], object]) -> None:
        self._mirrors = True
        try:
            select()
        finally:
            self._mirrors = False

    def _point_at(self, row: int) -> None:
        selection = self.grid.selection
        if not 0 <= row < len(self.grid.display.position):
            return
        if row != selection.current or selection.targets.tolist() != [row]:
            self._mirror(lambda: self.grid.set_selection(selection.only(row)))
        if not self.grid.reveal(row) and len(self.grid.display):
            self.say(f"{HIDDEN} is not among those shown ({self.model.show.value}).")
        elif self.status.text().startswith(HIDDEN):
            self.say("")

    def _watch(self, layer: Any) -> None:
        """Follow the selection in one layer, and no longer in the one before."""
        self._unwatch()
        signals = () if layer is None else (layer.selected_data.events.items_changed,)
        self._unwatch = self.follow(self._on_canvas_selection, *signals)

    def apply_theme(self, colors: ThemeColors) -> None:
        """Paint the boxes in the theme's colours."""
        self.grid.set_theme(colors)

    # ------------------------------------------------------------------- keys

    def event(self, event: Any) -> bool:
        """Keep the label keys from napari's shortcuts while the gallery has the focus."""
        if event.type() == QEvent.Type.ShortcutOverride and self._known(event):
            event.accept()
            return True
        return bool(super().event(event))

    def _known(self, event: Any) -> bool:
        key = key_name(event)
        return event.key() == Qt.Key.Key_F5 or (
            key is not None and (key in self._label_keys() or key in OTHER_KEYS)
        )

    def _label_keys(self) -> dict[str, int]:
        own = {style.key: style.class_id for style in self.session.vocabulary.classes}
        return {**keys.LABEL_KEYS, **dict.fromkeys(keys.REMOVE_KEYS, CONTAMINANT), **own}

    def keyPressEvent(self, event: Any) -> None:
        """Label, undo, redo; the plugin's other keys act as on the micrograph."""
        key = key_name(event)
        if event.key() == Qt.Key.Key_F5:
            self.arrange()
        elif key is None or not self._press(key):
            event.ignore()
            return
        event.accept()

    def _press(self, key: str) -> bool:
        """Do what a key does here, or on the canvas while the pointer is there."""
        class_id = self._label_keys().get(key)
        if class_id is None or self.viewer.mouse_over_canvas:
            return press_on_canvas(self.session, key)
        self.label(class_id, removing=key in keys.REMOVE_KEYS)
        return self.model.layer is not None

    def sizeHint(self) -> QSize:
        """Ask for two rows of boxes."""
        return QSize(640, 320)

    def minimumSizeHint(self) -> QSize:
        """Need one row of boxes, and tools that are no higher than at the width here."""
        tools = self.tools.heightForWidth(max(self.width(), LEAST_WIDTH_PX))
        height = tools + self.grid.minimumSizeHint().height() + 4 * MARGIN_PX
        return QSize(super().minimumSizeHint().width(), height)
