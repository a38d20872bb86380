"""What the base knows of false picks is set against the labelled particles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.fewshot.events import FineTuned
from napari_pickeroptimizer.fewshot.finetune import finetune
from napari_pickeroptimizer.fewshot.known_false import (
    add_known_false,
    known_false_boxes,
)
from napari_pickeroptimizer.fewshot.settings import FineTuneSettings
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.known_false import KnownFalseBoxes
from napari_pickeroptimizer.model.network import TwoBranchNet, class_probabilities


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base with ten bright boxes of carbon."""
    torch.manual_seed(0)
    network = TwoBranchNet(build_backbone(RESNET18_HALF), 2).eval()
    card = ModelCard(
        (1, 2), ("carbon_film", "particle_a"), RESNET18_HALF,
        BoxSettings(32, box_factor=1.5, box_px=48), training={"kind": "pretraining"},
    )  # fmt: skip
    noise = np.random.default_rng(0).integers(200, 255, (10, 48, 48)).astype(np.uint8)
    path = tmp_path_factory.mktemp("base") / "base.safetensors"
    return Classifier(network, card, KnownFalseBoxes(noise)).save(path)


@pytest.fixture
def settings(base: Path) -> FineTuneSettings:
    return FineTuneSettings(diameter_px=24, base=base, n_steps=6, n_folds=2, device="cpu")


def test_the_boxes_are_those_of_the_base(settings: FineTuneSettings) -> None:
    boxes = known_false_boxes((1, 2), settings)
    assert boxes is not None
    assert len(boxes) == 10


@pytest.mark.parametrize(
    ("labelled", "changes"),
    [
        ((1, 2), {"known_false": False}),
        ((2, 3), {}),
        ((1, 2), {"box_px": 32}),
        ((1, 2), {"box_factor": 2.0}),
        ((1, 2), {"base": "none"}),
    ],
    ids=["switched off", "no particles", "other pixels", "wider view", "random weights"],
)
def test_there_are_none_where_they_do_not_serve(
    labelled: tuple[int, ...], changes: dict[str, object], settings: FineTuneSettings
) -> None:
    assert known_false_boxes(labelled, replace(settings, **changes)) is None


def network_of_greys() -> TwoBranchNet:
    """A network whose two features are a box's grey level and its negative, sure of nothing."""
    features = nn.Conv2d(1, 2, 1)
    network = TwoBranchNet(features, 2)
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        features.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
    return network.eval()


def features(greys: np.ndarray) -> np.ndarray:
    return np.stack([greys, -greys], axis=1).astype(np.float32)


def p_particle(network: TwoBranchNet, grey: float) -> float:
    with torch.inference_mode():
        return float(class_probabilities(network(torch.full((1, 1, 4, 4), grey)))[0, 0])


PARTICLES, KNOWN = np.linspace(-2.5, -1.5, 20), np.linspace(1.5, 2.5, 40)


def test_picks_like_the_known_boxes_are_no_particles_and_others_stay_as_they_were() -> None:
    network = network_of_greys()
    assert add_known_false(network, features(KNOWN), features(PARTICLES), 0.5)
    assert p_particle(network, 2.0) < 0.1
    assert p_particle(network, -2.0) == pytest.approx(0.5, abs=0.02)


def test_a_prior_that_favours_particles_does_not_take_the_known_boxes_for_them() -> None:
    """A prior of 95 % multiplies the odds by 19, later on."""
    odds = []
    for share in (0.5, 0.95):
        network = network_of_greys()
        assert add_known_false(network, features(KNOWN), features(PARTICLES), share)
        p = p_particle(network, 2.0)
        odds.append((1 - p) / p - 1)  # those against it without the known boxes are 1
    assert odds[1] == pytest.approx(19 * odds[0], rel=1e-3)


def test_particles_that_look_like_the_known_boxes_are_left_alone() -> None:
    network = network_of_greys()
    assert not add_known_false(network, features(KNOWN), features(KNOWN[::2]), 0.5)
    assert p_particle(network, 2.0) == 0.5


def test_four_particles_are_too_few() -> None:
    network = network_of_greys()
    assert not add_known_false(network, features(KNOWN), features(PARTICLES[:4]), 0.5)
    assert add_known_false(network, features(KNOWN), features(PARTICLES[:5]), 0.5)


def test_a_fine_tuned_model_keeps_what_it_knows_in_its_file(
    settings: FineTuneSettings, spot_project, tmp_path: Path
) -> None:
    micrographs = Micrographs.find(spot_project.micrographs)
    *_, done = finetune(micrographs, read_picks(spot_project.labels), settings)
    assert isinstance(done, FineTuned)
    assert done.model.network.known_false is not None
    again = Classifier.load(done.model.save(tmp_path / "model.safetensors"))
    assert again.card.has_known_false
    assert again.known_false is None  # the boxes belong to the base
    boxes = torch.randn(4, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    assert again.predict(boxes) == pytest.approx(done.model.predict(boxes), abs=1e-6)
