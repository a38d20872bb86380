"""What RELION takes from a pruning: coordinate files with their list, nodes and a log page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.io.coordinate_lists import list_in, suffix_of
from napari_pickeroptimizer.io.project import in_project
from napari_pickeroptimizer.io.relion import AUTOPICK_LIST, write_coordinate_files
from napari_pickeroptimizer.io.relion_nodes import NODES_FILE, Kind, Node, output_nodes
from napari_pickeroptimizer.prune.output import output_columns, write_record
from napari_pickeroptimizer.report.logfile_pdf import LOGFILE, write_logfile
from napari_pickeroptimizer.schema import MICROGRAPH
from napari_pickeroptimizer.staging import RUN_RECORD

if TYPE_CHECKING:
    from napari_pickeroptimizer.prune.run import Pruned

SUFFIX_FILE = "coords_suffix_autopick.star"
KEPT_PARTICLES = "kept.star"


def write_relion_results(
    folder: Path,
    pruned: Pruned,
    job: Path,
    version: int,
    *,
    micrographs_star: str,
    is_particles: bool,
) -> None:
    """Write the coordinates' list, ``logfile.pdf`` and ``RELION_OUTPUT_NODES.star`` of a run.

    They are added to the run's record, and so replaced when the job is continued.

    Parameters
    ----------
    folder : Path
        The staged run.
    pruned : Pruned
        The run.
    job : Path
        The folder of the job, to which `folder` will be moved; the project is the working
        directory.
    version : int
        Of RELION: 3, 4 or 5.
    micrographs_star : str
        The micrographs, as RELION 3 wants them named.
    is_particles : bool
        Whether the picks are extracted particles, whose result is ``kept.star``.
    """
    place, n_kept = in_project(job, Path.cwd()), pruned.record["counts"]["kept"]
    nodes: list[Node] = []
    if is_particles and (folder / KEPT_PARTICLES).is_file():
        nodes.append(Node(f"{place}/{KEPT_PARTICLES}", Kind.PARTICLES))
    elif not is_particles and n_kept:
        write = _coordinates_of_3 if version == 3 else _coordinates
        file = write(folder, pruned, place, micrographs_star)
        nodes.append(Node(f"{place}/{file}", Kind.COORDINATES))
    if not n_kept:
        nodes = []  # RELION stops at a table without rows
    write_logfile(folder / LOGFILE, pruned.record, f"{place}/")
    nodes.append(Node(f"{place}/{LOGFILE}", Kind.LOGFILE))
    write_text_atomic(folder / NODES_FILE, output_nodes(nodes, version))
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != RUN_RECORD)
    write_record(folder, pruned.record, files)


def _coordinates(folder: Path, pruned: Pruned, place: str, micrographs_star: str) -> str:
    """Write ``autopick.star`` at the top of the job; return its name there."""
    listed = list_in(folder / "kept") if (folder / "kept").is_dir() else None
    if listed is not None and suffix_of(listed) is None:
        text = listed.read_text(encoding="utf-8")
        write_text_atomic(folder / AUTOPICK_LIST, text)
    else:
        _write_coordinate_files(folder, pruned, place)
    return AUTOPICK_LIST


def _coordinates_of_3(folder: Path, pruned: Pruned, place: str, micrographs_star: str) -> str:
    """Return the name of the suffix file of the kept picks, written where there is none."""
    for path in sorted((folder / "kept").glob("*.star")):
        if suffix_of(path) is not None:
            return f"kept/{path.name}"
    _write_coordinate_files(folder, pruned, place)
    write_text_atomic(folder / SUFFIX_FILE, f"{micrographs_star}\n")
    return SUFFIX_FILE


def _write_coordinate_files(folder: Path, pruned: Pruned, place: str) -> None:
    """Write the kept picks as one coordinate file a micrograph, with their list."""
    names = {
        group.name: group.name if group.micrograph is None else group.micrograph.name
        for group in pruned.groups
    }
    kept = pruned.picks.select(pruned.picks.table["predicted"].to_numpy() == PARTICLE)
    kept = kept.with_columns(
        **{MICROGRAPH.name: kept.table[MICROGRAPH.name].map(lambda n: names.get(n, n))}
    )
    write_coordinate_files(kept, folder, Path(place), output_columns(kept))
