"""Known false picks in a model file, and which class each of them is closest to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.boxes import CLIP_SIGMA, BoxSettings, Windows
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import RESNET18_HALF, build_backbone
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.model.rehearsal import RehearsalBoxes

CATEGORIES = ("carbon_film", "contaminant_ice", "other_texture", "particle_a")
SIDE = 82
TENSORS = RehearsalBoxes(
    np.full((3, SIDE, SIDE), 7, dtype=np.uint8), np.array([0, 1, 2], dtype=np.int16)
).to_tensors()


def model(rehearsal: RehearsalBoxes | None) -> Classifier:
    torch.manual_seed(0)
    network = TwoBranchNet(build_backbone(RESNET18_HALF), len(CATEGORIES)).eval()
    ids = tuple(range(1, len(CATEGORIES) + 1))
    training = {"kind": "pretraining"}
    card = ModelCard(ids, CATEGORIES, RESNET18_HALF, BoxSettings(32), training=training)
    return Classifier(network, card, rehearsal)


class Stored(RehearsalBoxes):
    """Boxes that are written as other tensors than theirs."""

    tensors: dict[str, torch.Tensor]

    def to_tensors(self) -> dict[str, torch.Tensor]:
        return self.tensors


def test_boxes_come_back_from_the_file_as_they_were_but_for_a_byte_of_grey(
    tmp_path: Path,
) -> None:
    greys = torch.empty(3, 1, SIDE, SIDE).uniform_(-1.2 * CLIP_SIGMA, 1.2 * CLIP_SIGMA)
    boxes = RehearsalBoxes.of(Windows(greys, torch.zeros(3, 2)), np.array([0, 1, 2]))
    path = model(boxes).save(tmp_path / "model.safetensors")
    again = Classifier.load(path).rehearsal
    assert again is not None
    assert again.side == SIDE
    assert again.category.tolist() == [0, 1, 2]
    clipped = greys.clamp(-CLIP_SIGMA, CLIP_SIGMA)
    torch.testing.assert_close(
        again.windows().pixels, clipped, atol=1.01 * CLIP_SIGMA / 127, rtol=0
    )


def test_a_model_without_boxes_has_none(tmp_path: Path) -> None:
    path = model(None).save(tmp_path / "model.safetensors")
    assert Classifier.load(path).rehearsal is None


def test_carbon_is_carbon_and_everything_else_a_contaminant() -> None:
    boxes = RehearsalBoxes(
        np.zeros((3, 4, 4), dtype=np.uint8), np.array([2, 0, 1], dtype=np.int16)
    )
    assert boxes.class_ids(CATEGORIES).tolist() == [CONTAMINANT, CARBON, CONTAMINANT]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rehearsal.pixels": torch.zeros(3, 8, 9, dtype=torch.uint8)}, "are damaged: expected"),
        ({"rehearsal.pixels": torch.zeros(2, 8, 8, dtype=torch.uint8)}, "are damaged: expected"),
        ({"rehearsal.pixels": torch.zeros(3, 8, 8)}, "are damaged: expected"),
        ({"rehearsal.category": None}, "are damaged: expected"),
        ({"rehearsal.category": torch.tensor([0, 1, 4], dtype=torch.int16)}, "category 4 is none"),
        ({"rehearsal.category": torch.tensor([-1, 1, 2], dtype=torch.int16)}, "category -1 is"),
        ({"rehearsal.category": torch.tensor([0, 1, 3], dtype=torch.int16)}, "category 3 is none"),
    ],
    ids=["not square", "too few", "no bytes", "no categories", "beyond", "negative", "particles"],
)  # fmt: skip
def test_boxes_that_make_no_sense_are_refused(
    changes: dict[str, torch.Tensor | None], message: str, tmp_path: Path
) -> None:
    stored = Stored(np.zeros((1, 1, 1), dtype=np.uint8), np.zeros(1, dtype=np.int16))
    tensors = {k: v for k, v in {**TENSORS, **changes}.items() if v is not None}
    object.__setattr__(stored, "tensors", tensors)
    path = model(stored).save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=message):
        Classifier.load(path)
