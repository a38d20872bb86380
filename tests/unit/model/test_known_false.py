"""Boxes of false picks in the file of a pretrained model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.boxes import CLIP_SIGMA
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.known_false import KnownFalseBoxes
from napari_pickeroptimizer.model.network import TwoBranchNet

CATEGORIES = ("carbon_film", "particle_a")
BOX_PX = 48


def model(known_false: KnownFalseBoxes | None) -> Classifier:
    torch.manual_seed(0)
    network = TwoBranchNet(build_backbone(RESNET18_HALF), len(CATEGORIES)).eval()
    card = ModelCard(
        (1, 2), CATEGORIES, RESNET18_HALF, BoxSettings(32, box_px=BOX_PX),
        training={"kind": "pretraining"},
    )  # fmt: skip
    return Classifier(network, card, known_false)


def test_boxes_come_back_from_the_file_as_they_were_but_for_a_byte_of_grey(
    tmp_path: Path,
) -> None:
    greys = torch.linspace(-1.2 * CLIP_SIGMA, 1.2 * CLIP_SIGMA, 3 * BOX_PX**2)
    boxes = greys.reshape(3, 1, BOX_PX, BOX_PX)
    path = model(KnownFalseBoxes.of(boxes)).save(tmp_path / "model.safetensors")
    again = Classifier.load(path).known_false
    assert again is not None
    clipped = boxes.clamp(-CLIP_SIGMA, CLIP_SIGMA)
    torch.testing.assert_close(again.boxes(), clipped, atol=1.01 * CLIP_SIGMA / 127, rtol=0)


def test_a_model_without_boxes_has_none(tmp_path: Path) -> None:
    path = model(None).save(tmp_path / "model.safetensors")
    assert Classifier.load(path).known_false is None


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((3, BOX_PX, BOX_PX - 1), dtype=np.uint8),
        np.zeros((BOX_PX, BOX_PX), dtype=np.uint8),
        np.zeros((0, BOX_PX, BOX_PX), dtype=np.uint8),
        np.zeros((3, BOX_PX, BOX_PX), dtype=np.float32),
    ],
    ids=["not square", "one box", "no box", "no bytes"],
)
def test_boxes_that_make_no_sense_are_refused(pixels: np.ndarray, tmp_path: Path) -> None:
    path = model(KnownFalseBoxes(pixels)).save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="boxes of known false picks are damaged"):
        Classifier.load(path)
