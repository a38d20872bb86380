"""``pickeroptimizer finetune``: labels in, a model out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_pickeroptimizer.cli.options import (
    BackboneOption,
    DeviceOption,
    DiameterAngOption,
    DiameterPxOption,
    FlipYOption,
    JsonOption,
    MicrographsOption,
    ModelOutputOption,
    OverwriteOption,
    PixelSizeOption,
    SeedOption,
    StepsOption,
    ThreadsOption,
    check_one_diameter,
)
from napari_pickeroptimizer.cli.show import out, percent, print_json, run_to_end
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings

if TYPE_CHECKING:
    from napari_pickeroptimizer.fewshot.events import FineTuneEvent
    from napari_pickeroptimizer.model.card import ModelCard


def finetune(
    micrographs: MicrographsOption,
    output: ModelOutputOption,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            "-l",
            help="Labelled picks (column rlnParticleSelectionType): a pick file, or a directory "
            "or quoted glob of per-micrograph files; may be repeated.",
        ),
    ] = None,
    positive: Annotated[
        list[str] | None, typer.Option(help="Picks that are all particles.")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option(help="Picks that are all false (class 2, contaminant).")
    ] = None,
    picks: Annotated[
        list[str] | None,
        typer.Option(
            help="All picks that will be pruned: from them the model estimates how many are "
            "particles."
        ),
    ] = None,
    diameter_px: DiameterPxOption = None,
    diameter_angstrom: DiameterAngOption = None,
    box_factor: Annotated[
        float, typer.Option(help="Box side in particle diameters.")
    ] = FineTuneSettings.box_factor,
    base: Annotated[
        str,
        typer.Option(
            help="First weights: bundled, none, imagenet (downloaded by torchvision), a .pth file "
            "of torchvision weights, or a model of this program."
        ),
    ] = str(FineTuneSettings.base),
    backbone: BackboneOption = None,
    steps: StepsOption = FineTuneSettings.n_steps,
    folds: Annotated[
        int,
        typer.Option(
            help="Folds of the cross-validation, which calibrates the scores and gives the "
            "expected precision; 0 for none."
        ),
    ] = FineTuneSettings.n_folds,
    repeats: Annotated[
        int, typer.Option(help="Repetitions of the cross-validation with new folds.")
    ] = FineTuneSettings.n_repeats,
    most_labels: Annotated[
        int,
        typer.Option(
            help="Maximum number of labels of each class; of more, as after a 2D "
            "classification, a sample is used."
        ),
    ] = FineTuneSettings.n_labels,
    most_micrographs: Annotated[
        int, typer.Option(help="Maximum number of micrographs with labels to read.")
    ] = FineTuneSettings.n_labelled_micrographs,
    keep_doubtful: Annotated[
        bool,
        typer.Option(
            "--keep-doubtful", help="Also train on labels that the others contradict clearly."
        ),
    ] = False,
    class_names: Annotated[
        list[str] | None,
        typer.Option(
            "--class-name",
            help="Your name for a class, such as 4=edge; may be repeated. It is stored in the "
            "model and used by prune.",
        ),
    ] = None,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fine-tune a model on labelled picks, to distinguish particles from false picks."""
    from napari_pickeroptimizer.cli.files import (
        check_output_is_no_input,
        find_micrographs,
        output_file,
        read_labels,
    )
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.model.bases import check_base_is_there

    check_one_diameter(diameter_px, diameter_angstrom)
    settings = FineTuneSettings(
        diameter_px=diameter_px,
        diameter_ang=diameter_angstrom,
        box_factor=box_factor,
        base=base,
        backbone=backbone,
        n_steps=steps,
        n_folds=folds,
        n_repeats=repeats,
        n_labels=most_labels,
        n_labelled_micrographs=most_micrographs,
        leave_out_doubtful=not keep_doubtful,
        seed=seed,
        device=device,
        class_names=parsed_class_names(class_names or []),
    )
    with output_file(output, overwrite):
        check_output_is_no_input(output, [base, *micrographs])
        check_base_is_there(base)
        found = find_micrographs(micrographs, pixel_size, flip_y)
        labelled = read_labels(labels, positive, negative)
        unlabelled = read_picks(picks) if picks else None
        check_output_is_no_input(output, picks=[labelled, unlabelled])
        # torch, which files that cannot be read do not wait for
        from napari_pickeroptimizer.fewshot.events import FineTuned
        from napari_pickeroptimizer.fewshot.finetune import finetune as finetune_events

        result, skipped = run_to_end(
            finetune_events(found, labelled, settings, unlabelled), "Fine-tuning", _describe,
            "Its picks were left out.",
        )  # fmt: skip
        assert isinstance(result, FineTuned)  # the generator's last event
        result.model.save(output)
    _report(output, result.model.card, skipped, as_json)
    if skipped:
        raise typer.Exit(code=1)


def parsed_class_names(given: list[str]) -> dict[int, str]:
    """Return names by class id from texts such as ``4=edge``.

    Raises
    ------
    SettingsError
        One of them is not of that form, or a class is named twice.
    """
    names: dict[int, str] = {}
    for text in given:
        number, equals, name = text.partition("=")
        if not equals or not number.strip().isdecimal():
            raise SettingsError(f"--class-name {text!r}: expected ID=NAME, such as 4=edge.")
        if int(number) in names:
            raise SettingsError(f"--class-name names class {int(number)} twice.")
        names[int(number)] = name
    return names


def _describe(event: FineTuneEvent) -> str:
    from napari_pickeroptimizer.fewshot import events

    match event:
        case events.BoxesRead():
            return f"reading {event.micrograph}"
        case events.StepDone(fold=None):
            return f"step {event.step}/{event.n_steps}, loss {sum(event.losses):.3f}"
        case events.StepDone():
            return f"fold {event.fold}, step {event.step}/{event.n_steps}"
        case _:
            return ""


def _report(output: Path, card: ModelCard, skipped: dict[str, str], as_json: bool) -> None:
    from napari_pickeroptimizer.fewshot.events import LabelsSampled

    training = card.training
    if as_json:
        print_json({"model": str(output), "training": training, "unreadable": skipped})
        return
    counts = ", ".join(f"{n} {name}" for name, n in training["labels"].items())
    out.print(f"Model: {output}", markup=False)
    out.print(f"Labels: {counts}; unlabelled picks used: {training['n_unlabelled']}")
    if training["sampled"] is not None:
        out.print(LabelsSampled(**training["sampled"]).sentence)
    validation = training["validation"]
    if validation is None:
        from napari_pickeroptimizer.trust.forecast import no_forecast_reason

        out.print(no_forecast_reason(card), markup=False)
        return
    held_out = "whole micrographs" if validation["grouped_by_micrograph"] else "single labels"
    out.print(
        f"Cross-validation ({validation['n_folds']} folds, {held_out} held out): accuracy "
        f"{percent(validation['accuracy'])}, macro F1 "
        f"{validation['macro_f1']:.3f}"
    )
    wrong = training["wrong_labels"]
    if wrong is not None:
        out.print(
            f"About {percent(wrong['of_particles'])} of the particles are labelled as others, and "
            f"{percent(wrong['of_others'])} of the others as particles: the expected precision and "
            "recall allow for it."
        )
