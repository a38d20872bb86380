"""The label panel: label picks, undo, suggestions."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from napari.layers import Layer
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

from napari_pickeroptimizer.classes import plural
from napari_pickeroptimizer.io.registry import dialog_filter
from napari_pickeroptimizer.plugin import actions, keys, navigation, samples
from napari_pickeroptimizer.plugin.labels.vocabulary import Vocabulary
from napari_pickeroptimizer.plugin.panels.base import Page
from napari_pickeroptimizer.plugin.panels.controls import (
    ElidedLabel,
    Fold,
    Note,
    TextTable,
    arrow,
    button,
    column_of,
    fill,
    row_of,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.label.class_table import ClassTable
from napari_pickeroptimizer.plugin.panels.label.first_scores_box import FirstScoresBox
from napari_pickeroptimizer.plugin.panels.label.model import LabelModel
from napari_pickeroptimizer.plugin.panels.label.other_layers_box import OtherLayersBox
from napari_pickeroptimizer.plugin.panels.label.suggest_box import SuggestBox
from napari_pickeroptimizer.plugin.panels.label.view_box import ViewBox
from napari_pickeroptimizer.plugin.preferences import PLUGIN

LINE_PX, N_LINES = 18, 6  # of the list of missing micrographs


class LabelWidget(Page):
    """Label picks by key or click, with undo, suggestions and navigation."""

    def build(self) -> None:
        """Make the widgets."""
        self.model = LabelModel(self.session)
        self._refusal = ""
        self.view = ViewBox(self.session)
        self.banner = self._make_banner()
        self.empty = self._make_empty()
        self.micrographs = self._make_micrographs()
        self.classes = ClassTable(self.session.vocabulary)
        self.hint = Note(
            "quiet",
            "Click a pick, or point at it, and press a key. Drag a box in selection mode "
            "(key S) for many.",
        )
        self.undo = button(
            "Undo", "Undo the last labels (Ctrl+Z).", lambda: self.model.travel(keys.UNDO_KEY)
        )
        self.redo = button(
            "Redo", "Redo the labels (Ctrl+Shift+Z).", lambda: self.model.travel(keys.REDO_KEY)
        )
        self.history = QWidget()
        fill(QHBoxLayout(self.history), self.undo, self.redo, None, self.classes.add)
        self.first_scores = FirstScoresBox(self.session, self.status)
        self.suggesting = SuggestBox(self.model, self.status)
        self.others = OtherLayersBox(self.session, self.status)
        self.from_others = Fold("Points and areas of other layers", self.others)
        self.missing_list = QTreeWidget()
        self.missing_list.setHeaderHidden(True)
        self.missing_list.setRootIsDecorated(False)
        self.missing_list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.missing_list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.missing = Fold("Missing micrographs", self.missing_list)
        self.showing = Fold("View", self.view)
        self.showing.expand()
        self.key_table = TextTable("", "", gap_px=12)
        self.key_table.setContentsMargins(2, 0, 0, 0)
        self.add_column(
            self.banner,
            self.empty,
            self.micrographs,
            self.classes,
            self.hint,
            self.history,
            self.first_scores,
            self.suggesting,
            self.from_others,
            self.status,
            self.missing,
            self.showing,
            Fold("Keys", self.key_table),
            None,
        )

    def _make_banner(self) -> QFrame:
        banner = QFrame()
        banner.setObjectName("framed")
        self.banner_text = QLabel()
        self.banner_text.setWordWrap(True)
        self.restore = button("Restore", "Restore these labels.", self._restore)
        self.discard = button("Discard", "Do not offer these labels again.", self._discard)
        column = fill(
            QVBoxLayout(banner), self.banner_text, row_of(self.restore, self.discard, None)
        )
        column.setContentsMargins(10, 8, 10, 8)
        return banner

    def _make_empty(self) -> QWidget:
        text = QLabel(
            "Drag picks onto the window: a STAR file, or a folder of .box files. Their "
            "micrographs are opened if they are found nearby."
        )
        text.setWordWrap(True)
        self.open_file = button("Open picks...", "Choose a pick file.", self._open_file)
        self.open_sample = button(
            "Try a sample",
            "Simulated micrographs with picks, made in a few seconds.",
            self._open_sample,
        )
        self.opening = JobBar("the simulation of a sample. Closing ends it.")
        return column_of(text, row_of(self.open_file, self.open_sample, None), self.opening)

    def _make_micrographs(self) -> QWidget:
        part = QWidget()
        self.previous_micrograph = arrow(
            "◂", "Previous micrograph with picks (Page up).", lambda: self._go_micrograph(-1)
        )
        self.next_micrograph = arrow(
            "▸", "Next micrograph with picks (Page down).", lambda: self._go_micrograph(1)
        )
        self.micrograph_name, self.micrograph_text = ElidedLabel(), Note("quiet")
        names = fill(QVBoxLayout(), self.micrograph_name, self.micrograph_text, spacing_px=0)
        row = fill(QHBoxLayout(part), names, self.previous_micrograph, self.next_micrograph)
        row.setStretch(0, 1)
        return part

    def connect_signals(self) -> None:
        """Follow the session."""
        self.follow(self.show_state, self.session.target_changed)
        self.follow(self._show_layers, self.session.layers_changed)
        self.follow(self._show_labels, self.session.labels_changed)
        self.follow(self._show_vocabulary, self.session.vocabulary_changed)
        self.follow(self._on_refused, self.session.key_refused)
        self.follow(self._show_micrograph, self.viewer.dims.events.current_step)
        self.classes.label_requested.connect(self._label_selected)
        self.classes.vocabulary_edited.connect(self._take_vocabulary)
        self.classes.refused.connect(self.say)

    # -------------------------------------------------------------------------- state

    def show_state(self, *_: object) -> None:
        """Show the picks layer that is worked on."""
        has_picks = self.layer is not None
        self.empty.setVisible(not has_picks)
        for part in (self.micrographs, self.classes, self.history, self.suggesting):
            part.setVisible(has_picks)
        self.say("")
        self._show_banner()
        self._show_vocabulary()
        self._show_layers()

    def _show_layers(self) -> None:
        self._show_missing()
        self.from_others.setVisible(self.others.has_layers)
        self._show_labels()

    def _show_banner(self) -> None:
        text = self.model.recovery_text()
        self.banner.setVisible(bool(text))
        self.banner_text.setText(text)

    def _show_labels(self, layer: Any = None, _rows: Any = None) -> None:
        if layer is not None and layer is not self.layer:
            return
        self.classes.show_counts(self.model.counts())
        self.hint.setVisible(self.model.needs_hint())
        can_undo, can_redo = self.model.can_undo()
        self.undo.setEnabled(can_undo)
        self.redo.setEnabled(can_redo)
        self._show_micrograph()

    def _on_refused(self, _layer: Any, why: str) -> None:
        """Keep in sight why a key did nothing, until one does, or another micrograph is shown."""
        self._refusal = why
        self.say(why)

    def _show_micrograph(self, _event: object = None) -> None:
        if self._refusal and self.status.text() == self._refusal:
            self.say("")
        if self.layer is not None:
            shown = self.model.micrograph()
            self.micrograph_name.show_text(PurePosixPath(shown.name).name, shown.name)
            self.micrograph_text.setText(shown.text)

    def _show_vocabulary(self) -> None:
        self.classes.show_vocabulary(self.session.vocabulary, self.model.unlabelled_style())
        self.key_table.show_rows(self.model.key_help())

    def _show_missing(self) -> None:
        missing = self.model.missing()
        n = len(missing)
        self.missing.setVisible(n > 0)
        self.missing.set_title(f"{plural(n, 'micrograph')} missing")
        self.missing_list.clear()
        for name, reason in missing.items():
            item = QTreeWidgetItem(self.missing_list, [name])
            item.setToolTip(0, f"{name}: {reason}")
        self.missing_list.setFixedHeight(LINE_PX * min(max(n, 2), N_LINES) + 8)

    def next_step(self) -> str:
        """Return that there are enough labels to learn from, once there are."""
        return self.model.next_step()

    # ------------------------------------------------------------------------ actions

    def _label_selected(self, class_id: int) -> None:
        self.say("")
        if not self.attempt(lambda: self.model.label_selected(class_id)):
            self._refusal = self.status.text()

    def _take_vocabulary(self, vocabulary: Vocabulary) -> None:
        self.say("")
        actions.set_vocabulary(self.viewer, vocabulary)

    def _restore(self) -> None:
        self.say(self.model.recover())
        self._show_banner()

    def _discard(self) -> None:
        actions.discard_recovery(self.layer)
        self._show_banner()

    def _go_micrograph(self, step: int) -> None:
        navigation.go_to_micrograph(self.viewer, self.layer, step)

    def _open_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open picks", "", dialog_filter())
        if path:
            self._open(lambda: self.viewer.open(path, plugin=PLUGIN))

    def _open_sample(self) -> None:
        self.open_sample.setEnabled(False)
        self.say("")
        self.opening.run(
            samples.simulated_events(),
            on_event=self._take_sample,
            on_failed=self.say,
            on_end=lambda: self.open_sample.setEnabled(True),
        )

    def _take_sample(self, event: Any) -> str:
        """Add the layers of the sample, once they are there."""
        if not isinstance(event, samples.Sample):
            return "Simulating micrographs"
        for data, attributes, kind in event.layers:
            self.viewer.add_layer(Layer.create(data, attributes, kind))
        return ""

    def _open(self, action: Callable[[], object]) -> None:
        """Open something; an error of the reader is shown, and does not reach Qt."""
        try:
            action()
        except Exception as error:  # noqa: BLE001 (napari wraps what readers raise)
            self.say(str(error))
