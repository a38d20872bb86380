"""What a session came to, as a recipe for commands and scripts. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.digest import labels_digest
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.model.checkpoint import ModelCard
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.label_files import own_picks
from napari_pickeroptimizer.plugin.panels.export.destinations import What
from napari_pickeroptimizer.plugin.panels.export.input_paths import (
    micrograph_paths,
    picks_paths,
)
from napari_pickeroptimizer.plugin.panels.export.reproduce import (
    Recipe,
    only_python,
    training_settings,
)
from napari_pickeroptimizer.plugin.scores import Scores
from napari_pickeroptimizer.plugin.scoring.jobs import CPU_BATCH, GPU_BATCH
from napari_pickeroptimizer.plugin.session import session_of, stack_for, unwrap
from napari_pickeroptimizer.prune.place_rules import PlaceRules

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
        Replace files that are there.
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
    """Return how to do again what a session did, as far as files and commands can.

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
    again = output.with_name(f"{output.stem if output.suffix else output.name}_again")
    picks = own_picks(layer)
    scores: Scores | None = session.scores.get(layer)
    model = session.model if scores is None else scores.model
    n_new = int((picks.table["source"].to_numpy() < 0).sum())
    files = picks_paths(picks)
    added = home / f"{Path(LABELS).stem}_added.star"
    places, labels = files, ()
    notes = []
    if n_new:
        places = (*files, str(added)) if files else (str(home / LABELS),)
        notes.append(f"{n_new} picks that you added are in {Path(places[-1]).name} only.")
    if picks.labels.any():
        labels = (str(home / LABELS), *((str(added),) if n_new and files else ()))
    training = None
    if model is not None:
        training, why_not = _training(model.card, picks)
        notes += [why_not] if why_not else []
    model_file = str((home if training is None else again) / MODEL)
    if scores is not None and scores.complete:
        notes += _scoring_notes(scores, picks)
    needed = [*labels[:1], *([model_file] if training is None else [])]
    missing = [Path(p).name for p in needed if not Path(p).is_file()]
    if missing:
        notes.append(
            f"{' and '.join(missing)} will be there once everything is exported with it."
        )
    return Recipe(
        micrographs=micrograph_paths(stack_for(viewer, layer, None).micrographs),
        picks=places,
        labels=labels,
        model=model_file,
        training=training,
        threshold=None if scores is None else float(scores.threshold),
        rules=PlaceRules() if scores is None else scores.rules,
        output=str(again),
        device=settings.device,
        write_fom=settings.write_fom,
        batch_size=batch_size(settings.device),
        notes=tuple(notes),
    )


def batch_size(device: str) -> int:
    """Return how many boxes a session scores at once on a device."""
    return CPU_BATCH if choose_device(device).type == "cpu" else GPU_BATCH


def _training(card: ModelCard, picks: Picks) -> tuple[dict[str, Any] | None, str]:
    """Return the settings to teach the model again, or why that is not possible."""
    settings = training_settings(card)
    told = card.training.get("labels_digest")
    if settings is None or told is None:
        return None, "The model came from a file: it is taken as it is."
    if told != labels_digest(picks):
        return None, (
            "The labels are others than the model was taught by, so it is taken as it is, "
            "and not taught again."
        )
    unknown = only_python(settings)
    if unknown:
        return None, (
            f"The model was taught with settings that no option sets ({', '.join(unknown)}), "
            "so it is taken as it is."
        )
    return settings, ""


def _scoring_notes(scores: Scores, picks: Picks) -> list[str]:
    n_behind = int(np.isnan(scores.p_particle).sum()) + max(0, len(picks) - len(scores))
    n_outside = sum(scores.outside.values())
    n_unreadable = int(np.isin(scores.codes, [
        i for i, name in enumerate(scores.names) if name in scores.failures
    ]).sum())  # fmt: skip
    n_late = n_behind - n_outside - n_unreadable
    if n_late <= 0:
        return []
    return [f"{n_late} picks were added after the scoring: the commands score them too."]
