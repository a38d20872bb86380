"""Fine-tuning from labelled picks: a generator of events, the model last."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.doubtful_labels import contradicted
from napari_pickeroptimizer.fewshot.events import (
    FineTuned,
    FineTuneEvent,
    FoldDone,
    LabelsLeftOut,
    ModelTrained,
    StepDone,
)
from napari_pickeroptimizer.fewshot.gather import READING_SHARE, TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.known_false import add_known_false, known_false_boxes
from napari_pickeroptimizer.fewshot.label_digest import labels_digest
from napari_pickeroptimizer.fewshot.side_by_side import side_by_side
from napari_pickeroptimizer.fewshot.train import train
from napari_pickeroptimizer.fewshot.trained import (
    Trained,
    is_even,
    model_card,
    reference_picks,
    shares_of,
)
from napari_pickeroptimizer.fewshot.validate import FoldPredictions, Folds, Validation
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.triton import preload_triton
from napari_pickeroptimizer.model.weights import check_base, initial_network

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.known_false import KnownFalseBoxes
    from napari_pickeroptimizer.model.network import TwoBranchNet
    from napari_pickeroptimizer.picks import Picks


def finetune(
    micrographs: Micrographs,
    labels: Picks,
    settings: FineTuneSettings,
    unlabelled: Picks | None = None,
) -> Iterator[FineTuneEvent]:
    """Train a model on labelled picks; closing the generator cancels.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the labels.
    labels : Picks
        Labelled picks of at least two classes; unlabelled rows are used as `unlabelled`. A
        place that is labelled twice teaches once; as two classes, not at all.
    settings : FineTuneSettings
        Diameter, steps, seed, device, ...
    unlabelled : Picks, optional
        Unlabelled picks of whole micrographs, ideally all that will be scored. They determine
        the class shares and, with a base that knows no micrographs, the BatchNorm statistics.

    Yields
    ------
    LabelsLeftOut, LabelsSampled, OtherFrameFits, BoxesRead, MicrographSkipped, StepDone, FoldDone
        During the run, with the overall progress.
    ModelTrained
        As soon as the model itself is trained, where a cross-validation goes on.
    FineTuned
        Last: the model and its cross-validation.

    Raises
    ------
    LabelError, MicrographNotFoundError, BoxOutsideError, CheckpointError, SettingsError
        The input is invalid; the message says what to do.
    """
    device = choose_device(settings.device)
    check_base(settings.base, settings.backbone)
    boxes = None
    for event in gather(micrographs, labels, unlabelled, settings):
        if isinstance(event, TrainingBoxes):
            boxes = event
        else:
            yield event
    assert boxes is not None  # gather's last event
    particle = boxes.class_ids.index(PARTICLE) if PARTICLE in boxes.class_ids else None
    folds = Folds.of(boxes.targets, boxes.groups, settings, particle)
    network = _initial_network(boxes, settings).to(device)
    longer = dataclasses.replace(settings, n_steps=settings.n_steps_of(len(boxes.targets)))
    # before the training, which would learn wrong labels by heart
    features = _label_features(network, boxes, settings)
    every_row = np.arange(len(boxes.targets))
    taught = _taught(features, boxes, every_row, settings)
    n_left_out = len(every_row) - len(taught)
    if n_left_out:
        yield LabelsLeftOut(_left_out_note(n_left_out, len(every_row)), READING_SHARE)
    predictions: dict[int, FoldPredictions] = {}
    n_steps = longer.n_steps * (len(folds) + 1)
    known = known_false_boxes(boxes.class_ids, settings)
    trainings: list[Generator[StepDone | FoldPredictions | Trained, None, None]] = [
        _model_training(
            _training(network, boxes, taught, longer, device, known), network, boxes, settings
        ),
        *(
            # copied before the first training begins
            _fold_training(
                i,
                (_taught(features, boxes, train_rows, settings), test_rows),
                copy.deepcopy(network),
                boxes,
                longer,
                device,
                known,
            )
            for i, (train_rows, test_rows) in enumerate(folds)
        ),
    ]
    n_threads = torch.get_num_threads() if device.type == "cpu" else 1
    n_done, trained, digest = 0, None, labels_digest(labels)

    def model(of: Trained, validation: Validation | None) -> Classifier:
        made = of.classifier(validation, n_left_out / len(every_row))
        made.card.training["labels_digest"] = digest
        made.card.training.update(n_labels_left_out=n_left_out, n_steps=longer.n_steps)
        return made

    preload_triton()  # the optimisers of torch import it
    for step in side_by_side(trainings, n_threads):
        if isinstance(step, FoldPredictions):
            predictions[step.fold] = step
            accuracy = step.accuracy(boxes.targets)
            yield FoldDone(step.fold + 1, len(folds), accuracy, _progress(n_done / n_steps))
        elif isinstance(step, Trained):
            trained = step
            if len(folds):
                at_once = model(trained.before_validation(), None)
                yield ModelTrained(at_once, _progress(n_done / n_steps))
        else:
            n_done += 1
            yield dataclasses.replace(step, progress=_progress(n_done / n_steps))
    validation = Validation.of(folds, boxes.targets, predictions)
    assert trained is not None  # the last event of the first training
    yield FineTuned(model(trained, validation), validation)


def _label_features(
    network: TwoBranchNet, boxes: TrainingBoxes, settings: FineTuneSettings
) -> NDArray[np.float32]:
    first = Classifier(network, model_card(boxes, settings))
    return first.predict_with_features(render(boxes.labelled, settings.box_px))[1]


def _taught(
    features: NDArray[np.float32],
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
) -> NDArray[np.intp]:
    """Return those of `rows` to train on.

    Suggested picks are unlike the others because they were chosen so: their labels stay.
    """
    if not settings.leave_out_doubtful:
        return rows
    doubtful = contradicted(features[rows], boxes.targets[rows]) & ~boxes.suggested[rows]
    return rows[~doubtful]


def _left_out_note(n: int, n_labels: int) -> str:
    return (
        f"{n} of {n_labels} labels contradict the others, and the model was not trained on them: "
        "they may be wrong. `suggest` with this model lists labels to check."
    )


def _initial_network(boxes: TrainingBoxes, settings: FineTuneSettings) -> TwoBranchNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return initial_network(settings.base, settings.backbone, len(boxes.class_ids))


def _training(
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
    device: torch.device,
    known: KnownFalseBoxes | None,
    fold: int | None = None,
) -> Generator[StepDone, None, None]:
    """Train `network` in place on some of the labels."""
    for step, losses, accuracy in train(network, boxes, rows, settings, device):
        yield StepDone(fold, step, settings.n_steps, losses, accuracy, 0.0)
    if known is not None:
        _set_against(known, network, boxes, rows, settings)


def _model_training(
    training: Iterator[StepDone],
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
) -> Generator[StepDone | Trained, None, None]:
    """Train the network of the model; last, and before its thread begins a fold, predict."""
    yield from training
    yield Trained.of(network, boxes, settings)


def _set_against(
    known: KnownFalseBoxes,
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
) -> None:
    """Add the odds of known false picks to a network trained on some of the labels."""
    model = Classifier(network, model_card(boxes, settings))
    position = boxes.class_ids.index(PARTICLE)
    picks = reference_picks(boxes, settings)
    particles = boxes.labelled[torch.from_numpy(rows[boxes.targets[rows] == position])]
    add_known_false(
        network,
        model.predict_with_features(known.boxes())[1],
        model.predict_with_features(render(particles, settings.box_px))[1],
        shares_of(model.predict(picks), is_even(boxes, settings))[position],
    )


def _fold_training(
    i: int,
    split: tuple[NDArray[np.intp], NDArray[np.intp]],
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
    device: torch.device,
    known: KnownFalseBoxes | None,
) -> Generator[StepDone | FoldPredictions, None, None]:
    """Train on the first rows of a split; yield the predictions for the second last."""
    train_rows, test_rows = split
    yield from _training(network, boxes, train_rows, settings, device, known, i + 1)
    model = Classifier(network, model_card(boxes, settings))
    predicted = np.full((len(boxes.targets), len(boxes.class_ids)), np.nan, dtype=np.float32)
    held_out = boxes.labelled[torch.from_numpy(test_rows)]
    predicted[test_rows] = model.predict(render(held_out, settings.box_px))
    picks = reference_picks(boxes, settings)
    yield FoldPredictions(i, predicted, model.predict(picks))


def _progress(trained: float) -> float:
    return READING_SHARE + (1 - READING_SHARE) * trained
