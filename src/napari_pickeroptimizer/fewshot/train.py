"""The training loop: class-balanced batches of random views, multi-loss, BatchNorm adaptation."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    windows: Windows,
    targets: NDArray[np.intp],
    settings: FineTuneSettings,
    device: torch.device,
    seed: int,
) -> Iterator[tuple[int, tuple[float, ...], float]]:
    """Train `network` in place; yield (step, loss of each branch, batch accuracy)."""
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    network.to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.n_steps + 1
    )
    batches = balanced_batches(targets, settings.batch_size, rng)
    wanted = torch.from_numpy(targets)
    for step in range(1, settings.n_steps + 1):
        rows = torch.from_numpy(next(batches))
        boxes = random_views(
            windows[rows], settings.box_px, settings.augmentation, generator
        ).to(device)
        batch_targets = wanted[rows].to(device)
        logits = network(boxes)
        loss, by_branch = multi_loss(
            logits, batch_targets, settings.branch_weights, settings.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        hits = class_probabilities(logits.detach()).argmax(dim=1) == batch_targets
        yield step, tuple(by_branch.tolist()), float(hits.float().mean())
    network.eval()


def adapt_batch_norm(
    network: TwoBranchNet,
    unlabelled: torch.Tensor,
    labelled: torch.Tensor,
    targets: NDArray[np.intp],
    rng: np.random.Generator,
    batch_size: int = 128,
) -> None:
    """Recompute the BatchNorm statistics of `network` on the picks to be scored, in place.

    The network learned from batches with the classes in equal parts; unlabelled picks come in
    other parts (mostly particles), and statistics over them as they come would move every
    score. So they are drawn in equal parts by predicted class, the labelled boxes among them.

    Parameters
    ----------
    network : TwoBranchNet
        The trained network.
    unlabelled, labelled : (m, 1, h, w) and (n, 1, h, w) tensors
        Boxes.
    targets : (n,) int
        Class position of each labelled box.
    rng : numpy.random.Generator
        Draws the boxes.
    batch_size : int
        Boxes a forward pass.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms or not len(unlabelled):
        return
    network.eval()
    device = next(network.parameters()).device
    with torch.no_grad():
        predicted = torch.cat(
            [
                network(b.to(device)).softmax(-1).mean(0).argmax(1)
                for b in unlabelled.split(256)
            ]
        )
        pool = torch.cat([unlabelled, labelled])
        classes = np.concatenate([predicted.cpu().numpy(), targets])
        rows = balanced_rows(classes, len(pool), rng)
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # cumulative average: every batch counts the same
            norm.train()
        # equal batches, so that the average over batches is that over boxes
        n_batches = max(1, round(len(rows) / batch_size))
        for part in np.array_split(rows, n_batches):
            network(pool[torch.from_numpy(part)].to(device))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    network.eval()


def balanced_rows(
    classes: NDArray[np.intp], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Return about `n` shuffled positions with every class equally often."""
    present = np.unique(classes)
    n_each = -(-n // len(present))
    parts = [np.resize(rng.permutation(np.flatnonzero(classes == c)), n_each) for c in present]
    return rng.permutation(np.concatenate(parts))
