"""The network as it runs fastest where it only scores; the model itself stays as it is.

Batch normalisation is a linear map once a network is trained: it is merged into the convolution
before it (Jacob et al. 2018, arXiv 1712.05877, section 3.2). On a CPU the feature maps of
ResNets moreover stay in the blocked layout of oneDNN from the first layer to the last, instead of
being reordered in each. Scores differ in the sixth digit.
"""

from __future__ import annotations

import copy
import operator
import platform
from typing import TYPE_CHECKING

import torch
from torch import fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

if TYPE_CHECKING:
    from napari_pickeroptimizer.model.network import TwoBranchNet

# What oneDNN's layout has; all of ResNets and RegNet-X.
BLOCKED_LAYERS = (nn.Conv2d, nn.ReLU, nn.MaxPool2d)
BLOCKED_FUNCTIONS = (operator.add, operator.iadd)
# Where the layout was measured to be faster.
BLOCKED_MACHINES = ("x86_64", "AMD64")


def for_inference(network: TwoBranchNet, device: torch.device) -> TwoBranchNet:
    """Return a copy of a trained network on a device, which scores alike and faster.

    Parameters
    ----------
    network : TwoBranchNet
        The network; it is not changed.
    device : torch.device
        Where the copy goes.
    """
    network = copy.deepcopy(network).to(device).eval()
    try:
        features = fx.symbolic_trace(network.features)
    except (fx.proxy.TraceError, TypeError, RuntimeError):  # its way depends on the values
        return network
    merge_norms(features)
    has_layout = (
        torch.backends.mkldnn.is_available() and platform.machine() in BLOCKED_MACHINES
    )
    if device.type == "cpu" and has_layout and _fits_layout(features):
        network.features = BlockedLayout(features)
    else:
        network.features = features.to(memory_format=torch.channels_last)
    return network


def merge_norms(features: fx.GraphModule) -> None:
    """Let convolutions do the batch normalisation that follows them, in place.

    Where it comes first, as in DenseNet, it stays.
    """
    layers = dict(features.named_modules())
    for node in list(features.graph.nodes):
        norm = layers.get(str(node.target)) if node.op == "call_module" else None
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        before = node.args[0]
        conv = layers.get(str(before.target)) if before.op == "call_module" else None
        if isinstance(conv, nn.Conv2d) and len(before.users) == 1:
            features.set_submodule(before.target, fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            features.graph.erase_node(node)
    features.delete_all_unused_submodules()
    features.recompile()


class BlockedLayout(nn.Module):
    """A feature extractor whose tensors are in oneDNN's blocked layout, on the CPU.

    Parameters
    ----------
    features : torch.fx.GraphModule
        (b, 1, h, w) boxes to (b, c, h', w') feature map; its convolutions are replaced.
    """

    def __init__(self, features: fx.GraphModule) -> None:
        super().__init__()
        for name, layer in list(features.named_modules()):
            if isinstance(layer, nn.Conv2d):
                features.set_submodule(name, _BlockedConv(layer))
        self.features = features

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        """Return the feature map in the usual layout."""
        feature_map: torch.Tensor = self.features(boxes.contiguous().to_mkldnn())
        return feature_map.to_dense()


class _BlockedConv(nn.Module):
    """A convolution whose weights were put into oneDNN's layout once."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        assert not isinstance(conv.padding, str)  # `_fits_layout`
        self.stride, self.padding = conv.stride, conv.padding
        self.dilation, self.groups = conv.dilation, conv.groups
        self.weight = conv.weight.detach().contiguous().to_mkldnn()
        self.bias = None if conv.bias is None else conv.bias.detach().to_mkldnn()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(
            x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
        )


def _fits_layout(features: fx.GraphModule) -> bool:
    layers = dict(features.named_modules())
    for node in features.graph.nodes:
        layer = layers.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, nn.Conv2d):
            fits = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        elif node.op == "call_module":
            fits = isinstance(layer, BLOCKED_LAYERS)
        else:
            fits = node.op in ("placeholder", "output") or node.target in BLOCKED_FUNCTIONS
        if not fits:
            return False
    return True
