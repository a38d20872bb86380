"""Shared by the commands that score and decide: inputs, settings, progress, report, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import typer

from napari_pickeroptimizer.classes import counted
from napari_pickeroptimizer.cli.command_record import running_command
from napari_pickeroptimizer.cli.files import find_micrographs, picks_without_labels
from napari_pickeroptimizer.cli.options import check_one_diameter, parse_threads
from napari_pickeroptimizer.cli.show import (
    err,
    out,
    percent,
    print_json,
    run_with_progress,
    warn,
)
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.bases import check_model_is_there
from napari_pickeroptimizer.model.views import AUTO, MAX_VIEWS, Auto
from napari_pickeroptimizer.openmp import threads_of_each
from napari_pickeroptimizer.prune.settings import (
    Length,
    PlaceRules,
    PruneSettings,
    ThresholdRule,
)
from napari_pickeroptimizer.staging import REPORT, check_output

if TYPE_CHECKING:
    from napari_pickeroptimizer.cli.options import DecisionOptions, ScoringOptions
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.run import Further, Pruned
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler


class Inputs(NamedTuple):
    """What is scored: read, and found to be there."""

    micrographs: Micrographs
    picks: Picks
    labels: Picks | None


def model_of(scoring: ScoringOptions) -> Classifier:
    """Load the model of ``--model``; a pretrained one is told the diameter."""
    from napari_pickeroptimizer.model.before_labels import model_for_picks

    check_one_diameter(scoring.diameter_px, scoring.diameter_angstrom)
    return model_for_picks(scoring.model, scoring.diameter_px, scoring.diameter_angstrom)


def read_inputs(scoring: ScoringOptions, labels: list[str] | None = None) -> Inputs:
    """Read micrographs' names, picks and labels; of the model only whether it is there."""
    check_one_diameter(scoring.diameter_px, scoring.diameter_angstrom)
    check_model_is_there(scoring.model)
    return Inputs(
        find_micrographs(scoring.micrographs, scoring.pixel_size, scoring.flip_y),
        picks_without_labels(scoring.picks),
        read_picks(labels) if labels else None,
    )


def prune_events(
    scoring: ScoringOptions,
    decision: DecisionOptions,
    output: Path,
    further: Callable[[Further | None], Further | None] = lambda report: report,
) -> Iterator[Any]:
    """Read the inputs and return the events of pruning them.

    `further` returns what writes the files of the run besides the picks, given what writes the
    report, if there is to be one.
    """
    settings = prune_settings(scoring, decision)
    check_output(output, settings.overwrite)
    given = read_inputs(scoring, decision.labels)
    # torch, which files that cannot be read do not wait for
    from napari_pickeroptimizer.prune.run import prune_picks

    return prune_picks(
        given.micrographs,
        given.picks,
        model_of(scoring),
        output,
        settings,
        labels=given.labels,
        inputs=record_of_inputs(scoring, decision),
        further=further(None if decision.no_report else report_writer(given.micrographs)),
        scheduler=scheduler_of(scoring, settings),
    )


def record_of_inputs(
    scoring: ScoringOptions, decision: DecisionOptions | None = None
) -> dict[str, Any]:
    """Return the inputs for the record, with absolute paths of picks."""
    record = {
        "micrographs": list(scoring.micrographs),
        "picks": [str(absolute(Path(p).expanduser())) for p in scoring.picks],
        "model": str(scoring.model),
        "pixel_size_ang": scoring.pixel_size,
        "flip_y": scoring.flip_y,
    }
    return record if decision is None else {**record, "labels": list(decision.labels or [])}


def parse_threshold(text: str | None) -> float | Literal["auto"] | None:
    """Parse the threshold.

    Raises
    ------
    SettingsError
        It is neither a number nor ``auto``.
    """
    if text is None or text == "auto":
        return "auto" if text else None
    if not re.fullmatch(r"[0-9.eE+-]+", text):
        raise SettingsError(f"--threshold {text!r}: expected a number from 0 to 1, or auto.")
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"--threshold {text!r} is not a number.") from None


def parse_views(text: str) -> int | Auto:
    """Parse the number of views.

    Raises
    ------
    SettingsError
        It is neither a whole number nor ``auto``.
    """
    if text == AUTO:
        return AUTO
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise SettingsError(
            f"--views {text!r}: expected a number from 1 to {MAX_VIEWS}, or {AUTO}."
        )
    return int(text)


def prune_settings(
    scoring: ScoringOptions | None = None, decision: DecisionOptions | None = None
) -> PruneSettings:
    """Return the settings of a run; those of a group that a command lacks keep their defaults."""
    values: dict[str, Any] = {}
    if scoring is not None:
        values.update(
            device=scoring.device,
            batch_size=scoring.batch_size,
            n_views=parse_views(scoring.views),
        )
    if decision is not None:
        values.update({f.name: getattr(decision, f.name) for f in fields(ThresholdRule)})
        values["threshold"] = parse_threshold(decision.threshold)
        for f in fields(PlaceRules):
            values[f.name] = Length.parse(getattr(decision, f.name))
        values.update(write_fom=decision.write_fom, overwrite=decision.overwrite)
    return PruneSettings(**values)


