"""The learn panel: labels in, model out."""

import time
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import ComboBox, FileEdit
from qtpy.QtWidgets import QFileDialog

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import PickerOptimizerError, SettingsError
from napari_pickeroptimizer.fewshot.events import FineTuned, FoldDone, ModelTrained, StepDone
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin import jobs
from napari_pickeroptimizer.plugin.panels.base import Page
from napari_pickeroptimizer.plugin.panels.controls import (
    Fold,
    Note,
    button,
    row_of,
    shows_errors,
)
from napari_pickeroptimizer.plugin.panels.fields import (
    MODEL_FILES,
    DiameterBox,
    Fields,
    ask_for_model,
    device_box,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.learn.model import (
    LEARNING,
    LearnModel,
    model_text,
    px_or_ang,
    trained_text,
)
from napari_pickeroptimizer.plugin.panels.plots import TrainingPlot
from napari_pickeroptimizer.plugin.panels.settings_form import setting_field
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors

FROM_FILE = "from file"


class LearnWidget(Page):
    """Fine-tune a network on the labels, watch the training, save the model."""

    def build(self) -> None:
        """Make the widgets."""
        self.model = LearnModel(self.session)
        self._make_fields()
        self.start = button(
            "Fine-tune", "Train a network on your labels.", self._start, "primary"
        )
        self.job = JobBar(
            "fine-tuning. Closing ends it: its model is lost, your labels are kept."
        )
        self.at_once = button(
            "Use without forecast",
            "Stop the cross-validation, and use the trained model as it is: its scores are not "
            "calibrated by held-out labels, and no precision and recall are expected.",
            self._use_at_once,
        )
        self.at_once.hide()
        self.plot = TrainingPlot()
        self.plot.hide()
        self.result, self.model_note = Note(), Note()
        self.result.hide()
        self.save = button("Save model...", "Write the model to a file.", self._ask_save)
        self.load = button("Load model...", "Use the model of a file.", self._ask_load)
        self.restore = button("Previous model", "", self._restore)
        self.add_column(
            self.fields,
            self.advanced,
            self.status,
            self.start,
            self.job,
            self.at_once,
            self.plot,
            self.result,
            self.model_note,
            row_of(self.save, self.load, self.restore, equal=True),
            None,
        )

    def _make_fields(self) -> None:
        self.diameter = DiameterBox(self.session)
        self.base = ComboBox(
            choices=("bundled", "none", "imagenet", FROM_FILE),
            value="bundled",
            label="Start from",
            tooltip="First weights of the network: bundled is pretrained on cryo-EM; imagenet is "
            "downloaded on first use.",
        )
        self.base_file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE,
            filter="*.safetensors *.pth",
            label="File",
            nullable=True,
        )
        self.device = device_box()
        self.fields = Fields(self.diameter, self.base, self.base_file, self.device)
        self.steps = setting_field(FineTuneSettings, "n_steps")
        self.folds = setting_field(FineTuneSettings, "n_folds")
        self.repeats = setting_field(FineTuneSettings, "n_repeats")
        self.box_factor = setting_field(BoxSettings, "box_factor", label="Box size")
        self.seed = setting_field(FineTuneSettings, "seed")
        self._rarely_set = (
            self.steps, self.folds, self.repeats, self.box_factor, self.seed,
        )  # fmt: skip
        self.advanced = Fold("Advanced", Fields(*self._rarely_set))

    def connect_signals(self) -> None:
        """Follow the session and the fields."""
        for field in (self.diameter.number, self.base, self.base_file):
            field.changed.connect(self.show_state)
        self.follow(
            self.show_state,
            self.session.target_changed,
            self.session.layers_changed,
            self.session.labels_changed,
            self.session.vocabulary_changed,
            self.session.model_changed,
        )

    def apply_theme(self, colors: ThemeColors) -> None:
        """Paint the plot in the theme's colours."""
        self.plot.set_colors(colors)

    def settings(self) -> FineTuneSettings:
        """Return the settings that the panel shows.

        Raises
        ------
        SettingsError
            A field is missing or contradicts another.
        """
        base = self.base.value
        if base == FROM_FILE:
            base = self.base_file.value
            if not isinstance(base, Path) or base == Path():
                raise SettingsError(f"Choose a file: {self.base_file.label}.")
        diameter_px, diameter_ang = px_or_ang(
            float(self.diameter.number.value),
            self.diameter.unit.value,
            self.diameter.pixel_size_ang,
        )
        return FineTuneSettings(
            diameter_px=diameter_px,
            diameter_ang=diameter_ang,
            base=base,
            device=self.device.value,
            class_names=self.session.vocabulary.names(),
            **{field.name: field.value for field in self._rarely_set},
        )

    def show_state(self, *_: object) -> None:
        """Show what is missing, or the labels, and the model."""
        self.model_note.say(model_text(self.session.model))
        self.save.setEnabled(self.session.model is not None)
        self.restore.setEnabled(self.model.can_restore())
        self.restore.setToolTip(self.model.restore_tip())
        self.fields.show_row(self.base_file, self.base.value == FROM_FILE)
        self.at_once.setVisible(self.job.running and self.model.trained is not None)
        if self.job.running:
            return
        boxes, no_settings = None, ""
        try:
            boxes = self.settings().boxes
        except PickerOptimizerError as error:
            no_settings = str(error)
        self.model.look(boxes)
        missing = self.model.missing() or no_settings
        self.say(missing or self.model.ready_text())
        self.start.setEnabled(not missing)

    def next_step(self) -> str:
        """Return that there is a model to score with, once there is."""
        return self.model.next_step()

    # --------------------------------------------------------------------------- job

    def _start(self) -> None:
        self.job.when_loaded(self._begin, self.start, self.say)

    @shows_errors
    def _begin(self) -> None:
        settings = self.settings()
        self.model.look(settings.boxes)
        events = jobs.finetune_events(
            self.viewer,
            self.layer,
            settings,
            stack_layer=self.session.stack_layer,
            label_layers=self.model.label_layers,
        )
        self.start.setEnabled(False)
        self.model.begin()
        self.result.say("")
        self.plot.clear_runs(settings.n_steps, settings.n_folds * settings.n_repeats)
        self.plot.show()
        self.say(LEARNING)
        self._began_s = time.monotonic()
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_end=self.show_state,
        )

    def _on_failed(self, text: str) -> None:
        self.model.begin()
        self.result.say(text)
        self.plot.hide()

    def _use_at_once(self) -> None:
        tuned = self.model.without_forecast()
        if tuned is not None:
            self.job.cancel()
            self._on_event(tuned)
            self.plot.leave_folds()
            self.plot.show()

    def _on_event(self, event: Any) -> str:
        stage = self.model.take(event)
        match event:
            case StepDone():
                self.plot.add_step(event.fold, event.step, sum(event.losses))
            case FoldDone():
                self.plot.add_fold(event.accuracy)
            case ModelTrained():
                self.say(trained_text(time.monotonic() - self._began_s))
                self.show_state()
            case FineTuned():
                self.result.say(self.model.outcome(event))
        return stage

    # ------------------------------------------------------------------------- model

    def save_model(self, path: str | Path) -> None:
        """Write the model to a file, and show the result."""
        model, path = self.session.model, Path(path)
        if model is not None:
            path = path if path.suffix else path.with_suffix(".safetensors")
            self.result.attempt(
                lambda: self.result.say(f"Saved {model.save(path)}"), "Not saved: "
            )

    def load_model(self, path: str | Path) -> None:
        """Use the model of a file; or show why not."""
        if self.result.attempt(lambda: jobs.load_model(self.viewer, path), "Not loaded: "):
            self.result.say(f"Loaded {Path(path).name}")

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save model", "model.safetensors", MODEL_FILES
        )
        if path:
            self.save_model(path)

    def _ask_load(self) -> None:
        if path := ask_for_model(self):
            self.job.when_loaded(lambda: self.load_model(path), self.load, self.result.say)

    def _restore(self) -> None:
        if self.session.restore_model():
            self.result.say("The previous model is used again.")
