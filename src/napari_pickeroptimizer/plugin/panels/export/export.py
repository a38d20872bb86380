"""Writing the results of a session: the same files that `pickeroptimizer prune` writes. No Qt.

`export` runs at once. A panel takes `export_events`, which reads everything it needs
from the layers at once, and then runs in a worker. Labels, the model, and a report with the command
lines that give the same results are written beside the picks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.before_labels import are_before_labels
from napari_pickeroptimizer.plugin.layer_state import LayerState, picks_state
from napari_pickeroptimizer.plugin.outputs import scores_of
from napari_pickeroptimizer.plugin.panels.export.recipe import (
    LABELS,
    MODEL,
    ExportSettings,
    What,
    recipe_of,
)
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    command_line,
    python_snippet,
)
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import picks_of, stack_for
from napari_pickeroptimizer.plugin.writers import write_labels, write_part
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.label_matching import LabelMatch
from napari_pickeroptimizer.prune.output import kept, output_columns
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.staging import LOCK, REPORT, RUN_RECORD, locked

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.run import Plan, Pruned

__all__ = ["ExportSettings", "ExportStep", "Exported", "export", "export_events", "in_the_way"]

# Shares of the progress: picks are quick, pictures of micrographs are not.
PICKS_SHARE = 0.3


@dataclass(frozen=True)
class ExportStep:
    """Something was written, or one more micrograph is in the report."""

    text: str
    progress: float


@dataclass(frozen=True)
class Exported:
    """The last event: all files are written.

    Parameters
    ----------
    output : Path
        The folder, or the file of the kept picks.
    files : list of Path
        All that was written.
    counts : dict
        As in ``run.json``.
    next_steps : tuple of str
        What to do with the files in RELION and cryoSPARC.
    report : Path or None
        The report, if requested.
    command : str
        The equivalent command lines.
    snippet : str
        The equivalent Python.
    """

    output: Path
    files: list[Path]
    counts: dict[str, Any]
    next_steps: tuple[str, ...]
    report: Path | None = None
    command: str = field(default="", repr=False)
    snippet: str = field(default="", repr=False)
    progress: float = 1.0

    @property
    def folder(self) -> Path:
        """The folder that the files are in."""
        return self.output if self.output.is_dir() else self.output.parent

    @property
    def text(self) -> str:
        """What was written, in a line."""
        n = len(self.files)
        files = f"{n:,} files" if n > 1 else self.files[0].name if n else "nothing"
        return f"{self.counts['kept']:,} kept picks; {files} written."

    @property
    def short_steps(self) -> list[str]:
        """The next steps, with paths relative to the folder."""
        return [step.replace(f"{self.folder}/", "") for step in self.next_steps]


def export(
    viewer: Any, layer: Any, output: str | Path, settings: ExportSettings | None = None
) -> Exported:
    """Write the kept and the rejected picks of a layer.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    output : str or Path
        Folder of the results; for the kept picks only, their file.
    settings : ExportSettings, optional
        What is written.

    Raises
    ------
    SettingsError
        The picks are not scored, or something is there that must not be overwritten.
    PickFormatError
        The picks cannot be written in that format, or the file is one that was read.
    """
    *_, last = export_events(viewer, layer, output, settings)
    assert isinstance(last, Exported)  # its last event
    return last


def export_events(
    viewer: Any, layer: Any, output: str | Path, settings: ExportSettings | None = None
) -> Iterator[ExportStep | Exported]:
    """Prepare an export; the iterator itself touches no layer, and may run in a worker.

    If cancelled, nothing is written, and an earlier export is unchanged.

    Raises
    ------
    SettingsError
        At once, as `export`.
    """
    settings = settings or ExportSettings()
    output = absolute(Path(output).expanduser())
    scores = scores_of(viewer, layer)
    if not scores.complete:
        raise SettingsError("the picks are being scored: wait until all of them are.")
    if are_before_labels(scores):  # there is no model of the user's to write
        settings = replace(settings, model=False)
    picks, state = picks_of(layer), picks_state(layer)
    scored = _snapshot(scores, picks)
    recipe = recipe_of(viewer, layer, output, settings)
    if not settings.overwrite:
        taken = in_the_way(output, settings.what)
        if taken:
            raise SettingsError(f"{taken} Choose another place, or allow to replace it.")
    if settings.what == "kept":
        return _kept_only(scored, state, output, settings, recipe)
    micrographs = stack_for(viewer, layer, None).micrographs
    matched = _matched(picks)
    prune_settings = PruneSettings(
        threshold=state.threshold,
        device=settings.device,
        batch_size=recipe.batch_size,
        write_fom=settings.write_fom,
        overwrite=settings.overwrite,
        min_distance=state.rules.min_distance,
        edge_distance=state.rules.edge_distance,
    )
    model, inputs = scores.model, dict(recipe.inputs)
    if not are_before_labels(scores):
        inputs["model"] = str(output / MODEL) if settings.model else "(of a napari session)"
    if not settings.labels:
        inputs["labels"] = ["(of a napari session)"] if matched else []

    def plan() -> Plan:
        from napari_pickeroptimizer.prune.run import prepare  # torch

        return prepare(
            micrographs, picks, model, output, prune_settings, labels=matched, inputs=inputs
        )

    return _everything(plan, micrographs, scored, scores.seconds, model, settings, recipe)


def _everything(
    plan: Callable[[], Plan],
    micrographs: Micrographs,
    scored: PicksScored,
    scored_in_s: float,
    model: Classifier,
    settings: ExportSettings,
    recipe: Recipe,
) -> Iterator[ExportStep | Exported]:
    from napari_pickeroptimizer.prune.run import Pruned, finish  # torch

    started = datetime.now(UTC)
    planned = plan()
    output = planned.output

    def further(folder: Path, pruned: Pruned) -> Iterator[ExportStep]:
        yield ExportStep("Picks are written", PICKS_SHARE / 2)
        if settings.labels and recipe.labels:
            write_labels(planned.picks, folder / LABELS)
        if settings.model:
            model.save(folder / MODEL)
        yield ExportStep("Labels and model are written", PICKS_SHARE)
        if settings.report:
            yield from _report(folder, pruned, micrographs, model, recipe)

    with locked(output):
        for event in finish(
            planned, scored, started=started, seconds_before=scored_in_s, further=further
        ):
            if not isinstance(event, Pruned):
                yield event
                continue
            report = output / REPORT if settings.report else None
            yield Exported(
                output, event.files, event.record["counts"],
                next_steps(planned.picks, output), report, command_line(recipe),
                python_snippet(recipe),
            )  # fmt: skip


def _report(
    folder: Path, pruned: Pruned, micrographs: Micrographs, model: Classifier, recipe: Recipe
) -> Iterator[ExportStep]:
    # jinja and pillow, for a report only
    from napari_pickeroptimizer.report.prune_report import ReportWritten, run_report_events

    for event in run_report_events(
        folder, pruned, micrographs, model.card, command=command_line(recipe)
    ):
        if not isinstance(event, ReportWritten):
            progress = PICKS_SHARE + (0.99 - PICKS_SHARE) * event.progress
            yield ExportStep(f"Report: micrograph {event.n_done} of {event.n_total}", progress)


def _kept_only(
    scored: PicksScored,
    state: LayerState,
    output: Path,
    settings: ExportSettings,
    recipe: Recipe,
) -> Iterator[ExportStep | Exported]:
    threshold, frames = state.threshold, tuple(state.frames)
    names = state.checked_scores.card.names

    def write() -> Iterator[ExportStep | Exported]:
        decision = Decision.of_picks(scored.picks, frames=frames)
        decided = decision.decided(scored.picks, threshold)
        part = kept(decided)
        files = write_part(
            part,
            output,
            output_columns(part, settings.write_fom),
            replace_added=settings.overwrite,
        )
        steps = next_steps(part, output)
        yield Exported(
            output, files, decision.counts(threshold).to_dict(names), steps, None,
            command_line(recipe), python_snippet(recipe),
        )  # fmt: skip

    return write()


def _snapshot(scores: Scores, picks: Picks) -> PicksScored:
    """Return the scores as they are now: later scoring does not change them."""
    scored = scores.picks_scored(picks)
    return PicksScored(
        scored.picks, dict(scored.failures), dict(scored.outside), dict(scored.figures)
    )


def _matched(picks: Picks) -> LabelMatch | None:
    """Return labels that have their picks already, as `match_labels` would find them."""
    n = int((picks.labels != UNLABELLED).sum())
    return LabelMatch(picks, n, n, 0, np.zeros(0, dtype=np.intp), 0) if n else None


# ----------------------------------------------------------------------------- places


def input_suffix(picks: Picks) -> str:
    """Return how the input's file name ends; nothing for a tree of files."""
    if picks.is_tree:
        return ""
    return picks.sources[0].path.suffix.lower() if picks.sources else ".star"


