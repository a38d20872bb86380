"""The training loop: balanced labels, and where BatchNorm is adapted, unlabelled picks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_pickeroptimizer.fewshot.augment import random_views
from napari_pickeroptimizer.model.network import (
    TwoBranchNet,
    class_probabilities,
    multi_loss,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari_pickeroptimizer.boxes import Windows
    from napari_pickeroptimizer.fewshot.gather import TrainingBoxes
    from napari_pickeroptimizer.fewshot.settings import FineTuneSettings


def balanced_batches(
    targets: NDArray[np.intp], batch_size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Yield positions of `batch_size` labels without end, the classes in equal parts.

    Every label of a class is drawn once before any is drawn again.
    """
    classes = np.unique(targets)
    queues = {c: np.array([], dtype=np.intp) for c in classes}
    turn = 0
    while True:
        batch = np.empty(batch_size, dtype=np.intp)
        for i in range(batch_size):
            c = classes[turn % len(classes)]
            turn += 1
            if not len(queues[c]):
                queues[c] = rng.permutation(np.flatnonzero(targets == c))
            batch[i], queues[c] = queues[c][0], queues[c][1:]
        yield batch


def train(
    network: TwoBranchNet,
    boxes: TrainingBoxes,
    rows: NDArray[np.intp],
    settings: FineTuneSettings,
    device: torch.device,
) -> Iterator[tuple[int, tuple[float, ...], float]]:
    """Train `network` in place; yield (step, loss of each branch, batch accuracy).

    Every batch holds labels, the classes in equal parts, so that the trained network treats all
    classes as equally likely.

    A base that was trained on boxes keeps its BatchNorm statistics, which are of many
    micrographs. With another base they are adapted, and unlabelled picks go through the network
    without a loss: twenty labels on three micrographs do not represent the grey levels of all
    picks to be scored. Replacing the statistics after training instead would shift the
    probabilities, because the weights were trained with others.

    Parameters
    ----------
    network : TwoBranchNet
        The network, moved to `device`.
    boxes : TrainingBoxes
        Windows that hold every random view.
    rows : (n,) int
        Labels to train on.
    settings : FineTuneSettings
        Steps, batch sizes, learning rate, seed, ...
    device : torch.device
        Where to train.
    """
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    network.to(device).train()
    if settings.keeps_batch_norm:
        keep_batch_norm(network)
    groups = parameter_groups(network, settings)
    optimiser = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [group["lr"] for group in groups], total_steps=settings.n_steps + 1
    )
    labelled, targets = boxes.labelled[torch.from_numpy(rows)], boxes.targets[rows]
    n_extra = 0
    if not settings.keeps_batch_norm:
        n_extra = min(settings.unlabelled_batch_size, len(boxes.unlabelled))

    def views(windows: Windows, chosen: NDArray[np.intp]) -> torch.Tensor:
        picked = windows[torch.from_numpy(chosen)]
        return random_views(picked, settings.box_px, settings.augmentation, generator)

    batches = balanced_batches(targets, settings.batch_size, rng)
    for step in range(1, settings.n_steps + 1):
        batch = next(batches)
        parts = [views(labelled, batch)]
        if n_extra:
            chosen = rng.choice(len(boxes.unlabelled), n_extra, replace=False)
            parts.append(views(boxes.unlabelled, chosen))
        expected = torch.from_numpy(targets[batch]).to(device)
        logits = network(torch.cat(parts).to(device))[:, : len(batch)]
        loss, by_branch = multi_loss(
            logits, expected, settings.branch_weights, settings.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        hits = class_probabilities(logits.detach()).argmax(dim=1) == expected
        yield step, tuple(by_branch.tolist()), float(hits.float().mean())
    network.eval()


def keep_batch_norm(network: TwoBranchNet) -> None:
    """Let BatchNorm use and keep its statistics in training; its weights still learn."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()


def parameter_groups(
    network: TwoBranchNet, settings: FineTuneSettings
) -> list[dict[str, Any]]:
    """Freeze the leading parts of the backbone; return the other parameters in groups."""
    for part in list(network.features.children())[: settings.n_frozen]:
        part.requires_grad_(False)
    backbone = [p for p in network.features.parameters() if p.requires_grad]
    of_backbone = {id(p) for p in network.features.parameters()}
    branches = [p for p in network.parameters() if id(p) not in of_backbone]
    rate = settings.learning_rate
    groups = [(branches, rate), (backbone, rate * settings.rate_of_backbone)]
    return [{"params": params, "lr": lr} for params, lr in groups if params]
