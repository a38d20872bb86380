"""The decide panel: scores in, kept and rejected picks out, with a threshold to drag."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet, ref

from magicgui.widgets import ComboBox, Container, FloatSpinBox
from qtpy.QtWidgets import QFileDialog, QLabel

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import navigation, session
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.scoring import jobs, outputs, wording
from napari_pickeroptimizer.plugin.scoring.scores import Scores, Weighed
from napari_pickeroptimizer.prune.decide import PlaceRules
from napari_pickeroptimizer.prune.score import PicksScored
from napari_pickeroptimizer.widgets.decide_parts import LengthBox, Switch, single_shot
from napari_pickeroptimizer.widgets.following import follow
from napari_pickeroptimizer.widgets.job import JobBar
from napari_pickeroptimizer.widgets.keys import forward_keys
from napari_pickeroptimizer.widgets.micrograph_table import MicrographTable
from napari_pickeroptimizer.widgets.parts import (
    Fields,
    TargetBoxes,
    action_button,
    device_box,
    folded,
    row_of,
    small_print,
    tell,
    wrapped_label,
)
from napari_pickeroptimizer.widgets.plots import ScorePlot
from napari_pickeroptimizer.widgets.style import panel_style
from napari_pickeroptimizer.widgets.theme import ThemeColors, follow_theme

if TYPE_CHECKING:
    import napari.viewer

MODEL_FILES = "Models (*.safetensors)"
REST_MS = 150
IDLE_MS = 2500
# While scores stream in they are shown this often, or so that it takes a tenth of the time.
STREAM_MS = 300
BY_HAND = "by hand"
PRESETS: dict[str, Any] = {
    BY_HAND: BY_HAND,
    "balanced (best F1)": "balanced",
    "precision at least": "precision",
    "recall at least": "recall",
    "0.5": "half",
}


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
        self._job_layer: Any = None
        self._before: Scores | None = None
        self._scored: PicksScored | None = None
        self._was_scored: WeakSet[Any] = WeakSet()
        self._following = False
        self.targets = TargetBoxes(self._session)
        self.model = wrapped_label()
        self.device = device_box()
        self.device.value = preferences().device
        self.status = wrapped_label()
        self.job = JobBar()
        self.preset = ComboBox(
            choices=[*PRESETS],
            value=BY_HAND,
            label="Set for",
            tooltip="What the threshold shall give, as far as the labels can tell.",
        )
        self.share = FloatSpinBox(value=95, min=1, max=100, step=1, label="Percent")
        self.threshold = FloatSpinBox(
            value=0.5,
            min=0,
            max=1,
            step=0.01,
            label="Threshold",
            tooltip="Least P(particle) of a kept pick.",
        )
        for field in (self.threshold, self.share):
            field.native.setKeyboardTracking(False)  # its first digit is no number yet
        self.threshold.native.setDecimals(3)
        self.share.native.setDecimals(0)
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
        self.start = action_button(
            "Score picks",
            "Let the model look at every pick, those of the micrograph that is seen first.",
            self._start,
        )
        self.start.setObjectName("primary")
        self.load = action_button(
            "Load model...", "Work with a model of a file.", self._ask_load
        )
        self.plot = ScorePlot()
        self.kept = QLabel()
        self.kept.setObjectName("headline")
        self.rejected, self.expected = small_print(), small_print()
        self.expected.setToolTip(
            "Precision: share of particles among the kept picks. Recall: share of the picked "
            "particles that are kept. In brackets the 90 % interval: fewer labels, wider."
        )
        self.warnings = QLabel()
        self.warnings.setObjectName("warning")
        self.warnings.setWordWrap(True)
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
        self.distances = folded(
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
        self.fields = Fields(self.threshold, self.preset, self.share)
        inside.addWidget(self.fields)
        for part in (self.kept, self.expected, self.rejected, self.warnings, self.switch):
            inside.addWidget(part)
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
        self._rest = single_shot(native, self._settle)
        self._idle = single_shot(native, self._catch_up)
        self._stream = single_shot(native, self._show_scores)
        self._soon = single_shot(native, self._show_threshold)
        self._resize = single_shot(native, self._apply_rules)
        self.plot.threshold_moved.connect(self._drag)
        self.plot.threshold_rests.connect(lambda: self._rest.start(0))
        self.threshold.changed.connect(self._type_threshold)
        self.preset.changed.connect(self._apply_preset)
        self.share.changed.connect(self._apply_preset)
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
        me = ref(self)

        def later(layer: Any) -> None:
            panel = me()
            if panel is not None:
                panel._settle_later(layer)

        outputs.settle_later(shared, later)

        def closed(*_: Any) -> None:
            stop()
            step.disconnect(self._show_micrograph)
            outputs.stop_settling_later(shared, later)
            self._put_back()

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
        self.model.value = jobs.model_line(self._session)
        self.model.native.setToolTip(jobs.model_text(self._session))
        if self.job.running:
            return
        missing = jobs.what_is_missing_to_score(self._session)
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
        threshold, vocabulary = scores.threshold, self._session.vocabulary
        self._following = True
        try:
            self.threshold.value = threshold
        finally:
            self._following = False
        if self.plot.threshold != threshold:
            self.plot.set_threshold(threshold)
        counts = scores.decision.counts(threshold)
        expected = scores.decision.expectation(threshold)
        self.kept.setText(wording.kept_text(counts))
        self.rejected.setText(wording.rejected_text(counts, vocabulary))
        self.expected.setText(
            wording.expectation_text(expected) or wording.no_expectation_text(scores)
        )
        promised = scores.promise
        notes = [*(() if promised is None else promised.warnings)]
        notes.append(wording.outside_text(scores.outside))
        text = "\n".join(note[:1].upper() + note[1:] for note in notes if note)
        tell(self.warnings, text)
        self._show_share()
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
        self.preset.value = BY_HAND
        self._move(threshold)

    def _type_threshold(self, threshold: float) -> None:
        if not self._following and self._scores is not None:
            self.preset.value = BY_HAND
            self._move(threshold)

    def _move(self, threshold: float) -> None:
        layer = self._layer
        if layer is not None and layer in self._session.scores:
            outputs.move_threshold(self._viewer, layer, threshold)

    def _apply_preset(self, *_: Any) -> None:
        preset, scores = PRESETS[self.preset.value], self._scores
        self._show_share()
        if preset == BY_HAND or scores is None or not scores.complete:
            return
        try:
            threshold = wording.preset_threshold(
                preset, self.share.value / 100, scores.promise, scores.card
            )
        except PickerOptimizerError as error:
            tell(self.status, str(error))
            return
        tell(self.status, "")
        self._move(threshold)

    def _show_share(self) -> None:
        wanted = PRESETS[self.preset.value] in ("precision", "recall")
        self.fields.show_row(self.share, wanted)

    def _settle_later(self, layer: Any) -> None:
        self._idle.stop()
        self._rest.start(REST_MS)

    def _settle(self) -> None:
        """Bring everything that is seen up to date, now that the hand is still."""
        for layer in self._unsettled():
            if outputs.settle_what_is_seen(self._viewer, layer):
                self._idle.start(IDLE_MS)
        scores = self._scores
        if scores is not None:
            self.table.rows.settle(scores.failures)

    def _catch_up(self) -> None:
        """Bring up to date what is not seen, now that nothing happened for a while."""
        for layer in list(self._session.scores):
            if layer in self._viewer.layers and outputs.behind(self._viewer, layer):
                outputs.settle(self._viewer, layer)

    def _unsettled(self) -> list[Any]:
        return [
            layer
            for layer in list(self._session.scores)
            if layer in self._viewer.layers and outputs.unsettled(self._viewer, layer)
        ]

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
        layer = self._layer
        try:
            scores, events = jobs.score_events(
                self._viewer,
                layer,
                stack_layer=self._session.stack_layer,
                device=self.device.value,
                first=jobs.micrographs_first(self._viewer, layer),
            )
        except PickerOptimizerError as error:
            tell(self.status, str(error))
            return
        self.start.setEnabled(False)
        self._job_layer, self._scored = layer, None
        self._outcome = ""
        self._before = outputs.begin(self._viewer, layer, scores)
        tell(self.status, "")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_cancelled=lambda: self._on_failed("Cancelled: nothing changed."),
            on_end=self._on_end,
        )

    def _on_event(self, event: Any) -> None:
        layer = self._job_layer
        if layer not in self._viewer.layers:
            self.job.cancel()
            self._say("The picks layer was deleted meanwhile.")
            return
        match event:
            case PicksScored():
                self._scored = event
                self.job.say("Weighing the scores")
            case Weighed():
                assert self._scored is not None  # it comes after
                outputs.finish(self._viewer, layer, self._scored, event)
                self._before = None
                self._apply_preset()
            case _:
                outputs.receive(self._viewer, layer, event)
                self.job.say(f"Micrograph {event.n_done} of {event.n_total}")

    def _on_failed(self, text: str) -> None:
        self._put_back()
        self._outcome = text

    def _on_end(self) -> None:
        self._job_layer, self._before = None, None
        self._show_all()
        if self._outcome:
            self._say(self._outcome)

    def _put_back(self) -> None:
        """Give the layer of an unfinished job the scores that it had before."""
        layer, before = self._job_layer, self._before
        self._job_layer, self._before = None, None
        if layer is None or layer not in self._viewer.layers:
            return
        scores = self._session.scores.get(layer)
        if scores is not None and not scores.complete:
            outputs.restore(self._viewer, layer, before)

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
