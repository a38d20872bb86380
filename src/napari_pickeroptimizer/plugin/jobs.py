"""Fine-tuning and applying on layers. No Qt.

The long jobs are prepared on the main thread, run as generators that touch no layer (in a
worker, or in `finetune_layer` and `apply_to_layer` right here), and are committed on the
main thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.classes import CLASS_NAMES, PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.errors import LabelError, PickerOptimizerError, SettingsError
from napari_pickeroptimizer.fewshot.events import FineTuned, FineTuneEvent
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin import labelling, matching
from napari_pickeroptimizer.plugin.layers import count_labels, points_data, view_of
from napari_pickeroptimizer.plugin.session import (
    Scored,
    Session,
    picks_of,
    session_of,
    stack_for,
    unwrap,
)
from napari_pickeroptimizer.plugin.stack import StackView
from napari_pickeroptimizer.prune.decide import decide
from napari_pickeroptimizer.prune.score import (
    PicksScored,
    ScoreEvent,
    checked_for_picks,
    score,
)

OUTPUT_ROLES = ("rejected", "kept", "unscored")


@dataclass(frozen=True)
class JobFailed:
    """The last event of a job that raised."""

    error: Exception

    @property
    def text(self) -> str:
        """Our own errors speak for themselves; of others the kind helps to report them."""
        if isinstance(self.error, PickerOptimizerError):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error}"


def leave_a_core_free() -> None:
    """Have torch use one core less than there are, so that the window stays alive meanwhile."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))


def guarded(events: Iterator[Any]) -> Iterator[Any]:
    """Yield the events of a job; an error becomes the last event instead of being raised.

    The worker of superqt takes every RuntimeError for its own deletion and drops it, but
    RuntimeError is what torch raises when a GPU is full.
    """
    try:
        yield from events
    except Exception as error:  # noqa: BLE001 (whatever it is, the user shall read it)
        yield JobFailed(error)


@dataclass(frozen=True)
class Pruned:
    """What applying a model to a layer gave.

    Parameters
    ----------
    picks : Picks
        All picks, with probabilities and ``predicted``.
    layers : dict
        Output layer by role: ``kept``, ``rejected``, and ``unscored`` where there are any.
    failures : dict
        Reason by micrograph that could not be read.
    n_outside : int
        Picks outside their micrograph.
    """

    picks: Picks
    layers: dict[str, Any]
    failures: dict[str, str]
    n_outside: int

    @property
    def counts(self) -> dict[int, int]:
        """Number of picks by predicted class, 0 = unscored."""
        ids, counts = np.unique(self.picks.table["predicted"], return_counts=True)
        return {int(i): int(n) for i, n in zip(ids, counts, strict=True)}


def what_is_missing(picks: Picks | None, stack: StackView | None) -> str:
    """Return what keeps fine-tuning from starting, in the user's words; empty when ready."""
    if stack is None:
        return "Open micrographs, and choose their layer."
    if picks is None:
        return "Open picks, and choose their layer."
    counts = count_labels(picks)
    if not counts:
        return (
            "No pick is labelled. Click picks (or point at them) and press a key: "
            f"{labelling.KEY_HELP}."
        )
    if PARTICLE not in counts:
        return f"Label some particles too (key K): so far {label_text(picks)}."
    if len(counts) == 1:
        return f"Label some false picks too (keys J, C): so far {label_text(picks)}."
    return ""


def model_text(session: Session) -> str:
    """Return what the session's model is, and how good."""
    if session.model is None:
        return "No model yet."
    card = session.model.card
    text = f"Model: {', '.join(card.class_names)}; diameter {_diameter_text(card.boxes)}."
    labels = card.training.get("labels", {})
    if labels:
        text += " Trained on " + ", ".join(f"{n} {name}" for name, n in labels.items()) + "."
    validation = card.training.get("validation")
    if not validation:
        return text + " Not cross-validated."
    held_out = "other micrographs" if validation["grouped_by_micrograph"] else "other picks"
    return (
        f"{text} Cross-validated on {held_out} ({validation['n_folds']} folds): "
        f"{validation['accuracy']:.0%} right, F1 {validation['macro_f1']:.2f}."
    )


def _diameter_text(boxes: BoxSettings) -> str:
    if boxes.diameter_ang is not None:
        return f"{boxes.diameter_ang:.4g} Å"
    return f"{boxes.diameter_px:.4g} px"


def label_text(picks: Picks) -> str:
    """Return the labels' counts: ``12 particle, 9 contaminant``."""
    counts = count_labels(picks)
    return ", ".join(f"{n} {class_name(i)}" for i, n in counts.items()) or "no labels"


def finetune_events(
    viewer: Any, layer: Any, settings: FineTuneSettings, *, stack_layer: Any = None
) -> Iterator[FineTuneEvent]:
    """Prepare fine-tuning on a layer's labels; the iterator itself touches no layer.

    Raises
    ------
    LabelError, MicrographNotFoundError
        At once, where something is missing.
    """
    stack = stack_for(viewer, layer, stack_layer)
    picks = picks_of(layer)
    missing = what_is_missing(picks, stack)
    if missing:
        raise LabelError(missing)
    labelled = picks.labels != UNLABELLED
    # Picks without a label may lie on micrographs that are not open, labels may not.
    return finetune(
        stack.micrographs, picks.select(labelled), settings, picks.select(~labelled)
    )


