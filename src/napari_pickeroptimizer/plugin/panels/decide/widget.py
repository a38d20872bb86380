"""The decide panel: scores in, kept and rejected picks out, with a threshold to drag."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from magicgui.widgets import Container
from qtpy.QtWidgets import QFileDialog

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import navigation, outputs, session
from napari_pickeroptimizer.plugin.panels.decide.controls import LengthBox, Switch, single_shot
from napari_pickeroptimizer.plugin.panels.decide.micrograph_table import MicrographTable
from napari_pickeroptimizer.plugin.panels.decide.refresh_timer import RefreshTimer
from napari_pickeroptimizer.plugin.panels.decide.scoring_job import ScoringJob
from napari_pickeroptimizer.plugin.panels.decide.summary import Verdict
from napari_pickeroptimizer.plugin.panels.decide.threshold_fields import ThresholdFields
from napari_pickeroptimizer.plugin.panels.form_parts import (
    Fields,
    TargetBoxes,
    device_box,
    row_of,
    small_print,
    tell,
    wrapped_label,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.key_forwarding import forward_keys
from napari_pickeroptimizer.plugin.panels.plots import ScorePlot
from napari_pickeroptimizer.plugin.panels.qt_parts import Fold, button
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.panels.style import panel_style
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, follow_theme
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.scoring import jobs, model_wording, wording
from napari_pickeroptimizer.prune.place_rules import PlaceRules

if TYPE_CHECKING:
    import napari.viewer

MODEL_FILES = "Models (*.safetensors)"
# While scores stream in they are shown this often, or so that it takes a tenth of the time.
STREAM_MS = 300


class DecideWidget(Container):
    """Score the picks, choose a threshold by what it gives, look at what it does.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        outputs.follow(self._session)  # before this panel: it shows what came of it
        self._was_scored: WeakSet[Any] = WeakSet()
        self.targets = TargetBoxes(self._session)
        self.model = wrapped_label()
        self.device = device_box()
        self.device.value = preferences().device
        self.status = wrapped_label()
        self.job = JobBar()
        self.scoring = ScoringJob(
            self._session,
            self.job,
            on_scored=self._apply_preset,
            on_end=self._on_end,
            say=self._say,
        )
        self.fields = ThresholdFields()
        self.min_distance = LengthBox(
            "Between picks", "Of two picks nearer than this, the one of the lower score goes."
        )
        self.edge_distance = LengthBox(
            "From the edge", "Picks nearer than this to the micrograph's edge go."
        )
        super().__init__(labels=False)
        self._build()
        self._connect()
        self._show_all()

    # ------------------------------------------------------------------------- parts

    def _build(self) -> None:
        self.start = button(
            "Score picks",
            "Let the model look at every pick, those of the micrograph that is seen first.",
            self._start,
        )
        self.start.setObjectName("primary")
        self.load = button("Load model...", "Work with a model of a file.", self._ask_load)
        self.plot = ScorePlot()
        self.verdict = Verdict()
        self.switch = Switch(
            {
                "all": ("All picks", "Show all picks, coloured by what is decided."),
                "kept": ("Kept", "Show the layer of the kept picks only."),
                "rejected": ("Rejected", "Show the layer of the rejected picks only."),
            },
            self._choose_shown,
        )
        self.table = MicrographTable()
        self.distance_note = small_print()
        self.distances = Fold(
            "Distances", Fields(self.min_distance, self.edge_distance), self.distance_note
        )
        tell(self.distance_note, "")
        column: Any = Container(labels=False)
        column.margins = (0, 0, 0, 0)
        self._column = column  # magicgui's own is kept with it
        self.decisions = column.native
        inside: Any = self.decisions.layout()
        inside.setSpacing(6)
        inside.addWidget(self.plot)
        inside.addWidget(self.fields)
        inside.addWidget(self.verdict)
        inside.addWidget(self.switch)
        inside.addWidget(self.table, 1)
        inside.addWidget(self.distances)
        layout: Any = self.native.layout()
        layout.setSpacing(8)
        for part in (self.targets.native, self.model.native):
            layout.addWidget(part)
        layout.addWidget(Fields(self.device))
        layout.addLayout(row_of(self.start, self.load))
        layout.addWidget(self.job.native)
        layout.addWidget(self.status.native)
        layout.addWidget(self.decisions, 1)
        layout.addStretch(0)

    def _connect(self) -> None:
        native, shared = self.native, self._session
        self.refresh_timer = RefreshTimer(native, shared, self._show_settled)
        self._stream = single_shot(native, self._show_scores)
        self._soon = single_shot(native, self._show_threshold)
        self._resize = single_shot(native, self._apply_rules)
        self.plot.threshold_moved.connect(self._drag)
        self.plot.threshold_rests.connect(self.refresh_timer.refresh_now)
        self.fields.typed.connect(self._type_threshold)
        self.fields.preset_changed.connect(self._apply_preset)
        for box in (self.min_distance, self.edge_distance):
            box.number.changed.connect(self._rules_soon)
            box.unit.changed.connect(self._rules_soon)
        self.table.chosen.connect(self._go)
        follow(native, shared.target_changed, self._show_all)
        follow(native, shared.layers_changed, self._show_layers)
        follow(native, shared.labels_changed, self._on_labels)
        follow(native, shared.model_changed, self._on_model)
        follow(native, shared.vocabulary_changed, self._show_scores)
        follow(native, shared.scores_changed, self._on_scores)
        follow(native, shared.threshold_changed, self._on_threshold)
        step = self._viewer.dims.events.current_step
        step.connect(self._show_micrograph)
        stop = follow_theme(self._viewer, self._apply_theme)

        def closed(*_: Any) -> None:
            stop()
            step.disconnect(self._show_micrograph)
            self.refresh_timer.stop()
            self.scoring.put_back()

        native.destroyed.connect(closed)
        forward_keys(native, shared)

    def _apply_theme(self, colors: ThemeColors) -> None:
        self.native.setStyleSheet(
            panel_style(colors)
            + "QLabel#headline { font-size: 15px; font-weight: bold; }"
            + f"QPushButton#switch {{ padding: 4px; background: {colors.foreground}; }}"
            + f"QPushButton#switch:checked {{ background: {colors.highlight}; "
            "font-weight: bold; }"
        )
        self.plot.set_colors(colors)
        self.table.rows.set_colors(colors)

    # ------------------------------------------------------------------------- state

    @property
    def _layer(self) -> Any | None:
        return self._session.picks_layer

    @property
    def _scores(self) -> Scores | None:
        layer = self._layer
        return None if layer is None else self._session.scores.get(layer)

    def _show_all(self) -> None:
        self._show_state()
        self._show_scores()

    def _show_layers(self) -> None:
        self._show_state()
        layer = self._layer
        if layer is not None:
            self.switch.choose(outputs.shown_of(self._viewer, layer))

    def _show_state(self, *_: Any) -> None:
        """Say what is missing before picks can be scored."""
        self.model.value = model_wording.model_line(self._session)
        self.model.native.setToolTip(model_wording.model_text(self._session))
        if self.job.running:
            return
        missing = wording.what_is_missing_to_score(self._session)
        scores, layer = self._scores, self._layer
        text = missing
        if missing and scores is not None:
            text = f"{missing} The scores that are there can be used."
        elif not missing and scores is None:
            text = wording.OLD_SCORES if layer in self._was_scored else "Ready to score."
        tell(self.status, text)
        self.start.setEnabled(not missing)
        self.start.setText("Score picks" if scores is None else "Score picks again")

    def _show_scores(self, *_: Any) -> None:
        """Show all there is of the scores: what a drag does not change, too."""
        began = time.monotonic()
        scores = self._scores
        self.decisions.setVisible(scores is not None)
        if scores is None:
            self.table.rows.set_rows(None, {})
            return
        self._was_scored.add(self._layer)
        by = scores.decision.by_micrograph(scores.threshold)
        self.table.rows.set_rows(by, scores.failures)
        self._show_histogram(scores)
        self._show_threshold()
        self._show_micrograph()
        self.switch.choose(outputs.shown_of(self._viewer, self._layer))
        took_ms = 1000 * (time.monotonic() - began)
        self._stream.setInterval(max(STREAM_MS, round(10 * took_ms)))

    def _show_histogram(self, scores: Scores) -> None:
        self.plot.set_histogram(scores.decision.histogram(), self._session.vocabulary)

    def _show_threshold(self) -> None:
        """Show what the threshold gives: at every step of a drag."""
        scores = self._scores
        if scores is None:
            return
        threshold = scores.threshold
        self.fields.show_threshold(threshold)
        if self.plot.threshold != threshold:
            self.plot.set_threshold(threshold)
        self.verdict.show_scores(scores, self._session.vocabulary)
        self.fields.show_share()
        self.table.rows.set_counts(scores.decision.by_micrograph(threshold))

    def _show_micrograph(self, *_: Any) -> None:
        layer = self._layer
        if layer is not None and self._scores is not None:
            name = navigation.current_micrograph(self._viewer, layer)
            self.table.show_current(name)

    def _on_labels(self, layer: Any) -> None:
        if layer is self._layer and self._scores is not None:
            self._soon.start(0)  # once all of it is done
            self._stream.start()

    def _on_model(self) -> None:
        if self.job.running:
            self.job.cancel()
        self._show_all()

    def _on_scores(self, layer: Any) -> None:
        if layer is not self._layer:
            return
        scores = self._scores
        if scores is None or scores.complete:
            self._show_all()
        elif not self._stream.isActive():
            self._stream.start()

    def _on_threshold(self, layer: Any) -> None:
        if layer is self._layer:
            self._show_threshold()

    # --------------------------------------------------------------------- threshold

    def _drag(self, threshold: float) -> None:
        self.fields.set_by_hand()
        self._move(threshold)

    def _type_threshold(self, threshold: float) -> None:
        if self._scores is not None:
            self._drag(threshold)

    def _move(self, threshold: float) -> None:
        layer = self._layer
        if layer is not None and layer in self._session.scores:
            outputs.move_threshold(self._viewer, layer, threshold)

    def _apply_preset(self) -> None:
        scores = self._scores
        self.fields.show_share()
        if self.fields.by_hand or scores is None or not scores.complete:
            return
        try:
            threshold = self.fields.wanted(scores)
        except PickerOptimizerError as error:
            tell(self.status, str(error))
            return
        tell(self.status, "")
        self._move(threshold)

    def _show_settled(self) -> None:
        scores = self._scores
        if scores is not None:
            self.table.rows.refresh(scores.failures)

    # ---------------------------------------------------------------- places, layers

    def _rules_soon(self, *_: Any) -> None:
        self._resize.start(400)

    def _apply_rules(self) -> None:
        layer, scores = self._layer, self._scores
        if layer is None or scores is None or not scores.complete:
            return
        rules = PlaceRules(self.min_distance.length(), self.edge_distance.length())
        if rules == scores.rules:
            return
        try:
            outputs.set_place_rules(self._viewer, layer, rules)
        except PickerOptimizerError as error:
            tell(self.distance_note, str(error))
        else:
            tell(self.distance_note, "")

    def _choose_shown(self, shown: Any) -> None:
        layer = self._layer
        if layer is not None and layer in self._session.scores:
            outputs.choose_shown(self._viewer, layer, shown)

    def _go(self, name: str) -> None:
        if self._layer is None:
            return
        try:
            navigation.go_to_named(self._viewer, self._layer, name)
        except PickerOptimizerError as error:
            tell(self.status, str(error))

    # --------------------------------------------------------------------------- job

    def _start(self) -> None:
        try:
            self.scoring.start(self._layer, self.device.value)
        except PickerOptimizerError as error:
            tell(self.status, str(error))
            return
        self.start.setEnabled(False)
        tell(self.status, "")

    def _on_end(self, outcome: str) -> None:
        self._show_all()
        if outcome:
            self._say(outcome)

    def _say(self, text: str) -> None:
        tell(self.status, text)

    # ------------------------------------------------------------------------- model

    def load_model(self, path: str | Path) -> None:
        """Work with the model of a file; or say why not."""
        try:
            jobs.load_model(self._viewer, path)
        except (OSError, PickerOptimizerError) as error:
            self._say(f"Not loaded: {error}")

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.native, "Load model", "", MODEL_FILES)
        if path:
            self.load_model(path)
