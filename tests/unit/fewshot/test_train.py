"""Batches hold the classes in equal parts; views keep the pick in the centre."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from napari_pickeroptimizer.boxes import Windows, render
from napari_pickeroptimizer.fewshot.augment import Augmentation, random_views
from napari_pickeroptimizer.fewshot.train import (
    adapt_batch_norm,
    balanced_batches,
    balanced_rows,
)
from napari_pickeroptimizer.model.network import TwoBranchNet


def test_batches_are_balanced_however_rare_a_class_is() -> None:
    targets = np.array([0] * 90 + [1] * 3)
    for batch in itertools.islice(balanced_batches(targets, 8, np.random.default_rng(0)), 20):
        assert np.bincount(targets[batch]).tolist() == [4, 4]


def test_every_label_is_seen_before_one_is_seen_again() -> None:
    targets = np.arange(12) % 2
    batches = balanced_batches(targets, 4, np.random.default_rng(0))
    seen = np.concatenate(list(itertools.islice(batches, 3)))
    assert sorted(seen) == list(range(12))


def test_views_turn_and_mirror_but_stay_on_the_pick() -> None:
    axis = torch.arange(60) - 29.5
    spot = torch.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 18)
    windows = Windows(spot.expand(50, 1, 60, 60), torch.zeros(50, 2))
    still = Augmentation(shift=0, scale=0, contrast=0, brightness=0)
    views = random_views(windows, 32, still, torch.Generator().manual_seed(0))
    straight = render(windows, 32)
    torch.testing.assert_close(views, straight, atol=0.02, rtol=0)


def test_half_of_the_views_are_mirrored() -> None:
    # an "F": no turn makes it its own mirror image
    letter = torch.zeros(40, 40)
    letter[10:30, 15:19] = letter[10:14, 15:28] = letter[18:22, 15:24] = 1
    windows = Windows(letter.expand(200, 1, 40, 40), torch.zeros(200, 2))
    still = Augmentation(shift=0, scale=0, contrast=0, brightness=0)
    views = random_views(windows, 40, still, torch.Generator().manual_seed(0))
    turned = torch.stack(
        [torch.tensor([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0]])
         for a in np.linspace(0, 2 * math.pi, 72, endpoint=False)]
    )  # fmt: skip
    straight = render(Windows(windows.pixels[:72], windows.offset_xy_px[:72]), 40, turned)

    def nearest(reference: torch.Tensor) -> torch.Tensor:
        return torch.cdist(views.flatten(1), reference.flatten(1)).min(dim=1).values

    share = float((nearest(straight.flip(-1)) < nearest(straight)).float().mean())
    assert 0.4 < share < 0.6


def test_windows_reach_far_enough_for_every_view() -> None:
    augmentation = Augmentation(shift=0.1, scale=0.2)
    assert augmentation.reach == pytest.approx((math.sqrt(2) + 0.2) * 1.2)


def test_balanced_rows_draw_all_classes_equally() -> None:
    classes = np.array([0] * 95 + [1] * 5)
    rows = balanced_rows(classes, 100, np.random.default_rng(0))
    assert np.bincount(classes[rows]).tolist() == [50, 50]


def test_batch_norm_takes_the_statistics_of_the_unlabelled_picks() -> None:
    torch.manual_seed(0)
    network = TwoBranchNet(nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4)), 2).eval()
    norm = network.features[1]
    labelled, targets = torch.zeros(2, 1, 8, 8), np.array([0, 1])
    unlabelled = 5 + torch.randn(200, 1, 8, 8)
    with torch.no_grad():
        one_class = network(unlabelled).softmax(-1).mean(0).argmax(1).unique()
        expected = network.features[0](unlabelled).mean((0, 2, 3))
    assert len(one_class) == 1
    adapt_batch_norm(network, unlabelled, labelled, targets, np.random.default_rng(0))
    # half the draw is the predicted class (all unlabelled and one label), half the other label
    other = network.features[0](labelled).mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, (expected + other) / 2, atol=0.1, rtol=0.05)
    assert norm.momentum == 0.1
    assert not norm.training


def test_without_unlabelled_picks_nothing_changes() -> None:
    network = TwoBranchNet(nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4)), 2).eval()
    before = network.features[1].running_mean.clone()
    none = torch.zeros(0, 1, 8, 8)
    adapt_batch_norm(
        network, none, torch.ones(2, 1, 8, 8), np.array([0, 1]), np.random.default_rng()
    )
    assert torch.equal(network.features[1].running_mean, before)
