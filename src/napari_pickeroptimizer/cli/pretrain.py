"""``pickeroptimizer pretrain``: train on categories of boxes, as a base for fine-tuning."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from napari_pickeroptimizer.cli import EXIT_INTERRUPTED, handled_by
from napari_pickeroptimizer.cli.options import (
    BackboneOption,
    DeviceOption,
    JsonOption,
    ModelOutputOption,
    OverwriteOption,
    SeedOption,
    StepsOption,
    ThreadsOption,
)
from napari_pickeroptimizer.cli.show import err, out, percent, print_json, run_with_progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_pickeroptimizer.pretrain.events import PretrainEvent
    from napari_pickeroptimizer.pretrain.settings import Balance
    from napari_pickeroptimizer.pretrain.validate import PretrainValidation


def pretrain(
    data: Annotated[
        Path, typer.Option(help="Folder with a folder of stacks for each category.")
    ],
    output: ModelOutputOption,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Entry to exclude; may be repeated.")
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            help="First weights: none, imagenet (downloaded by torchvision), a .pth file of "
            "torchvision weights, or a model of this program."
        ),
    ] = "none",
    backbone: BackboneOption = None,
    steps: StepsOption = 10_000,
    batch_size: Annotated[int, typer.Option(help="Boxes a step.")] = 128,
    balance: Annotated[
        str, typer.Option(help="What is drawn equally often: category, class or row.")
    ] = "category",
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-2,
    label_smoothing: Annotated[
        float, typer.Option(help="Share of each target that is spread over all categories.")
    ] = 0.0,
    shift: Annotated[
        float, typer.Option(help="Largest shift in augmentation, in box sides.")
    ] = 0.03,
    scale: Annotated[float, typer.Option(help="Largest relative change of size.")] = 0.08,
    contrast: Annotated[
        float, typer.Option(help="Largest relative change of contrast.")
    ] = 0.3,
    brightness: Annotated[
        float, typer.Option(help="Largest change of grey level, in sigma.")
    ] = 0.3,
    noise: Annotated[float, typer.Option(help="Largest white noise added, in sigma.")] = 0.5,
    blur: Annotated[
        float, typer.Option(help="Largest Gaussian blur, in pixels of the box.")
    ] = 1.0,
    validation_share: Annotated[
        float, typer.Option(help="Share of the boxes held out.")
    ] = 0.02,
    report_every: Annotated[
        int, typer.Option(help="Steps between validations on held-out boxes.")
    ] = 500,
    save_every: Annotated[int, typer.Option(help="Steps between saved states.")] = 500,
    known_false: Annotated[
        list[str] | None,
        typer.Option(
            help="Category of false picks (carbon) that fine-tunings shall know without a label: "
            "some of its boxes go into the model. May be repeated."
        ),
    ] = None,
    known_false_boxes: Annotated[
        int, typer.Option(help="Boxes of each of these categories.")
    ] = 40,
    half: Annotated[
        bool, typer.Option("--half/--full", help="Write float16 or float32 weights.")
    ] = True,
    amp: Annotated[
        bool,
        typer.Option("--amp", help="Compute in bfloat16, which is faster on recent GPUs."),
    ] = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network to classify categories of boxes, as a base for fine-tuning.

    On Ctrl-C or SIGTERM the state is saved, and the same command resumes the training.
    """
    from napari_pickeroptimizer.cli.files import check_output_is_no_input, output_file
    from napari_pickeroptimizer.fewshot.settings import Augmentation
    from napari_pickeroptimizer.model.weights import backbone_of
    from napari_pickeroptimizer.pretrain import events
    from napari_pickeroptimizer.pretrain.categories import read_categories
    from napari_pickeroptimizer.pretrain.settings import PretrainSettings
    from napari_pickeroptimizer.pretrain.train import pretrain as pretrain_events

    settings = PretrainSettings(
        backbone=backbone_of(base, backbone),
        base=base,
        n_steps=steps,
        batch_size=batch_size,
        balance=cast("Balance", balance),  # checked there
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        augmentation=Augmentation(shift, scale, contrast, brightness),
        noise_sigma=noise,
        blur_px=blur,
        validation_share=validation_share,
        report_every=report_every,
        save_every=save_every,
        known_false_categories=tuple(known_false or ()),
        n_known_false=known_false_boxes,
        half=half,
        amp=amp,
        seed=seed,
        device=device,
    )
    with output_file(output, overwrite):
        check_output_is_no_input(output, [base])
        categories = read_categories(data, leave_out or ())
        err.print(
            f"{len(categories):,} boxes of {len(categories.names)} categories from "
            f"{len(categories.entries)} entries"
        )
        training: dict[str, Any] = {}
        step = 0
        training_events = cast(
            "Generator[PretrainEvent]", pretrain_events(categories, settings, output)
        )
        try:
            # SIGTERM (a queue's time limit) is treated as Ctrl-C, so that the state is saved
            with (
                handled_by(signal.default_int_handler, signal.SIGTERM),
                closing(training_events),
            ):
                for event in run_with_progress(training_events, "Pretraining", _describe):
                    match event:
                        case events.Resumed() | events.StepDone():
                            step = event.step
                        case events.Validated():
                            err.print(f"step {event.step}: {_held_out(event.validation)}")
                        case events.Pretrained():
                            training = event.model.card.training
        except KeyboardInterrupt:
            err.print(f"Stopped after step {step}. The same command resumes the training.")
            raise typer.Exit(code=EXIT_INTERRUPTED) from None
    _report(output, training, as_json)


def _describe(event: PretrainEvent) -> str:
    from napari_pickeroptimizer.pretrain import events

    match event:
        case events.Resumed():
            return f"resuming after step {event.step}"
        case events.StepDone():
            return (
                f"step {event.step}/{event.n_steps}, loss {sum(event.losses):.3f}, accuracy "
                f"{percent(event.accuracy)}, {event.boxes_per_second:.0f} boxes/s"
            )
        case events.Validated():
            return f"step {event.step}/{event.n_steps}, held-out boxes"
        case _:
            return ""


def _held_out(validation: PretrainValidation) -> str:
    text = f"accuracy on held-out boxes {percent(validation.accuracy)}"
    if validation.particle_accuracy is None:
        return text
    return f"{text}, particle or not {percent(validation.particle_accuracy)}"


def _report(output: Path, training: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json({"model": str(output), "training": training})
        return
    out.print(f"Model: {output}", markup=False)
    out.print(
        f"Trained on {training['n_trained']:,} boxes of {len(training['categories'])} "
        f"categories from {len(training['entries'])} entries"
    )
    validation = training["validation"]
    if validation is None:
        out.print("Not validated: no boxes were held out.")
        return
    out.print(
        f"On {validation['n_boxes']:,} held-out boxes of the same entries: accuracy by "
        f"category {percent(validation['accuracy'])}, particle or not "
        f"{percent(validation['particle_accuracy'])}"
    )
    worst = sorted(validation["by_category"].items(), key=lambda item: item[1])[:5]
    out.print(
        "Lowest: " + ", ".join(f"{name} {percent(share)}" for name, share in worst),
        markup=False,
    )
