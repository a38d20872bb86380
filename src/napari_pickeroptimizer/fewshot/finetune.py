"""Fine-tuning from labelled picks: a generator of events, the model last."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE, class_name
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.doubtful_labels import contradicted
from napari_pickeroptimizer.fewshot.events import (
    FineTuned,
    FineTuneEvent,
    FoldDone,
    LabelsLeftOut,
    StepDone,
)
from napari_pickeroptimizer.fewshot.gather import READING_SHARE, TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.known_false import add_known_false, known_false_boxes
from napari_pickeroptimizer.fewshot.label_digest import labels_digest
from napari_pickeroptimizer.fewshot.side_by_side import side_by_side
from napari_pickeroptimizer.fewshot.train import train
from napari_pickeroptimizer.fewshot.validate import FoldPredictions, Folds, Validation
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import backbone_of, check_base, initial_network
from napari_pickeroptimizer.quoting import without_lone_bytes
from napari_pickeroptimizer.trust import Calibration, HeldOutScores, fit_calibration
from napari_pickeroptimizer.trust.class_shares import class_shares
from napari_pickeroptimizer.trust.label_noise import estimate_noise, without_noise
from napari_pickeroptimizer.trust.reference import measure_reference
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.known_false import KnownFalseBoxes
    from napari_pickeroptimizer.model.network import TwoBranchNet
    from napari_pickeroptimizer.picks import Picks

# Fewer do not determine the class shares.
LEAST_UNLABELLED = 50
# Unlabelled picks that every model of a fine-tuning predicts.
N_REFERENCE = 400


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
    trainings: list[Generator[StepDone | FoldPredictions, None, None]] = [
        _training(network, boxes, taught, longer, device, known),
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
    n_done = 0
    for step in side_by_side(trainings, n_threads):
        if isinstance(step, FoldPredictions):
            predictions[step.fold] = step
            accuracy = step.accuracy(boxes.targets)
            yield FoldDone(step.fold + 1, len(folds), accuracy, _progress(n_done / n_steps))
        else:
            n_done += 1
            yield dataclasses.replace(step, progress=_progress(n_done / n_steps))
    validation = Validation.of(folds, boxes.targets, predictions)
    model = finished(network, boxes, settings, validation, n_left_out / len(every_row))
    model.card.training["labels_digest"] = labels_digest(labels)
    model.card.training.update(n_labels_left_out=n_left_out, n_steps=longer.n_steps)
    yield FineTuned(model, validation)


def finished(
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
    validation: Validation | None,
    contradicted_share: float = 0.0,
) -> Classifier:
    """Return the classifier of a trained network: calibrated, with its card.

    P(particle) is calibrated with the held-out labels of the cross-validation, where there was
    one, and with the estimated share of particles among the unlabelled picks.
    """
    if PARTICLE not in boxes.class_ids:
        return Classifier(network.to("cpu"), model_card(boxes, settings, validation))
    particle = boxes.class_ids.index(PARTICLE)
    rows = _reference_rows(boxes)
    picks = render(boxes.unlabelled[rows], settings.box_px)
    even = _is_even(boxes, settings)
    uncalibrated = Classifier(network, model_card(boxes, settings))
    predicted, features = uncalibrated.predict_with_features(picks)
    shares = _shares(predicted, even)
    others = np.arange(len(shares)) != particle
    if others.sum() > 1:
        # particles against all others evenly, the others by their estimated shares
        network.shift_logits(np.where(others, np.log(shares / shares[others].sum()), 0.0))
        predicted = uncalibrated.predict(picks)
    scores = noise = None
    if validation is not None:
        scores = validation.held_out_scores(particle, predicted, boxes.suggested, boxes.groups)
        noise = estimate_noise(scores, contradicted_share)
        scores = without_noise(scores, noise, np.random.default_rng(settings.seed))
        calibration = fit_calibration(scores, predicted[:, particle], even=even)
        # rounded as in the model's file: the forecast is the same before and after saving
        scores = HeldOutScores.from_dict(scores.to_dict())
    else:
        calibration = Calibration(intercept=0.0 if even else float(logit(shares[particle])))
    calibrated = calibration.apply_to_classes(predicted, particle)
    card = model_card(boxes, settings, validation, None if even else calibrated.mean(axis=0))
    groups = boxes.unlabelled_groups[rows.numpy()]
    reference = measure_reference(picks.numpy(), features, calibrated[:, particle], groups)
    card.training["reference"] = None if reference is None else reference.to_dict()
    card.training["wrong_labels"] = None if noise is None else noise.to_dict()
    card = dataclasses.replace(
        card,
        calibration=calibration,
        held_out_scores=scores,
        has_known_false=network.known_false is not None,
    )
    return Classifier(network.to("cpu"), card)


def _is_even(boxes: TrainingBoxes, settings: FineTuneSettings) -> bool:
    """Whether all classes are taken for as likely."""
    return settings.prior == "even" or len(boxes.unlabelled) < LEAST_UNLABELLED


def _shares(predicted: NDArray[np.float32], even: bool) -> NDArray[np.float64]:
    """Return the share of each class among picks, from their (n, n_classes) probabilities."""
    n_classes = predicted.shape[1]
    return np.full(n_classes, 1 / n_classes) if even else class_shares(predicted)


def _reference_rows(boxes: TrainingBoxes) -> torch.Tensor:
    """Rows of the unlabelled picks that every model of a fine-tuning predicts."""
    n = len(boxes.unlabelled)
    return torch.from_numpy(np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(int))


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
    picks = render(boxes.unlabelled[_reference_rows(boxes)], settings.box_px)
    particles = boxes.labelled[torch.from_numpy(rows[boxes.targets[rows] == position])]
    add_known_false(
        network,
        model.predict_with_features(known.boxes())[1],
        model.predict_with_features(render(particles, settings.box_px))[1],
        _shares(model.predict(picks), _is_even(boxes, settings))[position],
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
    picks = render(boxes.unlabelled[_reference_rows(boxes)], settings.box_px)
    yield FoldPredictions(i, predicted, model.predict(picks))


def _progress(trained: float) -> float:
    return READING_SHARE + (1 - READING_SHARE) * trained


def model_card(
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
    validation: Validation | None = None,
    shares: NDArray[np.floating] | None = None,
) -> ModelCard:
    """Return the card of a model trained on `boxes`."""
    box_settings = settings.boxes
    if box_settings.diameter_ang is None and boxes.pixel_size_ang is not None:
        # so that the model also applies to micrographs of another pixel size
        diameter_ang = box_settings.diameter_in(None) * boxes.pixel_size_ang
        box_settings = dataclasses.replace(box_settings, diameter_ang=diameter_ang)
    counts = np.bincount(boxes.targets, minlength=len(boxes.class_ids))
    names = tuple(class_name(c, settings.class_names) for c in boxes.class_ids)
    training: dict[str, Any] = {
        "labels": {name: int(n) for name, n in zip(names, counts, strict=True)},
        "sampled": None
        if boxes.sampled is None
        else {
            name: n
            for name, n in dataclasses.asdict(boxes.sampled).items()
            if name != "progress"
        },
        "n_unlabelled": len(boxes.unlabelled),
        "shares_of_picks": None
        if shares is None
        else {name: round(float(share), 3) for name, share in zip(names, shares, strict=True)},
        "settings": {
            **dataclasses.asdict(settings),
            "base": without_lone_bytes(str(settings.base)),
            "class_names": {str(c): name for c, name in settings.class_names.items()},
        },
        "validation": validation.summary() if validation is not None else None,
    }
    return ModelCard(
        class_ids=boxes.class_ids,
        class_names=names,
        backbone=backbone_of(settings.base, settings.backbone),
        boxes=box_settings,
        pixel_size_ang=boxes.pixel_size_ang,
        training=training,
        versions=software_versions(),
    )
