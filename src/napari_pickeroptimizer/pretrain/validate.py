"""Accuracy on held-out boxes: by category, and for particle or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.model.network import TwoBranchNet, class_probabilities
from napari_pickeroptimizer.pretrain.write import BOX_PX

if TYPE_CHECKING:
    from napari_pickeroptimizer.pretrain.categories import CategorySet


@dataclass(frozen=True)
class PretrainValidation:
    """Accuracy on held-out boxes (of the same micrographs as the training boxes).

    Parameters
    ----------
    n_boxes : int
        How many boxes.
    by_category : dict
        Share of each category's boxes that were given their category.
    particle_accuracy : float or None
        Mean of the share of particles called particle and of the others called not, where
        categories of both kinds are there. A box is called a particle where the categories of
        particles have more than half of what all categories with a class have together.
    particle_auc : float or None
        ROC AUC of the same share.
    """

    n_boxes: int
    by_category: dict[str, float]
    particle_accuracy: float | None
    particle_auc: float | None

    @property
    def accuracy(self) -> float:
        """Mean over the categories."""
        return float(np.mean(list(self.by_category.values())))

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return {
            "n_boxes": self.n_boxes,
            "accuracy": self.accuracy,
            "particle_accuracy": self.particle_accuracy,
            "particle_auc": self.particle_auc,
            "by_category": self.by_category,
        }


def validate(
    network: TwoBranchNet,
    categories: CategorySet,
    rows: NDArray[np.intp],
    device: torch.device,
    batch_size: int = 256,
) -> PretrainValidation:
    """Return the accuracy on `rows` without augmentation; the network is not changed."""
    was_training = network.training
    network.eval()
    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            boxes = render(categories.draw(rows[start : start + batch_size]), BOX_PX)
            parts.append(class_probabilities(network(boxes.to(device))).cpu())
    network.train(was_training)
    probabilities = torch.cat(parts).numpy().astype(np.float64)
    return figures(
        probabilities, categories.targets[rows], categories.names, categories.class_ids
    )


def figures(
    probabilities: NDArray[np.float64],
    targets: NDArray[np.intp],
    names: tuple[str, ...],
    class_ids: tuple[int, ...],
) -> PretrainValidation:
    """Return the figures of (n, n_categories) probabilities of boxes of known category."""
    hits = probabilities.argmax(axis=1) == targets
    by_category = {
        name: float(hits[targets == i].mean())
        for i, name in enumerate(names)
        if (targets == i).any()
    }
    classes = np.array(class_ids)
    mapped = np.isin(targets, np.flatnonzero(classes))
    is_particle = classes[targets[mapped]] == PARTICLE
    accuracy = auc = None
    if is_particle.any() and not is_particle.all():
        of_particles = probabilities[mapped][:, classes == PARTICLE].sum(axis=1)
        share = of_particles / probabilities[mapped][:, classes > 0].sum(axis=1).clip(1e-30)
        called = share > 0.5
        accuracy = float((called[is_particle].mean() + (~called[~is_particle]).mean()) / 2)
        auc = float(roc_auc_score(is_particle, share))
    return PretrainValidation(len(targets), by_category, accuracy, auc)