def scheduler_of(scoring: ScoringOptions, settings: PruneSettings) -> Scheduler:
    """Return who scores, of ``--scheduler``, if that is possible here."""
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler

    scheduler = Scheduler.parse(scoring.scheduler)
    scheduler.check(settings.device)
    n_threads = parse_threads(scoring.threads)
    if n_threads is None and scheduler.kind == "processes":
        n_threads = threads_of_each(int(scheduler.place))
    return replace(scheduler, n_threads=n_threads)


def report_writer(
    micrographs: Micrographs | None = None, with_pictures: bool = True
) -> Further:
    """Return what writes the report of a run; by default its micrographs are those with picks."""

    def write_report(folder: Path, pruned: Pruned) -> Iterator[Any]:
        from napari_pickeroptimizer.model.card import ModelCard
        from napari_pickeroptimizer.report.prune_report import run_report_events

        card = ModelCard.from_json(json.dumps(pruned.record["model"]))
        places = (g.micrograph for g in pruned.groups if g.micrograph is not None)
        yield from run_report_events(
            folder,
            pruned,
            Micrographs(tuple(places)) if micrographs is None else micrographs,
            card,
            command=running_command(),
            with_pictures=with_pictures,
        )

    return write_report


def show_scoring(events: Iterator[Any], title: str, told: set[str]) -> Any:
    """Show scoring as a progress bar, warn of failed micrographs; return the last event.

    That picks and micrographs do not fit is told at once, as the run may be stopped, and added
    to `told`.
    """
    from napari_pickeroptimizer.image_frame.events import OtherFrameFits
    from napari_pickeroptimizer.prune.events import ScoresReused, WorkersAsked
    from napari_pickeroptimizer.reading import MicrographFailed

    def describe(event: Any) -> str:
        done = getattr(event, "n_done", None)
        return "" if done is None else f"micrograph {done}/{event.n_total}"

    last = None
    for last in run_with_progress(events, title, describe):
        if isinstance(last, MicrographFailed):
            warn(f"{last.reason} Its {len(last.group.rows)} picks stay unscored.")
        elif isinstance(last, OtherFrameFits):
            warn(last.sentence)
            told.add(last.sentence)
        elif isinstance(last, ScoresReused):
            out_text = f"{last.n_picks:,} picks on {last.n_micrographs:,} micrographs"
            err.print(f"{out_text} were scored before: their scores are used.", markup=False)
        elif isinstance(last, WorkersAsked):
            err.print(f"Scored by {last.place}, as soon as they are there.", markup=False)
    return last


def show_run(events: Iterator[Any], title: str, output: Path, as_json: bool) -> None:
    """Run with a bar, print warnings and figures; leave with 1 if a micrograph was unreadable."""
    from napari_pickeroptimizer.prune.run import Pruned

    told: set[str] = set()
    result = show_scoring(events, title, told)
    assert isinstance(result, Pruned)  # the generator's last event
    for sentence in result.record["warnings"]:
        if sentence not in told:
            warn(sentence)
    if as_json:
        print_json(result.record)
    else:
        _show_figures(output, result)
        if REPORT in result.record["files"]:
            out.print(f"Report: {output / REPORT}", markup=False)
    if result.record["unreadable"]:
        raise typer.Exit(code=1)


def _show_figures(output: Path, result: Pruned) -> None:
    record, forecast = result.record, result.forecast
    counts = record["counts"]
    n = counts["picks"]
    classes = ", ".join(counted(k, name) for name, k in counts["rejected_by_class"].items())
    places = ", ".join(
        f"{counts['rejected_by_reason'][reason]} {words}"
        for reason, words in (
            ("distance", "too near to a better one"),
            ("edge", "too near to the edge"),
        )
        if reason in counts["rejected_by_reason"]
    )
    details = ", ".join(part for part in (classes, places) if part)
    by_label = counts["kept_by_label"]
    out.print(
        f"Kept     {counts['kept']:>9,} of {n:,} ({percent(counts['kept'] / max(n, 1))})"
        + (f", {by_label} of them by their label" if by_label else "")
    )
    out.print(f"Rejected {counts['rejected']:>9,}" + (f" ({details})" if details else ""))
    if counts["unscored"]:
        out.print(f"Unscored {counts['unscored']:>9,}")
    if forecast is not None:
        out.print(forecast.at(record["threshold"]).sentence(), markup=False)
    out.print(f"Written to {output}", markup=False)
