"""Before the first label: the categories of a pretrained network, added up to two classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError, SettingsError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.bases import BUNDLED
from napari_pickeroptimizer.model.before_labels import model_before_labels, model_for_picks
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.threshold import check_rule
from napari_pickeroptimizer.trust.forecast import no_forecast_reason

# The probabilities that the network gives to whatever it sees: 0.2 + 0.15 are of particles.
CATEGORIES = {
    "carbon_film": 0.1,
    "contaminant_ice": 0.3,
    "particle_large": 0.2,
    "other_beside_a_particle": 0.25,
    "particle_small": 0.15,
}


@pytest.fixture
def pretrained() -> Classifier:
    """A network that answers every box with the probabilities of `CATEGORIES`."""
    network = TwoBranchNet(build_backbone(RESNET18_HALF), len(CATEGORIES)).eval()
    log_p = torch.tensor(list(CATEGORIES.values())).log()
    with torch.no_grad():
        for head, shift in ((network.linear, 0.0), (network.halved_linear, 7.0)):
            head.weight.zero_()
            head.bias.copy_(log_p + shift)  # a shift of all logits changes nothing
    card = ModelCard(
        tuple(range(1, len(CATEGORIES) + 1)), tuple(CATEGORIES), RESNET18_HALF,
        BoxSettings(diameter_px=32, box_factor=1.25, box_px=40),
        training={"kind": "pretraining"},
    )  # fmt: skip
    return Classifier(network, card)


@pytest.fixture
def base(pretrained: Classifier, tmp_path: Path) -> Path:
    return pretrained.save(tmp_path / "base.safetensors")


def test_a_pick_is_a_particle_with_the_sum_of_the_particle_categories(base: Path) -> None:
    model = model_before_labels(diameter_px=108, base=base)
    predicted, features = model.predict_with_features(torch.randn(3, 1, 40, 40))
    assert predicted == pytest.approx(np.tile([0.35, 0.65], (3, 1)), abs=1e-6)
    assert features.shape == (3, model.network.linear.in_features)
    assert model.predict(torch.zeros(0, 1, 40, 40)).shape == (0, 2)


def test_its_boxes_are_those_of_the_pretraining_at_the_diameter_that_is_given(
    base: Path,
) -> None:
    card = model_before_labels(diameter_ang=150, base=base).card
    assert card.boxes == BoxSettings(diameter_ang=150, box_factor=1.25, box_px=40)
    assert card.names == {1: "particle", 2: "contaminant"}
    with pytest.raises(SettingsError, match="the particle diameter is missing"):
        model_before_labels(base=base)


def test_its_card_is_read_back_and_says_what_it_is(base: Path) -> None:
    card = model_before_labels(diameter_px=108, base=base).card
    again = ModelCard.from_json(card.to_json())
    assert again.is_before_labels
    assert not again.is_pretrained
    assert again.training["settings"]["base"] == str(base)
    assert again.held_out_scores is None
    assert "no calibrated probabilities" in no_forecast_reason(again)


@pytest.mark.parametrize("rule", [{"threshold": "auto"}, {"precision": 0.9}, {"recall": 0.9}])
def test_rules_that_need_a_forecast_are_refused(base: Path, rule: dict[str, object]) -> None:
    card = model_before_labels(diameter_px=108, base=base).card
    with pytest.raises(SettingsError, match="before the first label: label some picks"):
        check_rule(PruneSettings(**rule), card)
    check_rule(PruneSettings(threshold=0.3), card)


def test_it_is_not_written_as_if_it_were_learned(base: Path, tmp_path: Path) -> None:
    model = model_before_labels(diameter_px=108, base=base)
    with pytest.raises(CheckpointError, match="nothing was learned from labels"):
        model.save(tmp_path / "model.safetensors")
    assert not (tmp_path / "model.safetensors").exists()


def test_a_model_file_is_used_for_what_it_is(pretrained: Classifier, base: Path) -> None:
    assert model_for_picks(base, diameter_px=108).card.is_before_labels
    with pytest.raises(SettingsError, match="does not know their size: give --diameter-px"):
        model_for_picks(base)
    card = dataclasses.replace(pretrained.card, training={})
    tuned = Classifier(pretrained.network, card).save(base.with_name("tuned.safetensors"))
    assert model_for_picks(tuned).card == card
    with pytest.raises(SettingsError, match="has its own diameter"):
        model_for_picks(tuned, diameter_ang=150)
    with pytest.raises(CheckpointError, match="expected a pretrained model"):
        model_before_labels(diameter_px=108, base=tuned)


@pytest.mark.parametrize("names", ["abcde", [f"particle_{i}" for i in range(5)]])
def test_categories_that_are_not_particles_and_others_are_refused(
    pretrained: Classifier, tmp_path: Path, names: list[str]
) -> None:
    card = dataclasses.replace(pretrained.card, class_names=tuple(names))
    path = Classifier(pretrained.network, card).save(tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"categories particle_\* and others"):
        model_before_labels(diameter_px=108, base=path)


def test_the_bundled_network_has_categories_of_particles_and_others() -> None:
    model = model_before_labels(diameter_px=108)
    names = Classifier.load(BUNDLED).card.class_names
    expected = tuple(0 if n.startswith("particle_") else 1 for n in names)
    assert model.network.class_of_output == expected
    assert model.card.training["settings"] == {"base": "bundled"}
