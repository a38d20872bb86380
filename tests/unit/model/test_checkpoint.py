"""A model survives its file; nothing but a model is taken for one."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet
from napari_pickeroptimizer.model.views import dihedral_view
from napari_pickeroptimizer.trust import Calibration, HeldOutScores

CARD = ModelCard(
    class_ids=(1, 3),
    class_names=("particle", "carbon"),
    backbone="resnet18",
    boxes=BoxSettings(diameter_px=108, diameter_ang=191.16, box_factor=1.5, box_px=48),
    pixel_size_ang=1.77,
    training={"labels": {"particle": 20, "carbon": 20}},
    versions={"torch": "2"},
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    torch.manual_seed(0)
    return Classifier(TwoBranchNet(build_backbone(CARD.backbone), 2).eval(), CARD)


def test_a_model_predicts_the_same_after_saving_and_loading(
    classifier: Classifier, tmp_path: Path
) -> None:
    boxes = torch.randn(5, 1, 48, 48)
    assert np.ptp(classifier.predict(boxes)[:, 0]) > 1e-4  # else equality would say nothing
    loaded = Classifier.load(classifier.save(tmp_path / "new" / "model.safetensors"))
    assert loaded.card == CARD
    np.testing.assert_array_equal(loaded.predict(boxes), classifier.predict(boxes))


def test_held_out_scores_of_older_cards_are_read() -> None:
    scores = HeldOutScores(np.array([1.0, -1.0]), np.array([True, False]))
    card = replace(CARD, held_out_scores=scores)
    older = json.loads(card.to_json())
    older["evidence"] = older.pop("held_out_scores")
    del older["evidence"]["micrograph"]
    older["format_version"] = 2
    loaded = ModelCard.from_json(json.dumps(older)).held_out_scores
    assert loaded is not None
    assert loaded.to_dict() == scores.to_dict()


def test_half_weights_take_half_the_room_and_are_rounded_only(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = TwoBranchNet(build_backbone("resnet18"), 2)
    network(torch.randn(8, 1, 48, 48) * 3 + 1)  # BatchNorm statistics and counters of its own
    classifier = Classifier(network.eval(), CARD)
    full = classifier.save(tmp_path / "full.safetensors")
    half = classifier.save(tmp_path / "half.safetensors", half=True)
    assert half.stat().st_size < 0.51 * full.stat().st_size
    before = network.state_dict()
    loaded = Classifier.load(half)
    assert loaded.card == CARD
    learned = {name for name, _ in network.named_parameters()}
    for name, after in loaded.network.state_dict().items():
        assert after.dtype == before[name].dtype
        wanted = before[name].half().float() if name in learned else before[name]
        assert torch.equal(after, wanted), name
    assert int(before["features.1.num_batches_tracked"]) == 1
    boxes = torch.randn(5, 1, 48, 48)
    np.testing.assert_allclose(loaded.predict(boxes), classifier.predict(boxes), atol=2e-3)


def test_a_weight_beyond_float16_is_not_made_infinite(tmp_path: Path) -> None:
    network = TwoBranchNet(build_backbone("resnet18"), 2).eval()
    with torch.no_grad():
        network.linear.bias[0] = 1e6
    path = Classifier(network, CARD).save(tmp_path / "m.safetensors", half=True)
    assert Classifier.load(path).network.linear.bias[0] == 1e6


def test_probabilities_add_up_and_do_not_depend_on_the_batch(classifier: Classifier) -> None:
    boxes = torch.randn(7, 1, 48, 48)
    together = classifier.predict(boxes)
    assert together.shape == (7, 2)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(classifier.predict(boxes, batch_size=2), together, atol=1e-6)


def test_views_are_the_symmetries_of_a_square(classifier: Classifier) -> None:
    box = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(dihedral_view(box, i).flatten().tolist()) for i in range(8)}) == 8
    boxes = torch.randn(3, 1, 48, 48)
    turned = classifier.predict(boxes.rot90(1, (2, 3)))
    np.testing.assert_allclose(turned, classifier.predict(boxes), atol=1e-6)
    once = classifier.predict(boxes, n_views=1)
    assert not np.allclose(once, classifier.predict(boxes.rot90(1, (2, 3)), n_views=1))


class TopIsParticle(nn.Module):
    """Stands for a backbone whose answer turns with the box; notes how many boxes it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.n_seen = 0

    def forward(self, boxes: torch.Tensor) -> torch.Tensor:
        if len(boxes) > 1:  # one alone comes from the construction
            self.n_seen += len(boxes)
        top = boxes[:, :, :1].mean((2, 3), keepdim=True)
        return torch.cat([top, -top], dim=1)


