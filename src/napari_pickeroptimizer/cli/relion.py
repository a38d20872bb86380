"""``pickeroptimizer relion``: `prune` as an External job of RELION."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_pickeroptimizer.cli.options import (
    DecisionOptions,
    ModelOptions,
    ScoringOptions,
)
from napari_pickeroptimizer.cli.relion_job import SUCCESS, tell, until_aborted
from napari_pickeroptimizer.cli.show import warn
from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.prune.run import Further, Pruned

# what RELION and its users add (--j, --in_3dref, --pipeline_control, ...) is no error
ANY_OPTION = {"ignore_unknown_options": True, "allow_extra_args": True}
OF_RELION = ("--j", "--pipeline_control")


def relion(
    context: typer.Context,
    o: Annotated[Path, typer.Option("--o", help="Folder of the job, External/jobNNN/.")],
    in_mics: Annotated[
        str, typer.Option("--in_mics", help="Micrographs STAR: Input micrographs.")
    ],
    decision: DecisionOptions,
    model: ModelOptions,
    in_coords: Annotated[
        str | None,
        typer.Option("--in_coords", help="List of coordinate files: Input coordinates."),
    ] = None,
    in_parts: Annotated[
        str | None, typer.Option("--in_parts", help="Particles STAR: Input particles.")
    ] = None,
    for_relion: Annotated[
        int | None,
        typer.Option(
            help="3, 4 or 5: whose types of results to write; by default those of the "
            "project's default_pipeline.star.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Prune as an External job of RELION: run in the project folder, results in its words.

    Unknown options are ignored, as RELION adds its own; those that are not RELION's are told.
    """
    from napari_pickeroptimizer.cli.pruning import prune_events, show_run

    _tell_of_ignored(context.args)
    version = _version(for_relion, in_coords)
    scoring = ScoringOptions(
        micrographs=[in_mics], picks=[_only_input(in_coords, in_parts)], **vars(model)
    )
    events = prune_events(
        scoring,
        replace(decision, overwrite=True),
        o,
        lambda report: _results(
            report, o, version, micrographs_star=in_mics, is_particles=bool(in_parts)
        ),
    )
    try:
        show_run(until_aborted(events, o), "Pruning", o, as_json=False)
    except typer.Exit:  # some micrographs could not be read, as is told; the results are there
        tell(o, SUCCESS)
        raise
    tell(o, SUCCESS)


def _results(
    report: Further | None,
    job: Path,
    version: int,
    *,
    micrographs_star: str,
    is_particles: bool,
) -> Further:
    """Return what writes the report of a run, and what RELION takes from it."""

    def write(folder: Path, pruned: Pruned) -> Iterator[Any]:
        from napari_pickeroptimizer.report.relion_results import write_relion_results

        if report is not None:
            yield from report(folder, pruned)
        write_relion_results(
            folder,
            pruned,
            job,
            version,
            micrographs_star=micrographs_star,
            is_particles=is_particles,
        )

    return write


def _tell_of_ignored(arguments: list[str]) -> None:
    """Warn of unknown options that RELION does not add by itself: they may be misspelt."""
    names = [a.partition("=")[0] for a in arguments if a.startswith("--")]
    for name in names:
        if name not in OF_RELION and not name.startswith("--in_"):
            warn(f"the option {name} is unknown and was ignored: is it misspelt?")


def _only_input(in_coords: str | None, in_parts: str | None) -> str:
    """Return the picks of the job.

    Raises
    ------
    SettingsError
        There are none, or two sets of them.
    """
    if in_coords and in_parts:
        raise SettingsError(
            "one job prunes one set of picks: give Input coordinates (--in_coords) or Input "
            "particles (--in_parts), and the other one to a second job."
        )
    if not (in_coords or in_parts):
        raise SettingsError(
            "the job has no picks: give Input coordinates (--in_coords), such as "
            "AutoPick/job006/autopick.star, or Input particles (--in_parts)."
        )
    return in_coords or in_parts or ""


def _version(for_relion: int | None, in_coords: str | None) -> int:
    """Return the version of RELION whose types of results are written."""
    from napari_pickeroptimizer.io.coordinate_lists import suffix_of
    from napari_pickeroptimizer.io.relion_nodes import VERSIONS, version_of_project

    if for_relion is not None and for_relion not in VERSIONS:
        raise SettingsError(f"--for-relion {for_relion}: expected 3, 4 or 5.")
    found = for_relion or version_of_project(Path.cwd())
    if found is not None:
        return found
    is_of_3 = in_coords is not None and suffix_of(Path(in_coords)) is not None
    return 3 if is_of_3 else VERSIONS[-1]
