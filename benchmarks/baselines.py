"""What ours is measured against: the reference recipe and a radial-profile classifier.

Both take boxes as (n, side, side) float32 arrays and the class id of each training box, and
return (n_test, n_classes) probabilities, the classes ascending by their id.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
REFERENCE_PX = 224


def radial_profiles(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n, side) mean and standard deviation of grey levels, by rings of one pixel."""
    side = boxes.shape[-1]
    n_bins = side // 2
    axis = np.arange(side) - (side - 1) / 2
    radius = np.hypot(axis[:, None], axis[None, :])
    bins = radius.astype(int)
    rings = [bins == i for i in range(n_bins)]
    mean = np.stack([boxes[:, r].mean(axis=1) for r in rings], axis=1)
    spread = np.stack([boxes[:, r].std(axis=1) for r in rings], axis=1)
    return np.concatenate([mean, spread], axis=1).astype(np.float64)


def radial_profile_probabilities(
    train: NDArray[np.float32], class_ids: NDArray[np.int64], test: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Logistic regression on radial profiles of micrograph-standardised boxes."""
    return probe_probabilities(
        radial_profiles(train), class_ids, radial_profiles(test), strength=0.1
    )


def probe_probabilities(
    train: NDArray[np.floating],
    class_ids: NDArray[np.int64],
    test: NDArray[np.floating],
    *,
    strength: float = 1.0,
) -> NDArray[np.float64]:
    """Logistic regression on (n, n_features) features, standardised by the training rows.

    `strength` is scikit-learn's C.
    """
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    model.fit(train, class_ids)
    return model.predict_proba(test)


def reference_recipe_probabilities(
    train: NDArray[np.float32],
    class_ids: NDArray[np.int64],
    test: NDArray[np.float32],
    *,
    seed: int,
    weights: Path | None = None,
    n_epochs: int = 8,
    batch_size: int = 8,
) -> NDArray[np.float64]:
    """The published code's recipe, honestly evaluated: the last epoch, no look at test boxes.

    ResNet-18, one linear head, plain cross-entropy; original-resolution boxes to 8 bit, 224 px,
    three channels, ImageNet mean and standard deviation, random rotation of +-30 degrees; SGD
    with learning rate 0.01 and momentum 0.9, StepLR(7, 0.1) stepped twice an epoch. In the
    eighth epoch the learning rate is 1e-4 and falls on: more epochs change next to nothing.
    Each box is scaled to 8 bit by its own range, no more. Weights are random, or `weights`, a
    file of torchvision's ResNet-18.
    """
    known = np.unique(class_ids)
    # particles have the last position, whatever the number of other classes
    wanted = torch.from_numpy(len(known) - 1 - np.searchsorted(known, class_ids))
    generator = torch.Generator().manual_seed(seed)
    network = reference_network(len(known), seed, weights).train()
    images = _as_pictures(train)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=7, gamma=0.1)
    for _ in range(n_epochs):
        for rows in torch.randperm(len(images), generator=generator).split(batch_size):
            batch = _rotated(images[rows], 30.0, generator)
            loss = functional.cross_entropy(network(_normalised(batch)), wanted[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()
        schedule.step()
    network.eval()
    with torch.inference_mode():
        parts = [
            network(reference_pictures(test[i : i + 32])).softmax(dim=1)
            for i in range(0, len(test), 32)
        ]
    return torch.cat(parts).flip(1).double().numpy()


def reference_network(n_classes: int, seed: int, weights: Path | None) -> nn.Module:
    """Return the recipe's network: ResNet-18 with one linear head."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = torchvision.models.resnet18(weights=None)
        if weights is not None:
            network.load_state_dict(torch.load(weights, weights_only=True))
        network.fc = nn.Linear(network.fc.in_features, n_classes)
    return network.to(memory_format=torch.channels_last)


def reference_pictures(boxes: NDArray[np.float32]) -> torch.Tensor:
    """Return what the recipe's network takes, of (n, h, h) boxes."""
    return _normalised(_as_pictures(boxes))


def _as_pictures(boxes: NDArray[np.float32]) -> torch.Tensor:
    """(n, 1, 224, 224) in 0..1 from boxes, each scaled by its own range as when made 8 bit."""
    low = boxes.min(axis=(1, 2), keepdims=True)
    high = boxes.max(axis=(1, 2), keepdims=True)
    grey = torch.from_numpy((boxes - low) / np.maximum(high - low, 1e-12))[:, None]
    return functional.interpolate(
        grey, size=(REFERENCE_PX, REFERENCE_PX), mode="bilinear", antialias=True
    )


def _normalised(pictures: torch.Tensor) -> torch.Tensor:
    return (pictures.expand(-1, 3, -1, -1) - IMAGENET_MEAN) / IMAGENET_STD


def _rotated(
    pictures: torch.Tensor, degrees: float, generator: torch.Generator
) -> torch.Tensor:
    angle = (torch.rand(len(pictures), generator=generator) * 2 - 1) * math.radians(degrees)
    zero = torch.zeros_like(angle)
    rows = [
        torch.stack([angle.cos(), -angle.sin(), zero], dim=1),
        torch.stack([angle.sin(), angle.cos(), zero], dim=1),
    ]
    grid = functional.affine_grid(
        torch.stack(rows, dim=1), list(pictures.shape), align_corners=False
    )
    return functional.grid_sample(pictures, grid, align_corners=False)
