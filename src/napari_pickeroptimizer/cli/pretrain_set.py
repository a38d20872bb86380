"""``pickeroptimizer pretrain-set``: boxes of a project, or simulated, sorted into categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_pickeroptimizer.cli.options import (
    MICROGRAPHS,
    DiameterAngOption,
    DiameterPxOption,
    FlipYOption,
    JsonOption,
    OverwriteOption,
    PixelSizeOption,
    SeedOption,
    check_one_diameter,
)
from napari_pickeroptimizer.cli.show import (
    out,
    print_json,
    run_to_end,
    run_with_progress,
)
from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.pretrain.synthesise import SynthesisSettings


def pretrain_set(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the categories; may exist.")
    ],
    entry: Annotated[
        str | None, typer.Option(help="Name of the data set, e.g. empiar10017.")
    ] = None,
    micrographs: Annotated[list[str] | None, MICROGRAPHS] = None,
    picks: Annotated[
        list[str] | None,
        typer.Option(
            "--picks",
            "-p",
            help="Picks with labels (column rlnParticleSelectionType); may be repeated.",
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Category of all the picks: particle, contaminant, ...")
    ] = None,
    regions: Annotated[
        Path | None, typer.Option(help="JSON file of carbon polygons and ice discs.")
    ] = None,
    diameter_px: DiameterPxOption = None,
    diameter_angstrom: DiameterAngOption = None,
    border_px: Annotated[
        float, typer.Option(help="Leave out picks nearer to an edge than this.")
    ] = 0.0,
    structure: Annotated[
        list[Path] | None,
        typer.Option(
            help="Instead of a project: simulate micrographs of an atomic model (.pdb, .cif) or "
            "map (.mrc, .map), compressed or not; may be repeated."
        ),
    ] = None,
    micrographs_each: Annotated[
        int, typer.Option(help="Micrographs to simulate for each structure.")
    ] = 20,
    workers: Annotated[int, typer.Option(help="Structures simulated at a time.")] = 1,
    region_boxes: Annotated[
        int,
        typer.Option(
            help="Least boxes of carbon, and of ice: random points are added up to this."
        ),
    ] = 200,
    pixel_size: PixelSizeOption = None,
    flip_y: FlipYOption = False,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Cut boxes from a project or from simulations, as categories for `pretrain`."""
    from napari_pickeroptimizer.cli.files import find_micrographs
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.staging import check_writable

    check_writable(output)
    of_project = {
        "--entry": entry,
        "--micrographs": micrographs,
        "--picks": picks,
        "--category": category,
        "--regions": regions,
        "--diameter-px": diameter_px,
        "--diameter-angstrom": diameter_angstrom,
    }
    given = [name for name, value in of_project.items() if value]
    if structure and given:
        raise SettingsError(
            f"--structure simulates micrographs, but {', '.join(given)} describe real ones: use "
            "one or the other, and run twice for both."
        )
    if structure:
        from napari_pickeroptimizer.pretrain.synthesise import SynthesisSettings

        synthesis = SynthesisSettings(
            tuple(structure), micrographs_each, workers, overwrite=overwrite, seed=seed
        )
        _synthesise(output, synthesis, as_json)
        return
    if not micrographs or entry is None or (not picks and regions is None):
        raise SettingsError(
            "give --entry, --micrographs, and --picks or --regions: a set is made from labelled "
            "picks, or from carbon and ice regions. Or give --structure to simulate one."
        )
    check_one_diameter(diameter_px, diameter_angstrom)
    found = find_micrographs(micrographs, pixel_size, flip_y)
    labelled = read_picks(picks) if picks else None
    # torch, which files that cannot be read do not wait for
    from napari_pickeroptimizer.pretrain.collect import Collected, CollectSettings, collect
    from napari_pickeroptimizer.pretrain.regions import read_regions

    settings = CollectSettings(
        entry=entry,
        diameter_px=diameter_px,
        diameter_ang=diameter_angstrom,
        category=category,
        border_px=border_px,
        n_per_region_kind=region_boxes,
        overwrite=overwrite,
        seed=seed,
    )
    result, skipped = run_to_end(
        collect(
            found,
            labelled,
            read_regions(regions) if regions is not None else None,
            settings,
            output,
        ),
        "Cutting boxes",
        lambda event: getattr(event, "micrograph", ""),
        "Its picks were left out.",
    )
    assert isinstance(result, Collected)  # the generator's last event
    _report(output, result.counts, result.paths, as_json, unreadable=skipped)
    if skipped:
        raise typer.Exit(code=1)


def _synthesise(output: Path, settings: SynthesisSettings, as_json: bool) -> None:
    """Simulate, cut boxes and report."""
    from napari_pickeroptimizer.pretrain.synthesise import synthesise

    counts: Counter[str] = Counter()
    paths: list[Path] = []
    events = synthesise(settings, output)
    for event in run_with_progress(events, "Simulating", lambda e: f"{e.entry} done"):
        counts.update(event.counts)
        paths.extend(event.paths)
    _report(output, dict(sorted(counts.items())), sorted(paths), as_json)


def _report(
    output: Path,
    counts: dict[str, int],
    paths: Iterable[Path],
    as_json: bool,
    **others: dict[str, str],
) -> None:
    if as_json:
        print_json({"counts": counts, "files": [str(p) for p in paths], **others})
        return
    for name, n in counts.items():
        out.print(f"{n:>8,} {name}", markup=False)
    out.print(f"Written to {output}", markup=False)
