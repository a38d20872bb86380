"""`Classifier`: a trained network with its card, in one safetensors file; never a pickle."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import CLIP_SIGMA
from napari_pickeroptimizer.classes import PARTICLE
from napari_pickeroptimizer.device import moved
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import REGNETS, RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.inference import for_inference
from napari_pickeroptimizer.model.known_false import TENSOR, KnownFalseBoxes, taken_known_false
from napari_pickeroptimizer.model.model_file import read_model_file, write_model_file
from napari_pickeroptimizer.model.network import TwoBranchNet, class_probabilities
from napari_pickeroptimizer.model.views import (
    AUTO,
    DEFAULT_VIEWS,
    Auto,
    dihedral_view,
    doubtful,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Classifier:
    """A network that classifies boxes, and its card.

    Parameters
    ----------
    network : TwoBranchNet
        The network, in evaluation mode.
    card : ModelCard
        Classes, box size and origin.
    known_false : KnownFalseBoxes or None
        Boxes of false picks that a pretrained model carries for fine-tuning.
    """

    network: TwoBranchNet
    card: ModelCard
    known_false: KnownFalseBoxes | None = None

    def to(self, device: torch.device) -> Self:
        """Move the network to a device and return the classifier."""
        self.network.to(device)
        return self

    def for_inference(self, device: torch.device) -> Self:
        """Return a copy on a device that scores faster: to score with, not to save."""
        return replace(self, network=for_inference(self.network, device))

    def predict(
        self,
        boxes: torch.Tensor,
        batch_size: int = 256,
        n_views: int | Auto = DEFAULT_VIEWS,
    ) -> NDArray[np.float32]:
        """Return (n, n_classes) calibrated probabilities of (n, 1, box_px, box_px) boxes.

        Test-time augmentation: probabilities are averaged over `n_views` views of each box,
        rotated by multiples of 90° and, beyond four, flipped. Particles have no preferred
        in-plane orientation, but a network trained on twenty of them is not quite invariant
        to it. The time is proportional to the number of views. With ``auto`` a box of which the
        first view says clearly what it is gets no other, see `views.doubtful`.
        """
        return self.predict_with_features(boxes, batch_size, n_views)[0]

    def predict_with_features(
        self,
        boxes: torch.Tensor,
        batch_size: int = 256,
        n_views: int | Auto = DEFAULT_VIEWS,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the probabilities of `predict` and (n, c) features, at no extra cost.

        Features are the means of the feature map over the box and over the views.
        """
        device = next(self.network.parameters()).device
        self.network.eval()
        probabilities = [np.zeros((0, len(self.card.class_ids)), np.float32)]
        features = [np.zeros((0, self.network.linear.in_features), np.float32)]
        with torch.inference_mode():
            for rows in boxes.split(batch_size):
                if not len(rows):  # splitting an empty batch gives one empty part
                    continue
                part = moved(rows, device)
                if n_views == AUTO:
                    p, f = self._by_need(part, batch_size)
                else:
                    p, f = (
                        x.mean(axis=0) for x in self._by_view(part, range(n_views), batch_size)
                    )
                probabilities.append(self._calibrated(p))
                features.append(f)
        return np.concatenate(probabilities), np.concatenate(features)

    def _by_view(
        self, boxes: torch.Tensor, views: Sequence[int], batch_size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return (v, n, n_classes) probabilities and (v, n, c) features, not calibrated."""
        turned = torch.cat([dihedral_view(boxes, i) for i in views])
        # of one size: the few of a last batch would take longer than their share
        parts = turned.chunk(max(1, math.ceil(len(turned) / batch_size)))
        outputs = [self.network.logits_and_features(x) for x in parts]
        p = torch.cat([class_probabilities(logits) for logits, _ in outputs])
        features = torch.cat([pooled for _, pooled in outputs])
        shape = (len(views), len(boxes))
        return p.unflatten(0, shape).cpu().numpy(), features.unflatten(0, shape).cpu().numpy()

    def _by_need(
        self, boxes: torch.Tensor, batch_size: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return means over one view of clear boxes, and over `DEFAULT_VIEWS` of doubtful ones."""
        (p,), (features,) = self._by_view(boxes, [0], batch_size)
        rows = np.arange(len(boxes))
        if PARTICLE in self.card.class_ids:
            particle = self.card.class_ids.index(PARTICLE)
            rows = np.flatnonzero(doubtful(self._calibrated(p)[:, particle]))
        if len(rows):
            rest = boxes[torch.from_numpy(rows).to(boxes.device)]
            others = self._by_view(rest, range(1, DEFAULT_VIEWS), batch_size)
            for first, of_others in zip((p, features), others, strict=True):
                first[rows] = np.concatenate([first[None, rows], of_others]).mean(axis=0)
        return p, features

    def _calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        if PARTICLE not in self.card.class_ids:
            return probabilities
        particle = self.card.class_ids.index(PARTICLE)
        return self.card.calibration.apply_to_classes(probabilities, particle)

    def save(self, path: str | Path, *, half: bool = False) -> Path:
        """Write weights and card to one safetensors file and return its path.

        Parameters
        ----------
        path : str or Path
            The file.
        half : bool
            Store the weights as float16, for half the size; `load` returns float32.
            BatchNorm statistics and counters are few and stay as they are.

        Raises
        ------
        CheckpointError
            The weights are no numbers, as of a training that diverged, or nothing was learned
            from labels; nothing is written.
        OutputError
            The file cannot be written; what was at `path` is unchanged.
        """
        path = Path(path)
        if self.card.is_before_labels:
            raise CheckpointError(
                f"{path} is not written: nothing was learned from labels yet. Give the "
                "pretrained network again, with the diameter, or fine-tune it."
            )
        learned = {name for name, _ in self.network.named_parameters()} if half else set()
        state = {
            k: _halved(v) if k in learned else v for k, v in self.network.state_dict().items()
        }
        if self.known_false is not None:
            state[TENSOR] = torch.from_numpy(self.known_false.pixels)
        state = {k: v.detach().cpu().contiguous() for k, v in state.items()}
        card = self.card.to_json()
        try:
            ModelCard.from_json(card)  # what is written can be read
            check_finite(state)
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not written: {error}") from error
        write_model_file(path, card, state)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a classifier; nothing in the file is used before it has been checked.

        Raises
        ------
        CheckpointError
            The file is missing, damaged, a pickle, of another program, or its card or weights
            make no sense.
        """
        path = Path(path)
        text, state = read_model_file(path)
        try:
            card = ModelCard.from_json(text)
            known_false = taken_known_false(state, card.boxes.box_px)
            check_fit(state, card)
            check_finite(state)
            network = _network_of(card).eval()
            network.load_state_dict(state)  # float16 weights become float32 ones here
            check_outputs(network, card.boxes.box_px)
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from error
        return cls(network, card, known_false)


def check_fit(state: dict[str, torch.Tensor], card: ModelCard) -> None:
    """Refuse weights that are not those of the card's network; no large one is made for that.

    Raises
    ------
    CheckpointError
        A tensor is missing, unknown, or of another shape or type.
    """
    # RegNets compute their widths with tensors, so need real ones; they are small, and so is the
    # half-width ResNet-18: random numbers on "meta" would import torch's compiler
    is_small = card.backbone in (*REGNETS, RESNET18_HALF)
    device = torch.device("cpu" if is_small else "meta")
    with torch.random.fork_rng(devices=[]), device:
        network = _network_of(card)
    expected = network.state_dict()
    problems = [f"{name} is missing" for name in expected.keys() - state.keys()]
    problems += [f"{name} is unknown" for name in state.keys() - expected.keys()]
    for name in expected.keys() & state.keys():
        wanted, there = expected[name], state[name]
        types = (
            (torch.float32, torch.float16) if wanted.is_floating_point() else (wanted.dtype,)
        )
        if there.shape != wanted.shape or there.dtype not in types:
            problems.append(f"{name} is {_kind(there)}, where {_kind(wanted)} was expected")
    if problems:
        raise CheckpointError(
            f"the weights do not fit the {card.backbone} with {len(card.class_ids)} classes of "
            f"the card: {min(problems)[:200]}."
        )


def check_finite(state: dict[str, torch.Tensor]) -> None:
    """Refuse weights that are no finite numbers, and variances below 0.

    Raises
    ------
    CheckpointError
        As of a training that diverged, or a broken copy.
    """
    for name, values in state.items():
        n = int((~values.isfinite()).sum())
        if name.endswith("running_var"):
            n += int((values < 0).sum())
        if n:
            raise CheckpointError(
                f"{n:,} of {values.numel():,} weights of {name} are no usable numbers (NaN, "
                "infinite or a variance below 0): the training diverged, or the copy is broken. "
                "Fine-tune again, or copy the file again."
            )


def check_outputs(network: TwoBranchNet, box_px: int) -> None:
    """Refuse a network whose answer to a box is no number, as of weights that are too large.

    Raises
    ------
    CheckpointError
        Its logits are not finite, or it cannot take boxes of this size.
    """
    box = torch.linspace(-CLIP_SIGMA, CLIP_SIGMA, box_px**2).reshape(1, 1, box_px, box_px)
    try:
        with torch.inference_mode():
            is_finite = bool(network(box).isfinite().all())
    except RuntimeError as error:
        raise CheckpointError(
            f"the network does not take boxes of {box_px} pixels ({error}): fine-tune again."
        ) from error
    if not is_finite:
        raise CheckpointError(
            "the network answers a box with values that are no numbers: its weights are too "
            "large, as of a training that diverged. Fine-tune again."
        )


def _network_of(card: ModelCard) -> TwoBranchNet:
    network = TwoBranchNet(build_backbone(card.backbone), len(card.class_ids))
    if card.has_known_false:
        network.add_known_false(torch.zeros(network.linear.in_features), 0.0)
    return network


def _kind(tensor: torch.Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _halved(weights: torch.Tensor) -> torch.Tensor:
    """Return weights as float16, unless one of them is too large for it."""
    halved = weights.detach().half()
    return halved if halved.isfinite().all() else weights
