"""Fine-tuning and scoring on layers. No Qt.

The long jobs are prepared on the main thread, run as generators that touch no layer (in a
worker, or in `finetune_layer` and `score_layer` right here), and are committed on the main
thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.classes import PARTICLE, UNLABELLED
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import LabelError, PickerOptimizerError, SettingsError
from napari_pickeroptimizer.fewshot.events import FineTuned, FineTuneEvent
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.picks import Picks
from napari_pickeroptimizer.plugin.images.stack import StackView
from napari_pickeroptimizer.plugin.labels.vocabulary import DEFAULT_VOCABULARY, Vocabulary
from napari_pickeroptimizer.plugin.points.layers import count_labels, view_of
from napari_pickeroptimizer.plugin.scoring import outputs
from napari_pickeroptimizer.plugin.scoring.outputs import Pruned
from napari_pickeroptimizer.plugin.scoring.scores import (
    Scores,
    Weighed,
    check_finds_particles,
    weigh,
)
from napari_pickeroptimizer.plugin.session import (
    Session,
    picks_of,
    session_of,
    stack_for,
    unwrap,
)
from napari_pickeroptimizer.prune.score import (
    PicksScored,
    ScoreEvent,
    checked_for_picks,
    score,
)
from napari_pickeroptimizer.prune.threshold import DEFAULT_THRESHOLD

# Fewer labels of a class tell too little of how good a model is.
LEAST_LABELS = 10
# A CPU looks at so many boxes in a third of a second: no cancelled job goes on for longer.
CPU_BATCH = 32
GPU_BATCH = 256


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


def what_is_missing(
    picks: Picks | None, stack: StackView | None, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> str:
    """Return what keeps fine-tuning from starting, in the user's words; empty when ready."""
    if stack is None:
        return "Open micrographs, and choose their layer."
    if picks is None:
        return "Open picks, and choose their layer."
    counts = count_labels(picks)
    if not counts:
        return (
            "No pick is labelled. Click picks (or point at them) and press a key: "
            f"{vocabulary.key_help}."
        )
    given = label_text(picks, vocabulary)
    if PARTICLE not in counts:
        particle = vocabulary.style(PARTICLE)
        return f"Label some {particle.name}s too (key {particle.key}): so far {given}."
    if len(counts) == 1:
        keys = ", ".join(s.key for s in vocabulary.classes if s.class_id != PARTICLE)
        return f"Label some false picks too (keys {keys}): so far {given}."
    return ""


def what_is_missing_to_score(session: Session) -> str:
    """Return what keeps scoring from starting, in the user's words; empty when ready."""
    if session.stack_layer is None:
        return "Picks are scored on their micrographs: open micrographs first."
    if session.picks_layer is None:
        return "Open picks first."
    if session.model is None:
        return "Fine-tune a model (Learn), or load a model file."
    return ""


def model_text(session: Session) -> str:
    """Return what the session's model is, and how good."""
    if session.model is None:
        return "No model yet."
    card = session.model.card
    text = f"Model: {', '.join(card.class_names)}; diameter {diameter_text(card.boxes)}."
    labels = card.training.get("labels", {})
    if labels:
        text += " Trained on " + ", ".join(f"{n} {name}" for name, n in labels.items()) + "."
    return f"{text} {validation_text(session.model)}"


def model_line(session: Session) -> str:
    """Return the model in one line; `model_text` tells all."""
    if session.model is None:
        return "No model yet."
    card = session.model.card
    validation, n = (
        card.training.get("validation"),
        sum(card.training.get("labels", {}).values()),
    )
    known = "not cross-validated"
    if validation:
        known = f"{validation['accuracy']:.0%} of {n} labels right" if n else ""
    return f"Model for {diameter_text(card.boxes)}, {known}."


def validation_text(model: Classifier) -> str:
    """Return what cross-validation said of a model, with counts where they are known."""
    validation = model.card.training.get("validation")
    if not validation:
        return "Not cross-validated."
    held_out = "other micrographs" if validation["grouped_by_micrograph"] else "other picks"
    n = sum(model.card.training.get("labels", {}).values())
    right = f"{round(validation['accuracy'] * n)} of {n} labels, " if n else ""
    return (
        f"Cross-validated on {held_out} ({validation['n_folds']} folds): "
        f"{right}{validation['accuracy']:.0%} right, F1 {validation['macro_f1']:.2f}."
    )


def validation_lines(
    tuned: FineTuned, vocabulary: Vocabulary = DEFAULT_VOCABULARY
) -> list[str]:
    """Return what cross-validation said of a model just trained, by class and in words."""
    found = tuned.validation
    if found is None:
        return ["Done. Not cross-validated, so nobody knows yet how good it is."]
    hits = found.probabilities.argmax(axis=1) == found.targets
    lines = [
        f"Done. {int(hits.sum())} of {len(hits)} labels were told right by models that had "
        "not seen them:"
    ]
    parts = []
    for position, class_id in enumerate(tuned.model.card.class_ids):
        here = found.targets == position
        parts.append(
            f"{int(hits[here].sum())} of {int(here.sum())} {vocabulary.name(class_id)}"
        )
    lines[0] += f" {', '.join(parts)}."
    if not found.folds.grouped_by_micrograph:
        lines.append(
            "They had seen other labels of the same micrographs: expect a little less of new ones."
        )
    counts = np.bincount(found.targets)
    if counts[counts > 0].min() < LEAST_LABELS:
        lines.append(
            f"So few labels tell little of how good it is: give at least {LEAST_LABELS} of each."
        )
    return lines


