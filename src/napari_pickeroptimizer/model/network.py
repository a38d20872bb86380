"""The two-branch classifier of the paper and its multi-loss.

Li et al., J. Comput. Biol. 29(10), 2022, doi 10.1089/cmb.2022.0101: next to the ordinary
classifier (global average pooling and a linear layer) a second branch first halves the
feature map's channels by a 1x1 convolution, then classifies; both branches are optimised for
the same goal and their gradients jointly update the network. The paper does not specify which
losses are combined, with which weights, nor whether the branches are averaged at test time. We
use the weighted sum of the branches' cross-entropies, and the mean of their softmax.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from napari_pickeroptimizer.model.backbone import n_feature_channels

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class TwoBranchNet(nn.Module):
    """A backbone with two classification branches on its feature map.

    Parameters
    ----------
    features : torch.nn.Module
        (b, 1, h, w) boxes to (b, c, h', w') feature map.
    n_classes : int
        Number of classes.
    class_of_output : sequence of int, optional
        Class, 0..n_classes-1, for which each output counts; by default one output a class.
        The probability of a class is the sum of those of its outputs.
    """

    counts_for: torch.Tensor

    def __init__(
        self, features: nn.Module, n_classes: int, class_of_output: Sequence[int] = ()
    ) -> None:
        super().__init__()
        channels = n_feature_channels(features)
        self.class_of_output = tuple(class_of_output) or tuple(range(n_classes))
        counts_for = [[c == of for of in self.class_of_output] for c in range(n_classes)]
        self.register_buffer("counts_for", torch.tensor(counts_for), persistent=False)
        n_outputs = len(self.class_of_output)
        self.features = features
        self.linear = nn.Linear(channels, n_outputs)
        # Without the ReLU the convolution would commute with the pooling, and the second branch
        # would be a linear layer again.
        self.halve = nn.Sequential(nn.Conv2d(channels, channels // 2, 1), nn.ReLU())
        self.halved_linear = nn.Linear(channels // 2, n_outputs)
        self.known_false: nn.Linear | None = None
        self.to(memory_format=torch.channels_last)  # a third faster on CPUs, same results

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        """Return the logits of both branches, (2, b, n_classes), for (b, 1, h, w) boxes."""
        return self.logits_and_features(boxes)[0]

    def logits_and_features(self, boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the (2, b, n_classes) logits, and the (b, c) means of the feature map."""
        boxes = boxes.contiguous(memory_format=torch.channels_last)
        feature_map = self.features(boxes)  # (b, c, h', w')
        pooled = feature_map.mean(dim=(2, 3))
        direct = self.linear(pooled)
        halved = self.halved_linear(self.halve(feature_map).mean(dim=(2, 3)))
        logits = self._class_logits(torch.stack([direct, halved]))
        if self.known_false is not None:
            particle, others = logits[..., :1], logits[..., 1:]
            before = others.logsumexp(dim=-1, keepdim=True)
            after = torch.logaddexp(before, particle + self.known_false(pooled))
            logits = torch.cat([particle, others + (after - before)], dim=-1)
        return logits, pooled

    def _class_logits(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the (..., n_classes) logits of (..., n_outputs) outputs."""
        n_classes = len(self.counts_for)
        if self.class_of_output == tuple(range(n_classes)):
            return outputs
        of_class = outputs.unsqueeze(-2).masked_fill(~self.counts_for, -math.inf)
        return of_class.logsumexp(dim=-1)

    def add_known_false(self, weight: torch.Tensor, bias: float) -> None:
        """Add the odds of known false picks to those against the first class, particles.

        The other classes keep their shares among each other.

        Parameters
        ----------
        weight : (c,) tensor
            With `bias`, the log of the odds of a known false pick against a particle, by the
            means of the feature map.
        bias : float
            See `weight`.
        """
        device = self.linear.weight.device
        self.known_false = nn.Linear(len(weight), 1).to(device).requires_grad_(False)
        self.known_false.weight.copy_(weight[None])
        self.known_false.bias.fill_(bias)

    def shift_logits(self, by: NDArray[np.float64]) -> None:
        """Add (n_classes,) constants to the logits of both branches, in place."""
        by_output = torch.as_tensor(by)[list(self.class_of_output)]
        with torch.no_grad():
            for head in (self.linear, self.halved_linear):
                head.bias.add_(by_output.to(head.bias))


def multi_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    branch_weights: tuple[float, float] = (1.0, 1.0),
    label_smoothing: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the total loss and the cross-entropy of each branch.

    Parameters
    ----------
    logits : (2, b, n_classes) tensor
        Logits of both branches.
    targets : (b,) int64 tensor
        Class positions, 0..n_classes-1.
    branch_weights : tuple of float
        Weight of each branch in the sum.
    label_smoothing : float
        Share of the target spread over all classes.

    Returns
    -------
    total : scalar tensor
        Weighted sum over the branches.
    by_branch : (2,) tensor
        Mean cross-entropy of each branch.
    """
    by_branch = torch.stack(
        [functional.cross_entropy(b, targets, label_smoothing=label_smoothing) for b in logits]
    )
    weights = torch.tensor(branch_weights, device=logits.device)
    return (weights * by_branch).sum(), by_branch.detach()


def class_probabilities(logits: torch.Tensor) -> torch.Tensor:
    """Return (b, n_classes) probabilities: the mean of the branches' softmax."""
    return logits.softmax(dim=-1).mean(dim=0)
