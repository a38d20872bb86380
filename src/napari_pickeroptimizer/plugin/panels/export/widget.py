"""The export panel: files to write, their folder, and the same as commands."""

from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit
from qtpy.QtWidgets import QFileDialog

from napari_pickeroptimizer.plugin.panels.base import Page
from napari_pickeroptimizer.plugin.panels.controls import (
    Fold,
    Note,
    TextTable,
    button,
    column_of,
    shows_errors,
    single_shot,
)
from napari_pickeroptimizer.plugin.panels.export.boxes import ReproduceBox, ResultBox
from napari_pickeroptimizer.plugin.panels.export.export import (
    Exported,
    ExportSettings,
    ExportStep,
    export_events,
)
from napari_pickeroptimizer.plugin.panels.export.model import (
    ALLOWED_TO_REPLACE,
    ExportModel,
    cancelled_text,
)
from napari_pickeroptimizer.plugin.panels.export.reproduce import Recipe
from napari_pickeroptimizer.plugin.panels.fields import Fields, silenced
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.preferences import preferences

EVERYTHING, KEPT = "everything", "kept"
STREAM_MS = 500  # while scores stream in they are counted this often
# Text and tooltip of the options, by the setting they are for.
OPTIONS = {
    "labels": (
        "Labels (labels.star)",
        "All picks with your labels: to go on another day, or from the command line.",
    ),
    "model": (
        "Model (model.safetensors)",
        "The model of the scores, for other data and for the command line.",
    ),
    "report": (
        "Report (report.html)",
        "Figures and pictures of the run on one page; half a minute for a thousand "
        "micrographs.",
    ),
    "write_fom": (
        "Probability as figure of merit",
        "Write P(particle) over the picker's rlnAutopickFigureOfMerit too: RELION can then "
        "choose by it. It is in poParticleProbability in any case.",
    ),
}


