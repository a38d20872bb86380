from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet


class DarkIsParticle(nn.Module):
    """Stands for a trained backbone: one channel, high where the box's middle is dark."""

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        middle = boxes[:, :, boxes.shape[2] // 3 : -boxes.shape[2] // 3, :]
        middle = middle[..., boxes.shape[3] // 3 : -boxes.shape[3] // 3]
        return torch.cat([-middle, middle], dim=1)


@pytest.fixture(scope="session")
def dark_is_particle() -> Classifier:
    """A classifier that calls dark discs particles, bright ones contaminants or carbon."""
    network = TwoBranchNet(DarkIsParticle(), 3).eval()
    with torch.no_grad():
        network.linear.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 2.0], [0.0, 1.0]]))
        network.linear.bias.zero_()
        network.halve[0].weight.copy_(torch.tensor([[[[-1.0]], [[0.0]]]]))
        network.halve[0].bias.fill_(10.0)  # keeps the rectifier open: 10 + middle
        network.halved_linear.weight.copy_(torch.tensor([[-2.0], [2.0], [1.0]]))
        network.halved_linear.bias.copy_(torch.tensor([20.0, -20.0, -10.0]))
    card = ModelCard(
        class_ids=(1, 2, 3),
        class_names=("particle", "contaminant", "carbon"),
        backbone="resnet18",
        boxes=BoxSettings(diameter_px=24, box_px=32),
    )
    return Classifier(network, card)
