"""Writing what a session came to: the very files that `pickeroptimizer prune` writes. No Qt.

`export` does it here and now. A panel takes `export_events`, which reads everything it needs
from the layers at once, and then runs in a worker. What the labels are, which model scored
and by which command lines it can all be had again, is written beside the picks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.label_files import (
    own_picks,
    save_labels,
    write_labels,
    write_part,
)
from napari_pickeroptimizer.plugin.outputs import scores_of
from napari_pickeroptimizer.plugin.panels.export.destinations import (
    default_output,
    formats,
    in_the_way,
    next_steps,
)
from napari_pickeroptimizer.plugin.panels.export.recipes import (
    LABELS,
    MODEL,
    ExportSettings,
    recipe_of,
)
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    command_line,
    python_snippet,
)
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import stack_for
from napari_pickeroptimizer.prune.decided_run import Plan, Pruned, finish, prepare
from napari_pickeroptimizer.prune.decision import Decision, kept
from napari_pickeroptimizer.prune.label_matching import LabelMatch
from napari_pickeroptimizer.prune.output import output_columns
from napari_pickeroptimizer.prune.score import PicksScored
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.staging import locked

__all__ = [
    "ExportSettings",
    "ExportStep",
    "Exported",
    "command_line",
    "default_output",
    "export",
    "export_events",
    "formats",
    "in_the_way",
    "python_snippet",
    "recipe_of",
    "save_labels",
]

REPORT = "report.html"
# Shares of the progress: picks are quick, pictures of micrographs are not.
PICKS_SHARE = 0.3


@dataclass(frozen=True)
class ExportStep:
    """Something was written, or one more micrograph is in the report."""

    text: str
    progress: float


@dataclass(frozen=True)
class Exported:
    """The last event: all is written.

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
        The report, where one was wanted.
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


def export(
    viewer: Any, layer: Any, output: str | Path, settings: ExportSettings | None = None
) -> Exported:
    """Write what scores, labels and threshold made of a layer's picks, here and now.

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

    Cancelled, nothing of it is there, and an earlier export is as it was.

    Raises
    ------
    SettingsError
        At once, as `export`.
    """
    settings = settings or ExportSettings()
    output = absolute(Path(output).expanduser())
    scores = scores_of(viewer, layer)
    if not scores.complete:
        raise SettingsError("the picks are being scored: wait for the last of them.")
    picks = own_picks(layer)
    scored = _snapshot(scores, picks)
    recipe = recipe_of(viewer, layer, output, settings)
    if not settings.overwrite:
        taken = in_the_way(output, settings.what)
        if taken:
            raise SettingsError(f"{taken} Choose another place, or allow to replace it.")
    if settings.what == "kept":
        return _kept_only(scored, scores, output, settings, recipe)
    micrographs = stack_for(viewer, layer, None).micrographs
    matched = _matched(picks)
    prune_settings = PruneSettings(
        threshold=scores.threshold,
        device=settings.device,
        batch_size=recipe.batch_size,
        write_fom=settings.write_fom,
        overwrite=settings.overwrite,
        min_distance=scores.rules.min_distance,
        edge_distance=scores.rules.edge_distance,
    )
    model, inputs = scores.model, dict(recipe.inputs)
    inputs["model"] = str(output / MODEL) if settings.model else "(of a napari session)"
    if not settings.labels:
        inputs["labels"] = ["(of a napari session)"] if matched else []

    def plan() -> Plan:
        return prepare(
            micrographs, picks, model, output, prune_settings, labels=matched, inputs=inputs
        )

    return _everything(plan, micrographs, scored, model, settings, recipe)


def _everything(
    plan: Callable[[], Plan],
    micrographs: Micrographs,
    scored: PicksScored,
    model: Classifier,
    settings: ExportSettings,
    recipe: Recipe,
) -> Iterator[ExportStep | Exported]:
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
        for event in finish(planned, scored, started=started, further=further):
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
    scores: Scores,
    output: Path,
    settings: ExportSettings,
    recipe: Recipe,
) -> Iterator[ExportStep | Exported]:
    threshold, frames, names = scores.threshold, tuple(scores.frames), scores.card.names

    def write() -> Iterator[ExportStep | Exported]:
        decision = Decision.of_picks(scored.picks, frames=frames)
        decided = decision.decided(scored.picks, threshold)
        part = kept(decided)
        files = write_part(part, output, output_columns(part, settings.write_fom))
        steps = next_steps(part, output)
        yield Exported(
            output, files, decision.counts(threshold).to_dict(names), steps, None,
            command_line(recipe), python_snippet(recipe),
        )  # fmt: skip

    return write()


def _snapshot(scores: Scores, picks: Picks) -> PicksScored:
    """Return the scores as they are now: scoring again meanwhile changes nothing here."""
    scored = scores.picks_scored(picks)
    return replace(
        scored,
        failures=dict(scored.failures),
        outside=dict(scored.outside),
        figures=dict(scored.figures),
    )


def _matched(picks: Picks) -> LabelMatch | None:
    """Return labels that have their picks already, as `match_labels` would find them."""
    n = int((picks.labels != UNLABELLED).sum())
    return LabelMatch(picks, n, n, 0, np.zeros(0, dtype=np.intp), 0) if n else None