def diameter_text(boxes: BoxSettings) -> str:
    """Return the particle diameter of a model."""
    if boxes.diameter_ang is not None:
        return f"{boxes.diameter_ang:.4g} Å"
    return f"{boxes.diameter_px:.4g} px"


def label_text(picks: Picks, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return the labels' counts: ``12 particle, 9 contaminant``."""
    counts = count_labels(picks)
    return ", ".join(f"{n} {vocabulary.name(i)}" for i, n in counts.items()) or "no labels"


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
    missing = what_is_missing(picks, stack, session_of(viewer).vocabulary)
    if missing:
        raise LabelError(missing)
    if not settings.class_names:
        settings = replace(settings, class_names=session_of(viewer).vocabulary.names())
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


def score_events(
    viewer: Any,
    layer: Any,
    model: Classifier | None = None,
    *,
    stack_layer: Any = None,
    device: str = "auto",
    first: Sequence[str] = (),
) -> tuple[Scores, Iterator[ScoreEvent | Weighed]]:
    """Prepare scoring of a layer's picks; the iterator itself touches no layer.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    model : Classifier, optional
        By default the session's.
    stack_layer : napari.layers.Image, optional
        Their micrographs, by default those they were matched to.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    first : sequence of str
        Micrographs to begin with, as the picks spell them.

    Returns
    -------
    Scores
        Empty ones, for `outputs.begin`.
    iterator
        The events of `score`, then `Weighed`; for `outputs.receive` and `outputs.finish`.

    Raises
    ------
    SettingsError, CheckpointError, LabelError, MicrographNotFoundError
        At once, where something is missing.
    """
    model = model or session_of(viewer).model
    if model is None:
        raise SettingsError("there is no model: fine-tune one, or choose a model file.")
    card = checked_for_picks(model).card
    check_finds_particles(card)
    batch_size = CPU_BATCH if choose_device(device).type == "cpu" else GPU_BATCH
    stack = stack_for(viewer, layer, stack_layer)
    picks = picks_of(layer)
    if not len(picks):
        raise LabelError(f"layer {layer.name!r} has no picks.")
    events = score(
        stack.micrographs, picks, model, device=device, batch_size=batch_size, first=first
    )

    def weighed() -> Iterator[ScoreEvent | Weighed]:
        for event in events:
            yield event
            if isinstance(event, PicksScored):
                yield weigh(card, event.picks.particle_probability)

    return Scores.begin(picks, model), weighed()


def score_layer(
    viewer: Any,
    layer: Any,
    *,
    model: Classifier | None = None,
    threshold: float | None = None,
    device: str = "auto",
    on_event: Callable[[ScoreEvent | Weighed], None] | None = None,
) -> Scores:
    """Score a layer's picks, here and now, and show what is kept and rejected.

    Where that fails, the layer has the scores that it had before.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    model : Classifier, optional
        By default the session's; any other becomes the session's.
    threshold : float, optional
        Least P(particle) of a kept pick; by default as before, 0.5 at first.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    on_event : callable, optional
        Called with every event.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    session = session_of(viewer)
    scores, events = score_events(viewer, layer, model, device=device)
    if scores.model is not session.model:
        session.set_model(scores.model)
    before = outputs.begin(viewer, layer, scores)
    if threshold is not None:
        scores.threshold = threshold
    try:
        scored: PicksScored | None = None
        for event in events:
            if isinstance(event, PicksScored):
                scored = event
            elif isinstance(event, Weighed):
                assert scored is not None  # it comes after
                outputs.finish(viewer, layer, scored, event)
            else:
                outputs.receive(viewer, layer, event)
            if on_event is not None:
                on_event(event)
    except BaseException:  # whatever it is, it goes on from here
        outputs.restore(viewer, layer, before)
        raise
    return scores


def apply_to_layer(
    viewer: Any,
    layer: Any,
    *,
    model: Classifier | None = None,
    threshold: float = DEFAULT_THRESHOLD,
    device: str = "auto",
    on_event: Callable[[ScoreEvent | Weighed], None] | None = None,
) -> Pruned:
    """Score a layer's picks and show kept and rejected ones, here and now."""
    score_layer(
        viewer, layer, model=model, threshold=threshold, device=device, on_event=on_event
    )
    return outputs.settle(viewer, layer)


def show_threshold(viewer: Any, layer: Any, threshold: float) -> Pruned:
    """Keep the picks of this P(particle) and more (see `outputs.set_threshold`)."""
    return outputs.set_threshold(viewer, layer, threshold)


def summary_text(pruned: Pruned, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> str:
    """Return what was kept and rejected, in one or two lines."""
    counts, n = pruned.counts, len(pruned.picks)
    n_kept = counts.get(PARTICLE, 0)
    rejected = ", ".join(f"{counts[i]} {vocabulary.name(i)}" for i in counts if i > PARTICLE)
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
    CheckpointError, SettingsError
        The file is no model, or one that cannot score picks.
    """
    model = checked_for_picks(Classifier.load(path))
    check_finds_particles(model.card)
    session_of(viewer).set_model(model)
    return model


def micrographs_first(viewer: Any, layer: Any) -> tuple[str, ...]:
    """Return the micrograph that is seen, as the layer's picks spell it: to score it first."""
    view, viewer = view_of(unwrap(layer).metadata), unwrap(viewer)
    if view is None or viewer.dims.ndim < 3:
        return ()
    here = round(float(viewer.dims.point[-3]))
    return tuple(name for name, i in view.slice_of.items() if i == here)
