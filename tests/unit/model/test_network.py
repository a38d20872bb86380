"""The two branches of the paper, and their common loss."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from napari_pickeroptimizer.model.network import (
    TwoBranchNet,
    class_probabilities,
    multi_loss,
)


@pytest.fixture
def network() -> TwoBranchNet:
    torch.manual_seed(0)
    return TwoBranchNet(nn.Conv2d(1, 8, 3), n_classes=3).eval()


def test_the_second_branch_halves_the_channels(network: TwoBranchNet) -> None:
    assert network.linear.weight.shape == (3, 8)
    assert network.halve[0].weight.shape == (4, 8, 1, 1)
    assert network.halved_linear.weight.shape == (3, 4)


def test_both_branches_classify_the_pooled_map(network: TwoBranchNet) -> None:
    boxes = torch.randn(5, 1, 12, 12)
    logits = network(boxes)
    assert logits.shape == (2, 5, 3)
    feature_map = network.features(boxes)
    torch.testing.assert_close(logits[0], network.linear(feature_map.mean((2, 3))))
    halved = network.halve(feature_map).mean((2, 3))
    torch.testing.assert_close(logits[1], network.halved_linear(halved))


def test_the_loss_is_the_weighted_sum_of_the_branches_cross_entropies() -> None:
    certain, blind = [[20.0, 0.0]], [[0.0, 0.0]]
    total, by_branch = multi_loss(
        torch.tensor([certain, blind]), torch.tensor([0]), branch_weights=(1.0, 0.5)
    )
    assert by_branch.tolist() == pytest.approx([0.0, math.log(2)], abs=1e-6)
    assert float(total) == pytest.approx(0.5 * math.log(2), abs=1e-6)


def test_both_branches_move_the_backbone(network: TwoBranchNet) -> None:
    gradients = []
    for weights in [(1.0, 0.0), (0.0, 1.0)]:
        network.zero_grad()
        torch.manual_seed(1)
        total, _ = multi_loss(
            network(torch.randn(4, 1, 12, 12)), torch.tensor([0, 1, 2, 0]), weights
        )
        total.backward()
        gradients.append(network.features.weight.grad.abs().sum())
    assert min(gradients) > 0


def test_probabilities_are_the_mean_of_the_branches_softmax() -> None:
    logits = torch.tensor([[[math.log(3.0), 0.0]], [[0.0, 0.0]]])
    torch.testing.assert_close(class_probabilities(logits), torch.tensor([[0.625, 0.375]]))
