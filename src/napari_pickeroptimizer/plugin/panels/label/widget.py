"""The label panel: tell particles from false picks, undo, be shown which ones next."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import Container
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_pickeroptimizer.io.registry import dialog_filter
from napari_pickeroptimizer.plugin import actions, labelling, navigation, session
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.matching import missing_micrographs
from napari_pickeroptimizer.plugin.overview import label_counts, micrograph_shown
from napari_pickeroptimizer.plugin.panels.form_parts import (
    TargetBoxes,
    wrapped_label,
)
from napari_pickeroptimizer.plugin.panels.key_forwarding import forward_keys
from napari_pickeroptimizer.plugin.panels.label.class_table import ClassTable
from napari_pickeroptimizer.plugin.panels.label.suggest_box import SuggestBox
from napari_pickeroptimizer.plugin.panels.label.view_box import ViewBox
from napari_pickeroptimizer.plugin.panels.qt_parts import (
    ElidedLabel,
    Fold,
    arrow,
    button,
    fill_keys,
    quiet_label,
    row_of,
)
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, follow_theme
from napari_pickeroptimizer.plugin.preferences import PLUGIN

if TYPE_CHECKING:
    import napari.viewer

LINE_PX, N_LINES = 18, 6  # of the list of missing micrographs
OTHER_KEYS = (
    ("N / B", "next in the queue / back"),
    ("PgDn / PgUp", "next micrograph / previous"),
    ("Ctrl+Z / Ctrl+Shift+Z", "undo / redo"),
    ("S / Z", "select picks / move the image"),
    ("1, Del", "contaminant; never deletes"),
)


class LabelWidget(Container):
    """Label picks by key or click, with undo; have picks suggested; find one's way.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self._rows_here: tuple[Any, int, Any] = (None, -1, None)
        self.targets = TargetBoxes(self._session)
        self.status = wrapped_label()
        self.view = ViewBox(self._session)
        super().__init__(labels=False)
        self._build()
        self._connect()
        self._show_target()

    # ------------------------------------------------------------------------- parts

    def _build(self) -> None:
        layout = self.native.layout()
        layout.setSpacing(8)
        self.banner, self.banner_text = self._make_banner()
        self.empty = self._make_empty()
        self.micrographs = self._make_micrographs()
        self.classes = ClassTable(self._session.vocabulary)
        self.hint = quiet_label(
            "Click a pick, or point at it, and press a key. Drag a box in selection mode "
            "(key S) for many."
        )
        self.history = self._make_history()
        self.suggesting = SuggestBox(self._session, self._say)
        self.missing_list = QTreeWidget()
        self.missing_list.setHeaderHidden(True)
        self.missing_list.setRootIsDecorated(False)
        self.missing_list.setColumnCount(1)
        self.missing_list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.missing_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.missing = Fold("Missing micrographs", self.missing_list)
        self.showing = Fold("View", self.view.native)
        self.key_table = QWidget()
        self.keys = Fold("Keys", self.key_table)
        self.showing.expand()
        for part in (
            self.targets.native,
            self.banner,
            self.empty,
            self.micrographs,
            self.classes,
            self.hint,
            self.history,
            self.suggesting,
            self.status.native,
            self.missing,
            self.showing,
            self.keys,
        ):
            layout.addWidget(part)
        layout.addStretch(1)

    def _make_banner(self) -> tuple[QFrame, QLabel]:
        banner = QFrame()
        banner.setObjectName("banner")
        text = QLabel()
        text.setWordWrap(True)
        self.restore = button("Restore", "Give these picks the labels again.", self._restore)
        self.discard = button(
            "Discard", "Do not offer these labels again.", self._discard_recovery
        )
        column = QVBoxLayout(banner)
        column.setContentsMargins(10, 8, 10, 8)
        column.addWidget(text)
        column.addLayout(row_of(self.restore, self.discard, None))
        return banner, text

    def _make_empty(self) -> QWidget:
        part = QWidget()
        text = QLabel(
            "Drag picks onto the window: a STAR file, or a folder of .box files. Their "
            "micrographs are found where they can be."
        )
        text.setWordWrap(True)
        self.open_file = button("Open picks...", "Choose a pick file.", self._open_file)
        self.open_sample = button(
            "Try a sample",
            "Simulated micrographs with picks, made in a few seconds.",
            self._open_sample,
        )
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(text)
        column.addLayout(row_of(self.open_file, self.open_sample, None))
        return part

    def _make_micrographs(self) -> QWidget:
        part = QWidget()
        self.previous_micrograph = arrow(
            "◂", "Previous micrograph with picks (Page up).", lambda: self._go_micrograph(-1)
        )
        self.next_micrograph = arrow(
            "▸", "Next micrograph with picks (Page down).", lambda: self._go_micrograph(1)
        )
        self.micrograph_name = ElidedLabel()
        self.micrograph_text = quiet_label()
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self.micrograph_name)
        names.addWidget(self.micrograph_text)
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 0, 0)
        row.addLayout(names, 1)
        row.addWidget(self.previous_micrograph)
        row.addWidget(self.next_micrograph)
        return part

    def _make_history(self) -> QWidget:
        part = QWidget()
        self.undo = button("Undo", "Take the last labels back (Ctrl+Z).", self._undo)
        self.redo = button("Redo", "Give them again (Ctrl+Shift+Z).", self._redo)
        row = row_of(self.undo, self.redo, None, self.classes.add)
        row.setContentsMargins(0, 0, 0, 0)
        part.setLayout(row)
        return part

    # -------------------------------------------------------------------- connections

    def _connect(self) -> None:
        native, shared = self.native, self._session
        follow(native, shared.target_changed, self._show_target)
        follow(native, shared.layers_changed, self._show_layers)
        follow(native, shared.labels_changed, self._show_labels)
        follow(native, shared.vocabulary_changed, self._show_vocabulary)
        step = self._viewer.dims.events.current_step
        step.connect(self._show_micrograph)
        native.destroyed.connect(lambda *_: step.disconnect(self._show_micrograph))
        stop = follow_theme(self._viewer, self._apply_theme)
        native.destroyed.connect(lambda *_: stop())
        self.classes.label_requested.connect(self._label_selected)
        self.classes.vocabulary_edited.connect(self._take_vocabulary)
        self.classes.refused.connect(self._say)
        forward_keys(native, shared)

    def _apply_theme(self, colors: ThemeColors) -> None:
        quiet = f"color: {colors.text}; background: transparent;"
        self.native.setStyleSheet(
            f"QLabel#quiet {{ {quiet} font-size: 11px; }}"
            f"QLabel#keycap {{ border: 1px solid {colors.secondary}; border-radius: 3px; "
            f"padding: 1px 6px; background: {colors.foreground}; }}"
            "QPushButton#class_name { text-align: left; padding: 4px 8px; }"
            f"QFrame#banner {{ border: 1px solid {colors.highlight}; border-radius: 4px; }}"
            "QToolButton#swatch { padding-right: 9px; }"
            "QToolButton#swatch::menu-indicator { width: 7px; "
            "subcontrol-origin: padding; subcontrol-position: right center; }"
            "QPushButton#fold { text-align: left; padding: 4px 0px; font-weight: bold; "
            "background: transparent; border: none; "
            f"border-top: 1px solid {colors.foreground}; }}"
            f"QPushButton#fold:hover {{ background: {colors.foreground}; }}"
        )

    @property
    def _layer(self) -> Any | None:
        return self._session.picks_layer

    # -------------------------------------------------------------------------- state

    def _show_target(self) -> None:
        has_picks = self._layer is not None
        self._rows_here = (None, -1, None)
        self.empty.setVisible(not has_picks)
        for part in (self.micrographs, self.classes, self.history, self.suggesting):
            part.setVisible(has_picks)
        self._say("")
        self._show_banner()
        self._show_vocabulary()
        self._show_layers()

    def _show_layers(self) -> None:
        self._rows_here = (None, -1, None)
        self._show_missing()
        self._show_labels()

    def _show_banner(self) -> None:
        layer = self._layer
        found = None if layer is None else actions.recoverable(layer)
        self.banner.setVisible(found is not None)
        if found is not None:
            verb = "was" if len(found) == 1 else "were"
            self.banner_text.setText(f"{found.sentence} {verb} found for these picks.")

    def _show_labels(self, layer: Any = None, _rows: Any = None) -> None:
        if layer is not None and layer is not self._layer:
            return
        layer = self._layer
        counts = {} if layer is None else label_counts(layer)
        self.classes.show_counts(counts)
        self.hint.setVisible(layer is not None and not sum(list(counts.values())[1:]))
        can_undo, can_redo = (False, False) if layer is None else labelling.can_undo(layer)
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        self._show_micrograph()

    def _show_micrograph(self, _event: Any = None) -> None:
        layer = self._layer
        if layer is None:
            return
        shown = micrograph_shown(self._viewer, layer, self._rows_on_slice(layer))
        self.micrograph_name.show_text(PurePosixPath(shown.name).name, shown.name)
        self.micrograph_text.setText(shown.text)

    def _rows_on_slice(self, layer: Any) -> Any:
        """Return the rows on the slice that is shown; looked for once a slice."""
        index, n = navigation.current_slice(self._viewer), len(layer.data)
        known_n, known_index, rows = self._rows_here
        if (known_n, known_index) != (n, index):
            rows = navigation.rows_on_slice(layer, index)
            self._rows_here = (n, index, rows)
        return rows

    def _show_vocabulary(self) -> None:
        vocabulary = self._session.vocabulary
        self.classes.show_vocabulary(vocabulary)
        keys = [(s.key, s.name) for s in vocabulary] + [("U", "take the label back")]
        fill_keys(self.key_table, (*keys, *OTHER_KEYS))

    def _show_missing(self) -> None:
        layer = self._layer
        missing = {} if layer is None else missing_micrographs(self._viewer, layer)
        self.missing.setVisible(bool(missing))
        n = len(missing)
        self.missing.set_title(f"{n:,} micrograph{'' if n == 1 else 's'} missing")
        self.missing_list.clear()
        for name, reason in missing.items():
            item = QTreeWidgetItem([name])
            item.setToolTip(0, f"{name}: {reason}")
            self.missing_list.addTopLevelItem(item)
        self.missing_list.setFixedHeight(LINE_PX * min(max(n, 2), N_LINES) + 8)

    # ------------------------------------------------------------------------ actions

    def _label_selected(self, class_id: int) -> None:
        layer = self._layer
        if layer is None:
            return
        rows = np.array(sorted(layer.selected_data), dtype=np.intp)
        if not len(rows):
            self._say("No picks are selected: click one, or drag a box in selection mode (S).")
            return
        self._say("")
        actions.label_picks(layer, rows, class_id)

    def _take_vocabulary(self, vocabulary: Vocabulary) -> None:
        self._say("")
        actions.set_vocabulary(self._viewer, vocabulary)

    def _undo(self) -> None:
        if self._layer is not None:
            actions.undo(self._layer)

    def _redo(self) -> None:
        if self._layer is not None:
            actions.redo(self._layer)

    def _restore(self) -> None:
        if self._layer is not None:
            n = actions.recover(self._viewer, self._layer)
            self._say(f"{n:,} label{'' if n == 1 else 's'} restored.")
        self._show_banner()

    def _discard_recovery(self) -> None:
        if self._layer is not None:
            actions.discard_recovery(self._layer)
        self._show_banner()

    def _go_micrograph(self, step: int) -> None:
        if self._layer is not None:
            navigation.go_to_micrograph(self._viewer, self._layer, step)

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.native, "Open picks", "", dialog_filter())
        if path:
            self._try(lambda: self._viewer.open(path, plugin=PLUGIN))

    def _open_sample(self) -> None:
        self._try(lambda: self._viewer.open_sample(PLUGIN, "simulated"))

    def _try(self, action: Callable[[], Any]) -> None:
        """Do what may raise anything; nothing may reach Qt's event loop."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 (napari wraps what readers raise)
            self._say(str(error))

    def _say(self, text: str) -> None:
        self.status.value = text
        self.status.visible = bool(text)
