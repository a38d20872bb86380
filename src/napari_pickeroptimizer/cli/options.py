"""Options of several commands, and checks of their values."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.micrographs import Micrographs

MicrographsOption = Annotated[
    list[str],
    typer.Option(
        "--micrographs",
        "-m",
        help="Directory, quoted glob, micrographs STAR or image file; may be repeated.",
        show_default=False,
    ),
]
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
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Replace the output of an earlier run.")
]


def find_micrographs(
    places: list[str], pixel_size_ang: float | None, flip_y: bool
) -> Micrographs:
    """Return the micrographs of ``--micrographs``, ``--pixel-size`` and ``--flip-y``."""
    if pixel_size_ang is not None and not pixel_size_ang > 0:
        raise SettingsError(f"--pixel-size must be positive, got {pixel_size_ang}.")
    return Micrographs.find(list(places), pixel_size_ang=pixel_size_ang, flip_y=flip_y)


def checked_output_file(path: Path, overwrite: bool) -> Path:
    """Return `path` if a file may be written there."""
    if path.is_dir():
        raise SettingsError(f"--output {path} is a folder: give a file name.")
    if path.exists() and not overwrite:
        raise SettingsError(f"--output {path} exists: choose another name, or --overwrite.")
    return path


def check_one_diameter(diameter_px: float | None, diameter_ang: float | None) -> None:
    """Refuse a diameter that is given twice; the core checks whether one is needed."""
    if diameter_px is not None and diameter_ang is not None:
        raise SettingsError("give one of --diameter-px and --diameter-angstrom, not both.")