def finetune_layer(
    viewer: Any,
    layer: Any,
    settings: FineTuneSettings,
    *,
    on_event: Callable[[FineTuneEvent], None] | None = None,
) -> FineTuned:
    """Fine-tune on a layer's labels, here and now; the model becomes the session's."""
    last = None
    for last in finetune_events(viewer, layer, settings):
        if on_event is not None:
            on_event(last)
    assert isinstance(last, FineTuned)  # the core's last event
    session_of(viewer).set_model(last.model, last)
    return last


def apply_events(
    viewer: Any,
    layer: Any,
    model: Classifier | None = None,
    *,
    stack_layer: Any = None,
    device: str = "auto",
) -> Iterator[ScoreEvent]:
    """Prepare scoring of a layer's picks; the iterator itself touches no layer.

    Raises
    ------
    SettingsError, CheckpointError, LabelError, MicrographNotFoundError
        At once, where something is missing.
    """
    model = model or session_of(viewer).model
    if model is None:
        raise SettingsError("there is no model: fine-tune one, or choose a model file.")
    stack = stack_for(viewer, layer, stack_layer)
    picks = picks_of(layer)
    if not len(picks):
        raise LabelError(f"layer {layer.name!r} has no picks.")
    return score(stack.micrographs, picks, checked_for_picks(model), device=device)


def apply_to_layer(
    viewer: Any,
    layer: Any,
    *,
    model: Classifier | None = None,
    threshold: float = 0.5,
    device: str = "auto",
    on_event: Callable[[ScoreEvent], None] | None = None,
) -> Pruned:
    """Score a layer's picks and show kept and rejected ones, here and now."""
    last = None
    for last in apply_events(viewer, layer, model, device=device):
        if on_event is not None:
            on_event(last)
    assert isinstance(last, PicksScored)  # the core's last event
    return show_scored(viewer, layer, last, threshold)


def show_scored(viewer: Any, layer: Any, scored: PicksScored, threshold: float) -> Pruned:
    """Keep the scores of a layer's picks, and show them at a threshold."""
    n_outside = sum(scored.outside.values())
    session_of(viewer).scored[unwrap(layer)] = Scored(
        scored.picks, dict(scored.failures), n_outside
    )
    return show_threshold(viewer, layer, threshold)


def show_threshold(viewer: Any, layer: Any, threshold: float) -> Pruned:
    """Make or update ``<name> kept`` and ``<name> rejected`` from a layer's scores.

    The layer's labels win over the scores, those given since the scoring too. The layer itself
    is only hidden, so that the outputs are seen.

    Raises
    ------
    SettingsError
        The layer's picks were not scored in this session.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    scored = session_of(viewer).scored.get(layer)
    if scored is None:
        raise SettingsError(f"the picks of {layer.name!r} are not scored yet: apply a model.")
    labels = picks_of(layer).labels[: len(scored.picks)]  # points added since come last
    picks = decide(scored.picks.with_labels(labels), threshold)
    predicted = picks.table["predicted"].to_numpy()
    masks = {
        "kept": predicted == PARTICLE,
        "rejected": predicted > PARTICLE,
        "unscored": predicted == UNLABELLED,
    }
    layers = {}
    for role in OUTPUT_ROLES:
        rows = np.flatnonzero(masks[role])
        shown = _show_output(viewer, layer, picks, rows, role)
        if shown is not None:
            layers[role] = shown
    layer.visible = False
    return Pruned(picks, layers, scored.failures, scored.n_outside)


def summary_text(pruned: Pruned) -> str:
    """Return what was kept and rejected, in one or two lines."""
    counts, n = pruned.counts, len(pruned.picks)
    n_kept = counts.get(PARTICLE, 0)
    rejected = ", ".join(f"{counts[i]} {CLASS_NAMES[i]}" for i in counts if i > PARTICLE)
    text = f"Kept {n_kept} of {n} picks ({n_kept / n:.0%}). Rejected: {rejected or 'none'}."
    n_labels = int((pruned.picks.labels != UNLABELLED).sum())
    if n_labels:
        text += f" Your {n_labels} labels went before the scores."
    if counts.get(UNLABELLED):
        text += f" Not scored: {counts[UNLABELLED]}"
        text += f" ({pruned.n_outside} outside their micrograph)." if pruned.n_outside else "."
    return text


def failures_text(failures: dict[str, str], n_shown: int = 5) -> str:
    """Return the micrographs that could not be read, a line each."""
    lines = [f"{name}: {reason}" for name, reason in list(failures.items())[:n_shown]]
    if len(failures) > n_shown:
        lines.append(f"... and {len(failures) - n_shown} more")
    return "\n".join(lines)


def load_model(viewer: Any, path: str | Path) -> Classifier:
    """Read a model file and make it the session's.

    Raises
    ------
    CheckpointError
        The file is no model, or a pretrained one that cannot score picks.
    """
    model = checked_for_picks(Classifier.load(path))
    session_of(viewer).set_model(model)
    return model


def _show_output(viewer: Any, layer: Any, picks: Picks, rows: Any, role: Any) -> Any | None:
    """Update the output layer of a role, or make it (again)."""
    origin = view_of(layer.metadata)
    assert origin is not None  # only scored layers come here
    view = replace(
        origin, picks=picks.select(rows), role=role, source=layer.unique_id, rows=rows
    )
    for other in matching.picks_layers(viewer):
        old = view_of(other.metadata)
        if old is not None and (old.role, old.source) == (role, layer.unique_id):
            labelling.show(other, view)
            return other
    if role == "unscored" and not len(rows):
        return None
    data, attributes, _ = points_data(view, f"{layer.name} {role}")
    attributes |= {"scale": layer.scale, "units": layer.units}
    return viewer.add_points(data, **attributes)
