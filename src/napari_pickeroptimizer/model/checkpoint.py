"""`Classifier`: a trained network with its card, in one safetensors file; never a pickle."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.io.atomic import atomic_path
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.network import TwoBranchNet, class_probabilities
from napari_pickeroptimizer.trust import Calibration, HeldOutScores

FORMAT = "napari-pickeroptimizer"
# 2: calibration and held-out scores, called evidence; 3: called held_out_scores
FORMAT_VERSION = 3
DEFAULT_VIEWS = 4
MAX_VIEWS = 8  # four rotations, each with and without a flip


def dihedral_view(boxes: torch.Tensor, i: int) -> torch.Tensor:
    """Return (n, 1, h, h) boxes rotated by i times 90°, and flipped from i = 4 on."""
    return torch.rot90(boxes if i < 4 else boxes.flip(-1), i % 4, dims=(-2, -1))


@dataclass(frozen=True)
class ModelCard:
    """Description of a model and its training, stored beside the weights as JSON.

    Parameters
    ----------
    class_ids : tuple of int
        Classes in the order of the network's outputs, ids as `rlnParticleSelectionType`.
    class_names : tuple of str
        Their names.
    backbone : str
        torchvision's name of the backbone.
    boxes : BoxSettings
        Diameter and box size the network was trained with.
    pixel_size_ang : float or None
        Pixel size of the micrographs it was trained on, where known.
    training : dict
        Record of the training: settings, labels by class, cross-validation.
    versions : dict
        Versions of this package, torch, torchvision and Python.
    calibration : Calibration
        Applied by `Classifier.predict` to the network's P(particle).
    held_out_scores : HeldOutScores or None
        Out-of-fold scores of the labels; None where nothing was cross-validated.
    """

    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    backbone: str
    boxes: BoxSettings
    pixel_size_ang: float | None = None
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    held_out_scores: HeldOutScores | None = None

    @property
    def names(self) -> dict[int, str]:
        """Name of each class by its id."""
        return dict(zip(self.class_ids, self.class_names, strict=False))

    @property
    def is_pretrained(self) -> bool:
        """Whether it is a pretrained base for fine-tuning, whose outputs are no pick classes."""
        return self.training.get("kind") == "pretraining"

    def to_json(self) -> str:
        """Return the card as JSON text."""
        values = dataclasses.asdict(dataclasses.replace(self, held_out_scores=None))
        if self.held_out_scores is not None:
            values["held_out_scores"] = self.held_out_scores.to_dict()
        return json.dumps({"format_version": FORMAT_VERSION, **values}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a card from JSON text.

        Raises
        ------
        CheckpointError
            The text is no card, or one of a newer version.
        """
        try:
            values = json.loads(text)
            version = values.pop("format_version")
            if version > FORMAT_VERSION:
                raise CheckpointError(
                    f"the model was written by a newer version (card format {version}, this "
                    f"version reads up to {FORMAT_VERSION}): update napari-pickeroptimizer."
                )
            values["boxes"] = BoxSettings(**values["boxes"])
            values["class_ids"] = tuple(values["class_ids"])
            values["class_names"] = tuple(values["class_names"])
            values["calibration"] = Calibration(**values.get("calibration", {}))
            scores = values.pop("evidence", None) or values.get("held_out_scores")
            values["held_out_scores"] = scores and HeldOutScores.from_dict(scores)
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the model's card is damaged: {error}") from error


