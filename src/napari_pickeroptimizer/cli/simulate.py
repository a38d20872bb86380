"""``pickeroptimizer simulate``: micrographs with known contents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from napari_pickeroptimizer.cli.options import JsonOption, OverwriteOption, SeedOption
from napari_pickeroptimizer.cli.show import out, print_json, run_with_progress

if TYPE_CHECKING:
    from napari_pickeroptimizer.simulate.project import ProjectWritten
    from napari_pickeroptimizer.simulate.scene import Scene
    from napari_pickeroptimizer.simulate.settings import SimulationSettings


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Project folder to write.")],
    micrographs: Annotated[int, typer.Option(help="Number of micrographs.")] = 6,
    particles: Annotated[int, typer.Option(help="Particles on each.")] = 150,
    structure: Annotated[
        Path | None,
        typer.Option(
            help="Atomic model (.pdb, .cif) or map (.mrc, .map) of the particle; may be "
            "compressed (.gz, .bz2).",
        ),
    ] = None,
    diameter_angstrom: Annotated[
        float | None,
        typer.Option(
            help="Particle diameter, by default that of the structure (160 without one). "
            "Scales a map only if its header has no voxel size.",
        ),
    ] = None,
    harder: Annotated[
        bool,
        typer.Option(
            "--harder",
            help="Also overlapping and unfolded particles, specks, crystalline ice, empty "
            "areas and dirt on the carbon.",
        ),
    ] = False,
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate micrographs, picks (some of them false), labels and truth."""
    from napari_pickeroptimizer.pretrain.harder_scenes import HARDER, HARDER_DEFOCUS_SPREAD_ANG
    from napari_pickeroptimizer.simulate.settings import SimulationSettings

    settings = SimulationSettings(
        n_micrographs=micrographs,
        n_particles=particles,
        structure=structure,
        diameter_ang=diameter_angstrom,
        seed=seed,
        defocus_spread_ang=HARDER_DEFOCUS_SPREAD_ANG if harder else 0.0,
    )
    project = write_project(output, settings, HARDER if harder else None, overwrite)
    if as_json:
        files = ("micrographs", "autopick", "picks", "labels", "picks_truth", "truth")
        print_json(
            {
                "project": str(project.root),
                **{name: str(getattr(project, name)) for name in files},
                "n_picks": project.n_picks,
                "n_false": project.n_false,
                "diameter_px": project.diameter_px,
                "pixel_size_ang": settings.pixel_size_ang,
            }
        )
        return
    out.print(f"Project: {project.root}", markup=False)
    out.print(
        f"{micrographs} micrographs, {project.n_picks:,} picks, {project.n_false:,} of them "
        f"false; particle diameter {project.diameter_px:.0f} px"
    )


def write_project(
    output: Path,
    settings: SimulationSettings,
    scene: Scene | None = None,
    overwrite: bool = False,
) -> ProjectWritten:
    """Simulate with a progress bar and return what was written."""
    from napari_pickeroptimizer.simulate.project import ProjectWritten, simulate_project

    events = simulate_project(output, settings, scene, overwrite=overwrite)
    *_, written = run_with_progress(events, "Simulating", lambda _: "")
    assert isinstance(written, ProjectWritten)  # the last event
    return written
