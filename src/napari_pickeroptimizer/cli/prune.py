"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.cli.command_record import running_command
from napari_pickeroptimizer.cli.options import (
    DeviceOption,
    FlipYOption,
    JsonOption,
    MicrographsOption,
    OverwriteOption,
    PixelSizeOption,
    find_micrographs,
)
from napari_pickeroptimizer.cli.show import (
    out,
    percent,
    print_json,
    run_with_progress,
    warn,
)
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.registry import expected
from napari_pickeroptimizer.picks import Picks


def prune(
    micrographs: MicrographsOption,
    picks: Annotated[
        list[str],
        typer.Option(
            "--picks",
            "-p",
            help=f"Any readable pick file ({expected()}, autopick.star), or a directory or "
            "quoted glob of per-micrograph files; may be repeated.",
        ),
    ],
    model: Annotated[Path, typer.Option("--model", help="Model written by finetune.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")],
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            "-t",
            help="Least P(particle) of a kept pick, or auto for the best expected F1; 0.5 by "
            "default.",
            show_default=False,
        ),
    ] = None,
    precision: Annotated[
        float | None,
        typer.Option(
            "--precision",
            help="In place of a threshold: the share of particles among the kept picks to "
            "expect, such as 0.95.",
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            "--recall",
            help="In place of a threshold: the share of the particles to expect to keep.",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            "-l",
            help="Labelled picks, which win over their scores; may be repeated.",
        ),
    ] = None,
    min_distance: Annotated[
        str,
        typer.Option(
            "--min-distance",
            help="Of two picks nearer than this keep the more probable one: pixels (30), Å (50A) "
            "or particle diameters (0.5d).",
        ),
    ] = "0",
    edge_distance: Annotated[
        str,
        typer.Option(
            "--edge-distance",
            help="Reject picks nearer than this to the micrograph's edge, given likewise.",
        ),
    ] = "0",
    write_fom: Annotated[
        bool,
        typer.Option(
            "--write-fom",
            help="Write P(particle) over the picker's rlnAutopickFigureOfMerit too.",
        ),
    ] = False,
    batch_size: Annotated[int, typer.Option("--batch-size", help="Boxes a pass.")] = 256,
    views: Annotated[
        int,
        typer.Option(
            "--views",
            help="Turned and mirrored looks at each box that are averaged, 1 to 8; one is as "
            "many times faster and a little less accurate.",
        ),
    ] = 4,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Write no report.html.")
    ] = False,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score every pick, and write kept and rejected picks in the format they came in."""
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.place_rules import Length
    from napari_pickeroptimizer.prune.run import Pruned, PruneSettings, prune_picks
    from napari_pickeroptimizer.prune.score import PicksScored, ScoreEvent
    from napari_pickeroptimizer.reading import MicrographFailed

    settings = PruneSettings(
        threshold=_threshold(threshold),
        precision=precision,
        recall=recall,
        min_distance=Length.parse(min_distance),
        edge_distance=Length.parse(edge_distance),
        device=device,
        batch_size=batch_size,
        n_views=views,
        write_fom=write_fom,
        overwrite=overwrite,
    )
    classifier = Classifier.load(model)
    found = find_micrographs(micrographs, pixel_size, flip_y)
    inputs = {
        "micrographs": list(micrographs),
        "picks": list(picks),
        "model": str(model),
        "labels": list(labels or []),
        "pixel_size_ang": pixel_size,
        "flip_y": flip_y,
    }
    events = prune_picks(
        found,
        _without_labels(read_picks(picks)),
        classifier,
        output,
        settings,
        labels=read_picks(labels) if labels else None,
        inputs=inputs,
    )

    def describe(event: ScoreEvent | Pruned) -> str:
        if isinstance(event, Pruned | PicksScored):
            return ""
        return f"micrograph {event.n_done}/{event.n_total}"

    result: Pruned | None = None
    for event in run_with_progress(events, "Pruning", describe):
        if isinstance(event, MicrographFailed):
            warn(f"{event.reason} Its {len(event.group.rows)} picks stay unscored.")
        elif isinstance(event, Pruned):
            result = event
    assert result is not None  # the generator's last event
    for sentence in result.record["warnings"]:
        warn(sentence)
    report = None if no_report else _write_report(output, result, found, classifier)
    if as_json:
        print_json(result.record)
    else:
        _report(output, result)
        if report is not None:
            out.print(f"Report: {report}", markup=False)
    if result.record["unreadable"]:
        raise typer.Exit(code=1)


def _write_report(output: Path, result: Any, micrographs: Any, classifier: Any) -> Path:
    """Write the report into the folder of the run, as one of its files."""
    from napari_pickeroptimizer.report.prune_report import ReportWritten, run_report_events

    command = running_command()
    *_, last = run_report_events(output, result, micrographs, classifier.card, command=command)
    assert isinstance(last, ReportWritten)  # its last event
    return last.path


def _threshold(text: str | None) -> float | Literal["auto"] | None:
    if text is None or text == "auto":
        return "auto" if text else None
    if not re.fullmatch(r"[0-9.eE+-]+", text):
        raise SettingsError(f"--threshold {text!r}: expected a number from 0 to 1, or auto.")
    try:
        return float(text)
    except ValueError:
        raise SettingsError(f"--threshold {text!r} is no number.") from None


def _without_labels(picks: Picks) -> Picks:
    """Return the picks without classes of their own, which say what picked them, or nothing."""
    n = int((picks.labels != UNLABELLED).sum())
    if not n:
        return picks
    warn(
        f"{n:,} picks have a class already, which does not count here: pass the file that you "
        "labelled as --labels to have its labels win over the scores."
    )
    return picks.with_labels(UNLABELLED)


def _report(output: Path, result: Any) -> None:
    record, forecast = result.record, result.forecast
    counts = record["counts"]
    n = counts["picks"]
    classes = ", ".join(f"{k} {name}" for name, k in counts["rejected_by_class"].items())
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
