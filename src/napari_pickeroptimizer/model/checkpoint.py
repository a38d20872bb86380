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
from napari_pickeroptimizer.trust import Calibration, Evidence

FORMAT = "napari-pickeroptimizer"
FORMAT_VERSION = 2  # 2: calibration and evidence
DEFAULT_VIEWS = 4
MAX_VIEWS = 8  # the symmetries of a square


def square_symmetry(boxes: torch.Tensor, i: int) -> torch.Tensor:
    """Return (n, 1, h, h) boxes turned by i right angles, from i = 4 on mirrored as well."""
    return torch.rot90(boxes if i < 4 else boxes.flip(-1), i % 4, dims=(-2, -1))


@dataclass(frozen=True)
class ModelCard:
    """What a model is and how it came to be; stored beside the weights as JSON.

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
        What `Classifier.predict` makes of the network's P(particle).
    evidence : Evidence or None
        What the labels say of the scores; None where nothing was cross-validated.
    """

    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    backbone: str
    boxes: BoxSettings
    pixel_size_ang: float | None = None
    training: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    calibration: Calibration = field(default_factory=Calibration)
    evidence: Evidence | None = None

    @property
    def names(self) -> dict[int, str]:
        """Name of each class by its id."""
        return dict(zip(self.class_ids, self.class_names, strict=False))

    @property
    def is_pretrained(self) -> bool:
        """Whether its outputs are categories of many data sets, a base for fine-tuning."""
        return self.training.get("kind") == "pretraining"

    def to_json(self) -> str:
        """Return the card as JSON text."""
        values = dataclasses.asdict(dataclasses.replace(self, evidence=None))
        if self.evidence is not None:
            values["evidence"] = self.evidence.to_dict()
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
            if values.get("evidence") is not None:
                values["evidence"] = Evidence.from_dict(values["evidence"])
            return cls(**values)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(f"the model's card is damaged: {error}") from error


@dataclass(frozen=True)
class Classifier:
    """A network that tells classes of boxes apart, and its card.

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

        A particle has no preferred direction in the plane, but a network taught by twenty
        of them is not quite indifferent to it: the mean over the box turned by right angles
        (and mirrored, beyond four views) is better than one look, and takes as many times
        as long.
        """
        return self.predict_with_features(boxes, batch_size, n_views)[0]

    def predict_with_features(
        self, boxes: torch.Tensor, batch_size: int = 256, n_views: int = DEFAULT_VIEWS
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return `predict`'s probabilities, and the (n, c) features they were read from.

        Features are the means of the feature map over the box and over the views; they cost
        nothing more.
        """
        device = next(self.network.parameters()).device
        self.network.eval()
        probabilities, features = [], []
        with torch.inference_mode():
            for part in boxes.to(device).split(batch_size):
                if not len(part):  # splitting nothing gives one empty part
                    continue
                views = [
                    self.network.logits_and_features(square_symmetry(part, i))
                    for i in range(n_views)
                ]
                seen = torch.stack([class_probabilities(logits) for logits, _ in views])
                probabilities.append(seen.mean(dim=0).cpu())
                features.append(torch.stack([pooled for _, pooled in views]).mean(dim=0).cpu())
        if not probabilities:
            n_features = self.network.linear.in_features
            return (
                np.zeros((0, len(self.card.class_ids)), dtype=np.float32),
                np.zeros((0, n_features), dtype=np.float32),
            )
        found = torch.cat(probabilities).numpy()
        if PARTICLE in self.card.class_ids:
            particle = self.card.class_ids.index(PARTICLE)
            found = self.card.calibration.apply_to_classes(found, particle)
        return found, torch.cat(features).numpy()

    def save(self, path: str | Path, *, half: bool = False) -> Path:
        """Write weights and card to one safetensors file and return its path.

        Parameters
        ----------
        path : str or Path
            The file.
        half : bool
            Round the weights to float16, for half the size; `load` gives float32 again.
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
            The file is missing, a pickle, of another program, or damaged.
        """
        path = Path(path)
        metadata, state = _read_safetensors(path)
        if metadata.get("format") != FORMAT or "card" not in metadata:
            raise CheckpointError(
                f"{path} is a safetensors file of another kind: expected a model written by "
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
        # Asked only now: a safetensors file begins with the length of its header, which may
        # well be 0x..80.
        if _looks_like_a_pickle(path):
            raise CheckpointError(
                f"{path} is a pickle (a torch.save file), which can run code on loading: it is "
                "not read. Expected a safetensors model written by `pickeroptimizer finetune`."
            ) from error
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error


def _looks_like_a_pickle(path: Path) -> bool:
    """Tell pickles (protocol 2 and later) and torch.save's zip archives around them."""
    with path.open("rb") as file:
        start = file.read(1)
    return start == b"\x80" or zipfile.is_zipfile(path)
