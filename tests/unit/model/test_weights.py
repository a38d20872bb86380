"""Where a network starts from, and what is refused as a start."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError, SettingsError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import BACKBONES, RESNET18_HALF
from napari_pickeroptimizer.model.bases import BUNDLED
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.model.weights import backbone_of, initial_network


@pytest.mark.parametrize(
    "name", [RESNET18_HALF, "resnet18", "mobilenet_v3_small", "regnet_y_400mf"]
)
def test_backbones_take_one_channel_and_give_a_feature_map(name: str) -> None:
    features = build_backbone(name).eval()
    feature_map = features(torch.zeros(2, 1, 48, 48))
    assert feature_map.ndim == 4
    assert feature_map.shape[0] == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {RESNET18_HALF, "resnet18"}))
def test_every_listed_backbone_classifies(name: str) -> None:
    network = TwoBranchNet(build_backbone(name), 3).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 1, 48, 48)).shape == (2, 1, 3)


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError, match="'alexnet' is unknown: choose one of resnet18_half,"
    ):
        build_backbone("alexnet")


def test_imagenet_kernels_answer_grey_as_they_answered_three_equal_channels() -> None:
    torch.manual_seed(0)
    original = torchvision.models.resnet18(weights=None).eval()
    features = build_backbone("resnet18", original.state_dict()).eval()
    grey = torch.randn(1, 1, 48, 48)
    expected = original.conv1(grey.expand(1, 3, 48, 48))
    torch.testing.assert_close(features[0](grey), expected, atol=1e-5, rtol=1e-4)


def test_a_local_file_of_torchvision_weights_is_a_start(tmp_path: Path) -> None:
    torch.manual_seed(0)
    original = torchvision.models.resnet18(weights=None)
    torch.save(original.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    network = initial_network(tmp_path / "resnet18-f37072fd.pth", "resnet18", 2)
    assert torch.equal(network.features[4][0].conv1.weight, original.layer1[0].conv1.weight)


def test_weights_of_another_backbone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    with pytest.raises(CheckpointError, match="does not hold the weights of a resnet34"):
        initial_network(path, "resnet34", 2)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "sprung"),)

    path = tmp_path / "weights.pth"
    with path.open("wb") as file:
        pickle.dump(Trap(), file)
    with pytest.raises(CheckpointError, match="not a file of plain torchvision weights"):
        initial_network(path, "resnet18", 2)
    assert not (tmp_path / "sprung").exists()


def test_imagenet_is_torchvisions_own_download(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    state = torchvision.models.resnet18(weights=None).state_dict()
    asked = []

    def fetch(self: object, *args: object, **kwargs: object) -> dict[str, torch.Tensor]:
        asked.append(self)
        return state

    weights = torchvision.models.ResNet18_Weights
    monkeypatch.setattr(weights, "get_state_dict", fetch)
    network = initial_network("imagenet", "resnet18", 2)
    assert asked == [weights.DEFAULT]
    assert torch.equal(network.features[1].weight, state["bn1.weight"])


def test_without_internet_the_way_round_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(torchvision.models.ResNet18_Weights, "get_state_dict", no_network)
    with pytest.raises(CheckpointError, match=r"no route to host.*--base FILE\.pth"):
        initial_network("imagenet", "resnet18", 2)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        initial_network(tmp_path / "nothing.pth", "resnet18", 2)


def test_an_earlier_model_gives_its_backbone_and_no_heads(tmp_path: Path) -> None:
    card = ModelCard(
        (1, 2, 3), ("particle", "contaminant", "carbon"), "resnet18", BoxSettings(30)
    )
    start = Classifier(TwoBranchNet(build_backbone("resnet18"), 3), card)
    path = start.save(tmp_path / "model.safetensors")
    network = initial_network(path, "resnet18", 2)
    assert network.linear.out_features == 2
    assert torch.equal(network.features[0].weight, start.network.features[0].weight)
    with pytest.raises(
        CheckpointError, match="holds a resnet18, not the resnet34 of --backbone"
    ):
        initial_network(path, "resnet34", 2)


# --------------------------------------------------------------------- the half-width ResNet


def test_the_half_width_resnet_has_a_quarter_of_the_weights() -> None:
    half, whole = build_backbone(RESNET18_HALF), build_backbone("resnet18")
    assert half(torch.zeros(2, 1, 48, 48)).shape == (2, 256, 2, 2)
    assert whole(torch.zeros(2, 1, 48, 48)).shape == (2, 512, 2, 2)
    n_half, n_whole = (sum(p.numel() for p in net.parameters()) for net in (half, whole))
    assert n_half / n_whole == pytest.approx(0.25, abs=0.005)
    # the same parts in the same order: a ResNet-18, layer by layer
    assert [p.ndim for p in half.parameters()] == [p.ndim for p in whole.parameters()]
    for narrow, wide in zip(half.parameters(), whole.parameters(), strict=True):
        assert wide.shape[0] == 2 * narrow.shape[0]


def test_there_are_no_imagenet_weights_of_the_half_width_resnet(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no ImageNet weights of resnet18_half"):
        initial_network("imagenet", RESNET18_HALF, 2)
    path = tmp_path / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    with pytest.raises(CheckpointError, match="ImageNet weights of resnet18_half"):
        initial_network(path, RESNET18_HALF, 2)


# ------------------------------------------------------------- which backbone, which weights


def test_a_backbone_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    for base in ("none", "imagenet", "bundled", tmp_path / "gone.safetensors"):
        assert backbone_of(base, "resnet34") == "resnet34"


def test_each_base_has_its_backbone(tmp_path: Path) -> None:
    assert backbone_of("none") == RESNET18_HALF
    assert backbone_of("imagenet") == backbone_of("weights.pth") == "resnet18"
    card = ModelCard(
        (1, 2), ("particle", "contaminant"), "mobilenet_v3_small", BoxSettings(30)
    )
    start = Classifier(TwoBranchNet(build_backbone("mobilenet_v3_small"), 2), card)
    path = start.save(tmp_path / "model.safetensors")
    assert backbone_of(path) == "mobilenet_v3_small"
    network = initial_network(path, None, 3)
    assert torch.equal(
        network.features[0][0][0].weight, start.network.features[0][0][0].weight
    )


def test_none_is_a_random_start_by_torchs_seed() -> None:
    def first_weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return initial_network("none", None, 2).features[0].weight

    assert first_weights(1).shape == (32, 1, 7, 7)
    assert torch.equal(first_weights(1), first_weights(1))
    assert not torch.equal(first_weights(1), first_weights(2))


def test_a_base_without_a_backbone_of_its_own_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match="no such file. Expected none, imagenet, bundled"
    ):
        backbone_of(tmp_path / "gone.safetensors")


# ---------------------------------------------------------------------- what the package ships


def test_bundled_weights_are_a_small_file_of_pretraining() -> None:
    assert BUNDLED.stat().st_size < 25e6
    card = Classifier.load(BUNDLED).card
    assert card.training["kind"] == "pretraining"
    assert backbone_of("bundled") == card.backbone
    classes = set(card.training["categories"].values())
    assert {"particle", "contaminant", "carbon"} <= classes


def test_bundled_weights_have_never_seen_what_the_benchmarks_test_on() -> None:
    training = Classifier.load(BUNDLED).card.training
    # beta-galactosidase, by its name and by entries of PDB, EMDB and EMPIAR
    unseen = ("gal", "10017", "10061", "10204", "2824", "2984", "5995", "3j7h", "5a1a", "6cvm")
    # and the targets of benchmarks/simulated_targets.py
    unseen += ("1igy", "3sn6", "4zxb", "1aon", "1mnf", "3enl", "1y1v")
    seen = " ".join([*training["categories"], *training["entries"]]).lower()
    assert [name for name in unseen if name in seen] == []


def test_bundled_weights_are_the_start_of_a_network_of_any_classes() -> None:
    start = Classifier.load(BUNDLED).network
    network = initial_network("bundled", None, 2)
    assert network.linear.out_features == 2
    assert torch.equal(network.features[0].weight, start.features[0].weight)
    with pytest.raises(CheckpointError, match="holds a .*, not the resnet50 of --b"):
        initial_network("bundled", "resnet50", 2)
