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
from napari_pickeroptimizer.fewshot.digest import labels_digest
from napari_pickeroptimizer.fewshot.events import (
    FineTuned,
    FineTuneEvent,
    FoldDone,
    StepDone,
)
from napari_pickeroptimizer.fewshot.gather import READING_SHARE, TrainingBoxes, gather
from napari_pickeroptimizer.fewshot.train import train
from napari_pickeroptimizer.fewshot.validate import Folds, Validation
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.weights import backbone_of, initial_network
from napari_pickeroptimizer.trust import Calibration, Evidence, fit_calibration
from napari_pickeroptimizer.trust.class_shares import class_prior
from napari_pickeroptimizer.trust.reference import measure_reference
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.network import TwoBranchNet
    from napari_pickeroptimizer.picks import Picks

# Fewer tell too little of how often a class occurs.
LEAST_UNLABELLED = 50
# Unlabelled picks that all models are asked about.
N_REFERENCE = 400


def finetune(
    micrographs: Micrographs,
    labels: Picks,
    settings: FineTuneSettings,
    unlabelled: Picks | None = None,
) -> Iterator[FineTuneEvent]:
    """Learn to tell the labelled classes apart; closing the generator cancels.

    Parameters
    ----------
    micrographs : Micrographs
        Where the labels lie.
    labels : Picks
        Labelled picks of at least two classes; unlabelled rows are used as `unlabelled`.
    settings : FineTuneSettings
        Diameter, steps, seed, device, ...
    unlabelled : Picks, optional
        Picks nobody labelled, of whole micrographs; ideally all that will be scored. They tell
        what picks look like, where background is, and how often a class occurs.

    Yields
    ------
    BoxesRead, MicrographSkipped, StepDone, FoldDone
        As they happen, with the overall progress.
    FineTuned
        Last: the model and its cross-validation.

    Raises
    ------
    LabelError, MicrographNotFoundError, BoxOutsideError, CheckpointError, SettingsError
        The input does not allow it; the message says what to do.
    """
    device = choose_device(settings.device)
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
        boxes, everything, settings, device, n_trainings - 1, n_trainings, final=True
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
    """Yield the steps of all folds and return what they say of every label."""
    if not len(folds):
        return None
    reference = render(boxes.unlabelled[_reference_rows(boxes)], settings.box_px)
    card = model_card(boxes, settings)
    n_classes = len(boxes.class_ids)
    held_out, of_picks = [], []
    for i, (train_rows, test_rows) in enumerate(folds):
        network = yield from _trained(boxes, train_rows, settings, device, i, n_trainings)
        model = Classifier(network, card)
        judged = np.full((len(boxes.targets), n_classes), np.nan, dtype=np.float32)
        judged[test_rows] = model.predict(
            render(boxes.labelled[torch.from_numpy(test_rows)], settings.box_px)
        )
        held_out.append(judged)
        of_picks.append(model.predict(reference))
        hits = judged[test_rows].argmax(axis=1) == boxes.targets[test_rows]
        yield FoldDone(i + 1, len(folds), float(hits.mean()), _progress(i, 1, n_trainings))
    return Validation(folds, boxes.targets, np.stack(held_out), np.stack(of_picks))


def finished(
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    settings: FineTuneSettings,
    validation: Validation | None,
) -> Classifier:
    """Return the classifier of a trained network: calibrated, with the card that tells all.

    P(particle) is calibrated by the labels that the cross-validation held out, where there
    was one, and by how many of the unlabelled picks seem to be particles.
    """
    if PARTICLE not in boxes.class_ids:
        return Classifier(network.to("cpu"), model_card(boxes, settings, validation))
    particle = boxes.class_ids.index(PARTICLE)
    rows = _reference_rows(boxes)
    picks = render(boxes.unlabelled[rows], settings.box_px)
    even = settings.prior == "even" or len(picks) < LEAST_UNLABELLED
    plain = Classifier(network, model_card(boxes, settings))
    seen, features = plain.predict_with_features(picks)
    shares = np.full(len(boxes.class_ids), 1 / len(boxes.class_ids))
    if not even:
        shares = class_prior(seen)
    others = np.arange(len(shares)) != particle
    if others.sum() > 1:
        # particles against all others evenly, and those among each other as they seem to occur
        network.shift_logits(np.where(others, np.log(shares / shares[others].sum()), 0.0))
        seen = plain.predict(picks)
    evidence = None
    if validation is not None:
        evidence = validation.evidence(particle, seen, boxes.suggested)
        calibration = fit_calibration(evidence, seen[:, particle], even=even)
    else:
        calibration = Calibration(intercept=0.0 if even else float(logit(shares[particle])))
    calibrated = calibration.apply_to_classes(seen, particle)
    card = model_card(boxes, settings, validation, None if even else calibrated.mean(axis=0))
    groups = boxes.unlabelled_groups[rows.numpy()]
    reference = measure_reference(picks, features, calibrated[:, particle], groups)
    card.training["reference"] = None if reference is None else reference.to_dict()
    if evidence is not None:
        # as the model's file will hold it: what is promised is the same before and after saving
        evidence = Evidence.from_dict(evidence.to_dict())
    card = dataclasses.replace(card, calibration=calibration, evidence=evidence)
    return Classifier(network.to("cpu"), card)


def _reference_rows(boxes: TrainingBoxes) -> torch.Tensor:
    """Rows of the unlabelled picks that all models of a fine-tuning are asked about."""
    n = len(boxes.unlabelled)
    return torch.from_numpy(np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(int))


def _trained(
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
    device: torch.device,
    training: int,
    n_trainings: int,
    *,
    final: bool = False,
) -> Generator[StepDone, None, TwoBranchNet]:
    """Yield the steps of one training and return its network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = initial_network(settings.base, settings.backbone, len(boxes.class_ids))
    for step, losses, accuracy in train(network, boxes, rows, settings, device):
        progress = _progress(training, step / settings.n_steps, n_trainings)
        yield StepDone(
            None if final else training + 1, step, settings.n_steps, losses, accuracy, progress
        )
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
        # so that the model fits micrographs of another pixel size
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
        "settings": _settings_as_json(settings),
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


def _settings_as_json(settings: FineTuneSettings) -> dict[str, Any]:
    names = {str(class_id): name for class_id, name in settings.class_names.items()}
    return {
        **dataclasses.asdict(settings),
        "base": str(settings.base),
        "class_names": names,
    }
