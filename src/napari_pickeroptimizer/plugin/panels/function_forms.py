"""Forms of `fine_tune` and `apply_model`, whose button runs them in a worker."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from magicgui.widgets import FunctionGui

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.device import DEVICES
from napari_pickeroptimizer.fewshot.events import FineTuned, ModelTrained
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin import functions, jobs, outputs, session
from napari_pickeroptimizer.plugin.images.stack import stack_of
from napari_pickeroptimizer.plugin.layer_state import layer_state
from napari_pickeroptimizer.plugin.panels.controls import Note, button, shows_errors
from napari_pickeroptimizer.plugin.panels.decide.model import DecideModel, summary_text
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.key_forwarding import (
    KeyForwarder,
    leave_to_canvas,
    press_on_canvas,
)
from napari_pickeroptimizer.plugin.panels.learn.model import LearnModel
from napari_pickeroptimizer.plugin.panels.only_one import OnlyOne
from napari_pickeroptimizer.plugin.panels.scoring_model import LAYER_DELETED
from napari_pickeroptimizer.plugin.panels.settings_form import field_options, label_of
from napari_pickeroptimizer.plugin.panels.signals import EndsWithDock, follow, when_destroyed
from napari_pickeroptimizer.plugin.preferences import preferences
from napari_pickeroptimizer.plugin.scores import ScoreSummary

if TYPE_CHECKING:
    import napari.viewer


class FunctionForm(FunctionGui):
    """A form of a function on layers, with a button, a progress bar and a line of result.

    Calling the form calls the function, as with any magicgui form. Its button instead runs the
    same work in a worker, so that the window stays alive and the work can be cancelled.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        The viewer whose layers are offered.
    function : callable
        Its parameters `micrographs`, `picks` and `device` get the same fields in all forms.
    options : dict
        Options of the fields of the others, by parameter.
    action : str
        Text of the button.
    """

    def __init__(
        self,
        viewer: Any,
        function: Callable[..., Any],
        options: dict[str, dict[str, Any]],
        action: str,
    ) -> None:
        viewer = session.unwrap(viewer)
        common: dict[str, dict[str, Any]] = {
            "micrographs": {"choices": lambda _: session.micrograph_layers(viewer)[::-1]},
            "picks": {"choices": lambda _: session.label_layers(viewer)[::-1]},
            "device": field_options(FineTuneSettings, "device")
            | {"choices": DEVICES, "value": preferences().device},
        }
        for field in common.values():
            field["widget_type"] = "ComboBox"  # else napari offers all layers of the kind
        self._is_open = [True]  # for magicgui, which offers layers while it is made
        super().__init__(
            _without_torch(function), call_button=False, param_options=common | options
        )
        for made in self:  # after magicgui has made them all, for only then it aligns them
            made.label = label_of(made.name)
        self.session = session.session_of(viewer)
        self.job = JobBar(f"{action.lower()}. Closing ends it, your labels are kept.")
        self.result = Note()
        self.say, self.attempt = self.result.say, self.result.attempt
        self.start = button(action, (function.__doc__ or "").splitlines()[0], self._start)
        layout: Any = self.native.layout()
        for part in (self.start, self.job, self.result):
            layout.addWidget(part)
        layout.addStretch(1)
        self.say("")
        KeyForwarder(self.native, partial(press_on_canvas, self.session))
        follow(self.native, self._leave_to_canvas, self.session.pointer_on_canvas)
        EndsWithDock(self.native, self)
        OnlyOne(self.native, viewer)
        when_destroyed(self.native, self._is_open.clear)

    def reset_choices(self, *args: Any) -> None:
        """Offer the layers there are, unless the form is closed: napari calls it on and on."""
        if self._is_open:
            super().reset_choices(*args)

    def _leave_to_canvas(self) -> None:
        leave_to_canvas(self.native)

    def begin(self) -> Iterator[Any]:
        """Return the job that the button starts, with the values of the form.

        Raises
        ------
        PickerOptimizerError, OSError
            At once, where something is missing.
        """
        raise NotImplementedError

    def take(self, event: Any) -> str:
        """Handle an event of the job; return its stage, empty if unchanged."""
        raise NotImplementedError

    def put_back(self) -> None:
        """Restore the state before a job that ended early."""

    @property
    def text(self) -> str:
        """The result, or the error."""
        return str(self.result.text())

    def _start(self) -> None:
        self.job.when_loaded(self._begin, self.start, self.say)

    @shows_errors
    def _begin(self) -> None:
        self.say("")
        events = self.begin()
        self.start.setEnabled(False)
        self.job.run(
            events,
            on_event=self.take,
            on_failed=self._on_failed,
            on_end=lambda: self.start.setEnabled(True),
        )

    def _on_failed(self, text: str) -> None:
        self.put_back()
        self.say(text)


def _without_torch(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function without its annotations as text: magicgui would import what they name."""

    @wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    signature = inspect.signature(function)
    parameters = [
        p.replace(annotation=p.empty) if isinstance(p.annotation, str) else p
        for p in signature.parameters.values()
    ]
    made: Any = called
    made.__signature__ = inspect.Signature(parameters)
    made.__annotations__ = {}
    return called


