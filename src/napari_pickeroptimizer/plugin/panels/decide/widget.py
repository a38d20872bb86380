"""The decide panel: scores in, kept and rejected picks out, with a threshold to drag."""

import time
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_pickeroptimizer.plugin import jobs, navigation, outputs
from napari_pickeroptimizer.plugin.panels.base import Page
from napari_pickeroptimizer.plugin.panels.controls import (
    Fold,
    Note,
    Switch,
    button,
    column_of,
    row_of,
    shows_errors,
    single_shot,
)
from napari_pickeroptimizer.plugin.panels.decide.micrograph_table import MicrographTable
from napari_pickeroptimizer.plugin.panels.decide.model import (
    BY_HAND,
    DecideModel,
    ThresholdText,
)
from napari_pickeroptimizer.plugin.panels.decide.refresh_timer import RefreshTimer
from napari_pickeroptimizer.plugin.panels.decide.threshold_fields import (
    ThresholdFields,
    ThresholdSummary,
)
from napari_pickeroptimizer.plugin.panels.fields import (
    Fields,
    LengthBox,
    ask_for_model,
    device_box,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.learn.model import model_line, model_text
from napari_pickeroptimizer.plugin.panels.plots import ScorePlot
from napari_pickeroptimizer.plugin.panels.scoring_model import LAYER_DELETED
from napari_pickeroptimizer.plugin.panels.signals import when_destroyed
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors
from napari_pickeroptimizer.plugin.scores import ScoreSummary
from napari_pickeroptimizer.prune.settings import PlaceRules

# While scores stream in they are shown this often, or so that it takes a tenth of the time.
STREAM_MS = 300
REST_MS = 400  # until distances that are being typed are applied


class DecideWidget(Page):
    """Score the picks, choose a threshold, review the result."""

    def build(self) -> None:
        """Make the widgets."""
        self.model = DecideModel(self.session)
        self.model_note = Note()
        self.device = device_box()
        self.start = button(
            "Score picks",
            "Score every pick with the model, those of the micrograph on the screen first.",
            self._start,
            "primary",
        )
        self.load = button("Load model...", "Use the model of a file.", self._ask_load)
        self.job = JobBar(
            "scoring. Closing ends it: a model that is not saved (Learn) is lost, your labels "
            "are kept."
        )
        self.decisions = self._make_decisions()
        self.add_column(
            self.model_note,
            Fields(self.device),
            row_of(self.start, self.load, equal=True),
            self.job,
            self.status,
            self.decisions,
        )
        self.column.setStretchFactor(self.decisions, 1)
        self.column.addStretch(0)
        self.refresh_timer = RefreshTimer(self, self.session, self._check_again)
        self._stream = single_shot(self, self._show_scores, STREAM_MS)
        self._soon = single_shot(self, self._show_threshold)
        self._rules = single_shot(self, self._apply_rules, REST_MS)

    def _make_decisions(self) -> QWidget:
        self.plot = ScorePlot()
        self.fields = ThresholdFields()
        self.summary = ThresholdSummary()
        self.switch = Switch(
            {
                "all": ("All picks", "Show all picks, coloured by the decision."),
                "kept": ("Kept", "Show the layer of the kept picks only."),
                "rejected": ("Rejected", "Show the layer of the rejected picks only."),
            },
            self._choose_shown,
        )
        self.table = MicrographTable()
        self.min_distance = LengthBox(
            "Between picks",
            "Of two picks nearer than this, the one of the lower score is rejected.",
        )
        self.edge_distance = LengthBox(
            "From the edge", "Picks nearer than this to the micrograph's edge are rejected."
        )
        self.distance_note = Note("quiet")
        self.distance_note.hide()
        return column_of(
            self.plot,
            self.fields,
            self.summary,
            self.switch,
            self.table,
            Fold(
                "Distances", Fields(self.min_distance, self.edge_distance), self.distance_note
            ),
            spacing_px=6,
        )

    def connect_signals(self) -> None:
        """Follow the session, the threshold and the table."""
        self.plot.threshold_moved.connect(self._drag)
        self.plot.threshold_rests.connect(self.refresh_timer.refresh_now)
        self.fields.threshold.changed.connect(self._type_threshold)
        for field in (self.fields.preset, self.fields.percent):
            field.changed.connect(self._apply_preset)
        for box in (self.min_distance, self.edge_distance):
            box.number.changed.connect(self._rules_soon)
            box.unit.changed.connect(self._rules_soon)
        self.table.chosen.connect(self._go)
        session = self.session
        self.follow(self.show_state, session.target_changed)
        self.follow(self._show_layers, session.layers_changed)
        self.follow(self._on_labels, session.labels_changed)
        self.follow(self._on_model, session.model_changed)
        self.follow(self._show_scores, session.vocabulary_changed)
        self.follow(self._on_scores, session.scores_changed)
        self.follow(self._on_threshold, session.threshold_changed)
        self.follow(self._show_micrograph, self.viewer.dims.events.current_step)
        when_destroyed(self, self.model.put_back)

    def apply_theme(self, colors: ThemeColors) -> None:
        """Paint plot and table in the theme's colours."""
        self.plot.set_colors(colors)
        self.table.micrographs.colors = colors

    # ------------------------------------------------------------------------- state

    def show_state(self, *_: object) -> None:
        """Show the model, what is missing, and the scores."""
        self._show_status()
        self._show_scores()

    def _show_layers(self) -> None:
        self._show_status()
        if self.layer is not None:
            self.switch.choose(outputs.shown_of(self.viewer, self.layer))

    def _show_status(self) -> None:
        self.model_note.say(model_line(self.session.model))
        self.model_note.setToolTip(model_text(self.session.model))
        if not self.job.running:
            self.say(self.model.status())
            self.start.setEnabled(self.model.can_start())
            self.start.setText(self.model.start_text())

    def _show_scores(self, *_: object) -> None:
        """Show the scores, including what a drag does not change."""
        began = time.monotonic()
        state, scores = self.model.state, self.model.scores
        self.decisions.setVisible(scores is not None)
        if state is None or scores is None:
            self.table.micrographs.set_micrographs(None, {})
            return
        by = state.decision.by_micrograph(state.threshold)
        self.table.micrographs.set_micrographs(by, scores.failures)
        self.plot.set_histogram(state.decision.histogram(), self.session.vocabulary)
        self._show_threshold()
        self._show_micrograph()
        self.switch.choose(outputs.shown_of(self.viewer, self.layer))
        took_ms = 1000 * (time.monotonic() - began)
        self._stream.setInterval(max(STREAM_MS, round(10 * took_ms)))

    def _show_threshold(self) -> None:
        """Show the result of the threshold, at every step of a drag."""
        state = self.model.state
        if state is None:
            return
        self.fields.show_threshold(state.threshold)
        if self.plot.threshold != state.threshold:
            self.plot.set_threshold(state.threshold)
        self.summary.show_text(
            ThresholdText.of(state, self.session.vocabulary, self.model.own_labels_note())
        )
        self.table.micrographs.set_counts(state.decision.by_micrograph(state.threshold))

    def _show_micrograph(self, *_: object) -> None:
        if self.model.scores is not None:
            self.table.show_current(navigation.current_micrograph(self.viewer, self.layer))

    def _on_labels(self, layer: Any, _rows: Any = None) -> None:
        if layer is self.layer and self.model.scores is not None:
            self._soon.start()  # once all of it is done
            self._stream.start()

    def _on_model(self) -> None:
        self.job.cancel()
        self.show_state()

    def _on_scores(self, layer: Any) -> None:
        if layer is not self.layer:
            return
        scores = self.model.scores
        if scores is None or scores.complete:
            self.show_state()
        elif not self._stream.isActive():
            self._stream.start()

    def _on_threshold(self, layer: Any) -> None:
        if layer is self.layer:
            self._show_threshold()

    def _check_again(self) -> None:
        if (scores := self.model.scores) is not None:
            self.table.micrographs.check_again(scores.failures)

    def next_step(self) -> str:
        """Return that there is something to write, once all picks are scored."""
        return self.model.next_step()

    # --------------------------------------------------------------------- threshold

    def _drag(self, threshold: float) -> None:
        self.fields.preset.value = BY_HAND
        self.model.move_threshold(threshold)

    def _type_threshold(self, threshold: float) -> None:
        if self.model.scores is not None:
            self._drag(threshold)

    @shows_errors
    def _apply_preset(self, *_: object) -> None:
        self.fields.show_percent()
        threshold = self.model.threshold_for(self.fields.preset.value, self.fields.share)
        if threshold is not None:
            self.say("")
            self.model.move_threshold(threshold)

    # ---------------------------------------------------------------- places, layers

    def _rules_soon(self, *_: object) -> None:
        self._rules.start()

    def _apply_rules(self) -> None:
        rules = PlaceRules(self.min_distance.length(), self.edge_distance.length())
        self.distance_note.say("")
        self.distance_note.attempt(lambda: self.model.set_place_rules(rules))

    def _choose_shown(self, shown: Any) -> None:
        if self.model.scores is not None:
            self.refresh_timer.choose_shown(self.layer, shown)

    def _go(self, name: str) -> None:
        self.attempt(lambda: navigation.go_to_named(self.viewer, self.layer, name))

    # --------------------------------------------------------------------------- job

    def _start(self) -> None:
        self.job.when_loaded(self._begin, self.start, self.say)

    @shows_errors
    def _begin(self) -> None:
        events = self.model.begin(self.device.value)
        self.start.setEnabled(False)
        self.say("")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_end=self.show_state,
        )

    def _on_event(self, event: Any) -> str:
        if self.model.layer_was_deleted():
            self.job.cancel()
            self.say(LAYER_DELETED)
            return ""
        stage = self.model.take(event)
        if isinstance(event, ScoreSummary):
            self._apply_preset()
        return stage

    def _on_failed(self, text: str) -> None:
        self.model.put_back()
        self.say(text)

    # ------------------------------------------------------------------------- model

    def load_model(self, path: str | Path) -> None:
        """Use the model of a file; or show why not."""
        self.attempt(lambda: jobs.load_model(self.viewer, path), "Not loaded: ")

    def _ask_load(self) -> None:
        if path := ask_for_model(self, self.model.folder()):
            self.job.when_loaded(lambda: self.load_model(path), self.load, self.say)
