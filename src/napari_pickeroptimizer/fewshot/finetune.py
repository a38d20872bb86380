"""Fine-tuning from labelled picks: a generator of events, the model last."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE, class_name
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.fewshot.events import (
    FineTuned,
    FineTuneEvent,
    FoldDone,
    StepDone,
)
from napari_pickeroptimizer.fewshot.gather import READING_SHARE, TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.label_digest import labels_digest
from napari_pickeroptimizer.fewshot.train import train
from napari_pickeroptimizer.fewshot.validate import Folds, Validation
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.weights import backbone_of, check_base, initial_network
from napari_pickeroptimizer.quoting import without_lone_bytes
from napari_pickeroptimizer.trust import Calibration, HeldOutScores, fit_calibration
from napari_pickeroptimizer.trust.class_shares import class_shares
from napari_pickeroptimizer.trust.reference import measure_reference
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrographs
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
        the BatchNorm statistics, where background is, and the class shares.

    Yields
    ------
    LabelsLeftOut, BoxesRead, MicrographSkipped, StepDone, FoldDone
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
    folds = Folds.of(boxes.targets, boxes.groups, settings)
    n_trainings = len(folds) + 1
    validation = yield from _cross_validated(boxes, folds, settings, device, n_trainings)
    everything = np.arange(len(boxes.targets))
    network = yield from _trained(
        boxes, everything, settings, device, n_trainings - 1, n_trainings
    )
    model = finished(network, boxes, settings, validation)
    model.card.training["labels_digest"] = labels_digest(labels)
    yield FineTuned(model, validation)


def _cross_validated(
    boxes: TrainingBoxes,
    folds: Folds,
    settings: FineTuneSettings,
    device: torch.device,
    n_trainings: int,
) -> Generator[StepDone | FoldDone, None, Validation | None]:
    """Yield the steps of all folds and return their predictions."""
    if not len(folds):
        return None
    reference = render(boxes.unlabelled[_reference_rows(boxes)], settings.box_px)
    card = model_card(boxes, settings)
    n_classes = len(boxes.class_ids)
    held_out, of_picks = [], []
    for i, (train_rows, test_rows) in enumerate(folds):
        network = yield from _trained(boxes, train_rows, settings, device, i, n_trainings)
        model = Classifier(network, card)
        predicted = np.full((len(boxes.targets), n_classes), np.nan, dtype=np.float32)
        predicted[test_rows] = model.predict(
            render(boxes.labelled[torch.from_numpy(test_rows)], settings.box_px)
        )
        held_out.append(predicted)
        of_picks.append(model.predict(reference))
        hits = predicted[test_rows].argmax(axis=1) == boxes.targets[test_rows]
        yield FoldDone(i + 1, len(folds), float(hits.mean()), _progress(i, 1, n_trainings))
    return Validation(folds, boxes.targets, np.stack(held_out), np.stack(of_picks))


def finished(
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
    validation: Validation | None,
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
    even = settings.prior == "even" or len(picks) < LEAST_UNLABELLED
    uncalibrated = Classifier(network, model_card(boxes, settings))
    predicted, features = uncalibrated.predict_with_features(picks)
    shares = np.full(len(boxes.class_ids), 1 / len(boxes.class_ids))
    if not even:
        shares = class_shares(predicted)
    others = np.arange(len(shares)) != particle
    if others.sum() > 1:
        # particles against all others evenly, the others by their estimated shares
        network.shift_logits(np.where(others, np.log(shares / shares[others].sum()), 0.0))
        predicted = uncalibrated.predict(picks)
    scores = None
    if validation is not None:
        scores = validation.held_out_scores(particle, predicted, boxes.suggested)
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
    card = dataclasses.replace(card, calibration=calibration, held_out_scores=scores)
    return Classifier(network.to("cpu"), card)


def _reference_rows(boxes: TrainingBoxes) -> torch.Tensor:
    """Rows of the unlabelled picks that every model of a fine-tuning predicts."""
    n = len(boxes.unlabelled)
    return torch.from_numpy(np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(int))


def _trained(
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
    device: torch.device,
    training: int,
    n_trainings: int,
) -> Generator[StepDone, None, TwoBranchNet]:
    """Yield the steps of one training, from 0, and return its network; the last is the final."""
    fold = training + 1 if training + 1 < n_trainings else None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = initial_network(settings.base, settings.backbone, len(boxes.class_ids))
    for step, losses, accuracy in train(network, boxes, rows, settings, device):
        progress = _progress(training, step / settings.n_steps, n_trainings)
        yield StepDone(fold, step, settings.n_steps, losses, accuracy, progress)
    return network


def _progress(training: int, part: float, n_trainings: int) -> float:
    return READING_SHARE + (1 - READING_SHARE) * (training + part) / n_trainings


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
        "n_unlabelled": len(boxes.unlabelled),
        "n_background": len(boxes.background),
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
