"""The fine-tune panel: labels in, model out."""

from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, PushButton, SpinBox

from napari_pickeroptimizer.errors import PickerOptimizerError, SettingsError
from napari_pickeroptimizer.fewshot.events import (
    BoxesRead,
    FineTuned,
    FoldDone,
    MicrographSkipped,
    StepDone,
)
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin import jobs, session
from napari_pickeroptimizer.plugin.labelling import KEY_HELP
from napari_pickeroptimizer.plugin.layers import view_of
from napari_pickeroptimizer.plugin.stack import stack_of
from napari_pickeroptimizer.widgets.job import JobBar
from napari_pickeroptimizer.widgets.parts import (
    DiameterBox,
    chosen_path,
    device_box,
    file_box,
    fill_empty,
    form,
    micrographs_box,
    picks_box,
    wrapped_label,
)

if TYPE_CHECKING:
    import napari.viewer

FROM_FILE = "from file"


class FineTuneWidget(Container):
    """Label a few picks, train a network on them, save it.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self.help = wrapped_label(f"Click a pick, or point at it, and press {KEY_HELP}.")
        self.micrographs = micrographs_box(self._viewer)
        self.picks = picks_box(self._viewer)
        self.diameter = DiameterBox()
        self.base = ComboBox(
            choices=("bundled", "none", "imagenet", FROM_FILE),
            value="bundled",
            label="Start from",
            tooltip="First weights of the network: bundled knows cryo-EM already; imagenet is "
            "downloaded on first use.",
        )
        self.base_file = file_box("r", "*.safetensors *.pth", "File")
        self.steps = SpinBox(value=80, min=1, max=100_000, label="Steps")
        self.folds = SpinBox(
            value=3,
            min=0,
            max=20,
            label="Folds",
            tooltip="Cross-validation: each fold trains once more. 0 trains only the model.",
        )
        self.seed = SpinBox(value=0, min=0, max=2**31 - 1, label="Seed")
        self.device = device_box()
        self.status = wrapped_label()
        self.start = PushButton(text="Fine-tune")
        self.job = JobBar()
        self.result = wrapped_label()
        self.model_file = file_box("w", "*.safetensors", "Model", "model.safetensors")
        self.save = PushButton(text="Save model", enabled=False)
        super().__init__(
            widgets=[
                self.help,
                form(
                    self.micrographs,
                    self.picks,
                    self.diameter,
                    self.base,
                    self.base_file,
                    self.steps,
                    self.folds,
                    self.seed,
                    self.device,
                ),
                self.status,
                self.start,
                self.job,
                self.result,
                form(self.model_file),
                self.save,
            ],
            labels=False,
        )
        self.base_file.visible = False
        self._connect()
        self._choose()

    def reset_choices(self, *args: Any) -> None:
        """Follow the viewer's layers; napari calls this when they change."""
        super().reset_choices(*args)
        self._choose()

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
            base=chosen_path(self.base_file) if from_file else self.base.value,
            n_steps=self.steps.value,
            n_folds=self.folds.value,
            seed=self.seed.value,
            device=self.device.value,
        )

    def _connect(self) -> None:
        self.micrographs.changed.connect(self._show_state)
        self.picks.changed.connect(self._follow_layer)
        self.diameter.number.changed.connect(self._show_rings)
        self.base.changed.connect(self._show_state)
        self.start.changed.connect(self._start)
        self.save.changed.connect(self._save_output)
        self._session.labels_changed.connect(self._show_state)
        self._session.model_changed.connect(self._show_model)

    def _choose(self) -> None:
        fill_empty(self.micrographs)
        fill_empty(self.picks)
        self._follow_layer()

    def _follow_layer(self, *_: Any) -> None:
        """Take pixel size and ring diameter over from the chosen layers."""
        stack = self._stack()
        self.diameter.pixel_size_ang = None if stack is None else stack.pixel_size_ang
        view = None if self.picks.value is None else view_of(self.picks.value.metadata)
        if view is not None and self.diameter.diameter_px is None:
            self.diameter.show_px(view.diameter_px)
        self._show_rings()

    def _show_rings(self, *_: Any) -> None:
        diameter_px = self.diameter.diameter_px
        if self.picks.value is not None and diameter_px is not None:
            session.set_diameter(self.picks.value, diameter_px)
        self._show_state()

    def _stack(self) -> Any:
        layer = self.micrographs.value
        return None if layer is None else stack_of(layer.metadata)

    def _show_state(self, *_: Any) -> None:
        """Say what is missing, or how many labels there are; let Fine-tune start if it can."""
        self.base_file.visible = self.base.value == FROM_FILE
        if self.job.running:
            return
        try:
            layer = self.picks.value
            picks = None if layer is None else session.layer_picks(self._viewer, layer)
            missing = jobs.what_is_missing(picks, self._stack())
            if not missing:
                self.settings()
            text = missing or f"Ready: {jobs.label_text(session.picks_of(layer))}."
        except PickerOptimizerError as error:
            missing = text = str(error)
        self.status.value = text
        self.start.enabled = not missing

    def _start(self) -> None:
        try:
            events = jobs.finetune_events(
                self._viewer,
                self.picks.value,
                self.settings(),
                stack_layer=self.micrographs.value,
            )
        except PickerOptimizerError as error:
            self.status.value = str(error)
            return
        self.start.enabled = False
        self.result.value = ""
        self._skipped: list[str] = []
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=lambda text: setattr(self.result, "value", text),
            on_cancelled=lambda: setattr(self.result, "value", "Cancelled: nothing changed."),
            on_end=self._show_state,
        )

    def _on_event(self, event: Any) -> None:
        match event:
            case BoxesRead():
                text = f"Reading micrographs: {event.n_read} of {event.n_total}"
            case MicrographSkipped():
                self._skipped.append(f"Left out {event.micrograph}: {event.reason}")
                text = self._skipped[-1]
            case StepDone():
                part = "Final model" if event.fold is None else f"Fold {event.fold}"
                text = f"{part}: step {event.step} of {event.n_steps}"
            case FoldDone():
                text = f"Fold {event.fold} of {event.n_folds}: {event.accuracy:.0%} right"
            case FineTuned():
                self._session.set_model(event.model, event)
                return
            case _:
                return
        self.status.value = text

    def _show_model(self) -> None:
        self.save.enabled = self._session.model is not None
        if self._session.fine_tuned is not None:
            lines = [jobs.model_text(self._session), *getattr(self, "_skipped", [])]
            self.result.value = "\n".join(lines)

    def _save_output(self) -> None:
        model = self._session.model
        if model is None:
            return
        try:
            path = model.save(chosen_path(self.model_file))
        except (OSError, PickerOptimizerError) as error:
            self.result.value = f"Not saved: {error}"
        else:
            self.result.value = f"Saved {path}"