class FineTuneForm(FunctionForm):
    """A form of `fine_tune`.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        options = {
            name: field_options(FineTuneSettings, name)
            for name in ("n_steps", "n_folds", "seed")
        }
        for name in ("diameter_ang", "diameter_px"):
            options[name] = field_options(BoxSettings, name)
            options[name]["tooltip"] = "Longest particle diameter, at first that of the rings."
        options["label_layers"] = {
            "widget_type": "Select",
            "choices": lambda _: session.label_layers(napari_viewer)[::-1],
            "tooltip": "Layers whose labels are used as well, such as your own points.",
        }
        super().__init__(napari_viewer, functions.fine_tune, options, "Fine-tune")
        self._learning = LearnModel(self.session)
        for field in (self.diameter_ang, self.diameter_px):
            field.native.setDecimals(1)
            field.native.setSpecialValueText("not set")
        self.micrographs.changed.connect(self._show_diameter)
        self.picks.changed.connect(self._show_diameter)
        self._show_diameter()

    def _show_diameter(self, *_: object) -> None:
        """Begin with the diameter of the rings, in Å where the pixel size is known."""
        stack_layer, layer = self.micrographs.value, self.picks.value
        stack = None if stack_layer is None else stack_of(stack_layer.metadata)
        state = None if layer is None else layer_state(layer)
        pixel_size_ang = None if stack is None else stack.pixel_size_ang
        diameter_px = 0.0 if state is None else state.diameter_px
        self.diameter_ang.visible = pixel_size_ang is not None
        self.diameter_px.visible = pixel_size_ang is None
        self.diameter_ang.value = round(diameter_px * (pixel_size_ang or 0.0), 1)
        self.diameter_px.value = 0.0 if pixel_size_ang else round(diameter_px, 1)

    def begin(self) -> Iterator[Any]:
        """Return the fine-tuning."""
        values = self.asdict()
        micrographs, picks = values.pop("micrographs"), values.pop("picks")
        others = [layer for layer in values.pop("label_layers") if layer is not picks]
        for name in ("diameter_ang", "diameter_px"):
            values[name] = values[name] or None  # 0: not given
        functions.session_on(micrographs, picks)
        self._learning.begin()
        return jobs.finetune_events(
            self.session.viewer,
            picks,
            FineTuneSettings(**values),
            stack_layer=micrographs,
            label_layers=others,
        )

    def take(self, event: Any) -> str:
        """Handle an event of fine-tuning; report the validation at the end."""
        stage = self._learning.take(event)
        if isinstance(event, ModelTrained):
            self.say(event.sentence)
        if isinstance(event, FineTuned):
            self.say(self._learning.outcome(event))
        return stage


class ApplyModelForm(FunctionForm):
    """A form of `apply_model`.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are offered.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        model: dict[str, Any] = {
            "widget_type": "FileEdit",
            "mode": "r",
            "filter": "*.safetensors",
            "nullable": True,
        }
        options = {"model": model, "threshold": {"min": 0.0, "max": 1.0, "step": 0.01}}
        super().__init__(napari_viewer, functions.apply_model, options, "Apply model")
        self._deciding = DecideModel(self.session)
        when_destroyed(self.native, self._deciding.put_back)
        self._scored: Any = None

    def begin(self) -> Iterator[Any]:
        """Return the scoring."""
        self._scored = self.picks.value  # another layer may be chosen meanwhile
        functions.session_on(self.micrographs.value, self._scored)
        if self.model.value:
            jobs.load_model(self.session.viewer, self.model.value)
        return self._deciding.begin(self.device.value)

    def take(self, event: Any) -> str:
        """Handle an event of scoring; show kept and rejected picks at the end."""
        if self._deciding.layer_was_deleted():
            self.job.cancel()
            self.say(LAYER_DELETED)
            return ""
        stage = self._deciding.take(event)
        if isinstance(event, ScoreSummary):
            viewer = self.session.viewer
            made = outputs.set_threshold(viewer, self._scored, self.threshold.value)
            functions.show_kept(self.session, self._scored)
            self.say(summary_text(made, self.session.vocabulary))
        return stage

    def put_back(self) -> None:
        """Restore the previous scores of the picks."""
        self._deciding.put_back()
