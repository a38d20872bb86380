"""Initial weights of a network: random, ImageNet, bundled, or from a file."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch

from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.bases import file_of_base, is_imagenet, is_trained_on_boxes
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet


def backbone_of(base: str | Path, backbone: str | None = None) -> str:
    """Return `backbone`, or the default one of a base.

    That of a model file; ResNet-18 for ImageNet weights; half-width ResNet-18 for random ones.
    """
    if backbone is not None:
        return backbone
    base = str(base)
    if base == "none":
        return RESNET18_HALF
    if is_imagenet(base):
        return "resnet18"
    return Classifier.load(file_of_base(base)).card.backbone


def initial_network(base: str | Path, backbone: str | None, n_classes: int) -> TwoBranchNet:
    """Return a network to fine-tune, its backbone initialised from `base`.

    Parameters
    ----------
    base : str or Path
        ``bundled`` (this package's own weights, pretrained on simulated and real boxes),
        ``none`` (random), ``imagenet`` (torchvision's own weights, downloaded by torchvision
        on first use), a ``.pth`` file of such weights, or a model of this package
        (``.safetensors``), of which the backbone is used and the heads are not.
    backbone : str, optional
        Name of the backbone; by default that of the base, see `backbone_of`.
    n_classes : int
        Number of classes of the new heads.

    Raises
    ------
    CheckpointError
        The weights are missing, or do not fit the backbone.
    """
    base = str(base)
    if base == "none":
        return TwoBranchNet(build_backbone(backbone_of(base, backbone)), n_classes)
    if is_imagenet(base):
        return TwoBranchNet(_from_imagenet(base, backbone_of(base, backbone)), n_classes)
    start = Classifier.load(file_of_base(base))
    if backbone not in (None, start.card.backbone):
        raise CheckpointError(
            f"--base {base} holds a {start.card.backbone}, not the {backbone} of --backbone: "
            "leave --backbone out."
        )
    return TwoBranchNet(start.network.features, n_classes)


def pretrained_model(base: str | Path) -> Classifier | None:
    """Return the model that first weights come from; None for random or ImageNet ones.

    Raises
    ------
    CheckpointError
        The file is missing or damaged.
    """
    return Classifier.load(file_of_base(str(base))) if is_trained_on_boxes(base) else None


def check_base(base: str | Path, backbone: str | None) -> None:
    """Refuse first weights that `initial_network` would refuse; nothing is downloaded.

    Raises
    ------
    CheckpointError
        The weights are missing, or do not fit the backbone.
    """
    if str(base) != "imagenet":
        with torch.random.fork_rng(devices=[]):  # as if nothing had been drawn
            initial_network(base, backbone, n_classes=2)


def _from_imagenet(base: str, backbone: str) -> torch.nn.Sequential:
    """Return a backbone with torchvision's weights, downloaded or from a file of them."""
    if backbone == RESNET18_HALF:
        raise CheckpointError(
            f"torchvision has no ImageNet weights of {backbone}: leave --backbone out, or choose "
            "one of torchvision's backbones."
        )
    if base == "imagenet":
        return build_backbone(backbone, _downloaded(backbone))
    return _from_torchvision_file(file_of_base(base), backbone)


def _downloaded(backbone: str) -> dict[str, torch.Tensor]:
    from napari_pickeroptimizer.model.vision import torchvision

    weights = torchvision.models.get_model_weights(backbone).DEFAULT
    try:
        state: dict[str, torch.Tensor] = weights.get_state_dict(progress=True, check_hash=True)
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"torchvision could not download its ImageNet weights of {backbone}: {error}. "
            f"On a machine with internet, fetch {weights.url} and pass it: --base FILE.pth"
        ) from error
    return state


def _from_torchvision_file(path: Path, backbone: str) -> torch.nn.Sequential:
    try:
        # weights_only refuses everything that could run code on loading
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} is not a file of plain torchvision weights (a state_dict): {error}"
        ) from error
    try:
        return build_backbone(backbone, state)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise CheckpointError(
            f"{path} does not hold the weights of a {backbone}: {error}"
        ) from error
