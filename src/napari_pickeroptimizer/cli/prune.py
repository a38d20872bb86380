"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

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
from napari_pickeroptimizer.io import read_picks


def prune(
    micrographs: MicrographsOption,
    picks: Annotated[
        list[str],
        typer.Option(
            "--picks",
            "-p",
            help="Any readable pick file (.star, autopick.star, .box, .csv), or a directory or "
            "quoted glob of per-micrograph files; may be repeated.",
        ),
    ],
    model: Annotated[Path, typer.Option("--model", help="Model written by finetune.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")],
    threshold: Annotated[
        float, typer.Option("--threshold", "-t", help="Least P(particle) of a kept pick.")
    ] = 0.5,
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
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Score every pick, and write kept and rejected picks in the format they came in."""
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.run import Pruned, PruneSettings, prune_picks
    from napari_pickeroptimizer.prune.score import MicrographFailed, PicksScored, ScoreEvent

    settings = PruneSettings(threshold, device, batch_size, views, write_fom, overwrite)
    classifier = Classifier.load(model)
    found = find_micrographs(micrographs, pixel_size, flip_y)
    inputs = {
        "micrographs": list(micrographs),
        "picks": list(picks),
        "model": str(model),
        "pixel_size_ang": pixel_size,
        "flip_y": flip_y,
    }

    def describe(event: ScoreEvent | Pruned) -> str:
        if isinstance(event, Pruned | PicksScored):
            return ""
        return f"micrograph {event.n_done}/{event.n_total}"

    events = prune_picks(found, read_picks(picks), classifier, output, settings, inputs=inputs)
    result: Pruned | None = None
    for event in run_with_progress(events, "Pruning", describe):
        if isinstance(event, MicrographFailed):
            warn(f"{event.reason} Its {len(event.rows)} picks stay unscored.")
        elif isinstance(event, Pruned):
            result = event
    assert result is not None  # the generator's last event
    record = result.record
    n_outside = sum(record["outside"].values())
    if n_outside:
        warn(
            f"{n_outside} picks lie outside their micrograph and stay unscored: were they picked "
            "on binned or other micrographs?"
        )
    if as_json:
        print_json(record)
    else:
        _report(output, record)
    if record["unreadable"]:
        raise typer.Exit(code=1)


def _report(output: Path, record: dict[str, Any]) -> None:
    counts = record["counts"]
    n = counts["picks"]
    classes = ", ".join(f"{k} {name}" for name, k in counts["rejected_by_class"].items())
    out.print(
        f"Kept     {counts['kept']:>9,} of {n:,} ({percent(counts['kept'] / max(n, 1))})"
    )
    out.print(f"Rejected {counts['rejected']:>9,}" + (f" ({classes})" if classes else ""))
    if counts["unscored"]:
        out.print(f"Unscored {counts['unscored']:>9,}")
    out.print(f"Written to {output}", markup=False)
