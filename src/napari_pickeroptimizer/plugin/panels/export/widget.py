"""The export panel: what is written, where, and how to have the same without a window."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit
from qtpy.QtWidgets import QFileDialog, QLabel, QVBoxLayout, QWidget

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.plugin import session
from napari_pickeroptimizer.plugin.layer_state import count_labels, view_of
from napari_pickeroptimizer.plugin.panels.export.destinations import (
    default_output,
    formats,
    home_of,
    in_the_way,
    is_tree,
)
from napari_pickeroptimizer.plugin.panels.export.export import (
    Exported,
    ExportSettings,
    ExportStep,
    export_events,
    save_labels,
)
from napari_pickeroptimizer.plugin.panels.export.model import count_rows, what_is_missing
from napari_pickeroptimizer.plugin.panels.export.recipes import recipe_of
from napari_pickeroptimizer.plugin.panels.export.reproduce import Recipe
from napari_pickeroptimizer.plugin.panels.export.reproduce_box import ReproduceBox
from napari_pickeroptimizer.plugin.panels.export.results import CountTable, ResultBox
from napari_pickeroptimizer.plugin.panels.form_parts import (
    TargetBoxes,
    form,
    wrapped_label,
)
from napari_pickeroptimizer.plugin.panels.job_bar import JobBar
from napari_pickeroptimizer.plugin.panels.key_forwarding import forward_keys
from napari_pickeroptimizer.plugin.panels.qt_parts import Fold, button
from napari_pickeroptimizer.plugin.panels.signals import follow
from napari_pickeroptimizer.plugin.panels.style import panel_style
from napari_pickeroptimizer.plugin.panels.theme import ThemeColors, follow_theme
from napari_pickeroptimizer.plugin.preferences import preferences

if TYPE_CHECKING:
    import napari.viewer

EVERYTHING, KEPT = "everything", "kept"


class ExportWidget(Container):
    """Write what is kept and rejected, with record and report, and say how it was done.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer whose layers are used.
    """

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        self._viewer = session.unwrap(napari_viewer)
        self._session = session.session_of(self._viewer)
        self._place_chosen = False  # by hand: then it is not moved any more
        self._setting = False
        self.targets = TargetBoxes(self._session)
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
            mode=FileDialogMode.OPTIONAL_FILE, label="To", tooltip="Where to. Nothing is replaced "
            "unless you say so.",
        )  # fmt: skip
        self.replace = CheckBox(
            text="Replace what is there", tooltip="Write over files of the same names."
        )
        self.with_labels = CheckBox(
            value=True, text="Labels (labels.star)",
            tooltip="All picks with your labels: to go on another day, or from the command line.",
        )  # fmt: skip
        self.with_model = CheckBox(
            value=True, text="Model (model.safetensors)",
            tooltip="The network that scored, for other data and for the command line.",
        )  # fmt: skip
        self.with_report = CheckBox(
            value=True, text="Report (report.html)",
            tooltip="Figures and pictures of the run on one page; half a minute for a thousand "
            "micrographs.",
        )  # fmt: skip
        self.write_fom = CheckBox(
            value=False, text="Probability as figure of merit",
            tooltip="Write P(particle) over the picker's rlnAutopickFigureOfMerit too: RELION can "
            "then choose by it. It is in poParticleProbability in any case.",
        )  # fmt: skip
        self.status = wrapped_label()
        self.job = JobBar()
        self.form = form(self.what, self.format, self.place)
        super().__init__(labels=False)
        self._build()
        self._connect()
        self._show_target()

    # ------------------------------------------------------------------------- parts

    def _build(self) -> None:
        layout = self.native.layout()
        layout.setSpacing(8)
        self.counts = CountTable()
        self.warning = QLabel()
        self.warning.setObjectName("warning")
        self.warning.setWordWrap(True)
        boxes = QWidget()
        column = QVBoxLayout(boxes)
        column.setContentsMargins(6, 0, 0, 0)
        for box in (self.with_labels, self.with_model, self.with_report, self.write_fom):
            column.addWidget(box.native)
        self.more = Fold("Options", boxes)
        self.start = button("Export", "Write the files.", self._start)
        self.start.setObjectName("primary")
        self.save_labels = button(
            "Save labels only...", "Write the picks with your labels, and nothing else.",
            self._ask_for_labels,
        )  # fmt: skip
        self.result = ResultBox()
        self.again = ReproduceBox(self.native, self._recipe)
        self.place.native.setMinimumWidth(0)
        self.form.native.setMinimumWidth(0)
        for part in (
            self.targets.native,
            self.counts,
            self.form.native,
            self.warning,
            self.replace.native,
            self.more,
            self.status.native,
            self.start,
            self.job.native,
            self.result,
            self.save_labels,
            self.again,
        ):
            layout.addWidget(part)
        layout.addStretch(1)

    # -------------------------------------------------------------------- connections

    def _connect(self) -> None:
        native, shared = self.native, self._session
        follow(native, shared.target_changed, self._show_target)
        follow(native, shared.layers_changed, self._show_state)
        follow(native, shared.labels_changed, self._on_step)
        follow(native, shared.scores_changed, self._on_scores)
        follow(native, shared.threshold_changed, self._on_step)
        follow(native, shared.model_changed, self._show_state)
        self.what.changed.connect(self._show_format)
        self.format.changed.connect(self._propose)
        self.place.changed.connect(self._on_place)
        self.replace.changed.connect(self._show_state)
        for box in (self.with_labels, self.with_model, self.with_report, self.write_fom):
            box.changed.connect(self.again.show_soon)
        stop = follow_theme(self._viewer, self._apply_theme)
        native.destroyed.connect(lambda *_: stop())
        forward_keys(native, shared)

    def _apply_theme(self, colors: ThemeColors) -> None:
        self.native.setStyleSheet(
            panel_style(colors)
            # napari's light theme has a yellow that cannot be read on its grey
            + ("" if colors.is_dark else "QLabel#warning { color: #7a5600; }")
            + f"QFrame#result {{ border: 1px solid {colors.highlight}; border-radius: 4px; }}"
            "QLabel#number { font-weight: bold; }"
        )

    @property
    def _layer(self) -> Any | None:
        return self._session.picks_layer

    @property
    def output(self) -> Path | None:
        """The place that is chosen."""
        path = self.place.value
        return path if isinstance(path, Path) and path != Path() else None

    def settings(self) -> ExportSettings:
        """Return the settings that the panel shows."""
        return ExportSettings(
            what=self.what.value,
            write_fom=self.write_fom.value,
            labels=self.with_labels.value,
            model=self.with_model.value,
            report=self.with_report.value,
            overwrite=self.replace.value,
            device=preferences().device,
        )

    # -------------------------------------------------------------------------- state

    def _show_target(self) -> None:
        self._place_chosen = False
        self.result.show_exported(None)
        self.status.value = ""
        self._show_format()

    def _show_format(self, *_: Any) -> None:
        layer = self._layer
        view = None if layer is None else view_of(layer.metadata)
        if view is not None:
            self._setting = True
            known = formats(view.picks)
            before = self.format.value
            self.format.choices = [(words, suffix) for suffix, words in known.items()]
            self.format.value = before if before in known else next(iter(known))
            self._setting = False
        self.format.visible = self.what.value == KEPT
        self._propose()

    def _propose(self, *_: Any) -> None:
        """Propose a place beside the picks, unless the user chose one."""
        if self._setting:
            return
        layer = self._layer
        view = None if layer is None else view_of(layer.metadata)
        one_file = self.what.value == KEPT and not (
            view is not None and is_tree(view.picks) and self.format.value == ""
        )
        self.place.mode = (
            FileDialogMode.OPTIONAL_FILE if one_file else FileDialogMode.EXISTING_DIRECTORY
        )
        self.place.choose_btn.text = "Choose..."
        if view is not None and not self._place_chosen:
            self._setting = True
            self.place.value = default_output(view.picks, self.what.value, self.format.value)
            self._setting = False
        elif self._place_chosen and self.output is not None and one_file:
            self._setting = True
            self.place.value = self.output.with_suffix(self.format.value)
            self._setting = False
        self._show_state()

    def _on_place(self, *_: Any) -> None:
        if not self._setting:
            self._place_chosen = True
            self.replace.value = False
            self._show_state()

    def _on_scores(self, layer: Any) -> None:
        if layer is self._layer:
            self._show_state()

    def _on_step(self, layer: Any, *_: Any) -> None:
        """Follow threshold and labels, at every step: no file is asked for here."""
        if layer is self._layer:
            self._show_counts()
            self.again.show_soon()

    def _show_counts(self) -> None:
        layer = self._layer
        scores = None if layer is None else self._session.scores.get(layer)
        rows = count_rows(scores) if scores is not None and scores.complete else []
        self.counts.show_rows(rows)

    def _show_state(self, *_: Any) -> None:
        """Show counts, and whether the export can start."""
        layer = self._layer
        missing = what_is_missing(self._session)
        self._show_counts()
        for part in (self.form.native, self.start, self.save_labels, self.again):
            part.setVisible(layer is not None)
        self.more.setVisible(layer is not None and self.what.value == EVERYTHING)
        self.place.native.setToolTip(
            f"{self.output or ''}\nNothing is replaced unless you say so."
        )
        taken = "" if self.output is None else in_the_way(self.output, self.what.value)
        done = self.result.exported is not None and self.result.exported.output == self.output
        self.warning.setText("Exported there just now." if done and taken else taken)
        self.warning.setObjectName("" if done else "warning")
        self.warning.setStyleSheet(self.warning.styleSheet())  # the name is another one now
        self.warning.setVisible(bool(taken) and not missing)
        self.replace.visible = bool(taken) and not missing
        if not self.job.running:
            self.status.value = missing
            self.status.visible = bool(missing)
            ready = not missing and self.output is not None
            self.start.setEnabled(ready and (not taken or self.replace.value))
        self.again.show_soon()

    def _recipe(self) -> Recipe | None:
        layer, output = self._layer, self.output
        if layer is None or output is None:
            return None
        return recipe_of(self._viewer, layer, output, self.settings())

    # ------------------------------------------------------------------------ actions

    def _start(self) -> None:
        layer, output = self._layer, self.output
        if layer is None or output is None or self.job.running:
            return
        try:
            events = export_events(self._viewer, layer, output, self.settings())
        except (OSError, PickerOptimizerError) as error:
            self._say(str(error))
            return
        self.start.setEnabled(False)
        self.result.show_exported(None)
        self._say("")
        self.job.run(
            events,
            on_event=self._on_event,
            on_failed=lambda text: self._say(f"Not exported: {text}"),
            on_cancelled=self._on_cancelled,
            on_end=self._on_end,
        )

    def _on_event(self, event: Any) -> None:
        match event:
            case ExportStep():
                self.job.say(event.text)
            case Exported():
                self.replace.value = False
                self.result.show_exported(event)

    def _on_cancelled(self) -> None:
        output = self.output
        there = output is not None and (output / "run.json").is_file()
        self._say(
            "Cancelled: the picks are written, the report is not."
            if there
            else "Cancelled: nothing was written."
        )

    def _on_end(self) -> None:
        said = self.status.value
        self._show_state()
        if said:
            self._say(said)

    def _say(self, text: str) -> None:
        self.status.value = text
        self.status.visible = bool(text)

    def _ask_for_labels(self) -> None:
        layer = self._layer
        view = None if layer is None else view_of(layer.metadata)
        if view is None:
            return
        if not count_labels(view.picks):
            self._say("No pick is labelled yet: there is nothing to save.")
            return
        start = home_of(view.picks) / "labels.star"
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save labels", str(start), "RELION STAR (*.star)"
        )
        if path:
            self.save_labels_to(Path(path), overwrite=True)  # the dialog has asked

    def save_labels_to(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the picks with their labels to a STAR file, and say so."""
        path = path if path.suffix else path.with_suffix(".star")
        try:
            written = save_labels(self._layer, path, overwrite=overwrite)
        except (OSError, PickerOptimizerError) as error:
            self._say(f"Not saved: {error}")
        else:
            self._say(f"Labels saved: {' and '.join(p.name for p in written)}")
