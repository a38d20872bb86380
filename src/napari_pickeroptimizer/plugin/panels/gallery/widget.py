"""The gallery: all boxes side by side, to be looked through, selected and labelled."""

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QEvent, QSize, Qt, QTimer
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import actions, keys, navigation, session
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.panels.docking import dock_below
from napari_pickeroptimizer.plugin.panels.gallery.box_area import Cells
from napari_pickeroptimizer.plugin.panels.gallery.box_grid import BoxGrid
from napari_pickeroptimizer.plugin.panels.gallery.box_painter import colors_in
from napari_pickeroptimizer.plugin.panels.gallery.model import GalleryState
from napari_pickeroptimizer.plugin.panels.gallery.order import Show, Sort
from napari_pickeroptimizer.plugin.panels.gallery.selection import NOTHING, Display, Selection
from napari_pickeroptimizer.plugin.panels.gallery.thumbnail_loader import ThumbnailLoader
from napari_pickeroptimizer.plugin.panels.gallery.toolbar import ZOOM_STEP_PX, GalleryTools
from napari_pickeroptimizer.plugin.panels.key_forwarding import key_name
from napari_pickeroptimizer.plugin.panels.signals import follow, follow_event, weakly
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, follow_theme
from napari_pickeroptimizer.plugin.preferences import preferences

if TYPE_CHECKING:
    import napari.viewer

HEIGHT_PX = 280  # two rows of boxes
RESIZE_MS = 150  # until thumbnails are made in the size that was chosen
OTHER_KEYS = (keys.UNDO_KEY, keys.REDO_KEY, *keys.QUEUE_KEYS)
GRID_HELP = (
    "Click selects, Shift-click selects all between, Ctrl-A all; label keys label the "
    "selection. Arrows, Page and Home/End keys move. Double-click or Enter goes to the "
    "micrograph."
)


