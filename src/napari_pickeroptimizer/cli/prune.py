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
    from napari_pickeroptimizer.cli.pruning import prune_events, show_run

    show_run(prune_events(scoring, decision, output), "Pruning", output, as_json)
