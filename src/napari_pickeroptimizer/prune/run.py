"""The whole pruning job: score, decide, write the twins and a record of what was done."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CLASS_NAMES, PARTICLE, UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import write_picks
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.model.checkpoint import DEFAULT_VIEWS, MAX_VIEWS
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.prune.decide import decide, kept, rejected, unscored
from napari_pickeroptimizer.prune.score import (
    PicksScored,
    ScoreEvent,
    checked_for_picks,
    score,
)
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier

RUN_RECORD = "run.json"


@dataclass(frozen=True)
class PruneSettings:
    """How picks are pruned and written.

    Parameters
    ----------
    threshold : float
        Least P(particle) of a kept pick.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes a forward pass.
    n_views : int
        Looks at each box that are averaged, 1 to 8 (see `score`).
    write_fom : bool
        Replace the picker's ``rlnAutopickFigureOfMerit`` by P(particle).
    overwrite : bool
        Replace the files of an earlier run in the same output folder.
    """

    threshold: float = 0.5
    device: str = "auto"
    batch_size: int = 256
    n_views: int = DEFAULT_VIEWS
    write_fom: bool = False
    overwrite: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise SettingsError(
                f"the threshold is a probability from 0 to 1, got {self.threshold}."
            )
        if self.batch_size < 1:
            raise SettingsError(f"batch_size must be at least 1, got {self.batch_size}.")
        if not 1 <= self.n_views <= MAX_VIEWS:
            raise SettingsError(f"n_views must be 1 to {MAX_VIEWS}, got {self.n_views}.")


@dataclass(frozen=True)
class Pruned:
    """The last event: the decided picks, the files written and the record of the run."""

    picks: Picks
    files: list[Path]
    record: dict[str, Any] = field(repr=False)
    progress: float = 1.0


def prune_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    inputs: Mapping[str, Any] | None = None,
) -> Iterator[ScoreEvent | Pruned]:
    """Score, decide and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    A pick file gives ``kept.star`` and its twins, a tree of per-micrograph files the folders
    ``kept/`` and so on, each the same tree with its ``autopick.star``. Picks of micrographs
    that cannot be read, and picks outside their micrograph, go to ``unscored``.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        What a picker found.
    classifier : Classifier
        The fine-tuned model; one of its classes must be 1, particle.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        Threshold, device, ...
    inputs : mapping, optional
        What the user passed, for the record.

    Yields
    ------
    MicrographScored, MicrographFailed, PicksScored
        As `score` does.
    Pruned
        Last, once all files are written.

    Raises
    ------
    CheckpointError
        The model is a pretrained one, a base for fine-tuning.
    SettingsError
        The folder holds an earlier run, or the model knows no particles.
    """
    settings = settings or PruneSettings()
    output = Path(output)
    if PARTICLE not in checked_for_picks(classifier).card.class_ids:
        raise SettingsError(
            "the model knows no class 1, particle, so nothing could be kept: it was trained on "
            f"{', '.join(classifier.card.class_names)}."
        )
    earlier = _earlier_files(output)
    if earlier and not settings.overwrite:
        raise SettingsError(
            f"{output} already holds a run ({RUN_RECORD}): choose another folder, or replace "
            "that run with --overwrite."
        )
    started = datetime.now(UTC)
    scored: PicksScored | None = None
    for event in score(
        micrographs,
        picks,
        classifier,
        device=settings.device,
        batch_size=settings.batch_size,
        n_views=settings.n_views,
    ):
        yield event
        if isinstance(event, PicksScored):
            scored = event
    assert scored is not None  # the last event of score
    decided = decide(scored.picks, settings.threshold)
    for path in earlier:
        path.unlink(missing_ok=True)
    files = _write_twins(decided, output, settings)
    record = {
        "command": "prune",
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "inputs": dict(inputs or {}),
        "settings": asdict(settings),
        "model": json.loads(classifier.card.to_json()),
        "versions": software_versions(),
        "counts": counts(decided),
        "outside": scored.outside,
        "unreadable": scored.failures,
        "micrographs": _counts_by_micrograph(decided),
        "files": [path.relative_to(output).as_posix() for path in files],
    }
    files.append(write_text_atomic(output / RUN_RECORD, json.dumps(record, indent=1) + "\n"))
    yield Pruned(decided, files, record)


def output_columns(decided: Picks, write_fom: bool = False) -> dict[str, NDArray[Any]]:
    """Return the columns that scored picks gain in a STAR file, by label."""
    columns: dict[str, NDArray[Any]] = {
        "rlnParticleSelectionType": decided.table["predicted"].to_numpy(dtype=np.int8),
        "poParticleProbability": decided.particle_probability,
    }
    if write_fom:
        columns["rlnAutopickFigureOfMerit"] = decided.particle_probability
    return columns


def counts(decided: Picks) -> dict[str, Any]:
    """Return how many picks there are, kept, rejected by class, and unscored."""
    predicted = decided.table["predicted"].to_numpy()
    ids = [c for c in np.unique(predicted) if c > PARTICLE]
    return {
        "picks": len(decided),
        "kept": int((predicted == PARTICLE).sum()),
        "rejected": int((predicted > PARTICLE).sum()),
        "rejected_by_class": {CLASS_NAMES[int(c)]: int((predicted == c).sum()) for c in ids},
        "unscored": int((predicted == UNLABELLED).sum()),
    }


def _counts_by_micrograph(decided: Picks) -> list[dict[str, Any]]:
    predicted = decided.table["predicted"].to_numpy()
    return [
        {
            "micrograph": name,
            "picks": len(rows),
            "kept": int((predicted[rows] == PARTICLE).sum()),
            "rejected": int((predicted[rows] > PARTICLE).sum()),
            "unscored": int((predicted[rows] == UNLABELLED).sum()),
        }
        for name, rows in decided.rows_by_micrograph().items()
    ]


def _write_twins(decided: Picks, output: Path, settings: PruneSettings) -> list[Path]:
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
        columns = output_columns(part, settings.write_fom)
        place = _place(part, output, name)
        if name == "scored" and not all(s.holds_columns for s in part.sources):
            # .box has no room for probabilities: one new STAR for all micrographs
            part, place = Picks(part.table.assign(source=-1)), output / "scored.star"
        files.extend(write_picks(part, place, columns=columns))
    return files


def _place(picks: Picks, output: Path, name: str) -> Path:
    """Return a file of the only source's kind, or a folder for a tree of files."""
    if picks.listing is not None or len(picks.sources) > 1:
        return output / name
    suffix = picks.sources[0].path.suffix if picks.sources else ".star"
    return output / f"{name}{suffix}"


def _earlier_files(output: Path) -> list[Path]:
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
