"""``pickeroptimizer decide``: scores in, kept and rejected picks out, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import (
    EdgeDistanceOption,
    JsonOption,
    LabelsOption,
    MinDistanceOption,
    NoReportOption,
    OutputOption,
    OverwriteOption,
    PrecisionOption,
    RecallOption,
    ThresholdOption,
    WritePickerScoreOption,
)
from napari_pickeroptimizer.cli.pruning import (
    decision_settings,
    picks_without_labels,
    report_writer,
    show_run,
)
from napari_pickeroptimizer.io import read_picks


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
    threshold: ThresholdOption = None,
    precision: PrecisionOption = None,
    recall: RecallOption = None,
    labels: LabelsOption = None,
    min_distance: MinDistanceOption = "0",
    edge_distance: EdgeDistanceOption = "0",
    write_fom: WritePickerScoreOption = False,
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
    no_report: NoReportOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide on picks that were scored, and write what prune writes; reads no micrograph."""
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.decide import decide_picks

    settings = decision_settings(
        threshold,
        min_distance,
        edge_distance,
        precision=precision,
        recall=recall,
        write_fom=write_fom,
        overwrite=overwrite,
    )
    events = decide_picks(
        output,
        settings,
        scores=scores,
        picks=picks_without_labels(picks) if picks else None,
        model=Classifier.load(model) if model else None,
        labels=read_picks(labels) if labels else None,
        inputs={"labels": list(labels or [])},
        allow_unscored=allow_unscored,
        further=None if no_report else report_writer(with_pictures=pictures),
    )
    show_run(events, "Deciding", output, as_json)
