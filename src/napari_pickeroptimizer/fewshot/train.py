"""The training loop: balanced labels with loss, unlabelled picks without, random views of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

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
    labelled: Windows,
    targets: NDArray[np.intp],
    unlabelled: Windows,
    settings: FineTuneSettings,
    device: torch.device,
) -> Iterator[tuple[int, tuple[float, ...], float]]:
    """Train `network` in place; yield (step, loss of each branch, batch accuracy).

    Unlabelled picks go through the network with every batch and have no loss. So they shape
    the BatchNorm statistics, in training and afterwards alike: twenty labels of three
    micrographs do not know the grey levels of all the picks to be scored. Statistics put
    in only after the training would not be those that the weights were learned with, and
    move the probabilities.

    Parameters
    ----------
    network : TwoBranchNet
        The network, moved to `device`.
    labelled, unlabelled : Windows
        n and m windows that hold every random view; m may be 0.
    targets : (n,) int
        Class position of each labelled window.
    settings : FineTuneSettings
        Steps, batch sizes, learning rate, seed, ...
    device : torch.device
        Where to train.
    """
    rng = np.random.default_rng(settings.seed)
    generator = torch.Generator().manual_seed(settings.seed)
    network.to(device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=settings.n_steps + 1
    )

    def views(windows: Windows, rows: NDArray[np.intp]) -> torch.Tensor:
        chosen = windows[torch.from_numpy(rows)]
        return random_views(chosen, settings.box_px, settings.augmentation, generator)

    n_extra = min(settings.unlabelled_batch_size, len(unlabelled))
    batches = balanced_batches(targets, settings.batch_size, rng)
    for step in range(1, settings.n_steps + 1):
        rows = next(batches)
        boxes = views(labelled, rows)
        if n_extra:
            extra = rng.choice(len(unlabelled), n_extra, replace=False)
            boxes = torch.cat([boxes, views(unlabelled, extra)])
        wanted = torch.from_numpy(targets[rows]).to(device)
        logits = network(boxes.to(device))[:, : len(rows)]
        loss, by_branch = multi_loss(
            logits, wanted, settings.branch_weights, settings.label_smoothing
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        hits = class_probabilities(logits.detach()).argmax(dim=1) == wanted
        yield step, tuple(by_branch.tolist()), float(hits.float().mean())
    network.eval()
