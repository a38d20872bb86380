"""``pickeroptimizer pretrain-set``: boxes of a project, sorted into categories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import (
    FlipYOption,
    JsonOption,
    OverwriteOption,
    PixelSizeOption,
    SeedOption,
    find_micrographs,
)
from napari_pickeroptimizer.cli.show import out, print_json, run_with_progress, warn
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import read_picks


def pretrain_set(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the categories; may exist.")
    ],
    entry: Annotated[
        str | None, typer.Option("--entry", help="Name of the data set, e.g. empiar10017.")
    ] = None,
    micrographs: Annotated[
        list[str] | None,
        typer.Option(
            "--micrographs",
            "-m",
            help="Directory, quoted glob, micrographs STAR or image file; may be repeated.",
        ),
    ] = None,
    picks: Annotated[
        list[str] | None,
        typer.Option(
            "--picks",
            "-p",
            help="Picks with labels (column rlnParticleSelectionType); may be repeated.",
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option("--category", help="What all the picks are: particle, contaminant, ..."),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option("--regions", help="JSON file of carbon polygons and ice discs."),
    ] = None,
    diameter_px: Annotated[
        float | None, typer.Option("--diameter-px", help="Particle diameter in pixels.")
    ] = None,
    diameter_angstrom: Annotated[
        float | None, typer.Option("--diameter-angstrom", help="Particle diameter in Å.")
    ] = None,
    border_px: Annotated[
        float, typer.Option("--border-px", help="Leave picks nearer to an edge out.")
    ] = 0.0,
    region_boxes: Annotated[
        int,
        typer.Option(
            "--region-boxes",
            help="Boxes of carbon, and of ice, up to which random points are added to picks.",
        ),
    ] = 200,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cut labelled picks out of micrographs, as categories for `pretrain`."""
    from napari_pickeroptimizer.pretrain import collect as collecting
    from napari_pickeroptimizer.pretrain.regions import read_regions

    if not micrographs or entry is None or (not picks and regions is None):
        raise SettingsError(
            "give --entry, --micrographs, and --picks or --regions: a set is made of labelled "
            "picks, or of carbon and ice regions."
        )
    if diameter_px is not None and diameter_angstrom is not None:
        raise SettingsError("give one of --diameter-px and --diameter-angstrom, not both.")
    settings = collecting.CollectSettings(
        entry=entry,
        diameter_px=diameter_px,
        diameter_ang=diameter_angstrom,
        category=category,
        border_px=border_px,
        n_per_region_kind=region_boxes,
        overwrite=overwrite,
        seed=seed,
    )
    found = find_micrographs(micrographs, pixel_size, flip_y)
    labelled = read_picks(picks) if picks else None
    drawn = read_regions(regions) if regions is not None else None

    skipped: dict[str, str] = {}
    result: collecting.Collected | None = None
    for event in run_with_progress(
        collecting.collect(found, labelled, drawn, settings, output),
        "Cutting boxes",
        lambda e: getattr(e, "micrograph", ""),
    ):
        match event:
            case collecting.MicrographSkipped():
                skipped[event.micrograph] = event.reason
            case collecting.Collected():
                result = event
    assert result is not None  # the generator's last event
    for reason in skipped.values():
        warn(f"{reason} Its picks were left out.")
    if as_json:
        files = [str(p) for p in result.paths]
        print_json({"counts": result.counts, "files": files, "unreadable": skipped})
    else:
        for name, n in result.counts.items():
            out.print(f"{n:>8,} {name}", markup=False)
        out.print(f"Written to {output}", markup=False)
    if skipped:
        raise typer.Exit(code=1)
