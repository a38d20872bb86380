"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

from napari_pickeroptimizer.cli.options import (
    DecisionOptions,
    JsonOption,
    OutputOption,
    ScoringOptions,
)


def prune(
    output: OutputOption,
    decision: DecisionOptions,
    scoring: ScoringOptions,
    as_json: JsonOption = False,
) -> None:
    """Score every pick, and write kept and rejected picks in the format they came in."""
    from napari_pickeroptimizer.cli.pruning import (
        prune_settings,
        read_inputs,
        record_of_inputs,
        report_writer,
        scheduler_of,
        show_run,
    )
    from napari_pickeroptimizer.staging import check_output

    settings = prune_settings(scoring, decision)
    check_output(output, settings.overwrite)
    given = read_inputs(scoring, decision.labels)
    # torch, which files that cannot be read do not wait for
    from napari_pickeroptimizer.prune.run import prune_picks

    events = prune_picks(
        given.micrographs,
        given.picks,
        given.model(),
        output,
        settings,
        labels=given.labels,
        inputs=record_of_inputs(scoring, decision),
        further=None if decision.no_report else report_writer(given.micrographs),
        scheduler=scheduler_of(scoring, settings),
    )
    show_run(events, "Pruning", output, as_json)
