"""Options of several commands, and checks of their values."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.openmp import MOST_USEFUL, use_threads
from napari_pickeroptimizer.prune.settings import PruneSettings

MOST_THREADS = 1024
MICROGRAPHS = typer.Option(
    "--micrographs",
    "-m",
    help="Directory, quoted glob, micrographs STAR or image file; may be repeated.",
    show_default=False,
)
MicrographsOption = Annotated[list[str], MICROGRAPHS]
PixelSizeOption = Annotated[
    float | None,
    typer.Option(
        "--pixel-size",
        help="Pixel size of the micrographs in Å, if neither STAR nor header is right.",
        show_default=False,
    ),
]
FlipYOption = Annotated[
    bool,
    typer.Option(
        "--flip-y",
        help="Read every micrograph with its rows reversed: for picks made by RELION or EMAN2 "
        "on TIFF micrographs, which these programs flip.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]


def parse_threads(text: str | None) -> int | None:
    """Parse the number of threads.

    Raises
    ------
    SettingsError
        It is no whole number from 1 to `MOST_THREADS`.
    """
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST_THREADS:
        raise SettingsError(
            f"--threads {text}: expected a number of threads from 1 to {MOST_THREADS}."
        )
    return int(text)


def _take_threads(text: str | None) -> str | None:
    use_threads(parse_threads(text), os.environ)  # before PyTorch is loaded
    return text


ThreadsOption = Annotated[
    str | None,
    typer.Option(
        "--threads",
        help="Threads of each process that computes; by default OMP_NUM_THREADS, or as many as "
        f"this machine, container or SLURM job has processors, at most {MOST_USEFUL}. Results "
        "do not depend on it.",
        metavar="INTEGER",
        show_default=False,
        callback=_take_threads,
    ),
]
BackboneOption = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="resnet18_half or a torchvision classifier; by default that of the base.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON on standard output.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Random seed.")]
PicksOption = Annotated[
    list[str],
    typer.Option(
        "--picks",
        "-p",
        help="Any readable pick file (.star, autopick.star, .box, .csv), or a directory or "
        "quoted glob of per-micrograph files; may be repeated.",
    ),
]
DiameterPxOption = Annotated[
    float | None, typer.Option("--diameter-px", help="Particle diameter in pixels.")
]
DiameterAngOption = Annotated[
    float | None, typer.Option("--diameter-angstrom", help="Particle diameter in Å.")
]
StepsOption = Annotated[int, typer.Option("--steps", help="Optimiser steps.")]
ModelOutputOption = Annotated[
    Path, typer.Option("--output", "-o", help="Model file to write (.safetensors).")
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output of an earlier run.")
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """How picks are scored."""

    model: Annotated[
        Path,
        typer.Option(
            help="Model written by finetune; or bundled, to score before any label, with a "
            "diameter."
        ),
    ]
    diameter_px: Annotated[
        float | None,
        typer.Option(help="Particle diameter in pixels; with --model bundled only."),
    ] = None
    diameter_angstrom: Annotated[
        float | None,
        typer.Option(help="Particle diameter in Å; with --model bundled only."),
    ] = None
    pixel_size: PixelSizeOption = None
    flip_y: FlipYOption = False
    device: DeviceOption = "auto"
    threads: ThreadsOption = None
    batch_size: Annotated[int, typer.Option(help="Boxes per forward pass.")] = (
        PruneSettings.batch_size
    )
    views: Annotated[
        str,
        typer.Option(
            help="Test-time augmentation views of each box (rotated, flipped) that are averaged: "
            "auto, one of clear picks and four of doubtful ones; or 1 to 8 of all.",
        ),
    ] = str(PruneSettings.n_views)
    scheduler: Annotated[
        str,
        typer.Option(
            help="Who scores: local, this process; processes:N, N of this machine; "
            "tcp://HOST:PORT, the workers of a Dask scheduler; slurm:FILE (or sge, pbs, lsf), "
            "jobs of a cluster with the settings of a YAML file.",
        ),
    ] = "local"


@dataclass(frozen=True, kw_only=True)
class ScoringOptions(ModelOptions):
    """Options of the commands that score picks: which ones, and how."""

    micrographs: MicrographsOption
    picks: PicksOption


@dataclass(frozen=True)
class DecisionOptions:
    """Options of the commands that decide on picks: the rules, and what is written."""

    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            "-t",
            help="Least P(particle) of a kept pick, or auto for the best expected F1; 0.5 by "
            "default.",
            show_default=False,
        ),
    ] = None
    precision: Annotated[
        float | None,
        typer.Option(
            help="In place of a threshold: the share of particles among the kept picks to "
            "expect, such as 0.95.",
        ),
    ] = None
    recall: Annotated[
        float | None,
        typer.Option(
            help="In place of a threshold: the share of the particles to expect to keep.",
        ),
    ] = None
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--labels",
            "-l",
            help="Labelled picks, which win over their scores; may be repeated.",
        ),
    ] = None
    min_distance: Annotated[
        str,
        typer.Option(
            help="Of two picks nearer than this keep the more probable one: pixels (30), Å "
            "(50A) or particle diameters (0.5d).",
        ),
    ] = "0"
    edge_distance: Annotated[
        str,
        typer.Option(
            help="Reject picks nearer than this to the micrograph's edge, given likewise.",
        ),
    ] = "0"
    write_fom: Annotated[
        bool,
        typer.Option(
            "--write-fom",
            help="Write P(particle) over the picker's rlnAutopickFigureOfMerit too.",
        ),
    ] = False
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.html.")] = (
        False
    )
    overwrite: OverwriteOption = False


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of its groups in place of the groups.

    A group is a parameter whose type is a dataclass of options; Typer takes plain options only.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {n: h for n, h in hints.items() if isinstance(h, type) and is_dataclass(h)}

    def plain(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{f.name: values.pop(f.name) for f in fields(group)})
        command(**values)

    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        options = [parameter]
        if name in groups:
            options = list(signature(groups[name]).parameters.values())
            hints |= get_type_hints(groups[name], include_extras=True)
        parameters += [
            o.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[o.name]) for o in options
        ]
    parameters.sort(key=lambda p: p.default is not Parameter.empty)  # required ones first
    plain.__name__, plain.__doc__ = command.__name__, command.__doc__
    plain.__annotations__ = {p.name: p.annotation for p in parameters}
    plain.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return plain


def check_one_diameter(diameter_px: float | None, diameter_ang: float | None) -> None:
    """Refuse a diameter that is given twice; the core checks whether one is needed."""
    if diameter_px is not None and diameter_ang is not None:
        raise SettingsError("give one of --diameter-px and --diameter-angstrom, not both.")
