"""Output files of a pruning run: scored, kept, rejected and unscored picks, and its record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.io import write_picks
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.schema import (
    DECIDED_BY,
    PICKER_SCORE,
    PROBABILITY,
    SELECTION_TYPE,
)
from napari_pickeroptimizer.staging import RUN_RECORD

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def kept(picks: Picks) -> Picks:
    """Return the decided picks that are particles."""
    return picks.select(picks.table["predicted"].to_numpy() == PARTICLE)


def rejected(picks: Picks) -> Picks:
    """Return the decided picks of every other class."""
    return picks.select(picks.table["predicted"].to_numpy() > PARTICLE)


def unscored(picks: Picks) -> Picks:
    """Return the picks that could not be scored, and have no label."""
    return picks.select(picks.table["predicted"].to_numpy() == UNLABELLED)


def output_columns(decided: Picks, write_fom: bool = False) -> dict[str, NDArray[Any]]:
    """Return the columns that are added to scored picks in a STAR file, by label."""
    columns: dict[str, NDArray[Any]] = {
        SELECTION_TYPE: decided.table["predicted"].to_numpy(dtype=np.int8),
        PROBABILITY.star: decided.particle_probability,
        DECIDED_BY.star: decided.table["decided_by"].to_numpy(dtype=object),
    }
    if write_fom:
        columns[PICKER_SCORE.star] = decided.particle_probability
    return columns | decided.added_columns()


def write_outputs(
    decided: Picks, output: Path, write_fom: bool = False, *, final: Path | None = None
) -> list[Path]:
    """Write ``scored``, ``kept``, ``rejected`` and, where there are any, ``unscored``.

    Parameters
    ----------
    decided : Picks
        With probabilities, ``predicted`` and ``decided_by``.
    output : Path
        The folder.
    write_fom : bool
        Write P(particle) over the picker's score too.
    final : Path, optional
        Where the folder will be moved to (see `write_picks`).
    """
    final = output if final is None else final
    parts = {
        "scored": decided.select(decided.table["predicted"].to_numpy() != UNLABELLED),
        "kept": kept(decided),
        "rejected": rejected(decided),
    }
    if len(left := unscored(decided)):
        parts["unscored"] = left
    files: list[Path] = []
    for name, part in parts.items():
        place = _place(part, output, name)
        columns = {} if name == "unscored" else output_columns(part, write_fom)
        if name == "scored" and not all(s.holds_columns for s in part.sources):
            # .box files cannot hold probabilities: one new STAR for all micrographs
            part, place = Picks(part.table.assign(source=-1)), output / "scored.star"
        files.extend(write_picks(part, place, columns=columns, final=final / place.name))
    return files


def write_record(output: Path, record: dict[str, Any], files: Iterable[Path]) -> Path:
    """Write ``run.json`` with the files of the run, and return its path."""
    record["files"] = [path.relative_to(output).as_posix() for path in files]
    return write_text_atomic(output / RUN_RECORD, json.dumps(record, indent=1) + "\n")


def _place(picks: Picks, output: Path, name: str) -> Path:
    """Return a file of the only source's kind, or a folder for a tree of files."""
    if picks.is_tree:
        return output / name
    suffix = picks.sources[0].path.suffix if picks.sources else ".star"
    return output / f"{name}{suffix}"
