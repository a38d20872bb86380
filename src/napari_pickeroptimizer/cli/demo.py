"""``pickeroptimizer demo``: the complete workflow on simulated micrographs."""

from __future__ import annotations

import json
import shlex
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.command_record import PROGRAM, running_as
from napari_pickeroptimizer.cli.evaluate import evaluate
from napari_pickeroptimizer.cli.finetune import finetune
from napari_pickeroptimizer.cli.options import (
    DecisionOptions,
    DeviceOption,
    ScoringOptions,
    SeedOption,
    ThreadsOption,
)
from napari_pickeroptimizer.cli.prune import prune
from napari_pickeroptimizer.cli.show import out
from napari_pickeroptimizer.cli.simulate import write_project
from napari_pickeroptimizer.errors import SettingsError

FOLDS = 3  # without folds there would be no expected precision
RECORD = "demo.json"
PARTS = ("project", "model.safetensors", "pruned")
EVALUATION = "evaluation.html"


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of all output.")
    ] = Path("pickeroptimizer-demo"),
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    threads: ThreadsOption = None,
) -> None:
    """Simulate micrographs, fine-tune on 20 labels a class, prune, and evaluate.

    An earlier demo in the folder is replaced, and nothing else.
    """
    from napari_pickeroptimizer.simulate.settings import SimulationSettings
    from napari_pickeroptimizer.staging import REPORT

    started = time.monotonic()
    settings = SimulationSettings(seed=seed)
    begin(output)
    project = write_project(output / "project", settings, overwrite=True)
    micrographs = [str(project.micrographs)]
    model = output / "model.safetensors"
    pruned = output / "pruned"

    def step(*words: object) -> AbstractContextManager[None]:
        command = shlex.join([PROGRAM, *map(str, words)])
        out.print(f"\n$ {command}", style="cyan", markup=False)
        return running_as(command)

    with step(
        "finetune", "--micrographs", micrographs[0], "--labels", project.labels,
        "--picks", project.autopick, "--diameter-angstrom", f"{settings.particle_ang:g}",
        "--folds", FOLDS, "--output", model,
    ):  # fmt: skip
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
    with step(
        "prune", "--micrographs", micrographs[0], "--picks", project.autopick,
        "--model", model, "--output", pruned,
    ):  # fmt: skip
        prune(
            pruned,
            DecisionOptions(overwrite=True),
            ScoringOptions(
                micrographs=micrographs,
                picks=[str(project.autopick)],
                model=model,
                device=device,
            ),
        )
    radius_px = round(settings.diameter_px / 2)
    scored = pruned / "scored" / "autopick.star"
    evaluation = pruned / EVALUATION
    with step(
        "evaluate", "--picks", scored, "--truth", project.truth, "--radius-px", radius_px,
        "--micrographs", micrographs[0], "--report", evaluation,
    ):  # fmt: skip
        evaluate(
            [str(scored)],
            [str(project.truth)],
            radius_px,
            report=evaluation,
            micrographs=micrographs,
            overwrite=True,
        )
    out.print(
        f"\nDone in {time.monotonic() - started:.0f} s. RELION can extract "
        f"{pruned / 'kept' / 'autopick.star'}\n\nOpen the reports in a browser:",
        markup=False,
    )
    for report in (pruned / REPORT, evaluation):
        if report.is_file():
            out.print(f"  {report}", markup=False)


def begin(output: Path) -> None:
    """Mark a folder as that of a demo, which the next demo may replace.

    Raises
    ------
    SettingsError
        It holds what a demo writes, and none has marked it.
    OutputError
        It cannot be written.
    """
    from napari_pickeroptimizer.io.atomic import write_text_atomic, writing
    from napari_pickeroptimizer.staging import check_writable

    check_writable(output)
    there = [name for name in PARTS if (output / name).exists()]
    if there and not (output / RECORD).is_file():
        raise SettingsError(
            f"{output} holds {', '.join(there)}, and no {RECORD} that says they are of a demo: "
            "move them away, or choose another folder."
        )
    record = {"written by": PROGRAM, "replaced by the next demo here": [*PARTS]}
    with writing(output):
        write_text_atomic(output / RECORD, json.dumps(record, indent=1) + "\n")