class GalleryWidget(QWidget):
    """Boxes of all picks in an order, with labels by key.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self.state = GalleryState(self._session)
        self.loader = ThumbnailLoader()
        self.grid = BoxGrid(self.loader, self)
        self.grid.setToolTip("")
        self.grid.setAccessibleDescription(GRID_HELP)
        self.tools = GalleryTools()
        self._build()
        self._watched: Any = None
        self._was_shown = False
        self._arranged = self.grid.display
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.setInterval(RESIZE_MS)
        self._resized.timeout.connect(self._show_boxes)
        # after napari has docked it
        self._place = QTimer(self)
        self._place.setSingleShot(True)
        self._place.timeout.connect(lambda: dock_below(self, HEIGHT_PX))
        self._connect()
        self._show_classes()
        self._follow_target()

    def showEvent(self, event: Any) -> None:
        """Go below the canvas when shown for the first time: rows of boxes want width."""
        super().showEvent(event)
        if not self._was_shown:
            self._was_shown = True
            self._place.start()

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.note.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self.tools)
        layout.addWidget(self.note)
        layout.addWidget(self.grid, 1)
        self.grid.box_px = self.tools.size_slider.value()
        self.setFocusProxy(self.grid)

    def _connect(self) -> None:
        self.tools.sort_box.activated.connect(self._choose)
        self.tools.show_box.activated.connect(self._choose)
        self.tools.contrast_box.toggled.connect(self._choose_contrast)
        self.tools.resort.clicked.connect(self.arrange)
        self.tools.size_slider.valueChanged.connect(self._resize_boxes)
        self.tools.labelled.connect(self.label)
        self.grid.selection_changed.connect(self._show_counts)
        self.grid.visited.connect(self._visit)
        self.grid.zoomed.connect(
            lambda step: self.tools.size_slider.setValue(
                self.grid.box_px + step * ZOOM_STEP_PX
            )
        )
        shared = self._session
        follow(self, shared.target_changed, self._follow_target)
        follow(self, shared.layers_changed, self._follow_layers)
        follow(self, shared.labels_changed, self._on_labels)
        follow(self, shared.scores_changed, self._on_scores)
        follow(self, shared.threshold_changed, self._on_threshold)
        follow(self, shared.vocabulary_changed, self._on_vocabulary)
        follow(self, shared.pick_visited, self._on_visited)
        follow(self, shared.diameter_changed, self._show_boxes)
        follow_event(self, self._viewer.dims.events.current_step, self._on_slice)
        # a gallery that is gone must neither be told nor be kept alive for it
        stop, watch = follow_theme(self._viewer, weakly(self._set_colors)), weakly(self._watch)

        def forget(*_: Any) -> None:
            stop()
            watch(None)

        self.destroyed.connect(forget)

    def _show_classes(self) -> None:
        self.tools.show_classes(self._session.vocabulary)
        self._show_counts()

    # ------------------------------------------------------------------- contents

    def _follow_target(self) -> None:
        """Show the session's picks."""
        other = self.state.follow_target()
        if other:
            self._watch(self.state.layer)
            self.grid.selection = Selection.none(0)
            if self.state.sort in (Sort.LIKENESS,):
                self._set_choice(Sort.MICROGRAPH, self.state.show)
        self.arrange(keep_place=not other)

    def _follow_layers(self) -> None:
        """Show boxes when micrographs have come, words when they have gone."""
        self.state.read()
        self._show_display(self._arranged, keep_place=True)

    def arrange(self, *_: Any, keep_place: bool = True) -> None:
        """Sort and filter anew; where that cannot be done, say why and stay."""
        targets = self.grid.selection.targets
        try:
            arranged = self.state.arrange(targets)
        except PickerOptimizerError as error:
            self._say(str(error))
            self.state.sort, self.state.show = Sort.MICROGRAPH, Show.ALL
            arranged = self.state.arrange()
            self._set_choice(Sort.MICROGRAPH, Show.ALL)
        else:
            self._say("")
        self._show_display(arranged, keep_place=keep_place)

    def _show_display(self, arranged: Display, *, keep_place: bool) -> None:
        self._arranged = arranged
        self._show_cells()
        if self.state.micrographs is None:  # words instead of a wall of empty boxes
            nowhere = np.full(len(arranged.position), NOTHING, dtype=np.int32)
            arranged = Display(np.empty(0, np.intp), nowhere)
        self.grid.set_display(arranged, keep_place=keep_place)
        self._show_boxes()
        self._show_message()

    def _show_cells(self) -> None:
        """Show labels and scores as they are now, in the same order."""
        picks, vocabulary = self.state.picks, self._session.vocabulary
        if picks is not None:
            self.grid.set_cells(Cells(lambda rows: picks.looks(rows, vocabulary), self._tip))

    def _show_boxes(self, *_: Any) -> None:
        """Have boxes cut as they are wanted now; nothing happens if that is as before."""
        places = self.state.places()
        self.loader.show(places, self.state.thumbnail_settings(self.grid.thumbnail_side))
        self.grid.ask()

    def _show_message(self) -> None:
        self.grid.set_message("" if len(self.grid.display) else self.state.message())
        self._show_counts()

    def _show_counts(self) -> None:
        picks = self.state.picks
        n_all = 0 if picks is None else len(picks)
        n_selected = int(self.grid.selection.mask.sum())
        self.tools.show_counts(len(self.grid.display), n_all, n_selected)
        self.tools.resort.setEnabled(self.state.stale or self.state.sort is Sort.LIKENESS)
        enabled = bool(n_all) and len(self.grid.display) > 0
        for button in self.tools.class_buttons.values():
            button.setEnabled(enabled and (n_selected > 0 or self.grid.selection.current >= 0))

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _tip(self, row: int) -> str:
        thumbnail = self.loader.get(row)
        return self.state.tip(row, "" if thumbnail is None else thumbnail.reason)

    # ------------------------------------------------------------------- what the user does

    def _choose(self, *_: Any) -> None:
        """Sort or filter as chosen."""
        before = self.state.sort, self.state.show
        self.state.sort, self.state.show = self.tools.choice
        try:
            arranged = self.state.arrange(self.grid.selection.targets)
        except PickerOptimizerError as error:
            self.state.sort, self.state.show = before
            self._set_choice(*before)
            self._say(str(error))
            return
        self._say("")
        self._show_display(arranged, keep_place=False)
        self.grid.setFocus()

    def _set_choice(self, sort: Sort, show: Show) -> None:
        self.state.sort, self.state.show = sort, show
        self.tools.set_choice(sort, show)

    def _choose_contrast(self, *_: Any) -> None:
        self.state.contrast = "box" if self.tools.contrast_box.isChecked() else "micrograph"
        self._show_boxes()
        self.grid.setFocus()

    def _resize_boxes(self, box_px: int) -> None:
        self.grid.set_box_px(box_px)
        self._resized.start()

    def label(self, class_id: int) -> None:
        """Label the selected picks, or the one with the focus and go on to the next."""
        layer = self.state.layer
        selection = self.grid.selection.within(self.grid.display)
        rows = selection.targets
        if layer is None or not len(rows) or not len(self.grid.display):
            return
        if class_id and class_id not in self._session.vocabulary.names():
            self._say(f"There is no class {class_id} yet: add it in the Label panel.")
            return
        try:
            actions.label_picks(layer, rows, class_id)
        except PickerOptimizerError as error:
            self._say(str(error))
            return
        self.grid.set_selection(selection.used())
        if not selection.mask.any() and preferences().auto_advance:
            self.grid.step("right")

    def _visit(self, row: int) -> None:
        """Go to a pick on its micrograph."""
        try:
            navigation.go_to_pick(self._viewer, self.state.layer, row, zoom=True)
        except PickerOptimizerError as error:
            self._say(str(error))

    # ------------------------------------------------------------------- what others do

    def _on_labels(self, layer: Any, rows: Any) -> None:
        if layer is not self.state.layer:
            return
        n = 0 if self.state.picks is None else len(self.state.picks)
        self.state.changed_labels()
        if self.state.picks is not None and len(self.state.picks) != n:
            self.arrange()  # picks were added
            return
        self._show_cells()
        self._show_counts()

    def _on_scores(self, layer: Any) -> None:
        if layer is not self.state.layer:
            return
        if self.state.changed_scores():
            self.arrange()
            return
        self._show_cells()
        self._show_counts()

    def _on_threshold(self, layer: Any) -> None:
        if layer is self.state.layer:
            self.state.changed_threshold()
            self._show_cells()
            self._show_counts()

    def _on_vocabulary(self) -> None:
        self._show_classes()
        self._show_cells()

    def _on_visited(self, layer: Any, row: int) -> None:
        """Show the pick that somebody went to."""
        view = view_of(layer.metadata)
        if layer is not self.state.layer:
            if view is None or self.state.layer is None or view.rows is None:
                return
            if view.source != self.state.layer.unique_id or row >= len(view.rows):
                return
            row = int(view.rows[row])
        self._point_at(row)

    def _on_slice(self, *_: Any) -> None:
        if self.state.show is Show.MICROGRAPH and self.state.picks is not None:
            self.arrange(keep_place=False)

    def _on_canvas_selection(self, *_: Any) -> None:
        """Show the pick that was selected on the micrograph."""
        layer = self.state.layer
        selected = () if layer is None else layer.selected_data
        if len(selected) == 1:
            self._point_at(int(next(iter(selected))))

    def _point_at(self, row: int) -> None:
        if (
            not 0 <= row < len(self.grid.display.position)
            or row == self.grid.selection.current
        ):
            return
        self.grid.set_selection(self.grid.selection.pointed(row))
        if not self.grid.reveal(row) and len(self.grid.display):
            self._say(
                f"The pick on the micrograph is not among those shown ({self.state.show.value})."
            )
        elif self.note.text().startswith("The pick on the micrograph"):
            self._say("")

    def _watch(self, layer: Any) -> None:
        """Follow the selection in one layer, and no longer in the one before."""
        before, self._watched = self._watched, layer
        if before is not None:
            before.selected_data.events.items_changed.disconnect(self._on_canvas_selection)
        if layer is not None:
            layer.selected_data.events.items_changed.connect(self._on_canvas_selection)

    def _set_colors(self, colors: ThemeColors) -> None:
        self.grid.set_colors(colors_in(colors))

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
        own = {style.key: style.class_id for style in self._session.vocabulary.classes}
        return {**keys.LABEL_KEYS, **own}

    def keyPressEvent(self, event: Any) -> None:
        """Label, undo, redo; the other keys of ours do what they do on the micrograph."""
        key = key_name(event)
        layer = self.state.layer
        if event.key() == Qt.Key.Key_F5:
            self.arrange()
        elif key is None or layer is None:
            event.ignore()
            return
        elif key in self._label_keys():
            self.label(self._label_keys()[key])
        elif not keys.press(self._viewer, layer, key):
            event.ignore()
            return
        event.accept()

    def sizeHint(self) -> QSize:
        """Ask for two rows of boxes."""
        return QSize(640, 320)
