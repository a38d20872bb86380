"""Batches hold the classes in equal parts; views keep the pick in the centre."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from napari_pickeroptimizer.boxes import Windows, render
from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE
from napari_pickeroptimizer.fewshot.augment import random_views
from napari_pickeroptimizer.fewshot.gather import TrainingBoxes
from napari_pickeroptimizer.fewshot.settings import Augmentation, FineTuneSettings
from napari_pickeroptimizer.fewshot.train import (
    balanced_batches,
    parameter_groups,
    train,
)
from napari_pickeroptimizer.model.network import (
    TwoBranchNet,
    class_probabilities,
    multi_loss,
)


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
    diameter_px=8, box_px=8, base="none", n_steps=60, batch_size=4, unlabelled_batch_size=4,
    n_unlabelled=50,
)  # fmt: skip
CPU = torch.device("cpu")


def grey_windows(*greys: float) -> Windows:
    """Windows of one grey each: every random view of them is, but for contrast, the same."""
    pixels = torch.tensor(greys).reshape(-1, 1, 1, 1).expand(-1, 1, 20, 20)
    return Windows(pixels, torch.zeros(len(greys), 2))


def grey_boxes(
    labelled: dict[float, int], unlabelled: tuple[float, ...] = ()
) -> TrainingBoxes:
    """Training boxes of one grey each; labels as {grey: class}."""
    ids = tuple(sorted(set(labelled.values())))
    return TrainingBoxes(
        labelled=grey_windows(*labelled),
        targets=np.searchsorted(ids, list(labelled.values())).astype(np.intp),
        groups=np.zeros(len(labelled), dtype=np.intp),
        suggested=np.zeros(len(labelled), dtype=bool),
        class_ids=ids,
        unlabelled=grey_windows(*unlabelled),
        unlabelled_groups=np.zeros(len(unlabelled), dtype=np.intp),
        pixel_size_ang=None,
    )


def trained(boxes: TrainingBoxes, **changes: object) -> TwoBranchNet:
    """Train a network without BatchNorm, from the same weights every time."""
    torch.manual_seed(0)
    network = TwoBranchNet(nn.Sequential(nn.Conv2d(1, 8, 1), nn.ReLU()), len(boxes.class_ids))
    rows = np.arange(len(boxes.targets))
    list(train(network, boxes, rows, replace(SMALL, learning_rate=0.05, **changes), CPU))
    return network


def probabilities(network: TwoBranchNet, grey: float) -> list[float]:
    with torch.inference_mode():
        return class_probabilities(network(torch.full((1, 1, 8, 8), grey)))[0].tolist()


def trained_norm(*unlabelled: float, **changes: object) -> tuple[nn.BatchNorm2d, nn.Conv2d]:
    """Train a network whose convolution stays as it is; return its BatchNorm and that."""
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(1, 4, 1), nn.BatchNorm2d(4))
    for parameter in features.parameters():
        parameter.requires_grad_(False)
    network = TwoBranchNet(features, 2)
    boxes = replace(grey_boxes({0.0: 1, 0.001: 2}), unlabelled=grey_windows(*unlabelled))
    list(train(network, boxes, np.array([0, 1]), replace(SMALL, **changes), CPU))
    assert not network.training
    return features[1], features[0]


def test_a_base_of_boxes_keeps_its_batch_norm_statistics() -> None:
    norm, _ = trained_norm(*[6.0] * 50, base="bundled")
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.num_batches_tracked == 0
    assert norm.running_mean.tolist() == [0.0] * 4
    assert norm.running_var.tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("base", "batch_norm", "kept"),
    [
        ("bundled", "auto", True), ("bundled", "adapt", False), ("model.safetensors", "auto", True),
        ("none", "auto", False), ("none", "keep", True), ("imagenet", "auto", False),
        ("resnet18.pth", "auto", False),
    ],
)  # fmt: skip
def test_statistics_are_kept_where_they_are_of_micrographs_unless_told_otherwise(
    base: str, batch_norm: str, kept: bool
) -> None:
    settings = FineTuneSettings(diameter_px=8, base=base, batch_norm=batch_norm)  # type: ignore[arg-type]
    assert settings.keeps_batch_norm is kept


def rates(**values: object) -> list[float]:
    """Learning rates of the branches and of the backbone."""
    network = TwoBranchNet(nn.Sequential(nn.Conv2d(1, 4, 1)), 2)
    settings = FineTuneSettings(diameter_px=8, learning_rate=0.01, **values)  # type: ignore[arg-type]
    return [group["lr"] for group in parameter_groups(network, settings)]


def test_what_was_learned_of_micrographs_is_changed_gently() -> None:
    assert rates(base="bundled") == pytest.approx([0.01, 0.002])
    assert rates(base="none") == pytest.approx([0.01, 0.01])
    assert rates(base="bundled", backbone_rate=0.5) == pytest.approx([0.01, 0.005])


def test_unlabelled_picks_shape_the_batch_norm_statistics() -> None:
    norm, convolution = trained_norm(*[6.0] * 50)
    bright, dark = (
        convolution(torch.full((1, 1, 1, 1), grey)).flatten() for grey in (6.0, 0.0)
    )
    torch.testing.assert_close(norm.running_mean, (bright + dark) / 2, atol=0.2, rtol=0.1)


def test_without_unlabelled_picks_the_labels_alone_do() -> None:
    norm, convolution = trained_norm()
    dark = convolution(torch.zeros(1, 1, 1, 1)).flatten()
    torch.testing.assert_close(norm.running_mean, dark, atol=0.05, rtol=0.1)


def test_the_loss_is_the_multi_loss_of_the_labels() -> None:
    boxes = grey_boxes({-1.0: 1, 0.5: 2, 2.0: 3})
    still = Augmentation(shift=0, scale=0, contrast=0, brightness=0)
    torch.manual_seed(0)
    network = TwoBranchNet(nn.Conv2d(1, 4, 1), 3)
    views = torch.tensor([-1.0, 0.5, 2.0]).reshape(3, 1, 1, 1).expand(3, 1, 8, 8)
    _, expected = multi_loss(network(views), torch.tensor([0, 1, 2]))
    settings = replace(SMALL, batch_size=6, n_steps=1, augmentation=still)
    [(step, losses, _)] = train(network, boxes, np.arange(3), settings, CPU)
    assert step == 1
    assert losses == pytest.approx(expected.tolist(), abs=1e-5)


def test_a_trained_network_holds_all_classes_for_as_likely() -> None:
    # nothing tells the boxes apart, and there are four labels of one class for one of the other
    greys = [1e-6 * i for i in range(5)]
    boxes = grey_boxes({g: CONTAMINANT if g else PARTICLE for g in greys})
    assert probabilities(trained(boxes, n_steps=300), 0.0)[0] == pytest.approx(0.5, abs=0.05)