@dataclass(frozen=True)
class Classifier:
    """A network that classifies boxes, and its card.

    Parameters
    ----------
    network : TwoBranchNet
        The network, in evaluation mode.
    card : ModelCard
        Classes, box size and origin.
    """

    network: TwoBranchNet
    card: ModelCard

    def to(self, device: torch.device) -> Self:
        """Move the network to a device and return the classifier."""
        self.network.to(device)
        return self

    def predict(
        self, boxes: torch.Tensor, batch_size: int = 256, n_views: int = DEFAULT_VIEWS
    ) -> NDArray[np.float32]:
        """Return (n, n_classes) calibrated probabilities of (n, 1, box_px, box_px) boxes.

        Test-time augmentation: probabilities are averaged over `n_views` views of each box,
        rotated by multiples of 90° and, beyond four, flipped. Particles have no preferred
        in-plane orientation, but a network trained on twenty of them is not quite invariant
        to it. The time is proportional to the number of views.
        """
        return self.predict_with_features(boxes, batch_size, n_views)[0]

    def predict_with_features(
        self, boxes: torch.Tensor, batch_size: int = 256, n_views: int = DEFAULT_VIEWS
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the probabilities of `predict` and (n, c) features, at no extra cost.

        Features are the means of the feature map over the box and over the views.
        """
        device = next(self.network.parameters()).device
        self.network.eval()
        probabilities, features = [], []
        with torch.inference_mode():
            for part in boxes.to(device).split(batch_size):
                if not len(part):  # splitting an empty batch gives one empty part
                    continue
                views = [
                    self.network.logits_and_features(dihedral_view(part, i))
                    for i in range(n_views)
                ]
                by_view = torch.stack([class_probabilities(logits) for logits, _ in views])
                probabilities.append(by_view.mean(dim=0).cpu())
                features.append(torch.stack([pooled for _, pooled in views]).mean(dim=0).cpu())
        if not probabilities:
            n_features = self.network.linear.in_features
            return (
                np.zeros((0, len(self.card.class_ids)), dtype=np.float32),
                np.zeros((0, n_features), dtype=np.float32),
            )
        predicted = torch.cat(probabilities).numpy()
        if PARTICLE in self.card.class_ids:
            particle = self.card.class_ids.index(PARTICLE)
            predicted = self.card.calibration.apply_to_classes(predicted, particle)
        return predicted, torch.cat(features).numpy()

    def save(self, path: str | Path, *, half: bool = False) -> Path:
        """Write weights and card to one safetensors file and return its path.

        Parameters
        ----------
        path : str or Path
            The file.
        half : bool
            Store the weights as float16, for half the size; `load` returns float32.
            BatchNorm statistics and counters are few and stay as they are.
        """
        path = Path(path)
        learned = {name for name, _ in self.network.named_parameters()} if half else set()
        state = {
            k: _halved(v) if k in learned else v for k, v in self.network.state_dict().items()
        }
        state = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        with atomic_path(path) as temporary:
            save_file(
                state, temporary, metadata={"format": FORMAT, "card": self.card.to_json()}
            )
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a classifier.

        Raises
        ------
        CheckpointError
            The file is missing, damaged, a pickle, or of another program.
        """
        path = Path(path)
        metadata, state = _read_safetensors(path)
        if metadata.get("format") != FORMAT or "card" not in metadata:
            raise CheckpointError(
                f"{path} is a safetensors file of another program: expected a model written by "
                "`pickeroptimizer finetune`."
            )
        try:
            card = ModelCard.from_json(metadata["card"])
            network = TwoBranchNet(build_backbone(card.backbone), len(card.class_ids))
            network.load_state_dict(state)  # float16 weights become float32 ones here
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        except RuntimeError as error:
            raise CheckpointError(
                f"{path}: the weights do not fit the {card.backbone} of the card: {error}"
            ) from error
        return cls(network.eval(), card)


def _halved(weights: torch.Tensor) -> torch.Tensor:
    """Return weights as float16, unless one of them is too large for it."""
    halved = weights.detach().half()
    return halved if halved.isfinite().all() else weights


def _read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such model file. Make one with `pickeroptimizer finetune`."
        )
    try:
        with safe_open(path, framework="pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no dict)
            return dict(file.metadata() or {}), state
    except (SafetensorError, OSError) as error:
        # checked only now: the first byte of a safetensors file is part of its header's length
        # and may well be 0x80
        if _looks_like_a_pickle(path):
            raise CheckpointError(
                f"{path} is a pickle (a torch.save file), which can run code on loading, and is "
                "not read: expected a safetensors model written by `pickeroptimizer finetune`."
            ) from error
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error


def _looks_like_a_pickle(path: Path) -> bool:
    """Whether a file is a pickle (protocol 2 or later), or torch.save's zip archive of one."""
    with path.open("rb") as file:
        start = file.read(1)
    return start == b"\x80" or zipfile.is_zipfile(path)
