"""Feature extractors for one-channel boxes: torchvision's, and a half-width ResNet-18.

torchvision is imported only for its own: that takes longer than to score a micrograph.
"""

from __future__ import annotations

import torch
from torch import nn

from napari_pickeroptimizer.model.backbone_names import (
    REGNETS,
    RESNET18_HALF,
    RESNETS,
    checked_backbone,
)


def build_backbone(
    name: str, imagenet_state: dict[str, torch.Tensor] | None = None
) -> nn.Sequential:
    """Return the feature extractor of a torchvision classifier for one-channel boxes.

    Only the first convolution differs from torchvision's: it takes one channel, its RGB
    kernels summed, so that a grey image gives the response of three equal channels.

    Parameters
    ----------
    name : str
        One of `backbone_names.BACKBONES`.
    imagenet_state : dict of tensors, optional
        torchvision's own weights of that classifier; by default weights are random.

    Returns
    -------
    torch.nn.Sequential
        (b, 1, h, w) boxes to (b, c, h', w') feature map.
    """
    if checked_backbone(name) == RESNET18_HALF:
        return _half_resnet18()
    from napari_pickeroptimizer.model.vision import torchvision

    model = torchvision.models.get_model(name, weights=None)
    if imagenet_state is not None:
        model.load_state_dict(imagenet_state)
    if name in RESNETS:
        parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        features = nn.Sequential(*(getattr(model, part) for part in parts))
    elif name in REGNETS:
        features = nn.Sequential(model.stem, model.trunk_output)
    else:
        features = nn.Sequential(model.features)
    _take_one_channel(features)
    return features


def n_feature_channels(features: nn.Module) -> int:
    """Return the number of channels c of the extractor's feature map."""
    was_training = features.training
    features.eval()
    with torch.no_grad():
        channels = int(features(torch.zeros(1, 1, 64, 64)).shape[1])
    features.train(was_training)
    return channels


class BasicBlock(nn.Module):
    """Two convolutions and a shortcut around them (He et al. 2016, arXiv 1512.03385).

    Layers and names are those of torchvision's block, so that weights fit both.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    stride : int
        Of the first convolution; where it is not 1, or the channels differ, a convolution of
        one pixel makes the shortcut fit.
    """

    def __init__(self, n_in: int, n_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or n_in != n_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride, bias=False), nn.BatchNorm2d(n_out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (b, n_out, h', w') of (b, n_in, h, w) feature maps."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += shortcut
        activated: torch.Tensor = self.relu(out)
        return activated


def _half_resnet18() -> nn.Sequential:
    """Return ResNet-18's features at half its width, the parts in the order of `RESNETS`'."""
    stem = nn.Conv2d(1, 32, 7, stride=2, padding=3, bias=False)
    layers: list[nn.Module] = [
        stem,
        nn.BatchNorm2d(32),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, padding=1),
    ]
    before = 32
    for channels in (32, 64, 128, 256):
        stride = 1 if channels == before else 2
        first = BasicBlock(before, channels, stride)
        layers.append(nn.Sequential(first, BasicBlock(channels, channels)))
        before = channels
    features = nn.Sequential(*layers)
    for module in features.modules():
        if isinstance(module, nn.Conv2d):  # as torchvision initialises its ResNets
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return features


def _take_one_channel(features: nn.Module) -> None:
    for name, module in features.named_modules():
        if isinstance(module, nn.Conv2d):
            parent = features.get_submodule(name.rpartition(".")[0])
            grey = nn.Conv2d(
                1,
                module.out_channels,
                module.kernel_size,  # type: ignore[arg-type]
                stride=module.stride,  # type: ignore[arg-type]
                padding=module.padding,  # type: ignore[arg-type]
                bias=module.bias is not None,
            )
            with torch.no_grad():
                grey.weight.copy_(module.weight.sum(dim=1, keepdim=True))
                if module.bias is not None and grey.bias is not None:
                    grey.bias.copy_(module.bias)
            setattr(parent, name.rpartition(".")[2], grey)
            return