def in_the_way(output: str | Path, what: What = "everything") -> str:
    """Return what is at a place already, in a sentence; nothing if nothing is."""
    path = Path(output).expanduser()
    # the lock is of a run that was cancelled, and is at its next event soon
    has_files = path.is_dir() and any(entry.name != LOCK for entry in path.iterdir())
    if what == "kept":
        if has_files:
            return f"{path} is a folder with files in it."
        return f"{path} exists." if path.is_file() else ""
    if path.is_file():
        return f"{path} is a file, not a folder."
    if not has_files:
        return ""
    if (path / RUN_RECORD).is_file():
        return f"{path} holds an earlier run."
    return f"{path} has files in it; those of the same names would be replaced."


def next_steps(picks: Picks, output: Path) -> tuple[str, ...]:
    """Return what to do with exported picks in RELION and in cryoSPARC, a sentence each."""
    suffix, kept_at = input_suffix(picks), output
    if output.suffix == "" or output.is_dir():
        kept_only = picks.is_tree and not (output / RUN_RECORD).is_file()
        kept_at = output if kept_only else output / f"kept{suffix}"
    if picks.file_list is not None and picks.file_list.path.suffix == ".star":
        star = kept_at / picks.file_list.path.name if kept_at.suffix == "" else kept_at
        relion = f"RELION: Particle extraction ▸ Input coordinates: {star}"
    elif _has_images(picks):
        relion = f"RELION: 2D classification ▸ Input images STAR file: {kept_at}"
    elif suffix not in ("", ".star"):
        relion = "RELION: save the kept picks as one STAR file for it."
    else:
        relion = (
            "RELION: Particle extraction ▸ Re-extract refined particles ▸ Refined particles "
            f"STAR file: {kept_at}"
        )
    if suffix == ".csg":
        return (relion, f"cryoSPARC: Import Result Group ▸ {kept_at}")
    cryosparc = (
        f"cryoSPARC: Import Particle Stack ▸ Particle meta path: {kept_at}, with the "
        "micrographs' job as input"
    )
    return (relion, cryosparc)


def _has_images(picks: Picks) -> bool:
    block = getattr(picks.sources[0], "block", None) if picks.sources else None
    return block is not None and "rlnImageName" in block.columns
