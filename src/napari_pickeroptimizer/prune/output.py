"""What a pruning run writes: the twins of the picks, and the figures of its record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import write_picks
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import kept, rejected, unscored
from napari_pickeroptimizer.schema import (
    BY_DISTANCE,
    BY_EDGE,
    BY_LABEL,
    BY_SCORE,
    DECIDED_BY,
    PICKER_SCORE,
    PROBABILITY,
    SELECTION_TYPE,
)
from napari_pickeroptimizer.trust.sanity import ShareCheck, check_shares

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from napari_pickeroptimizer.micrographs import Micrographs

RUN_RECORD = "run.json"


def output_columns(decided: Picks, write_fom: bool = False) -> dict[str, NDArray[Any]]:
    """Return the columns that scored picks gain in a STAR file, by label."""
    columns: dict[str, NDArray[Any]] = {
        SELECTION_TYPE: decided.table["predicted"].to_numpy(dtype=np.int8),
        PROBABILITY.star: decided.particle_probability,
        DECIDED_BY.star: decided.table["decided_by"].to_numpy(dtype=object),
    }
    if write_fom:
        columns[PICKER_SCORE.star] = decided.particle_probability
    return columns | decided.added_columns()


def counts(decided: Picks, names: Mapping[int, str] | None = None) -> dict[str, Any]:
    """Return how many picks there are, kept, rejected by reason and class, and unscored.

    Classes are called as in `names`, those of the model, or else by default.

    A pick rejected for its place is of no class there: its class is only the second best.
    """
    predicted = decided.table["predicted"].to_numpy()
    by = decided.table["decided_by"].to_numpy(dtype=object)
    is_rejected = predicted > PARTICLE
    of_class = is_rejected & ((by == BY_SCORE) | (by == BY_LABEL))
    ids = np.unique(predicted[of_class])
    reasons = {
        reason: int((is_rejected & (by == reason)).sum())
        for reason in (BY_SCORE, BY_LABEL, BY_DISTANCE, BY_EDGE)
    }
    return {
        "picks": len(decided),
        "kept": int((predicted == PARTICLE).sum()),
        "kept_by_label": int(((predicted == PARTICLE) & (by == BY_LABEL)).sum()),
        "rejected": int(is_rejected.sum()),
        "rejected_by_class": {
            class_name(int(c), names): int((predicted[of_class] == c).sum()) for c in ids
        },
        "rejected_by_reason": {reason: n for reason, n in reasons.items() if n},
        "unscored": int((predicted == UNLABELLED).sum()),
    }


def counts_by_micrograph(
    decided: Picks, micrographs: Micrographs
) -> tuple[list[dict[str, Any]], ShareCheck]:
    """Return the counts of each micrograph, in the order of the picks, and what stands out.

    A micrograph that the picks spell in two ways is one, called as its first pick does.
    """
    predicted = decided.table["predicted"].to_numpy()
    names = decided.table["micrograph"]
    rows_of, missing = micrographs.rows_of(decided)
    by_name = decided.rows_by_micrograph()
    groups = [*rows_of.values(), *(by_name[name] for name in missing)]
    groups.sort(key=lambda rows: int(rows[0]))
    entries: list[dict[str, Any]] = [
        {
            "micrograph": str(names.iloc[rows[0]]),
            "picks": len(rows),
            "kept": int((predicted[rows] == PARTICLE).sum()),
            "rejected": int((predicted[rows] > PARTICLE).sum()),
            "unscored": int((predicted[rows] == UNLABELLED).sum()),
        }
        for rows in groups
    ]
    n_kept = np.array([e["kept"] for e in entries], dtype=np.intp)
    n_scored = n_kept + np.array([e["rejected"] for e in entries], dtype=np.intp)
    check = check_shares([e["micrograph"] for e in entries], n_scored, n_kept)
    return [{**e, "flag": f} for e, f in zip(entries, check.flags, strict=True)], check


def write_outputs(decided: Picks, output: Path, write_fom: bool = False) -> list[Path]:
    """Write ``scored``, ``kept``, ``rejected`` and, where there are any, ``unscored``."""
    parts = {
        "scored": decided.select(decided.table["predicted"].to_numpy() != UNLABELLED),
        "kept": kept(decided),
        "rejected": rejected(decided),
        "unscored": unscored(decided),
    }
    files: list[Path] = []
    for name, part in parts.items():
        if name == "unscored":
            if len(part):
                files.extend(write_picks(part, _place(part, output, name), columns={}))
            continue
        columns = output_columns(part, write_fom)
        place = _place(part, output, name)
        if name == "scored" and not all(s.holds_columns for s in part.sources):
            # .box has no room for probabilities: one new STAR for all micrographs
            part, place = Picks(part.table.assign(source=-1)), output / "scored.star"
        files.extend(write_picks(part, place, columns=columns))
    return files


def write_record(output: Path, record: dict[str, Any], files: Iterable[Path]) -> Path:
    """Write ``run.json`` with the files of the run, and return its path."""
    record["files"] = [path.relative_to(output).as_posix() for path in files]
    return write_text_atomic(output / RUN_RECORD, json.dumps(record, indent=1) + "\n")


def earlier_files(output: Path) -> list[Path]:
    """Return the files of an earlier run in a folder, its record first.

    Raises
    ------
    SettingsError
        The folder is a file.
    """
    if output.exists() and not output.is_dir():
        raise SettingsError(f"--output {output} is a file: give a folder.")
    path = output / RUN_RECORD
    if not path.is_file():
        return []
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError):
        return [path]
    # only what lies in the folder: the record is a text file that anyone may have edited
    home = output.resolve()
    files = [output / str(name) for name in names]
    return [path, *(f for f in files if f.resolve().is_relative_to(home))]


def _place(picks: Picks, output: Path, name: str) -> Path:
    """Return a file of the only source's kind, or a folder for a tree of files."""
    if picks.file_list is not None or len(picks.sources) > 1:
        return output / name
    suffix = picks.sources[0].path.suffix if picks.sources else ".star"
    return output / f"{name}{suffix}"
