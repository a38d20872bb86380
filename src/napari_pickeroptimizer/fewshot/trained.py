"""A trained network becomes a classifier: calibrated, with or without a cross-validation."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logit

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE, class_name
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import backbone_of
from napari_pickeroptimizer.quoting import without_lone_bytes
from napari_pickeroptimizer.trust import Calibration, HeldOutScores, fit_calibration
from napari_pickeroptimizer.trust.class_shares import class_shares
from napari_pickeroptimizer.trust.label_noise import estimate_noise, without_noise
from napari_pickeroptimizer.trust.reference import measure_reference
from napari_pickeroptimizer.versions import software_versions

if TYPE_CHECKING:
    from napari_pickeroptimizer.fewshot.gather import TrainingBoxes
    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
    from napari_pickeroptimizer.fewshot.validate import Validation
    from napari_pickeroptimizer.model.network import TwoBranchNet

# Fewer do not determine the class shares.
LEAST_UNLABELLED = 50
# Unlabelled picks that every model of a fine-tuning predicts.
N_REFERENCE = 400


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and what it predicts; it can be calibrated more than once.

    Parameters
    ----------
    network : TwoBranchNet
        With the shares of the classes in its logits.
    boxes : TrainingBoxes
        What it was trained on.
    settings : FineTuneSettings
        How.
    predicted : (m, n_classes) float32
        P(class) of the unlabelled picks of `reference_rows`, not calibrated.
    features : (m, c) float32
        Its features of them.
    particle_share : float
        Estimated share of particles among the unlabelled picks.
    """

    network: TwoBranchNet
    boxes: TrainingBoxes
    settings: FineTuneSettings
    predicted: NDArray[np.float32]
    features: NDArray[np.float32]
    particle_share: float

    @classmethod
    def of(
        cls, network: TwoBranchNet, boxes: TrainingBoxes, settings: FineTuneSettings
    ) -> Self:
        """Take a network that was trained on `boxes`; its logits are changed, so only once."""
        uncalibrated = Classifier(network, model_card(boxes, settings))
        picks = reference_picks(boxes, settings)
        predicted, features = uncalibrated.predict_with_features(picks)
        if PARTICLE not in boxes.class_ids:
            return cls(network, boxes, settings, predicted, features, float("nan"))
        particle = boxes.class_ids.index(PARTICLE)
        shares = shares_of(predicted, is_even(boxes, settings))
        others = np.arange(len(shares)) != particle
        if others.sum() > 1:
            # particles against all others evenly, the others by their estimated shares
            network.shift_logits(np.where(others, np.log(shares / shares[others].sum()), 0.0))
            predicted = uncalibrated.predict(picks)
        return cls(network, boxes, settings, predicted, features, float(shares[particle]))

    def classifier(
        self, validation: Validation | None, contradicted_share: float = 0.0
    ) -> Classifier:
        """Return the calibrated classifier, with its card and a network of its own.

        P(particle) is calibrated with the held-out labels of the cross-validation, where there
        was one, and with the estimated share of particles among the unlabelled picks.

        Parameters
        ----------
        validation : Validation or None
            The cross-validation.
        contradicted_share : float
            Share of the labels that the others contradict.
        """
        boxes, settings, predicted = self.boxes, self.settings, self.predicted
        network = copy.deepcopy(self.network).to("cpu")
        if PARTICLE not in boxes.class_ids:
            return Classifier(network, model_card(boxes, settings, validation))
        particle, even = boxes.class_ids.index(PARTICLE), is_even(boxes, settings)
        scores = noise = None
        if validation is not None:
            scores = validation.held_out_scores(
                particle, predicted, boxes.suggested, boxes.groups
            )
            noise = estimate_noise(scores, contradicted_share)
            scores = without_noise(scores, noise, np.random.default_rng(settings.seed))
            calibration = fit_calibration(scores, predicted[:, particle], even=even)
            # rounded as in the model's file: the forecast is the same before and after saving
            scores = HeldOutScores.from_dict(scores.to_dict())
        else:
            calibration = Calibration(
                intercept=0.0 if even else float(logit(self.particle_share))
            )
        calibrated = calibration.apply_to_classes(predicted, particle)
        card = model_card(
            boxes, settings, validation, None if even else calibrated.mean(axis=0)
        )
        groups = boxes.unlabelled_groups[reference_rows(boxes).numpy()]
        picks = reference_picks(boxes, settings)
        reference = measure_reference(
            picks.numpy(), self.features, calibrated[:, particle], groups
        )
        card.training["reference"] = None if reference is None else reference.to_dict()
        card.training["wrong_labels"] = None if noise is None else noise.to_dict()
        card = dataclasses.replace(
            card,
            calibration=calibration,
            held_out_scores=scores,
            has_known_false=network.known_false is not None,
        )
        return Classifier(network, card)

    def before_validation(self) -> Self:
        """Return it as of a fine-tuning without folds."""
        return dataclasses.replace(
            self, settings=dataclasses.replace(self.settings, n_folds=0)
        )


def is_even(boxes: TrainingBoxes, settings: FineTuneSettings) -> bool:
    """Whether all classes are taken for as likely."""
    return settings.prior == "even" or len(boxes.unlabelled) < LEAST_UNLABELLED


def shares_of(predicted: NDArray[np.float32], even: bool) -> NDArray[np.float64]:
    """Return the share of each class among picks, from their (n, n_classes) probabilities."""
    n_classes = predicted.shape[1]
    return np.full(n_classes, 1 / n_classes) if even else class_shares(predicted)


def reference_rows(boxes: TrainingBoxes) -> torch.Tensor:
    """Rows of the unlabelled picks that every model of a fine-tuning predicts."""
    n = len(boxes.unlabelled)
    return torch.from_numpy(np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(int))


def reference_picks(boxes: TrainingBoxes, settings: FineTuneSettings) -> torch.Tensor:
    """Boxes of these picks, (m, 1, box_px, box_px)."""
    return render(boxes.unlabelled[reference_rows(boxes)], settings.box_px)


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
