"""``pickeroptimizer suggest``: which picks to label next."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from napari_pickeroptimizer.cli.finetune import read_labels
from napari_pickeroptimizer.cli.options import (
    DeviceOption,
    FlipYOption,
    JsonOption,
    MicrographsOption,
    OverwriteOption,
    PixelSizeOption,
    SeedOption,
    check_one_diameter,
    check_output_is_no_input,
    checked_output_file,
    find_micrographs,
)
from napari_pickeroptimizer.cli.show import (
    out,
    print_json,
    print_table,
    run_to_end,
    warn,
)
from napari_pickeroptimizer.io import read_picks, write_new_star, write_picks
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import (
    PARTIAL_LABEL,
    PROBABILITY,
    SUGGESTION,
    SUGGESTION_REASON,
    SUGGESTION_SCORE,
)

N_SHOWN = 30
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
    n: Annotated[int, typer.Option("--n", "-n", help="How many picks to suggest.")] = 20,
    by: ByOption = "auto",
    diameter_px: Annotated[
        float | None,
        typer.Option(help="Particle diameter in pixels; not with a fine-tuned model."),
    ] = None,
    diameter_angstrom: Annotated[
        float | None, typer.Option(help="Particle diameter in Å; not with a fine-tuned model.")
    ] = None,
    base: Annotated[
        str, typer.Option(help="Weights for comparing picks without --model, see finetune.")
    ] = "bundled",
    most_micrographs: Annotated[
        int, typer.Option(help="Maximum number of micrographs to read.")
    ] = 24,
    most_picks: Annotated[
        int, typer.Option(help="Approximate number of picks on them to compare.")
    ] = 3000,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Choose the picks to label next: those whose labels help the model most."""
    from napari_pickeroptimizer.fewshot.events import BoxesRead
    from napari_pickeroptimizer.fewshot.suggest import Suggested, SuggestSettings
    from napari_pickeroptimizer.fewshot.suggest import suggest as suggest_events
    from napari_pickeroptimizer.model.before_labels import model_for_picks

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
    classifier = None
    if model is not None:
        classifier = model_for_picks(model, diameter_px, diameter_angstrom)
    found = find_micrographs(micrographs, pixel_size, flip_y)
    labelled = (
        read_labels(labels, positive, negative) if labels or positive or negative else None
    )
    picked = read_picks(picks)
    check_output_is_no_input(output, [model, *micrographs], [picked, labelled])

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
        warn(_why_fewer(len(result.picks), result.by, n))
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
        _report(record, output)
    if skipped:
        raise typer.Exit(code=1)


def write_suggestions(picks: Picks, output: Path) -> list[Path]:
    """Write suggested picks: as a new STAR, the best first, or in the format of the input.

    The STAR has a column ``poLabel`` of zeros, for labels by hand.
    """
    columns: dict[str, NDArray[Any]] = {
        PARTIAL_LABEL: np.zeros(len(picks), dtype=np.int8),
        SUGGESTION.star: picks.table[SUGGESTION.name].to_numpy(),
        SUGGESTION_REASON.star: picks.table[SUGGESTION_REASON.name].to_numpy(dtype=object),
    }
    scores = picks.table[SUGGESTION_SCORE.name].to_numpy(dtype=np.float64)
    if not np.isnan(scores).any():
        columns[SUGGESTION_SCORE.star] = scores
    probability = picks.particle_probability
    if not np.isnan(probability).all():
        columns[PROBABILITY.star] = probability
    if output.suffix.lower() == ".star":
        return [write_new_star(picks, output, columns=columns)]
    return write_picks(picks, output, columns=columns)


def _why_fewer(n: int, by: str, n_wanted: int) -> str:
    reason = (
        "model and picker agree on all other picks"
        if by == "disagreement"
        else "there are no other unlabelled picks"
    )
    return f"{n} of {n_wanted} suggestions: {reason} on the micrographs that were read."


def pick_records(picks: Picks, *, are_suggested: bool = True) -> list[dict[str, Any]]:
    """Return picks as plain values for JSON and the terminal.

    A labels file may hold the ranks of an earlier list of suggestions, or some of them; they
    are not those of this one.
    """
    probability = picks.particle_probability
    rows = []
    for i, pick in enumerate(picks.table.to_dict("records")):
        row = {"micrograph": pick["micrograph"], "x": pick["x"], "y": pick["y"]}
        if pick["label"]:
            row["label"] = int(pick["label"])
        if are_suggested:
            score = pick["suggestion_score"]
            row["rank"] = int(pick["suggestion"])
            row["reason"] = pick["suggestion_reason"]
            row["score"] = None if np.isnan(score) else round(float(score), 4)
        if not np.isnan(probability[i]):
            row["p_particle"] = round(float(probability[i]), 4)
        rows.append(row)
    return rows


def _report(record: dict[str, Any], output: Path) -> None:
    rows = record["suggestions"]

    def cells(row: dict[str, Any], *more: str) -> tuple[str, ...]:
        p = row.get("p_particle")
        shown = "–" if p is None else f"{p:.3f}"
        name = PurePosixPath(row["micrograph"]).name  # the full path would be too wide
        return name, f"{row['x']:.0f}", f"{row['y']:.0f}", shown, *more

    title = f"{len(rows)} of {record['n_compared']:,} picks compared, by {record['by']}"
    columns = ("micrograph", "x", "y", "P(particle)")
    print_table(title, (*columns, "reason"), [cells(r, r["reason"]) for r in rows[:N_SHOWN]])
    if len(rows) > N_SHOWN:
        out.print(f"... and {len(rows) - N_SHOWN} more")
    doubtful = record["doubtful_labels"]
    if doubtful:
        print_table(
            "Labels that contradict the model: check them",
            (*columns, "label"),
            [cells(r, str(r["label"])) for r in doubtful[:N_SHOWN]],
        )
    out.print(f"Written to {output}", markup=False)
    if rows:
        out.print(
            "Next: label them in napari, or in the column poLabel of the file (1 particle, "
            "2 contaminant, 3 carbon), and pass the file to `pickeroptimizer finetune` with "
            "--labels, together with the labels so far."
        )
