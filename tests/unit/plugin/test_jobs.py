"""What the panels call refuses what cannot work, at once and in words."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("napari")

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import RESNET18_HALF, build_backbone
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.plugin import jobs, session


def test_a_pretrained_model_does_not_become_the_sessions(viewer, tmp_path: Path) -> None:
    card = ModelCard(
        (1, 2), ("particle_a", "carbon_a"), RESNET18_HALF, BoxSettings(32),
        training={"kind": "pretraining"},
    )  # fmt: skip
    model = Classifier(TwoBranchNet(build_backbone(RESNET18_HALF), 2), card)
    path = model.save(tmp_path / "base.safetensors")
    with pytest.raises(CheckpointError, match="It is a base to start from"):
        jobs.load_model(viewer, path)
    assert session.session_of(viewer).model is None
