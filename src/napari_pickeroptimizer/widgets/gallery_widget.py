"""The gallery: all boxes side by side, to be looked through, selected and labelled."""

from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

import numpy as np
from qtpy.QtCore import QEvent, QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QColor, QIcon, QPainter, QPen, QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import labelling, session
from napari_pickeroptimizer.plugin.gallery import (
    NOTHING,
    SORT_HELP,
    Display,
    Selection,
    Show,
    Sort,
)
from napari_pickeroptimizer.plugin.gallery_state import GalleryState, count_text
from napari_pickeroptimizer.plugin.layers import view_of
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.thumbnails import ThumbnailLoader
from napari_pickeroptimizer.plugin.vocabulary import CLEAR_KEY, ClassStyle
from napari_pickeroptimizer.widgets.box_grid import MAX_BOX_PX, MIN_BOX_PX, BoxGrid, Cells
from napari_pickeroptimizer.widgets.box_painter import Colors, draw_symbol
from napari_pickeroptimizer.widgets.flow import FlowLayout
from napari_pickeroptimizer.widgets.parts import follow, key_name
from napari_pickeroptimizer.widgets.theme import ThemeColors, follow_theme

if TYPE_CHECKING:
    import napari.viewer

ZOOM_STEP_PX = 16
RESIZE_MS = 150  # until thumbnails are made in the size that was chosen
CONTRASTS = {"Contrast by micrograph": "micrograph", "Contrast by box": "box"}
OTHER_KEYS = (labelling.UNDO_KEY, *labelling.REDO_KEYS, *labelling.QUEUE_KEYS)
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
        self._build()
        self._watched: Any = None
        self._resized = QTimer(self)
        self._resized.setSingleShot(True)
        self._resized.setInterval(RESIZE_MS)
        self._resized.timeout.connect(self._show_boxes)
        self._connect()
        self._show_classes()
        self._follow_target()

    # ------------------------------------------------------------------- building

    def _build(self) -> None:
        self.sort_box = _choice(
            [(sort.value, sort, SORT_HELP[sort]) for sort in Sort],
            "Order of the picks.",
        )
        self.show_box = _choice([(s.value, s, "") for s in Show], "Which picks are shown.")
        self.contrast_box = _choice(
            [(text, contrast, "") for text, contrast in CONTRASTS.items()],
            "By micrograph, carbon and thick ice look as they are; by box, faint particles "
            "stand out.",
        )
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(MIN_BOX_PX, MAX_BOX_PX)
        self.size_slider.setPageStep(ZOOM_STEP_PX)
        self.size_slider.setValue(preferences().gallery_box_px)
        self.size_slider.setFixedWidth(96)
        self.size_slider.setToolTip("Size of the boxes on the screen (Ctrl and the wheel).")
        self.size_slider.setAccessibleName("Size of the boxes")
        self.grid.box_px = self.size_slider.value()
        self.resort = _button(
            "Re-sort", "Sort and filter anew, by labels and scores as they are now (F5)."
        )
        self.counts = QLabel()
        self.counts.setToolTip("Picks that are shown, of all; and those selected.")
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.note.hide()
        tools = QWidget()
        self._tools = flow = FlowLayout(tools)
        flow.setContentsMargins(0, 0, 0, 0)
        for part in (
            _labelled("Sort", self.sort_box),
            _labelled("Show", self.show_box),
            self.resort,
            _labelled("Size", self.size_slider),
            self.contrast_box,
            self.counts,
        ):
            flow.addWidget(part)
        self.class_buttons: dict[int, QPushButton] = {}
        policy = tools.sizePolicy()
        policy.setVerticalPolicy(QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        tools.setSizePolicy(policy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(tools)
        layout.addWidget(self.note)
        layout.addWidget(self.grid, 1)
        self.setFocusProxy(self.grid)

    def _connect(self) -> None:
        self.sort_box.activated.connect(self._choose)
        self.show_box.activated.connect(self._choose)
        self.contrast_box.activated.connect(self._choose_contrast)
        self.resort.clicked.connect(self.arrange)
        self.size_slider.valueChanged.connect(self._resize_boxes)
        self.grid.selection_changed.connect(self._show_counts)
        self.grid.visited.connect(self._visit)
        self.grid.zoomed.connect(
            lambda step: self.size_slider.setValue(self.grid.box_px + step * ZOOM_STEP_PX)
        )
        shared = self._session
        follow(self, shared.target_changed, self._follow_target)
        follow(self, shared.layers_changed, self._follow_layers)
        follow(self, shared.labels_changed, self._on_labels)
        follow(self, shared.scores_changed, self._on_scores)
        follow(self, shared.threshold_changed, self._on_threshold)
        follow(self, shared.vocabulary_changed, self._on_vocabulary)
        follow(self, shared.pick_visited, self._on_visited)
        # napari's events are no psygnal ones; a gallery that is gone must not be told either
        stepped, on_slice = self._viewer.dims.events.current_step, self._on_slice
        stepped.connect(on_slice)
        recolour = WeakMethod(self._set_colors)
        stop = follow_theme(self._viewer, lambda colors: _call(recolour, colors))
        slot = WeakMethod(on_slice)
        self.destroyed.connect(lambda *_: (stop(), _disconnect(stepped, slot)))

    def _show_classes(self) -> None:
        for old in self.class_buttons.values():
            self._tools.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.class_buttons = {}
        for style in (*self._session.vocabulary.classes, self._session.vocabulary.style(0)):
            button = self._class_button(style)
            self.class_buttons[style.class_id] = button
            self._tools.addWidget(button)
        self._show_counts()

    def _class_button(self, style: ClassStyle) -> QPushButton:
        if style.class_id:
            tip = f"Label the selected picks {style.name} (key {style.key})."
            button = _button(f"{style.name}  {style.key}", tip)
            button.setIcon(_symbol_icon(style))
            button.setIconSize(QSize(12, 12))
        else:
            button = _button(
                f"clear  {CLEAR_KEY}",
                f"Take the labels of the selected picks back (key {CLEAR_KEY}).",
            )
        button.clicked.connect(lambda *_: self.label(style.class_id))
        return button

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
        """Micrographs came or went: boxes may be there now, or no longer."""
        had = self.state.layer is None or self.loader_has_places
        self._show_boxes()
        if had != self.loader_has_places:
            self._show_message()

    @property
    def loader_has_places(self) -> bool:
        """Whether boxes can be cut."""
        return self.state.places() is not None

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
        picks = self.state.picks
        vocabulary = self._session.vocabulary
        if picks is not None:
            self.grid.set_cells(Cells(lambda rows: picks.looks(rows, vocabulary), self._tip))
        self._arranged = arranged
        self._show_boxes()
        if self.state.micrographs is None:  # words instead of a wall of empty boxes
            arranged = Display(
                np.empty(0, np.intp), np.full(len(arranged.position), NOTHING, np.int32)
            )
        self.grid.set_display(arranged, keep_place=keep_place)
        self._show_message()

    def _show_cells(self) -> None:
        """Show other labels and scores in the same order."""
        picks, vocabulary = self.state.picks, self._session.vocabulary
        if picks is not None:
            self.grid.set_cells(Cells(lambda rows: picks.looks(rows, vocabulary), self._tip))

    def _show_boxes(self) -> None:
        self.loader.show(
            self.state.places(), self.state.thumbnail_settings(self.grid.thumbnail_side)
        )
        self.grid.ask()

    def _show_message(self) -> None:
        self.grid.set_message("" if len(self.grid.display) else self.state.message())
        self._show_counts()

    def _show_counts(self) -> None:
        picks = self.state.picks
        n_all = 0 if picks is None else len(picks)
        n_selected = int(self.grid.selection.mask.sum())
        self.counts.setText(
            count_text(len(self.grid.display), n_all, n_selected) if n_all else ""
        )
        self.resort.setEnabled(self.state.stale or self.state.sort is Sort.LIKENESS)
        enabled = bool(n_all) and len(self.grid.display) > 0
        for button in self.class_buttons.values():
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
        self.state.sort, self.state.show = (
            self.sort_box.currentData(),
            self.show_box.currentData(),
        )
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
        self.sort_box.setCurrentIndex(list(Sort).index(sort))
        self.show_box.setCurrentIndex(list(Show).index(show))

    def _choose_contrast(self, *_: Any) -> None:
        self.state.contrast = self.contrast_box.currentData()
        self._show_boxes()
        self.grid.setFocus()

    def _resize_boxes(self, box_px: int) -> None:
        self.grid.set_box_px(box_px)
        self._resized.start()

    def label(self, class_id: int) -> None:
        """Label the selected picks, or the one with the focus and go on to the next."""
        selection, layer = self.grid.selection, self.state.layer
        rows = selection.targets
        if layer is None or not len(rows) or not len(self.grid.display):
            return
        if class_id and class_id not in self._session.vocabulary.names():
            self._say(f"There is no class {class_id} yet: add it in the Label panel.")
            return
        try:
            session.label_picks(layer, rows, class_id)
        except PickerOptimizerError as error:
            self._say(str(error))
            return
        self.grid.set_selection(selection.used())
        if not selection.mask.any() and preferences().auto_advance:
            self.grid.step("right")

    def _visit(self, row: int) -> None:
        """Go to a pick on its micrograph."""
        from napari_pickeroptimizer.plugin import navigation

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
        view, ours = view_of(layer.metadata), self.state.view
        if layer is not self.state.layer:
            if view is None or ours is None or view.rows is None or row >= len(view.rows):
                return
            if view.source != self.state.layer.unique_id:
                return
            row = int(view.rows[row])
        self._point_at(row)

    def _on_slice(self, *_: Any) -> None:
        if self.state.show is Show.MICROGRAPH and self.state.picks is not None:
            self.arrange(keep_place=False)

    def _on_canvas_selection(self, *_: Any) -> None:
        """A pick was selected on the micrograph: show it here."""
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
        """Follow the canvas's selection in one layer, and no longer in the one before."""
        old, self._watched = self._watched, None
        if old is not None:
            old.selected_data.events.items_changed.disconnect(self._on_canvas_selection)
        if layer is not None:
            layer.selected_data.events.items_changed.connect(self._on_canvas_selection)
            self._watched = layer

    def _set_colors(self, colors: ThemeColors) -> None:
        self.grid.set_colors(
            Colors(
                background=QColor(colors.background),
                placeholder=QColor(colors.foreground),
                text=QColor(colors.text),
                muted=QColor(colors.secondary if colors.is_dark else colors.text),
                focus=QColor(colors.warning if colors.is_dark else "#8a5a00"),
            )
        )

    # ------------------------------------------------------------------- keys

    def event(self, event: QEvent) -> bool:
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
        return {**labelling.LABEL_KEYS, **own}

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
        elif not labelling.press(self._viewer, layer, key):
            event.ignore()
            return
        event.accept()

    def sizeHint(self) -> QSize:
        """Ask for two rows of boxes."""
        return QSize(640, 320)


def _call(method: WeakMethod, *args: Any) -> None:
    alive = method()
    if alive is not None:
        alive(*args)


def _disconnect(emitter: Any, method: WeakMethod) -> None:
    slot = method()
    if slot is not None:
        emitter.disconnect(slot)


def _choice(items: Any, tip: str) -> QComboBox:
    box = QComboBox()
    for i, (text, value, item_tip) in enumerate(items):
        box.addItem(text, value)
        if item_tip:
            box.setItemData(i, item_tip, Qt.ItemDataRole.ToolTipRole)
    box.setToolTip(tip)
    box.setAccessibleName(tip.rstrip("."))
    return box


def _labelled(text: str, widget: QWidget) -> QWidget:
    both = QWidget()
    layout = QHBoxLayout(both)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    label = QLabel(text)
    label.setBuddy(widget)
    label.setToolTip(widget.toolTip())
    layout.addWidget(label)
    layout.addWidget(widget)
    return both


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    # a click leaves the focus, and with it the label keys, to the boxes
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def _symbol_icon(style: ClassStyle) -> QIcon:
    pixmap = QPixmap(24, 24)
    pixmap.fill(QColor(0, 0, 0, 0))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
    painter.setPen(QPen(QColor(0, 0, 0, 160), 1.5))
    painter.setBrush(QColor(style.color))
    draw_symbol(painter, QRectF(4, 4, 16, 16), style.symbol)
    painter.end()
    return QIcon(pixmap)
