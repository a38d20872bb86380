"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.cli.decision_shown import (
    parse_threshold,
    report_events,
    show_result,
)
from napari_pickeroptimizer.cli.options import (
    BatchSizeOption,
    DeviceOption,
    EdgeDistanceOption,
    FlipYOption,
    JsonOption,
    LabelsOption,
    MicrographsOption,
    MinDistanceOption,
    ModelOption,
    NoReportOption,
    OutputOption,
    OverwriteOption,
    PicksOption,
    PixelSizeOption,
    PrecisionOption,
    RecallOption,
    ThresholdOption,
    ViewsOption,
    WritePickerScoreOption,
    find_micrographs,
)
from napari_pickeroptimizer.cli.score import scoring_inputs, show_scoring, without_labels
from napari_pickeroptimizer.io import read_picks


def prune(
    micrographs: MicrographsOption,
    picks: PicksOption,
    model: ModelOption,
    output: OutputOption,
    threshold: ThresholdOption = None,
    precision: PrecisionOption = None,
    recall: RecallOption = None,
    labels: LabelsOption = None,
    min_distance: MinDistanceOption = "0",
    edge_distance: EdgeDistanceOption = "0",
    write_fom: WritePickerScoreOption = False,
    batch_size: BatchSizeOption = 256,
    views: ViewsOption = 4,
    no_report: NoReportOption = False,
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

    settings = PruneSettings(
        threshold=parse_threshold(threshold),
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
    image_files = find_micrographs(micrographs, pixel_size, flip_y)

    def further(folder: Path, pruned: Pruned) -> Iterator[Any]:
        if not no_report:
            yield from report_events(folder, pruned, image_files, classifier.card)

    inputs = scoring_inputs(micrographs, picks, model, pixel_size, flip_y)
    events = prune_picks(
        image_files,
        without_labels(read_picks(picks)),
        classifier,
        output,
        settings,
        labels=read_picks(labels) if labels else None,
        inputs={**inputs, "labels": list(labels or [])},
        further=further,
    )
    result = show_scoring(events, "Pruning")
    assert isinstance(result, Pruned)  # the generator's last event
    show_result(output, result, as_json)
