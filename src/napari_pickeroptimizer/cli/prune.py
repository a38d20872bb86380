"""``pickeroptimizer prune``: picks in, kept and rejected picks out."""

from __future__ import annotations

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
from napari_pickeroptimizer.cli.pruning import (
    decision_settings,
    picks_without_labels,
    report_writer,
    scoring_inputs,
    show_run,
)
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
    from napari_pickeroptimizer.prune.run import prune_picks

    settings = decision_settings(
        threshold,
        min_distance,
        edge_distance,
        precision=precision,
        recall=recall,
        device=device,
        batch_size=batch_size,
        n_views=views,
        write_fom=write_fom,
        overwrite=overwrite,
    )
    classifier = Classifier.load(model)
    image_files = find_micrographs(micrographs, pixel_size, flip_y)
    inputs = scoring_inputs(micrographs, picks, model, pixel_size, flip_y)
    events = prune_picks(
        image_files,
        picks_without_labels(picks),
        classifier,
        output,
        settings,
        labels=read_picks(labels) if labels else None,
        inputs={**inputs, "labels": list(labels or [])},
        further=None if no_report else report_writer(image_files),
    )
    show_run(events, "Pruning", output, as_json)
