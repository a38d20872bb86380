"""Feature extractors from torchvision, for one-channel boxes of a few dozen pixels."""

from __future__ import annotations

import torch
import torchvision
from torch import nn

from napari_pickeroptimizer.errors import SettingsError

# torchvision classifiers whose feature map is reached in one of three known ways.
RESNETS = (
    "resnet18", "resnet34", "resnet50", "resnet101",
    "resnext50_32x4d", "wide_resnet50_2",
)  # fmt: skip
WITH_FEATURES = (
    "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large",
    "efficientnet_b0", "efficientnet_b1", "efficientnet_v2_s",
    "convnext_tiny", "convnext_small", "densenet121",
)  # fmt: skip
REGNETS = ("regnet_y_400mf", "regnet_y_800mf", "regnet_x_400mf", "regnet_x_800mf")
BACKBONES = RESNETS + WITH_FEATURES + REGNETS


def checked_backbone(name: str) -> str:
    """Return `name` if it is a known backbone.

    Raises
    ------
    SettingsError
        It is not; the message lists the known ones.
    """
    if name not in BACKBONES:
        raise SettingsError(
            f"backbone {name!r} is unknown: choose one of {', '.join(BACKBONES)}."
        )
    return name


def build_backbone(
    name: str, imagenet_state: dict[str, torch.Tensor] | None = None
) -> nn.Sequential:
    """Return the feature extractor of a torchvision classifier for one-channel boxes.

    Only the first convolution differs from torchvision's: it takes one channel, its RGB
    kernels summed, so that a grey image gives the response of three equal channels.

    Parameters
    ----------
    name : str
        One of `BACKBONES`.
    imagenet_state : dict of tensors, optional
        torchvision's own weights of that classifier; by default weights are random.

    Returns
    -------
    torch.nn.Sequential
        (b, 1, h, w) boxes to (b, c, h', w') feature map.
    """
    model = torchvision.models.get_model(checked_backbone(name), weights=None)
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
