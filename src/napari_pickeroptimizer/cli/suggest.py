"""``pickeroptimizer suggest``: which picks to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import (
    DeviceOption,
    FlipYOption,
    JsonOption,
    MicrographsOption,
    OverwriteOption,
    PixelSizeOption,
    SeedOption,
    ThreadsOption,
    check_one_diameter,
)
from napari_pickeroptimizer.cli.show import print_json, run_to_end, warn
from napari_pickeroptimizer.fewshot.settings import SuggestSettings

ByOption = Annotated[
    str,
    typer.Option(
        "--by",
        help="diversity: unlike each other and the labels; uncertainty: with uncertain scores; "
        "mixed: half of each; disagreement: model and picker's score differ; auto: mixed with "
        "--model, diversity without.",
    ),
]


def suggest(
    micrographs: MicrographsOption,
    picks: Annotated[
        list[str],
        typer.Option(
            "--picks",
            "-p",
            help="All picks of the picker: any readable pick file, or a directory or quoted glob "
            "of per-micrograph files; may be repeated.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="File of the suggested picks: .star (best first), or the format of --picks.",
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model written by finetune, or bundled, with a diameter: see score; optional."
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            "-l",
            help="Labels so far, which are not suggested again; may be repeated.",
        ),
    ] = None,
    positive: Annotated[
        list[str] | None, typer.Option(help="Labels so far, all particles.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="Labels so far, all false picks.")
    ] = None,
    n: Annotated[
        int, typer.Option("--n", "-n", help="How many picks to suggest.")
    ] = SuggestSettings.n,
    by: ByOption = SuggestSettings.by,
    diameter_px: Annotated[
        float | None,
        typer.Option(help="Particle diameter in pixels; not with a fine-tuned model."),
    ] = None,
    diameter_angstrom: Annotated[
        float | None, typer.Option(help="Particle diameter in Å; not with a fine-tuned model.")
    ] = None,
    base: Annotated[
        str, typer.Option(help="Weights for comparing picks without --model, see finetune.")
    ] = str(SuggestSettings.base),
    most_micrographs: Annotated[
        int, typer.Option(help="Maximum number of micrographs to read.")
    ] = SuggestSettings.n_micrographs,
    most_picks: Annotated[
        int, typer.Option(help="Approximate number of picks on them to compare.")
    ] = SuggestSettings.n_pool,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the picks to label next: those whose labels help the model most."""
    from napari_pickeroptimizer.cli.files import (
        check_output_is_no_input,
        checked_output_file,
        find_micrographs,
        read_labels,
    )
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.model.bases import check_base_is_there, check_model_is_there

    checked_output_file(output, overwrite)
    check_one_diameter(diameter_px, diameter_angstrom)
    settings = SuggestSettings(
        n=n,
        by=by,  # type: ignore[arg-type] # checked there
        diameter_px=diameter_px,
        diameter_ang=diameter_angstrom,
        base=base,
        n_micrographs=most_micrographs,
        n_pool=most_picks,
        seed=seed,
        device=device,
    )
    if model is None:
        check_base_is_there(base)
    else:
        check_model_is_there(model)
    found = find_micrographs(micrographs, pixel_size, flip_y)
    labelled = (
        read_labels(labels, positive, negative) if labels or positive or negative else None
    )
    picked = read_picks(picks)
    check_output_is_no_input(output, [model, *micrographs], [picked, labelled])
    # torch, which files that cannot be read do not wait for
    from napari_pickeroptimizer.cli.suggestions import (
        pick_records,
        report_suggestions,
        why_fewer,
        write_suggestions,
    )
    from napari_pickeroptimizer.fewshot.events import BoxesRead, Suggested
    from napari_pickeroptimizer.fewshot.suggest import suggest as suggest_events
    from napari_pickeroptimizer.model.before_labels import model_for_picks

    classifier = None
    if model is not None:
        classifier = model_for_picks(model, diameter_px, diameter_angstrom)

    def describe(event: object) -> str:
        return f"reading {event.micrograph}" if isinstance(event, BoxesRead) else ""

    result, skipped = run_to_end(
        suggest_events(found, picked, settings, classifier=classifier, labels=labelled),
        "Comparing picks",
        describe,
        "Nothing was suggested on it.",
    )
    assert isinstance(result, Suggested)  # the generator's last event
    written = write_suggestions(result.picks, output)
    if len(result.picks) < n:
        warn(why_fewer(len(result.picks), result.by, n))
    record = {
        "written": [str(path) for path in written],
        "by": result.by,
        "n_wanted": n,
        "n_compared": result.n_compared,
        "suggestions": pick_records(result.picks),
        "doubtful_labels": pick_records(result.doubtful, are_suggested=False),
        "unreadable": skipped,
    }
    if as_json:
        print_json(record)
    else:
        report_suggestions(record, output)
    if skipped:
        raise typer.Exit(code=1)
