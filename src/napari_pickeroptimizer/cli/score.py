"""``pickeroptimizer score``: picks in, scores out, for ``decide``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.cli.options import (
    BatchSizeOption,
    DeviceOption,
    FlipYOption,
    JsonOption,
    MicrographsOption,
    ModelOption,
    OutputOption,
    PicksOption,
    PixelSizeOption,
    ViewsOption,
    find_micrographs,
)
from napari_pickeroptimizer.cli.show import err, out, print_json, run_with_progress, warn
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.picks import Picks


def score(
    micrographs: MicrographsOption,
    picks: PicksOption,
    model: ModelOption,
    output: OutputOption,
    shard: Annotated[
        str,
        typer.Option(
            help="Score one part of the micrographs only, such as 2/8, the second of eight: for "
            "the jobs of a cluster array. `decide` puts the parts together."
        ),
    ] = "1/1",
    batch_size: BatchSizeOption = 256,
    views: ViewsOption = 4,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Score every pick and store the scores; a killed run resumes where it stopped."""
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.events import PicksScored
    from napari_pickeroptimizer.prune.journal import Shard
    from napari_pickeroptimizer.prune.score import score_picks
    from napari_pickeroptimizer.prune.settings import PruneSettings

    part = Shard.parse(shard)
    settings = PruneSettings(device=device, batch_size=batch_size, n_views=views)
    events = score_picks(
        find_micrographs(micrographs, pixel_size, flip_y),
        without_labels(read_picks(picks)),
        Classifier.load(model),
        output,
        settings,
        shard=part,
        inputs=scoring_inputs(micrographs, picks, model, pixel_size, flip_y),
    )
    result = show_scoring(events, "Scoring")
    assert isinstance(result, PicksScored)  # the generator's last event
    n_scored = int(np.isfinite(result.picks.particle_probability).sum())
    if as_json:
        print_json(
            {
                "shard": str(part),
                "picks": len(result.picks),
                "scored": n_scored,
                "outside": result.outside,
                "unreadable": result.failures,
            }
        )
    else:
        of_shard = "" if part.count == 1 else f" (shard {part})"
        out.print(
            f"Scored {n_scored:,} of {len(result.picks):,} picks{of_shard}.", markup=False
        )
        out.print(f"Next: pickeroptimizer decide -o {output}", markup=False)
    if result.failures:
        raise typer.Exit(code=1)


def show_scoring(events: Iterator[Any], title: str) -> Any:
    """Show scoring as a progress bar, warn of failed micrographs; return the last event."""
    from napari_pickeroptimizer.prune.events import ScoresReused
    from napari_pickeroptimizer.reading import MicrographFailed

    def describe(event: Any) -> str:
        done = getattr(event, "n_done", None)
        return "" if done is None else f"micrograph {done}/{event.n_total}"

    last = None
    for last in run_with_progress(events, title, describe):
        if isinstance(last, MicrographFailed):
            warn(f"{last.reason} Its {len(last.group.rows)} picks stay unscored.")
        elif isinstance(last, ScoresReused):
            out_text = f"{last.n_picks:,} picks on {last.n_micrographs:,} micrographs"
            err.print(f"{out_text} were scored before: their scores are used.", markup=False)
    return last


def scoring_inputs(
    micrographs: list[str],
    picks: list[str],
    model: Path,
    pixel_size_ang: float | None,
    flip_y: bool,
) -> dict[str, Any]:
    """Return the inputs for the record, with absolute paths of picks."""
    return {
        "micrographs": list(micrographs),
        "picks": [str(absolute(Path(p).expanduser())) for p in picks],
        "model": str(model),
        "pixel_size_ang": pixel_size_ang,
        "flip_y": flip_y,
    }


def without_labels(picks: Picks) -> Picks:
    """Return the picks without the classes in their file, which are not labels."""
    n = int((picks.labels != UNLABELLED).sum())
    if not n:
        return picks
    warn(
        f"{n:,} picks have a class already, which is ignored: pass the file that you "
        "labelled as --labels to have its labels win over the scores."
    )
    return picks.with_labels(UNLABELLED)
