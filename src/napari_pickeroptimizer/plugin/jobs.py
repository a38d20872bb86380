"""Fine-tuning and scoring on layers. No Qt, and torch only once a job starts.

The long jobs are prepared on the main thread, run as generators that touch no layer (in a
worker, or in `finetune_layer` and `score_layer`), and are committed on the main
thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import (
    LabelError,
    MicrographNotFoundError,
    SettingsError,
)
from napari_pickeroptimizer.fewshot.events import FineTuned, FineTuneEvent
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.plugin import matching, outputs
from napari_pickeroptimizer.plugin.images.stack import checked_stack
from napari_pickeroptimizer.plugin.layer_state import layer_state, picks_state, unwrap
from napari_pickeroptimizer.plugin.learning_labels import labelled_layer, learning_labels
from napari_pickeroptimizer.plugin.readiness import missing_to_finetune
from napari_pickeroptimizer.plugin.scores import Scores, ScoreSummary, summarise_scores
from napari_pickeroptimizer.plugin.session import picks_of, session_of, stack_for
from napari_pickeroptimizer.plugin.transforms import slice_shown
from napari_pickeroptimizer.prune.events import PicksScored, ScoreEvent
from napari_pickeroptimizer.prune.threshold import check_finds_particles

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.checkpoint import Classifier

# A CPU scores this many boxes in a third of a second, the longest delay of a cancel.
CPU_BATCH = 32
GPU_BATCH = 256


def finetune_events(
    viewer: Any,
    layer: Any,
    settings: FineTuneSettings,
    *,
    stack_layer: Any = None,
    label_layers: Sequence[Any] = (),
) -> Iterator[FineTuneEvent]:
    """Prepare fine-tuning on the labels of layers; the iterator itself touches no layer.

    Parameters are those of `finetune_layer`; `layer` may be None where there are `label_layers`.

    Raises
    ------
    LabelError, MicrographNotFoundError
        At once, where something is missing.
    """
    viewer = unwrap(viewer)
    vocabulary = session_of(viewer).vocabulary
    if layer is not None:
        stack = stack_for(viewer, layer, stack_layer)
        stack_layer = stack_layer or matching.stack_layer_of(viewer, picks_state(layer))
    if stack_layer is None:
        raise MicrographNotFoundError("there are no micrographs: open them first.")
    stack_layer = unwrap(stack_layer)
    chosen, others = (
        [labelled_layer(viewer, x, stack_layer, vocabulary) for x in layers]
        for layers in ([] if layer is None else [layer], label_layers)
    )
    joined = learning_labels(
        chosen[0] if chosen else None, others, stack_layer, settings.boxes
    )
    stack = checked_stack(stack_layer)
    missing = missing_to_finetune(joined.counting, stack, vocabulary)
    if missing:
        raise LabelError(f"{joined.places.clash_note} {missing}".strip())
    if not settings.class_names:
        settings = replace(settings, class_names=vocabulary.names())
    from napari_pickeroptimizer.fewshot.finetune import finetune  # torch

    # Picks without a label may lie on micrographs that are not open, labels may not.
    return finetune(stack.micrographs, joined.labels, settings, joined.unlabelled)


def finetune_layer(
    viewer: Any,
    layer: Any,
    settings: FineTuneSettings,
    *,
    stack_layer: Any = None,
    label_layers: Sequence[Any] = (),
    on_event: Callable[[FineTuneEvent], None] | None = None,
) -> FineTuned:
    """Fine-tune on the labels of layers and wait; the session uses the model.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layers are.
    layer : napari.layers.Points
        The picks. Those without a label are learned from as such.
    settings : FineTuneSettings
        Diameter, steps, seed, device, ...
    stack_layer : napari.layers.Image, optional
        Their micrographs, by default those they were matched to.
    label_layers : sequence of napari.layers.Points
        Further layers whose labels are used, such as your own points in layers called
        "particles" and "junk"; see `learning_labels`.
    on_event : callable, optional
        Called with every event.
    """
    last = None
    events = finetune_events(
        viewer, layer, settings, stack_layer=stack_layer, label_layers=label_layers
    )
    for last in events:
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
) -> tuple[Scores, Iterator[ScoreEvent | ScoreSummary]]:
    """Prepare scoring of a layer's picks; the iterator itself touches no layer.

    Parameters are those of `score_layer`; `first` are the micrographs to begin with, as the
    picks spell them.

    Returns
    -------
    Scores
        Empty ones, for `LayerState.begin_scores`.
    iterator
        The events of `score`, then `ScoreSummary`; for `outputs.take_scores`.

    Raises
    ------
    SettingsError, CheckpointError, LabelError, MicrographNotFoundError
        At once, where something is missing.
    """
    from napari_pickeroptimizer.prune.score import checked_for_picks, score  # torch

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

    def summarised() -> Iterator[ScoreEvent | ScoreSummary]:
        for event in events:
            yield event
            if isinstance(event, PicksScored):
                yield summarise_scores(card, event)

    return Scores.begin(picks, model), summarised()


def score_layer(
    viewer: Any,
    layer: Any,
    *,
    model: Classifier | None = None,
    stack_layer: Any = None,
    threshold: float | None = None,
    device: str = "auto",
    on_event: Callable[[ScoreEvent | ScoreSummary], None] | None = None,
) -> Scores:
    """Score a layer's picks and wait; show the kept and rejected ones.

    If that fails, the layer keeps its previous scores.

    Parameters
    ----------
    viewer, layer : napari.Viewer, napari.layers.Points
        Where the picks are.
    model : Classifier, optional
        By default the session's; any other that was fine-tuned becomes the session's.
    stack_layer : napari.layers.Image, optional
        Their micrographs, by default those they were matched to.
    threshold : float, optional
        Least P(particle) of a kept pick; by default as before, 0.5 at first.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    on_event : callable, optional
        Called with every event.
    """
    viewer, layer = unwrap(viewer), unwrap(layer)
    session = session_of(viewer)
    scores, events = score_events(viewer, layer, model, stack_layer=stack_layer, device=device)
    if scores.model is not session.model and not scores.card.is_before_labels:
        session.set_model(scores.model)
    state = picks_state(layer)
    before = state.begin_scores(scores)
    if threshold is not None:
        state.threshold = threshold
    try:
        for event in events:
            outputs.take_scores(viewer, layer, event)
            if on_event is not None:
                on_event(event)
    except BaseException:  # re-raised below
        restore_scores(viewer, layer, before)
        raise
    return scores


def restore_scores(viewer: Any, layer: Any, before: Scores | None) -> None:
    """Restore the earlier scores of a layer, unless they are of another model."""
    model = session_of(viewer).model
    is_current = before is not None and (
        before.model is model or (model is None and before.card.is_before_labels)
    )
    state = picks_state(layer)
    state.restore_scores(before if is_current else None)
    if is_current and not state.rules.are_off:
        outputs.set_place_rules(viewer, layer, state.rules)


def load_model(viewer: Any, path: str | Path) -> Classifier:
    """Read a model file for the session.

    Raises
    ------
    CheckpointError, SettingsError
        The file is no model, or one that cannot score picks.
    """
    from napari_pickeroptimizer.model.checkpoint import Classifier  # torch
    from napari_pickeroptimizer.prune.score import checked_for_picks

    model = checked_for_picks(Classifier.load(path))
    check_finds_particles(model.card)
    session_of(viewer).set_model(model)
    return model


def micrographs_first(viewer: Any, layer: Any) -> tuple[str, ...]:
    """Return the name of the current micrograph, to score it first."""
    state, viewer = layer_state(layer), unwrap(viewer)
    if state is None or viewer.dims.ndim < 3:
        return ()
    shown = slice_shown(viewer)
    return tuple(name for name, i in state.slice_of.items() if i == shown)