class ExportWidget(Page):
    """Write kept and rejected picks, with record and report, and show the commands."""

    def build(self) -> None:
        """Make the widgets."""
        self.model = ExportModel(self.session)
        self._place_chosen = False  # by hand: then it is not moved any more
        self._stream = single_shot(self, self._show_status, STREAM_MS)
        self.counts = TextTable("", "number", "", gap_px=10)
        self._make_fields()
        self.warning, self.just_now = Note("warning"), Note("quiet")
        self.start = button("Export", "Write the files.", self._start, "primary")
        self.job = JobBar("the export. Closing ends it, nothing of it is written.")
        self.result = ResultBox()
        self.save_labels = button(
            "Save labels only...",
            "Write the picks with your labels, and nothing else.",
            self._ask_for_labels,
        )
        self.again = ReproduceBox(self, self._recipe)
        self.add_column(
            self.counts,
            self.form,
            self.warning,
            self.just_now,
            self.replace,
            self.more,
            self.status,
            self.start,
            self.job,
            self.result,
            self.save_labels,
            self.again,
            None,
        )

    def _make_fields(self) -> None:
        self.what = ComboBox(
            choices=[("All results, in a folder", EVERYTHING), ("Kept picks only", KEPT)],
            value=EVERYTHING,
            label="Write",
            tooltip="All results: kept, rejected and scored picks, their record and report, as "
            "`pickeroptimizer prune` writes them.",
        )
        self.format = ComboBox(
            choices=[("STAR", ".star")], label="Format", tooltip="How kept picks are written."
        )
        self.place = FileEdit(
            mode=FileDialogMode.OPTIONAL_FILE,
            label="To",
            tooltip=f"Where to. {ALLOWED_TO_REPLACE}",
        )
        self.place.native.setMinimumWidth(0)
        self.form = Fields(self.what, self.format, self.place)
        self.replace = CheckBox(
            text="Replace existing files", tooltip="Write over files of the same names."
        )
        self.options = {
            name: CheckBox(value=getattr(ExportSettings, name), text=text, tooltip=tooltip)
            for name, (text, tooltip) in OPTIONS.items()
        }
        boxes = column_of(*self.options.values())
        boxes.setContentsMargins(6, 0, 0, 0)
        self.more = Fold("Options", boxes)

    def connect_signals(self) -> None:
        """Follow the session and the fields."""
        session = self.session
        self.follow(self.show_state, session.target_changed)
        self.follow(self._show_status, session.layers_changed, session.model_changed)
        self.follow(self._on_step, session.labels_changed, session.threshold_changed)
        self.follow(self._on_scores, session.scores_changed)
        self.what.changed.connect(self._show_format)
        self.format.changed.connect(self._propose)
        self.place.changed.connect(self._on_place)
        self.replace.changed.connect(self._show_status)
        for box in self.options.values():
            box.changed.connect(self.again.show_soon)

    @property
    def output(self) -> Path | None:
        """The place that is chosen."""
        path = self.place.value
        return path if isinstance(path, Path) and path != Path() else None

    def settings(self) -> ExportSettings:
        """Return the settings that the panel shows."""
        return ExportSettings(
            what=self.what.value,
            overwrite=self.replace.value,
            device=preferences().device,
            **{name: box.value for name, box in self.options.items()},
        )

    # -------------------------------------------------------------------------- state

    def show_state(self, *_: object) -> None:
        """Show the picks that are worked on, as if nothing was exported yet."""
        self._place_chosen = False
        self._show_exported(None)
        self.say("")
        self._show_format()

    def _show_exported(self, exported: Exported | None) -> None:
        self.model.exported = exported
        self.result.show_exported(exported)

    def _show_format(self, *_: object) -> None:
        if formats := self.model.formats():
            with silenced(self.format):
                before = self.format.value
                self.format.choices = [(words, suffix) for suffix, words in formats.items()]
                self.format.value = before if before in formats else next(iter(formats))
        self.form.show_row(self.format, self.what.value == KEPT)
        self._propose()

    def _propose(self, *_: object) -> None:
        """Propose a place beside the picks, unless the user chose one."""
        what, suffix = self.what.value, self.format.value
        one_file = self.model.is_one_file(what, suffix)
        self.place.mode = (
            FileDialogMode.OPTIONAL_FILE if one_file else FileDialogMode.EXISTING_DIRECTORY
        )
        self.place.choose_btn.text = "Choose..."
        place = self.model.place(what, suffix, self.output if self._place_chosen else None)
        if place is not None:
            with silenced(self.place):
                self.place.value = place
        self._show_status()

    def _on_place(self, *_: object) -> None:
        self._place_chosen = True
        self.replace.value = False
        self._show_status()

    def _on_scores(self, layer: Any) -> None:
        if layer is not self.layer:
            return
        scores = self.model.scores
        if scores is None or scores.complete:
            self._show_status()
        elif not self._stream.isActive():
            self._stream.start()

    def _on_step(self, layer: Any, *_: object) -> None:
        """Follow threshold and labels, at every step: no file is checked here."""
        if layer is self.layer:
            self.counts.show_rows(self.model.count_rows())
            self.again.show_soon()

    def _show_status(self, *_: object) -> None:
        """Show counts, and whether the export can start."""
        has_picks, missing = self.layer is not None, self.model.missing()
        self.counts.show_rows(self.model.count_rows())
        for part in (self.form, self.start, self.save_labels, self.again):
            part.setVisible(has_picks)
        self.more.setVisible(has_picks and self.what.value == EVERYTHING)
        self.place.native.setToolTip(f"{self.output or ''}\n{ALLOWED_TO_REPLACE}")
        taken, just_now = self.model.taken(self.output, self.what.value)
        self.warning.say("" if missing or just_now else taken)
        self.just_now.say("Exported there just now." if just_now and not missing else "")
        self.replace.visible = bool(taken) and not missing
        if not self.job.running:
            self.say(missing or self.model.note())
            self.options["model"].enabled = self.model.has_own_model
            ready = not missing and self.output is not None
            self.start.setEnabled(ready and (not taken or self.replace.value))
        self.again.show_soon()

    def _recipe(self) -> Recipe | None:
        return self.model.recipe(self.output, self.settings())

    # ------------------------------------------------------------------------ actions

    @shows_errors
    def _start(self) -> None:
        if self.layer is None or self.output is None or self.job.running:
            return
        events = export_events(self.viewer, self.layer, self.output, self.settings())
        self.start.setEnabled(False)
        self._show_exported(None)
        self.say("")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=lambda text: self.say(f"Not exported: {text}"),
            on_cancelled=lambda: self.say(cancelled_text(self.output)),
            on_end=self._show_status,
        )

    def _on_event(self, event: ExportStep | Exported) -> str:
        if isinstance(event, Exported):
            self.replace.value = False
            self._show_exported(event)
        return event.text

    @shows_errors
    def _ask_for_labels(self) -> None:
        start = self.model.labels_file()
        path, _ = QFileDialog.getSaveFileName(
            self, "Save labels", str(start), "RELION STAR (*.star)"
        )
        if path:
            self.save_labels_to(Path(path), overwrite=True)  # the dialog has asked

    def save_labels_to(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the picks with their labels to a STAR file, and say so."""
        self.attempt(
            lambda: self.say(self.model.save_labels(path, overwrite=overwrite)), "Not saved: "
        )
