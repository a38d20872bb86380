"""The recipe of a session, for commands and scripts. No Qt."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.label_digest import labels_digest
from napari_pickeroptimizer.io.image_names import image_suffix
from napari_pickeroptimizer.io.images import open_pixel_size_ang
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.io.write import added_beside
from napari_pickeroptimizer.micrographs import Micrographs, SearchPaths
from napari_pickeroptimizer.model.bases import BUNDLED_NAME
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.before_labels import are_before_labels
from napari_pickeroptimizer.plugin.jobs import CPU_BATCH, GPU_BATCH
from napari_pickeroptimizer.plugin.layer_state import picks_state
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    only_python,
    training_settings,
)
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.session import picks_of, session_of, stack_for, unwrap
from napari_pickeroptimizer.prune.settings import PlaceRules

What = Literal["everything", "kept"]
LABELS, MODEL = "labels.star", "model.safetensors"


@dataclass(frozen=True)
class ExportSettings:
    """What is written.

    Parameters
    ----------
    what : {"everything", "kept"}
        A folder with scored, kept, rejected and unscored picks and their record, as `prune`
        writes it; or only the kept picks, to one file (a folder where the input is a tree).
    write_fom : bool
        Replace the picker's ``rlnAutopickFigureOfMerit`` by P(particle).
    labels, model, report : bool
        Beside everything: all picks with your labels (``labels.star``), the model that
        scored (``model.safetensors``), ``report.html``.
    overwrite : bool
        Replace existing files.
    device : str
        Where the picks are scored if the commands are run.
    """

    what: What = "everything"
    write_fom: bool = False
    labels: bool = True
    model: bool = True
    report: bool = True
    overwrite: bool = False
    device: str = "auto"


def recipe_of(
    viewer: Any, layer: Any, output: str | Path, settings: ExportSettings | None = None
) -> Recipe:
    """Return the recipe that reproduces a session, as far as files and commands allow.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    output : str or Path
        Where they are, or will be, exported to: labels and model are taken from there, and
        the results of the commands go to a folder beside it.
    settings : ExportSettings, optional
        What is exported.
    """
    settings = settings or ExportSettings()
    session, layer = session_of(viewer), unwrap(layer)
    output = absolute(Path(output).expanduser())
    home = output if settings.what == "everything" else output.parent
    output_again = output.with_name(f"{output.stem if output.suffix else output.name}_again")
    picks, state = picks_of(layer), picks_state(layer)
    scores = state.scores
    model = session.model if scores is None else scores.model
    n_new = int((picks.table["source"].to_numpy() < 0).sum())
    files = picks_places(picks)
    added = added_beside(home / LABELS)
    places, labels = files, ()
    notes = []
    if n_new:
        places = (*files, str(added)) if files else (str(home / LABELS),)
        notes.append(f"{n_new} picks that you added are in {Path(places[-1]).name} only.")
    if picks.labels.any():
        labels = (str(home / LABELS), *((str(added),) if n_new and files else ()))
    training, is_own = None, not are_before_labels(scores)
    if model is not None and is_own:
        training, why_not = _training(model.card, picks)
        notes += [why_not] if why_not else []
    model_file = str((home if training is None else output_again) / MODEL)
    diameter = None
    if model is not None and not is_own:
        boxes = model.card.boxes
        given = {"diameter_px": boxes.diameter_px, "diameter_ang": boxes.diameter_ang}
        model_file = BUNDLED_NAME
        diameter = {name: value for name, value in given.items() if value is not None}
    if scores is not None and scores.complete:
        notes += _added_notes(scores, picks)
    needed = [*labels[:1], *([model_file] if training is None and is_own else [])]
    missing = [Path(p).name for p in needed if not Path(p).is_file()]
    if missing:
        notes.append(
            f"{' and '.join(missing)} will be there once everything is exported with it."
        )
    return Recipe(
        micrographs=micrograph_places(stack_for(viewer, layer, None).micrographs),
        picks=places,
        labels=labels,
        model=model_file,
        training=training,
        threshold=None if scores is None else state.threshold,
        rules=PlaceRules() if scores is None else state.rules,
        output=str(output_again),
        device=settings.device,
        write_fom=settings.write_fom,
        batch_size=batch_size(settings.device),
        notes=tuple(notes),
        diameter=diameter,
    )


def batch_size(device: str) -> int:
    """Return how many boxes a session scores at once on a device."""
    return CPU_BATCH if choose_device(device).type == "cpu" else GPU_BATCH


def _training(card: ModelCard, picks: Picks) -> tuple[dict[str, Any] | None, str]:
    """Return the settings to train the model again, or why that is not possible."""
    settings = training_settings(card)
    digest = card.training.get("labels_digest")
    if settings is None or digest is None:
        return None, "The model came from a file and is used as it is."
    if digest != labels_digest(picks):
        return None, (
            "The model was trained on other labels than these (before a change, or with those of "
            "other layers), so it is used as it is, and not trained again."
        )
    unknown = only_python(settings)
    if unknown:
        return None, (
            f"The model was trained with settings that no option sets ({', '.join(unknown)}), "
            "so it is used as it is."
        )
    return settings, ""


def _added_notes(scores: Scores, picks: Picks) -> list[str]:
    """Return a note on picks that were added after the scoring."""
    n_unscored = int(np.isnan(scores.p_particle).sum()) + max(0, len(picks) - len(scores))
    unreadable = [i for i, name in enumerate(scores.names) if name in scores.failures]
    n_unreadable = int(np.isin(scores.codes, unreadable).sum())
    n_added = n_unscored - sum(scores.outside.values()) - n_unreadable
    if n_added <= 0:
        return []
    return [f"{n_added} picks were added after the scoring: the commands score them too."]


# ----------------------------------------------------------------------- input paths


def picks_places(picks: Picks) -> tuple[str, ...]:
    """Return what to pass to `read_picks` for the same picks; none for picks of no file.

    A tree of files is its list or its folder, files that a glob finds are that glob.
    """
    if picks.file_list is not None:
        return (str(absolute(picks.file_list.path)),)
    files = [absolute(source.path) for source in picks.sources]
    return _as_glob(files) or tuple(str(f) for f in files)


def micrograph_places(micrographs: Micrographs) -> SearchPaths:
    """Return what to pass to `Micrographs.find` for the same micrographs."""
    if micrographs.search_paths is not None:
        return micrographs.search_paths
    files = list(dict.fromkeys(absolute(m.path) for m in micrographs))
    where: list[str] = []
    for folder in dict.fromkeys(f.parent for f in files):
        where += _whole_folder(folder, [f for f in files if f.parent == folder])
    sizes = {m.pixel_size_ang for m in micrographs}
    size = sizes.pop() if len(sizes) == 1 else None
    first = next(iter(micrographs), None)
    in_file = first is not None and first.path.is_file() and open_pixel_size_ang(first.path)
    return SearchPaths(
        tuple(where), None if size == in_file else size, any(m.flip_y for m in micrographs)
    )


def _whole_folder(folder: Path, files: Sequence[Path]) -> list[str]:
    """Return a folder if it holds just these images, a glob, or the files one by one."""
    try:
        entries = [e for e in os.scandir(folder) if not e.name.startswith(".")]
    except OSError:
        return [str(f) for f in files]
    images = {e.name for e in entries if image_suffix(e.name)}
    if images == {f.name for f in files} and not any(e.is_dir() for e in entries):
        return [str(folder)]
    return list(_as_glob(sorted(files)) or (str(f) for f in files))


def _as_glob(files: Sequence[Path]) -> tuple[str, ...] | None:
    """Return the glob that finds just these files in this order, None where there is none."""
    if len(files) < 2 or len({(f.parent, f.suffix) for f in files}) > 1:
        return None
    pattern = f"{glob.escape(str(files[0].parent))}/*{files[0].suffix}"
    matches = [p for p in sorted(glob.glob(pattern)) if not Path(p).name.startswith(".")]
    return (pattern,) if matches == [str(f) for f in files] else None
