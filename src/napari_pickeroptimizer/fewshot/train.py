"""The training loop: balanced labels, background, and unlabelled picks without a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_pickeroptimizer.classes import PARTICLE
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

    Three kinds of boxes go through the network in every batch:

    - labels, the classes in equal parts, with the multi-loss;
    - background, which is taken for no particle, whichever other class it is, but for the
      boxes that look most like one;
    - unlabelled picks, without a loss, if BatchNorm is adapted. They contribute to its
      statistics: twenty labels on three micrographs do not represent the grey levels of all
      picks to be scored. Replacing the statistics after training instead would shift the
      probabilities, because the weights were trained with others.

    A base that was trained on boxes keeps its statistics, which are of many more micrographs.

    The logits are adjusted in the loss by the share of each class in a batch (Menon et al.,
    arXiv:2007.07314), so that the trained network treats all classes as about equally likely.

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
    n_background, n_extra = settings.background_batch_size, settings.unlabelled_batch_size
    if PARTICLE not in boxes.class_ids or not len(boxes.background):
        n_background = 0
    n_extra = 0 if settings.keeps_batch_norm else min(n_extra, len(boxes.unlabelled))
    other = torch.tensor([c != PARTICLE for c in boxes.class_ids], device=device)
    share = settings.background_share if n_background else 0.0
    adjustment = log_shares(other, share)

    def views(windows: Windows, chosen: NDArray[np.intp]) -> torch.Tensor:
        picked = windows[torch.from_numpy(chosen)]
        return random_views(picked, settings.box_px, settings.augmentation, generator)

    batches = balanced_batches(targets, settings.batch_size, rng)
    for step in range(1, settings.n_steps + 1):
        batch = next(batches)
        parts = [views(labelled, batch)]
        if n_background:
            parts.append(
                views(boxes.background, rng.integers(len(boxes.background), size=n_background))
            )
        if n_extra:
            chosen = rng.choice(len(boxes.unlabelled), n_extra, replace=False)
            parts.append(views(boxes.unlabelled, chosen))
        expected = torch.from_numpy(targets[batch]).to(device)
        logits = network(torch.cat(parts).to(device))
        adjusted = logits[:, : len(batch) + n_background] + adjustment
        of_labels = adjusted[:, : len(batch)]
        loss, by_branch = multi_loss(
            of_labels, expected, settings.branch_weights, settings.label_smoothing
        )
        if n_background:
            background = least_like_particles(
                adjusted[:, len(batch) :], other, settings.background_left_out
            )
            of_background = background_loss(background, other, settings.branch_weights)
            loss = (1 - share) * loss + share * of_background
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        hits = class_probabilities(of_labels.detach()).argmax(dim=1) == expected
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


def log_shares(other: torch.Tensor, background_share: float) -> torch.Tensor:
    """Return the logarithm of each class's share of the loss.

    Parameters
    ----------
    other : (n_classes,) bool tensor
        Classes other than the particle.
    background_share : float
        Share of the background, divided evenly among them; the labels, balanced over classes,
        have the rest.

    Examples
    --------
    >>> log_shares(torch.tensor([False, True]), 0.2).exp()
    tensor([0.4000, 0.6000])
    """
    of_labels = torch.full((len(other),), 1 / len(other), device=other.device)
    shares = (1 - background_share) * of_labels + background_share * other / other.sum()
    return shares.log()


def least_like_particles(
    logits: torch.Tensor, other: torch.Tensor, left_out: float
) -> torch.Tensor:
    """Return the (2, k, n_classes) logits of background without the likeliest particles.

    Where a list of picks is incomplete these are particles; where it is whole there is enough
    background left. One box at least stays.

    Parameters
    ----------
    logits : (2, b, n_classes) tensor
        Logits of both branches.
    other : (n_classes,) bool tensor
        Classes other than the particle.
    left_out : float
        Share of the boxes that goes.
    """
    particle = class_probabilities(logits.detach())[:, ~other].sum(dim=1)
    n = max(1, round(logits.shape[1] * (1 - left_out)))
    return logits[:, particle.argsort()[:n]]


def background_loss(
    logits: torch.Tensor, other: torch.Tensor, branch_weights: tuple[float, float]
) -> torch.Tensor:
    """Return the weighted sum over the branches of -log(1 - P(particle)).

    Parameters
    ----------
    logits : (2, b, n_classes) tensor
        Logits of both branches for background boxes.
    other : (n_classes,) bool tensor
        Classes other than the particle.
    branch_weights : tuple of float
        Weight of each branch.
    """
    log_probability = logits.log_softmax(dim=-1)[..., other].logsumexp(dim=-1)  # (2, b)
    weights = torch.tensor(branch_weights, device=logits.device)
    return -(weights * log_probability.mean(dim=1)).sum()
