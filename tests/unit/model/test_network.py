"""The two branches of the paper, and their common loss."""

from __future__ import annotations

import math

import numpy as np
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


def test_shifted_logits_are_shifted_in_both_branches_and_nothing_else(
    network: TwoBranchNet,
) -> None:
    boxes = torch.randn(5, 1, 12, 12)
    before = network(boxes)
    shares = np.array([0.7, 0.2, 0.1])
    network.shift_logits(np.log(shares))
    torch.testing.assert_close(
        network(boxes), before + torch.from_numpy(np.log(shares)).float(), atol=1e-6, rtol=0
    )


def test_shifting_by_the_shares_is_bayes_rule() -> None:
    network = TwoBranchNet(nn.Conv2d(1, 4, 1), 2)
    for head in (network.linear, network.halved_linear):
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
    network.shift_logits(np.log([2 * 0.8, 2 * 0.2]))
    probabilities = class_probabilities(network(torch.randn(3, 1, 4, 4)))
    torch.testing.assert_close(probabilities, torch.tensor([[0.8, 0.2]] * 3))


def test_a_class_is_as_likely_as_all_its_outputs_together() -> None:
    network = TwoBranchNet(nn.Conv2d(1, 4, 1), 2, class_of_output=(0, 1, 1))
    for head in (network.linear, network.halved_linear):
        assert head.out_features == 3
        nn.init.zeros_(head.weight)
        with torch.no_grad():
            head.bias.copy_(torch.tensor([0.5, 0.2, 0.3]).log())
    boxes = torch.randn(3, 1, 4, 4)
    expected = torch.tensor([[0.5, 0.5]] * 3)
    torch.testing.assert_close(class_probabilities(network(boxes)), expected)
    network.shift_logits(np.log([3.0, 1.0]))
    expected = torch.tensor([[0.75, 0.25]] * 3)
    torch.testing.assert_close(class_probabilities(network(boxes)), expected)


def test_known_false_picks_count_against_particles_and_leave_the_other_classes_shares() -> (
    None
):
    network = TwoBranchNet(nn.Conv2d(1, 4, 1), 3)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        for head in (network.linear, network.halved_linear):
            head.bias.copy_(torch.tensor([0.5, 0.4, 0.1]).log() + 7.0)
    boxes = torch.randn(3, 1, 4, 4)
    network.add_known_false(torch.zeros(4), math.log(2.0))
    # odds of 1 + 2 against a particle
    expected = torch.tensor([[0.25, 0.75 * 0.8, 0.75 * 0.2]] * 3)
    torch.testing.assert_close(class_probabilities(network(boxes)), expected)
