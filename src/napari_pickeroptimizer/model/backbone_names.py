"""Names of the feature extractors."""

from __future__ import annotations

from napari_pickeroptimizer.errors import SettingsError

# torchvision classifiers, by how their feature map is reached.
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
# ResNet-18 with half the channels: a quarter of the work, and as good for boxes of 48 pixels
# (docs/explanation/method.md). torchvision has no ImageNet weights of it.
RESNET18_HALF = "resnet18_half"
BACKBONES = (RESNET18_HALF, *RESNETS, *WITH_FEATURES, *REGNETS)


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
