"""``pickeroptimizer decide``: scores in, kept and rejected picks out, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import DecisionOptions, JsonOption, OutputOption


def decide(
    output: OutputOption,
    scores: Annotated[
        Path | None,
        typer.Option(
            help="Folder that score or prune wrote to; by default that of the results.",
            show_default=False,
        ),
    ] = None,
    picks: Annotated[
        list[str] | None,
        typer.Option(
            "--picks",
            "-p",
            help="The picks, if they have been moved since the scoring.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Model to use the scores of, if the folder holds scores of several.",
            show_default=False,
        ),
    ] = None,
    *,
    decision: DecisionOptions,
    allow_unscored: Annotated[
        bool,
        typer.Option(
            "--allow-unscored",
            help="Leave picks without scores unscored if a shard is missing or picks have "
            "changed; otherwise that is an error.",
        ),
    ] = False,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures",
            help="Show micrographs and boxes in the report, which reads some micrographs again.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide on picks that were scored, and write what prune writes; reads no micrograph."""
    from napari_pickeroptimizer.cli.files import picks_without_labels
    from napari_pickeroptimizer.cli.pruning import prune_settings, report_writer, show_run
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.prune.score_folder import check_has_scores
    from napari_pickeroptimizer.staging import check_output

    settings = prune_settings(decision=decision)
    check_output(output, settings.overwrite)
    check_has_scores(output if scores is None else scores)
    moved = picks_without_labels(picks) if picks else None
    labels = read_picks(decision.labels) if decision.labels else None
    # torch, which files that cannot be read do not wait for
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.decide import decide_picks

    classifier = Classifier.load(model) if model else None
    events = decide_picks(
        output,
        settings,
        scores=scores,
        picks=moved,
        model=classifier,
        labels=labels,
        inputs={"labels": list(decision.labels or [])},
        allow_unscored=allow_unscored,
        further=None if decision.no_report else report_writer(with_pictures=pictures),
    )
    show_run(events, "Deciding", output, as_json)
