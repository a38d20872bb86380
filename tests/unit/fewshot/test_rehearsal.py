"""A fine-tuning rehearses what its base knows of false picks, beside the user's classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.boxes import BoxSettings
from napari_pickeroptimizer.fewshot.augment import Augmentation
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.rehearsal import rehearsal_for
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.backbone import RESNET18_HALF, build_backbone
from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.model.rehearsal import RehearsalBoxes

CATEGORIES = ("carbon_film", "contaminant_ice", "particle_a")
SIDE = 82


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with six boxes of bright carbon and four of still brighter ice."""
    torch.manual_seed(0)
    network = TwoBranchNet(build_backbone(RESNET18_HALF), len(CATEGORIES)).eval()
    pixels = np.full((10, SIDE, SIDE), 200, dtype=np.uint8)
    pixels[6:] = 250
    boxes = RehearsalBoxes(pixels, np.repeat(np.array([0, 1], dtype=np.int16), [6, 4]))
    card = ModelCard(
        (1, 2, 3), CATEGORIES, RESNET18_HALF,
        BoxSettings(32, box_factor=1.5, box_px=48), training={"kind": "pretraining"},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    return Classifier(network, card, boxes).save(path)


@pytest.fixture
def settings(base: Path) -> FineTuneSettings:
    return FineTuneSettings(diameter_px=24, base=base, n_steps=6, n_folds=2, device="cpu")


@pytest.mark.parametrize(
    ("labelled", "class_of_output"),
    [
        ((1, 2), (0, 1, 1, 1)),  # carbon and ice are contaminants
        ((1, 2, 3), (0, 1, 2, 1, 2)),  # carbon is carbon
        ((1, 3), (0, 1, 1, 1)),
        ((1, 4, 5), (0, 1, 2, 1, 1)),  # the user's own classes: the first of them
    ],
)
def test_each_kind_has_an_output_that_counts_for_the_nearest_class(
    labelled: tuple[int, ...], class_of_output: tuple[int, ...], settings: FineTuneSettings
) -> None:
    rehearsal = rehearsal_for(labelled, settings)
    assert rehearsal.class_of_output == class_of_output
    carbon, ice = len(labelled) + 1, len(labelled)  # kinds in the order of their ids
    assert rehearsal.outputs.tolist() == [carbon] * 6 + [ice] * 4
    assert len(rehearsal.windows) == 10


@pytest.mark.parametrize(
    ("labelled", "changes"),
    [
        ((1, 2), {"rehearsal_batch_size": 0}),
        ((2, 3), {}),
        ((1, 2), {"box_px": 32}),
        ((1, 2), {"augmentation": Augmentation(shift=0.2)}),
        ((1, 2), {"base": "none"}),
    ],
    ids=[
        "switched off",
        "no particles",
        "another scale",
        "no room for views",
        "random weights",
    ],
)
def test_nothing_is_rehearsed(
    labelled: tuple[int, ...], changes: dict[str, object], settings: FineTuneSettings
) -> None:
    rehearsal = rehearsal_for(labelled, replace(settings, **changes))
    assert len(rehearsal) == 0
    assert rehearsal.class_of_output == tuple(range(len(labelled)))


def test_a_fine_tuned_model_keeps_its_outputs_in_the_file(
    settings: FineTuneSettings, spot_project, tmp_path: Path
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    *_, done = finetune(micrographs, read_picks(spot_project.labels), settings)
    assert isinstance(done, FineTuned)
    again = Classifier.load(done.model.save(tmp_path / "model.safetensors"))
    assert again.card.training["n_rehearsal"] == 10
    assert len(again.network.class_of_output) == len(again.card.class_ids) + 2
    assert again.rehearsal is None  # they belong to the base
    boxes = torch.randn(4, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    assert again.predict(boxes) == pytest.approx(done.model.predict(boxes), abs=1e-6)
