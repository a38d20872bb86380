"""``pickeroptimizer demo``: the whole job on simulated micrographs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.evaluate import evaluate
from napari_pickeroptimizer.cli.finetune import finetune
from napari_pickeroptimizer.cli.options import DeviceOption, SeedOption
from napari_pickeroptimizer.cli.prune import prune
from napari_pickeroptimizer.cli.show import out
from napari_pickeroptimizer.cli.simulate import write_project
from napari_pickeroptimizer.simulate.settings import SimulationSettings

FOLDS = 0  # each fold is one more training, and the demo shall take under three minutes


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for everything that is made.")
    ] = Path("pickeroptimizer-demo"),
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
) -> None:
    """Simulate micrographs, learn from 20 labels a class, prune, and say how good it is."""
    started = time.monotonic()
    settings = SimulationSettings(seed=seed)
    project = write_project(output / "project", settings)
    micrographs = [str(project.micrographs)]
    model = output / "model.safetensors"
    pruned = output / "pruned"

    def show(command: str) -> None:
        out.print(f"\n$ pickeroptimizer {command}", style="cyan", markup=False)

    show(
        f"finetune --micrographs {micrographs[0]} --labels {project.labels} "
        f"--picks {project.autopick} --diameter-angstrom {settings.particle_ang:g} "
        f"--folds {FOLDS} --output {model}"
    )
    finetune(
        micrographs,
        model,
        labels=[str(project.labels)],
        picks=[str(project.autopick)],
        diameter_angstrom=settings.particle_ang,
        folds=FOLDS,
        device=device,
        seed=seed,
        overwrite=True,
    )
    show(
        f"prune --micrographs {micrographs[0]} --picks {project.autopick} --model {model} "
        f"--output {pruned}"
    )
    prune(micrographs, [str(project.autopick)], model, pruned, device=device, overwrite=True)
    radius_px = round(settings.diameter_px / 2)
    scored = pruned / "scored" / "autopick.star"
    show(f"evaluate --picks {scored} --truth {project.truth} --radius-px {radius_px}")
    evaluate([str(scored)], [str(project.truth)], radius_px)
    out.print(
        f"\nDone in {time.monotonic() - started:.0f} s. RELION can extract "
        f"{pruned / 'kept' / 'autopick.star'}",
        markup=False,
    )
