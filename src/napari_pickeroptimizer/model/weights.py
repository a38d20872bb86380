"""Where a network's first weights come from: none, ImageNet, bundled, or a file."""

from __future__ import annotations

from pathlib import Path
from urllib.error import URLError

import torch
import torchvision

from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet

TORCH_SUFFIXES = (".pth", ".pt")


def initial_network(base: str | Path, backbone: str, n_classes: int) -> TwoBranchNet:
    """Return a network to fine-tune, its backbone started from `base`.

    Parameters
    ----------
    base : str or Path
        ``none`` (random), ``imagenet`` (torchvision's own weights, downloaded by torchvision
        on first use), a ``.pth`` file of such weights, or a checkpoint of this package
        (``.safetensors``), whose backbone is taken and whose heads are left.
    backbone : str
        Name of the torchvision classifier.
    n_classes : int
        Number of classes of the new heads.

    Raises
    ------
    CheckpointError
        The weights are not there, or do not fit the backbone.
    """
    base = str(base)
    if base == "none":
        return TwoBranchNet(build_backbone(backbone), n_classes)
    if base == "imagenet":
        return TwoBranchNet(build_backbone(backbone, _downloaded(backbone)), n_classes)
    if base == "bundled":
        raise CheckpointError(
            "--base bundled: this version ships no weights yet. Use --base none (from random "
            "weights), --base imagenet, or --base FILE with a model of your own."
        )
    path = Path(base)
    if not path.is_file():
        raise CheckpointError(
            f"--base {base}: no such file. Expected none, imagenet, bundled or a model file."
        )
    if path.suffix.lower() in TORCH_SUFFIXES:
        return TwoBranchNet(_from_torchvision_file(path, backbone), n_classes)
    start = Classifier.load(path)
    if start.card.backbone != backbone:
        raise CheckpointError(
            f"{path} holds a {start.card.backbone}, but --backbone {backbone} was asked for: "
            f"pass --backbone {start.card.backbone}."
        )
    return TwoBranchNet(start.network.features, n_classes)


def _downloaded(backbone: str) -> dict[str, torch.Tensor]:
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
