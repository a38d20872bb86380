"""The network that only scores gives the scores of the network it was made from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.inference import BlockedLayout, for_inference
from napari_pickeroptimizer.model.network import TwoBranchNet

CPU = torch.device("cpu")


def trained(backbone: str) -> TwoBranchNet:
    """Return a network with batch statistics and affine parameters of its own."""
    torch.manual_seed(0)
    network = TwoBranchNet(build_backbone(backbone), 3).train()
    with torch.no_grad():
        for norm in norms_of(network):
            norm.weight.uniform_(0.5, 2)
            norm.bias.uniform_(-0.5, 0.5)
        network(torch.randn(16, 1, 48, 48) * 3 + 1)
    return network.eval()


def norms_of(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


@torch.inference_mode()
@pytest.mark.parametrize(
    # one of each kind of graph: blocked throughout, not supported there, normalised before
    "backbone", [RESNET18_HALF, "regnet_y_400mf", "densenet121"]
)  # fmt: skip
def test_scores_and_features_are_those_of_the_network(backbone: str) -> None:
    network = trained(backbone)
    fast = for_inference(network, CPU)
    assert len(norms_of(fast)) < len(norms_of(network))
    boxes = torch.randn(9, 1, 48, 48) * 3 + 1
    (logits, features), (fast_logits, fast_features) = (
        n.logits_and_features(boxes) for n in (network, fast)
    )
    for wanted, got in (
        (logits[0], fast_logits[0]),
        (logits[1], fast_logits[1]),
        (features, fast_features),
    ):
        spread = float(wanted.std(dim=0).max())
        assert spread > 1e-3 * wanted.abs().max()  # else equality would say nothing
        torch.testing.assert_close(got, wanted, atol=1e-4 * spread, rtol=1e-5)


def test_the_network_itself_stays_as_it_is() -> None:
    network = trained(RESNET18_HALF)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    for_inference(network, CPU)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


@pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN"
)
def test_only_layers_that_the_layout_has_are_put_into_it() -> None:
    class Doubling(nn.Module):
        def forward(self, boxes: torch.Tensor) -> torch.Tensor:
            return boxes * 2

    conv = nn.Conv2d(1, 4, 3)
    one, other = (
        TwoBranchNet(nn.Sequential(*parts), 2) for parts in ([conv], [conv, Doubling()])
    )
    kinds = [isinstance(for_inference(n, CPU).features, BlockedLayout) for n in (one, other)]
    assert kinds == [True, False]


def test_a_network_whose_way_depends_on_the_box_is_left_as_it_is() -> None:
    class OwnWay(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 4, 3)

        def forward(self, boxes: torch.Tensor) -> torch.Tensor:
            return self.conv(boxes) if boxes.sum() >= 0 else -self.conv(boxes)

    network = TwoBranchNet(OwnWay(), 2).eval()
    fast = for_inference(network, CPU)
    boxes = -torch.ones(2, 1, 12, 12)
    assert torch.equal(fast(boxes), network(boxes))


@pytest.mark.gpu
@torch.inference_mode()
def test_a_gpu_scores_as_the_cpu_does() -> None:
    network, boxes = trained(RESNET18_HALF), torch.randn(9, 1, 48, 48) * 3 + 1
    device = choose_device("auto")
    there = for_inference(network, device)(boxes.to(device)).softmax(dim=-1).cpu()
    torch.testing.assert_close(there, network(boxes).softmax(dim=-1), atol=1e-3, rtol=0)
