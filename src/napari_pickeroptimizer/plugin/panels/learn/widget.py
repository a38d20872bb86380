"""The learn panel: labels in, model out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, FloatSpinBox, SpinBox
from qtpy.QtWidgets import QFileDialog

from napari_pickeroptimizer.errors import PickerOptimizerError, SettingsError
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    FineTuned,
    FoldDone,
    MicrographSkipped,
    StepDone,
)
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin import actions, session
from napari_pickeroptimizer.plugin.images.stack import stack_of
from napari_pickeroptimizer.plugin.layer_state import view_of
from napari_pickeroptimizer.plugin.panels.form_parts import (
    DiameterBox,
    Fields,
    TargetBoxes,
    chosen_path,
    device_box,
    file_box,
    row_of,
    tell,
    wrapped_label,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.key_forwarding import forward_keys
from napari_pickeroptimizer.plugin.panels.plots import TrainingPlot
from napari_pickeroptimizer.plugin.panels.qt_parts import Fold, button
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.panels.style import panel_style
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, follow_theme
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.scoring import jobs, model_wording

if TYPE_CHECKING:
    import napari.viewer

FROM_FILE = "from file"
MODEL_FILES = "Models (*.safetensors)"
N_SKIPPED_SHOWN = 3
DEFAULTS = FineTuneSettings(diameter_px=1)


class LearnWidget(Container):
    """Fine-tune a network on the labels, watch it learn, save it.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self._skipped: list[str] = []
        self._following = False
        self.targets = TargetBoxes(self._session)
        self.diameter = DiameterBox()
        self.base = ComboBox(
            choices=("bundled", "none", "imagenet", FROM_FILE),
            value="bundled",
            label="Start from",
            tooltip="First weights of the network: bundled knows cryo-EM already; imagenet is "
            "downloaded on first use.",
        )
        self.base_file = file_box("r", "*.safetensors *.pth", "File")
        self.device = device_box()
        self.device.value = preferences().device
        self.steps = SpinBox(
            value=DEFAULTS.n_steps,
            min=1,
            max=100_000,
            label="Steps",
            tooltip="Steps of each training. More of them learn the labels better by heart.",
        )
        self.folds = SpinBox(
            value=DEFAULTS.n_folds,
            min=0,
            max=20,
            label="Folds",
            tooltip="Cross-validation: each fold trains once more, on part of the labels, and is "
            "judged by the others. With 0 nothing can be said of how good the model is.",
        )
        self.repeats = SpinBox(
            value=DEFAULTS.n_repeats,
            min=1,
            max=20,
            label="Repeats",
            tooltip="How often the labels are split into folds anew: steadier figures, and as "
            "many times longer.",
        )
        self.box_factor = FloatSpinBox(
            value=DEFAULTS.box_factor,
            min=1,
            max=5,
            step=0.1,
            label="Box size",
            tooltip="Side of the boxes that the network sees, in particle diameters.",
        )
        self.seed = SpinBox(
            value=0,
            min=0,
            max=2**31 - 1,
            label="Seed",
            tooltip="The same seed and labels give the same model.",
        )
        self.status = wrapped_label()
        self.job = JobBar()
        self.result = wrapped_label()
        self.model = wrapped_label()
        super().__init__(labels=False)
        self._build()
        self._connect()
        self._follow_target()
        self._show_model()
        tell(self.result, "")

    # ------------------------------------------------------------------------- parts

    def _build(self) -> None:
        self.start = button("Fine-tune", "Train a network on your labels.", self._start)
        self.start.setObjectName("primary")
        self.plot = TrainingPlot()
        self.plot.hide()
        self.fields = Fields(self.diameter, self.base, self.base_file, self.device)
        self.advanced = Fold(
            "Advanced",
            Fields(self.steps, self.folds, self.repeats, self.box_factor, self.seed),
        )
        self.save = button("Save model...", "Write the model to a file.", self._ask_save)
        self.load = button("Load model...", "Work with a model of a file.", self._ask_load)
        self.restore = button("Previous model", "", self._restore)
        layout: Any = self.native.layout()
        layout.setSpacing(8)
        for part in (
            self.targets.native,
            self.fields,
            self.advanced,
            self.status.native,
            self.start,
            self.job.native,
            self.plot,
            self.result.native,
            self.model.native,
        ):
            layout.addWidget(part)
        layout.addLayout(row_of(self.save, self.load, self.restore))
        layout.addStretch(1)

    def _connect(self) -> None:
        native, shared = self.native, self._session
        self.diameter.number.changed.connect(self._show_rings)
        self.base.changed.connect(self._show_state)
        self.base_file.changed.connect(self._show_state)
        follow(native, shared.target_changed, self._follow_target)
        follow(native, shared.diameter_changed, self._follow_rings)
        follow(native, shared.layers_changed, self._show_state)
        follow(native, shared.labels_changed, self._show_state)
        follow(native, shared.vocabulary_changed, self._show_state)
        follow(native, shared.model_changed, self._show_model)
        stop = follow_theme(self._viewer, self._apply_theme)
        native.destroyed.connect(lambda *_: stop())
        forward_keys(native, shared)

    def _apply_theme(self, colors: ThemeColors) -> None:
        self.native.setStyleSheet(panel_style(colors))
        self.plot.set_colors(colors)

    # ------------------------------------------------------------------------- state

    def settings(self) -> FineTuneSettings:
        """Return the settings that the panel shows.

        Raises
        ------
        SettingsError
            A field is missing or contradicts another.
        """
        if self.diameter.diameter_px is None:
            unknown = self.diameter.unit.value == "Å" and not self.diameter.pixel_size_ang
            raise SettingsError(
                "The pixel size is unknown: give the diameter in px."
                if unknown
                else "Give the particle diameter."
            )
        in_ang = self.diameter.unit.value == "Å"
        from_file = self.base.value == FROM_FILE
        return FineTuneSettings(
            diameter_px=None if in_ang else self.diameter.diameter_px,
            diameter_ang=float(self.diameter.number.value) if in_ang else None,
            box_factor=self.box_factor.value,
            base=chosen_path(self.base_file) if from_file else self.base.value,
            n_steps=self.steps.value,
            n_folds=self.folds.value,
            n_repeats=self.repeats.value,
            seed=self.seed.value,
            device=self.device.value,
            class_names=self._session.vocabulary.names(),
        )

    def _stack(self) -> Any:
        layer = self._session.stack_layer
        return None if layer is None else stack_of(layer.metadata)

    def _follow_target(self) -> None:
        """Take pixel size and ring diameter over from the layers that are worked on."""
        stack, layer = self._stack(), self._session.picks_layer
        view = None if layer is None else view_of(layer.metadata)
        self._following = True
        try:
            self.diameter.follow_pixel_size(None if stack is None else stack.pixel_size_ang)
            if view is not None:
                self.diameter.show_px(view.diameter_px)
        finally:
            self._following = False
        self._show_state()

    def _follow_rings(self, layer: Any) -> None:
        """Show the diameter that the rings got elsewhere."""
        view = view_of(layer.metadata)
        shown = self.diameter.diameter_px
        if (
            layer is self._session.picks_layer
            and view is not None
            and (shown is None or abs(shown - view.diameter_px) > 0.06)
        ):
            self._follow_target()

    def _show_rings(self, *_: Any) -> None:
        diameter_px, layer = self.diameter.diameter_px, self._session.picks_layer
        if not self._following and layer is not None and diameter_px is not None:
            actions.set_diameter(layer, diameter_px)
        self._show_state()

    def _show_state(self, *_: Any) -> None:
        """Say what is missing, or how many labels there are; let Fine-tune start if it can."""
        self.fields.show_row(self.base_file, self.base.value == FROM_FILE)
        if self.job.running:
            return
        vocabulary, layer = self._session.vocabulary, self._session.picks_layer
        view = None if layer is None else view_of(layer.metadata)
        picks = None if view is None else view.picks
        try:
            missing = model_wording.what_is_missing(picks, self._stack(), vocabulary)
            if not missing:
                self.settings()
        except PickerOptimizerError as error:
            missing = str(error)
        ready = (
            "" if picks is None else f"Ready: {model_wording.label_text(picks, vocabulary)}."
        )
        tell(self.status, missing or ready)
        self.start.setEnabled(not missing)

    def _show_model(self) -> None:
        found = self._session.models
        self.model.value = model_wording.model_text(self._session)
        self.save.setEnabled(bool(found))
        self.restore.setEnabled(len(found) > 1)
        self.restore.setToolTip(
            "Go back to the model before this one. Its scores have to be made again."
            if len(found) > 1
            else "There is no model before this one."
        )

    # --------------------------------------------------------------------------- job

    def _start(self) -> None:
        try:
            settings = self.settings()
            events = jobs.finetune_events(
                self._viewer,
                self._session.picks_layer,
                settings,
                stack_layer=self._session.stack_layer,
            )
        except PickerOptimizerError as error:
            tell(self.status, str(error))
            return
        self.start.setEnabled(False)
        self._skipped = []
        tell(self.result, "")
        self.plot.clear_runs(settings.n_steps, settings.n_folds * settings.n_repeats)
        self.plot.show()
        tell(self.status, "Learning. You can go on labelling; it counts the next time.")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=self._on_failed,
            on_cancelled=lambda: self._on_failed("Cancelled: nothing changed."),
            on_end=self._show_state,
        )

    def _on_failed(self, text: str) -> None:
        tell(self.result, text)
        self.plot.hide()

    def _on_event(self, event: Any) -> None:
        match event:
            case BoxesRead():
                self.job.say(f"Reading micrographs: {event.n_read} of {event.n_total}")
            case MicrographSkipped():
                self._skipped.append(f"Left out {event.micrograph}: {event.reason}")
            case StepDone():
                part = "Final model" if event.fold is None else f"Fold {event.fold}"
                self.job.say(f"{part}: step {event.step} of {event.n_steps}")
                self.plot.add_step(event.fold, event.step, sum(event.losses))
            case FoldDone():
                self.plot.add_fold(event.accuracy)
            case FineTuned():
                self._session.set_model(event.model, event)
                tell(self.result, self._outcome(event))

    def _outcome(self, tuned: FineTuned) -> str:
        lines = model_wording.validation_lines(tuned, self._session.vocabulary)
        lines += self._skipped[:N_SKIPPED_SHOWN]
        if len(self._skipped) > N_SKIPPED_SHOWN:
            lines.append(f"... and {len(self._skipped) - N_SKIPPED_SHOWN} more")
        return "\n".join(lines)

    # ------------------------------------------------------------------------- model

    def save_model(self, path: str | Path) -> None:
        """Write the model to a file, and say so; or why not."""
        if self._session.model is None:
            return
        try:
            written = self._session.model.save(_with_suffix(Path(path)))
        except (OSError, PickerOptimizerError) as error:
            tell(self.result, f"Not saved: {error}")
        else:
            tell(self.result, f"Saved {written}")

    def load_model(self, path: str | Path) -> None:
        """Work with the model of a file; or say why not."""
        try:
            jobs.load_model(self._viewer, path)
        except (OSError, PickerOptimizerError) as error:
            tell(self.result, f"Not loaded: {error}")
        else:
            tell(self.result, f"Loaded {Path(path).name}")

    def _ask_save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save model", "model.safetensors", MODEL_FILES
        )
        if path:
            self.save_model(path)

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.native, "Load model", "", MODEL_FILES)
        if path:
            self.load_model(path)

    def _restore(self) -> None:
        if self._session.restore_model():
            tell(self.result, "The model before is back.")


def _with_suffix(path: Path) -> Path:
    return path if path.suffix else path.with_suffix(".safetensors")
