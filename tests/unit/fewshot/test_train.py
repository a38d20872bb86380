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
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.fewshot.train import balanced_batches, train
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


SMALL = FineTuneSettings(
    diameter_px=8, box_px=8, n_steps=60, batch_size=4, unlabelled_batch_size=4, n_unlabelled=50
)


def trained_norm(unlabelled: torch.Tensor) -> tuple[nn.BatchNorm2d, nn.Conv2d]:
    """Train a network whose convolution stays as it is; return its BatchNorm and that."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4))
    for parameter in features.parameters():
        parameter.requires_grad_(False)
    labelled = Windows(torch.zeros(2, 1, 20, 20), torch.zeros(2, 2))
    pool = Windows(unlabelled, torch.zeros(len(unlabelled), 2))
    network = TwoBranchNet(features, 2)
    list(train(network, labelled, np.array([0, 1]), pool, SMALL, torch.device("cpu")))
    assert not network.training
    return features[1], features[0]


def test_unlabelled_picks_shape_the_batch_norm_statistics() -> None:
    norm, convolution = trained_norm(torch.full((50, 1, 20, 20), 6.0))
    bright, dark = (
        convolution(torch.full((1, 1, 1, 1), grey)).flatten() for grey in (6.0, 0.0)
    )
    torch.testing.assert_close(norm.running_mean, (bright + dark) / 2, atol=0.2, rtol=0.1)


def test_without_unlabelled_picks_the_labels_alone_do() -> None:
    norm, convolution = trained_norm(torch.zeros(0, 1, 20, 20))
    dark = convolution(torch.zeros(1, 1, 1, 1)).flatten()
    torch.testing.assert_close(norm.running_mean, dark, atol=0.05, rtol=0.1)
