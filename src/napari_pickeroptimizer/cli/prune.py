"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

from napari_pickeroptimizer.cli.options import (
    DecisionOptions,
    JsonOption,
    OutputOption,
    ScoringOptions,
    find_micrographs,
)
from napari_pickeroptimizer.cli.pruning import (
    model_of,
    picks_without_labels,
    prune_settings,
    report_writer,
    scheduler_of,
    scoring_inputs,
    show_run,
)
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.staging import check_output


def prune(
    output: OutputOption,
    decision: DecisionOptions,
    scoring: ScoringOptions,
    as_json: JsonOption = False,
) -> None:
    """Score every pick, and write kept and rejected picks in the format they came in."""
    from napari_pickeroptimizer.prune.run import prune_picks

    settings = prune_settings(scoring, decision)
    scheduler = scheduler_of(scoring, settings)
    check_output(output, settings.overwrite)
    classifier = model_of(scoring)
    micrographs = find_micrographs(scoring.micrographs, scoring.pixel_size, scoring.flip_y)
    events = prune_picks(
        micrographs,
        picks_without_labels(scoring.picks),
        classifier,
        output,
        settings,
        labels=read_picks(decision.labels) if decision.labels else None,
        inputs={**scoring_inputs(scoring), "labels": list(decision.labels or [])},
        further=None if decision.no_report else report_writer(micrographs),
        scheduler=scheduler,
    )
    show_run(events, "Pruning", output, as_json)