def test_more_views_are_taken_of_doubtful_picks_only() -> None:
    network = TwoBranchNet(TopIsParticle(), 2).eval()
    with torch.no_grad():
        for head in (network.linear, network.halved_linear):
            head.bias.zero_()
        network.linear.weight.copy_(torch.eye(2))
        network.halve[0].weight.copy_(torch.tensor([[[[1.0]], [[0.0]]]]))
        network.halve[0].bias.fill_(100.0)  # keeps the rectifier open
        network.halved_linear.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        network.halved_linear.bias.copy_(torch.tensor([-100.0, 100.0]))
    turning = Classifier(network, CARD)
    boxes = torch.zeros(5, 1, 4, 4)
    boxes[:, :, 1:] = 1.0  # each other view says something else
    boxes[:, 0, 0] = torch.tensor([5.0, -5.0, 0.5, 0.0, -0.5])[:, None]
    one, four = (turning.predict(boxes, n_views=n) for n in (1, 4))
    network.features.n_seen = 0
    p, features = turning.predict_with_features(boxes, n_views="auto")
    assert network.features.n_seen == 5 + 3 * 3
    np.testing.assert_array_equal(p[:2], one[:2])
    np.testing.assert_allclose(p[2:], four[2:], atol=1e-6)
    assert np.abs(one - four).min() > 0.01  # else equality would say nothing
    np.testing.assert_allclose(features[:2, 0], [5, -5])
    of_four = turning.predict_with_features(boxes, n_views=4)[1]
    np.testing.assert_allclose(features[2:], of_four[2:], atol=1e-6)
    # doubt is about calibrated probabilities
    unsure = replace(CARD, calibration=Calibration(slope=0.2))
    p = Classifier(network, unsure).predict(boxes, n_views="auto")
    expected = Classifier(network, unsure).predict(boxes, n_views=4)
    np.testing.assert_allclose(p, expected, atol=1e-6)


def test_a_model_without_particles_has_no_clear_picks(classifier: Classifier) -> None:
    junk = replace(CARD, class_ids=(2, 3), class_names=("contaminant", "carbon"))
    model, boxes = Classifier(classifier.network, junk), torch.randn(3, 1, 48, 48)
    np.testing.assert_allclose(
        model.predict(boxes, n_views="auto"), model.predict(boxes), atol=1e-6
    )


def test_no_boxes_give_no_probabilities(classifier: Classifier) -> None:
    for n_views in (4, "auto"):
        p, features = classifier.predict_with_features(torch.zeros(0, 1, 48, 48), 8, n_views)
        assert (p.shape, features.shape) == ((0, 2), (0, 512))


def test_a_pickle_is_refused_unread(tmp_path: Path) -> None:
    plain, saved = tmp_path / "model.pkl", tmp_path / "model.safetensors"
    with plain.open("wb") as file:
        pickle.dump({"a": 1}, file)
    torch.save({"a": torch.zeros(1)}, saved)
    for path in (plain, saved):
        with pytest.raises(CheckpointError, match="is a pickle .* can run code"):
            Classifier.load(path)


def test_a_model_that_begins_like_a_pickle_is_read(tmp_path: Path) -> None:
    # a safetensors file begins with its header's length: one in 32 begins with 0x80
    network = TwoBranchNet(build_backbone(RESNET18_HALF), 2)
    path = tmp_path / "model.safetensors"

    def save(note: str) -> int:
        card = replace(CARD, backbone=RESNET18_HALF, training={"note": note})
        Classifier(network, card).save(path, half=True)
        return path.read_bytes()[0]

    missing = (0x80 - save("")) % 256
    assert save(missing * "-") == 0x80
    assert Classifier.load(path).card.training == {"note": missing * "-"}


def test_safetensors_of_another_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    with pytest.raises(
        CheckpointError, match="of another program: expected a model written by"
    ):
        Classifier.load(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\x10\0\0\0\0\0\0\0{")
    with pytest.raises(CheckpointError, match="is a damaged safetensors file .*copy it again"):
        Classifier.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"junk", "a text file"),
        (b"\ndata_particles\n\nloop_\n_rlnCoordinateX #1\n", "a STAR file"),
        (b'{"command": "prune"}', "a JSON file"),
        (b"<!DOCTYPE html>\n<html>", "a web page"),
        (bytes(208) + b"MAP " + bytes(812), "an MRC image"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (bytes(64), "a binary file of another kind"),
    ],
)
def test_a_file_of_another_kind_is_named_and_not_to_be_copied_again(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=f"is no model, but {words}: expected") as told:
        Classifier.load(path)
    assert "copy" not in str(told.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such model file"):
        Classifier.load(tmp_path / "model.safetensors")


def test_a_card_of_a_newer_version_is_refused_with_the_remedy() -> None:
    newer = CARD.to_json().replace('"format_version": 5', '"format_version": 6')
    with pytest.raises(CheckpointError, match="newer version.*update"):
        ModelCard.from_json(newer)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format_version": 1, "colour": "red"}'])
def test_a_damaged_card_is_refused(text: str) -> None:
    with pytest.raises(CheckpointError, match="card is damaged"):
        ModelCard.from_json(text)


def test_weights_that_do_not_fit_the_card_are_refused(
    classifier: Classifier, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    state = {k: v.contiguous() for k, v in classifier.network.state_dict().items()}
    card = CARD.to_json().replace("resnet18", "resnet50")
    save_file(state, path, metadata={"format": "napari-pickeroptimizer", "card": card})
    with pytest.raises(CheckpointError, match="do not fit the resnet50"):
        Classifier.load(path)
