"""The prune panel: model and picks in, kept and rejected picks out."""

from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, FloatSlider, PushButton

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import jobs, session
from napari_pickeroptimizer.prune.score import (
    MicrographFailed,
    MicrographScored,
    PicksScored,
)
from napari_pickeroptimizer.widgets.job import JobBar
from napari_pickeroptimizer.widgets.parts import (
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


class ApplyWidget(Container):
    """Score picks with a model and split them into kept and rejected.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self.micrographs = micrographs_box(self._viewer)
        self.picks = picks_box(self._viewer)
        self.model = wrapped_label()
        self.model_file = file_box("r", "*.safetensors", "Model file")
        self.device = device_box()
        self.threshold = FloatSlider(
            value=0.5,
            min=0,
            max=1,
            step=0.01,
            label="Threshold",
            tooltip="Least probability of being a particle that a kept pick has.",
        )
        self.status = wrapped_label()
        self.start = PushButton(text="Prune picks")
        self.job = JobBar()
        self.result = wrapped_label()
        self.output = file_box("w", "*.star", "Output", "kept.star")
        self.save = PushButton(text="Save kept picks", enabled=False)
        self._pruned: jobs.Pruned | None = None
        super().__init__(
            widgets=[
                form(self.micrographs, self.picks),
                self.model,
                form(self.model_file, self.device, self.threshold),
                self.status,
                self.start,
                self.job,
                self.result,
                form(self.output),
                self.save,
            ],
            labels=False,
        )
        self.picks.changed.connect(self._show_state)
        self.micrographs.changed.connect(self._show_state)
        self.model_file.changed.connect(self._load_model)
        self.threshold.changed.connect(self._show_threshold)
        self.start.changed.connect(self._start)
        self.save.changed.connect(self._save_output)
        self._session.model_changed.connect(self._show_state)
        self.reset_choices()

    def reset_choices(self, *args: Any) -> None:
        """Follow the viewer's layers; napari calls this when they change."""
        super().reset_choices(*args)
        fill_empty(self.micrographs)
        fill_empty(self.picks)
        self._show_state()

    def _show_state(self, *_: Any) -> None:
        """Say what is missing before picks can be pruned."""
        self.model.value = jobs.model_text(self._session)
        if self.job.running:
            return
        if self.micrographs.value is None:
            missing = "Open micrographs, and choose their layer."
        elif self.picks.value is None:
            missing = "Open picks, and choose their layer."
        elif self._session.model is None:
            missing = "Fine-tune a model, or choose a model file."
        else:
            missing = ""
        self.status.value = missing or "Ready."
        self.start.enabled = not missing

    def _load_model(self, path: Any) -> None:
        try:
            jobs.load_model(self._viewer, path)
        except PickerOptimizerError as error:
            self.status.value = str(error)
            return
        self._show_state()

    def _start(self) -> None:
        layer = self.picks.value
        try:
            events = jobs.apply_events(
                self._viewer,
                layer,
                stack_layer=self.micrographs.value,
                device=self.device.value,
            )
        except PickerOptimizerError as error:
            self.status.value = str(error)
            return
        self.start.enabled = False
        self.result.value = ""
        self.job.run(
            events,
            on_event=lambda event: self._on_event(layer, event),
            on_failed=lambda text: setattr(self.result, "value", text),
            on_cancelled=lambda: setattr(self.result, "value", "Cancelled: nothing changed."),
            on_end=self._show_state,
        )

    def _on_event(self, layer: Any, event: Any) -> None:
        match event:
            case MicrographScored() | MicrographFailed():
                self.status.value = f"Micrograph {event.n_done} of {event.n_total}"
            case PicksScored() if layer not in self._viewer.layers:
                self.result.value = "The picks layer was deleted meanwhile."
            case PicksScored():
                self._show_pruned(
                    jobs.show_scored(self._viewer, layer, event, self.threshold.value)
                )

    def _show_threshold(self, threshold: float) -> None:
        """Split again at another threshold; the network is not needed for that."""
        layer = self.picks.value
        if layer is not None and layer in self._session.scored and not self.job.running:
            self._show_pruned(jobs.show_threshold(self._viewer, layer, threshold))

    def _show_pruned(self, pruned: "jobs.Pruned") -> None:
        self._pruned = pruned
        self.save.enabled = True
        lines = [jobs.summary_text(pruned)]
        if pruned.failures:
            lines += ["Could not be read:", jobs.failures_text(pruned.failures)]
        self.result.value = "\n".join(lines)

    def _save_output(self) -> None:
        if self._pruned is None:
            return
        try:
            written = session.save_picks(self._pruned.layers["kept"], chosen_path(self.output))
        except (OSError, PickerOptimizerError) as error:
            self.result.value = f"Not saved: {error}"
        else:
            more = f" and {len(written) - 1} more" if len(written) > 1 else ""
            self.result.value = f"Saved {written[0]}{more}"
