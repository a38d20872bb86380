"""A model file is the same for the same model, and is refused once it is not what was written."""

from __future__ import annotations

import json
import random
import struct
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzzing import bounded_few, edited, edits_with, peak_gigabytes
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from napari_pickeroptimizer.box_size import BoxSettings
from napari_pickeroptimizer.errors import CheckpointError, OutputError, PickerOptimizerError
from napari_pickeroptimizer.model import checkpoint
from napari_pickeroptimizer.model.backbone import build_backbone
from napari_pickeroptimizer.model.backbone_names import RESNET18_HALF
from napari_pickeroptimizer.model.card import ModelCard
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.network import TwoBranchNet

CARD = ModelCard((1, 2), ("particle", "carbon"), RESNET18_HALF, BoxSettings(diameter_px=90))
SECONDS, GIGABYTES = 5, 3


@pytest.fixture(scope="module")
def good() -> Classifier:
    torch.manual_seed(0)
    return Classifier(TwoBranchNet(build_backbone(RESNET18_HALF), 2).eval(), CARD)


@pytest.fixture
def model(good: Classifier, tmp_path: Path) -> Path:
    return good.save(tmp_path / "model.safetensors", half=True)


def parts(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def without_checksum(
    path: Path, state: dict[str, torch.Tensor], card: str | None = None
) -> Path:
    """Write a model as somebody else would who has no checksum to fit."""
    metadata, _ = parts(path)
    del metadata["checksum"]
    save_file(state, path, metadata | ({} if card is None else {"card": card}))
    return path


def test_the_same_model_gives_the_same_bytes(good: Classifier, tmp_path: Path) -> None:
    files = [good.save(tmp_path / f"{i}.safetensors").read_bytes() for i in range(8)]
    assert len(set(files)) == 1


def test_other_programs_can_read_it(good: Classifier, model: Path) -> None:
    metadata, state = parts(model)
    assert json.loads(metadata["card"]) == json.loads(CARD.to_json())
    assert state.keys() == good.network.state_dict().keys()


@pytest.mark.parametrize("at", [-1, -100_000])
def test_a_copy_with_one_flipped_bit_is_refused(model: Path, at: int) -> None:
    data = bytearray(model.read_bytes())
    data[at] ^= 1
    model.write_bytes(data)
    with pytest.raises(
        CheckpointError, match="model.safetensors has changed since it was written"
    ):
        Classifier.load(model)


def test_an_edited_card_is_refused_though_it_makes_sense(model: Path) -> None:
    metadata, state = parts(model)
    edited = replace(CARD, boxes=BoxSettings(diameter_px=91)).to_json()
    save_file(state, model, metadata | {"card": edited})
    with pytest.raises(CheckpointError, match="has changed since it was written"):
        Classifier.load(model)


def test_a_model_of_a_version_without_checksums_is_read(model: Path) -> None:
    _, state = parts(model)
    assert Classifier.load(without_checksum(model, state)).card == CARD


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "name", ["linear.bias", "features.0.weight", "features.1.running_mean", "halve.0.weight"]
)
def test_weights_that_are_no_numbers_are_refused(model: Path, name: str, value: float) -> None:
    _, state = parts(model)
    state[name].view(-1)[-1] = value
    with pytest.raises(CheckpointError, match=f"model.safetensors: 1 of .* weights of {name}"):
        Classifier.load(without_checksum(model, state))


def test_a_variance_below_0_is_refused(model: Path) -> None:
    _, state = parts(model)
    state["features.1.running_var"][0] = -1
    with pytest.raises(CheckpointError, match="a variance below 0"):
        Classifier.load(without_checksum(model, state))


def test_weights_so_large_that_no_score_would_be_a_number_are_refused(model: Path) -> None:
    _, state = parts(model)
    state = {k: v.float() * 1e30 if v.is_floating_point() else v for k, v in state.items()}
    with pytest.raises(CheckpointError, match="answers a box with values that are no numbers"):
        Classifier.load(without_checksum(model, state))


def test_a_model_that_diverged_is_not_written_over_a_good_one(
    good: Classifier, model: Path
) -> None:
    before = model.read_bytes()
    network = TwoBranchNet(build_backbone(RESNET18_HALF), 2)
    with torch.no_grad():
        network.linear.weight[0, 0] = float("nan")
    with pytest.raises(CheckpointError, match="model.safetensors is not written: 1 of"):
        Classifier(network, CARD).save(model)
    absurd = replace(CARD, pixel_size_ang=-1.0)
    with pytest.raises(CheckpointError, match="is not written: .*pixel_size_ang"):
        Classifier(good.network, absurd).save(model)
    assert model.read_bytes() == before
    assert [path.name for path in model.parent.iterdir()] == ["model.safetensors"]


def test_sizes_are_those_of_the_weights_before_anything_is_made(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file that says it is a large network does not make one."""
    _, state = parts(model)
    made: set[tuple[str, str]] = set()

    def noted(name: str, *more: Any) -> torch.nn.Module:
        network = build_backbone(name, *more)
        made.update((name, p.device.type) for p in network.parameters())
        return network

    monkeypatch.setattr(checkpoint, "build_backbone", noted)
    for card in (
        replace(CARD, backbone="wide_resnet50_2"),
        replace(CARD, class_ids=(1, 2, 3), class_names=("a", "b", "c")),
    ):
        path = without_checksum(good_copy(model), state, card.to_json())
        with pytest.raises(CheckpointError, match="the weights do not fit the"):
            Classifier.load(path)
    assert made == {("wide_resnet50_2", "meta"), (RESNET18_HALF, "cpu")}


def good_copy(model: Path) -> Path:
    copy = model.with_name("copy.safetensors")
    copy.write_bytes(model.read_bytes())
    return copy


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("linear.bias"),
        lambda state: state.update(more=torch.zeros(2)),
        lambda state: state.update({"linear.bias": torch.zeros(3)}),
        lambda state: state.update({"linear.bias": torch.zeros(0)}),
        lambda state: state.update({"linear.bias": torch.zeros(2, dtype=torch.int8)}),
        lambda state: state.update({"linear.bias": torch.zeros(2, dtype=torch.complex64)}),
        lambda state: state.update({"features.1.num_batches_tracked": torch.zeros(())}),
        lambda state: state.clear(),
    ],
    ids=["missing", "unknown", "shape", "empty", "int8", "complex", "counter", "nothing"],
)
def test_tensors_that_are_not_the_networks_are_refused(model: Path, spoil: Any) -> None:
    _, state = parts(model)
    spoil(state)
    try:
        spoiled = without_checksum(model, state)
    except KeyError:
        pytest.skip("this version of safetensors writes no complex numbers")
    with pytest.raises(CheckpointError, match="the weights do not fit the resnet18_half"):
        Classifier.load(spoiled)


@pytest.mark.parametrize("backbone", ["regnet_x_400mf", "mobilenet_v3_small"])
def test_a_model_of_any_kind_of_backbone_is_read(tmp_path: Path, backbone: str) -> None:
    network = TwoBranchNet(build_backbone(backbone), 2).eval()
    classifier = Classifier(network, replace(CARD, backbone=backbone))
    path = classifier.save(tmp_path / "m.safetensors")
    boxes = torch.randn(2, 1, 48, 48)
    assert (Classifier.load(path).predict(boxes) == classifier.predict(boxes)).all()


def test_loading_draws_no_more_random_numbers_than_the_network_takes(model: Path) -> None:
    """What is trained afterwards from one seed does not depend on the checks."""
    torch.manual_seed(0)
    TwoBranchNet(build_backbone(RESNET18_HALF), 2)
    expected = torch.rand(1)
    torch.manual_seed(0)
    Classifier.load(model)
    assert torch.rand(1) == expected


def test_a_box_that_the_network_cannot_take_is_refused(tmp_path: Path) -> None:
    card = replace(CARD, backbone="densenet121", boxes=BoxSettings(diameter_px=9, box_px=1))
    network = TwoBranchNet(build_backbone("densenet121"), 2)
    path = Classifier(network, card).save(tmp_path / "m.safetensors", half=True)
    with pytest.raises(CheckpointError, match="does not take boxes of 1 pixels"):
        Classifier.load(path)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(CheckpointError, match="more than any model of this program"):
        Classifier.load(path)


def test_a_disk_that_fails_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for a broken disk: the read call fails as the kernel's does."""

    def fails(path: Path) -> bytes:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(Path, "read_bytes", fails)
    with pytest.raises(
        CheckpointError, match="model.safetensors cannot be read: Input/output"
    ):
        Classifier.load(model)


def test_a_folder_that_cannot_be_written_is_told(good: Classifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="m.safetensors cannot be written"):
        good.save(tmp_path / "file" / "m.safetensors")


def packed(header: Any, body: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


ODD: list[Any] = [
    None, True, -1, 0, 1, 2**63, 10**30, 1e308, float("nan"), float("inf"), "", "x", "1", [], [[]],
    [1, 1], {}, {"": 0}, "\0", "\ud800", "9" * 5000, [0] * 3000,
]  # fmt: skip


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    found = []
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        found.append((at, key))
        if isinstance(item, dict | list):
            found += leaves(item, (*at, key))
    return found


def exchanged(value: Any, rng: random.Random) -> Any:
    """The values with one of them exchanged, left out, or there once more."""
    value = json.loads(json.dumps(value))
    at, key = rng.choice(leaves(value))
    inner = value
    for step in at:
        inner = inner[step]
    kind = rng.randrange(6)
    if kind == 0:
        del inner[key]
    elif kind == 1 and isinstance(inner, list):
        inner.append(inner[key])
    else:
        inner[key] = rng.choice(ODD)
    return value


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """A model with a value of its card or header exchanged, or bytes flipped, cut, or put in."""
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = rng.randrange(7)
    if kind < 3:  # without a checksum, so that the card itself is looked at
        card = json.dumps(exchanged(json.loads(header["__metadata__"]["card"]), rng))
        metadata = {"format": "napari-pickeroptimizer", "card": card}
        return packed({**header, "__metadata__": metadata}, body)
    if kind == 3:
        return packed(exchanged(header, rng), body)
    flipped = bytearray(data)
    at = rng.randrange(length + 8 if rng.random() < 0.7 else len(flipped))
    if kind == 4:
        flipped[at] = rng.randrange(256)
    elif kind == 5:
        del flipped[at : at + rng.choice([1, 40, 10**7])]
    else:
        flipped[at:at] = rng.choice([b"\0", b'"', b"}", b",", b"\xff"])
    return bytes(flipped)


def test_whatever_a_file_holds_it_is_a_model_or_refused(model: Path, rounds: int) -> None:
    rng, data, before = random.Random(rounds), model.read_bytes(), peak_gigabytes()
    for _ in range(60 * rounds):
        model.write_bytes(spoilt(data, rng))
        started = time.process_time()
        with suppress(PickerOptimizerError):
            Classifier.load(model)
        assert time.process_time() - started < SECONDS
    assert peak_gigabytes() - before < GIGABYTES


MARKS = [b"{", b"}", b'"', b"[", b"]", b"\0", b"\xff", b'"dtype":"F64"', b"9" * 30, b"null"]
HEADER_SHARE = 0.01  # of the file: the card, and where each tensor lies


@pytest.fixture(scope="module")
def file_bytes(good: Classifier, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return good.save(tmp_path_factory.mktemp("m") / "m.safetensors", half=True).read_bytes()


@bounded_few
@given(st.lists(edits_with(MARKS) | edits_with(MARKS, HEADER_SHARE), min_size=1, max_size=3))
def test_a_model_file_is_loaded_or_refused(
    file_bytes: bytes, tmp_path_factory: pytest.TempPathFactory, changes
) -> None:
    path = tmp_path_factory.mktemp("fuzzed") / "fuzzed.safetensors"
    data = edited(file_bytes, changes)
    path.write_bytes(data)
    try:
        Classifier.load(path)
    except CheckpointError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert path.name in refusal or data == file_bytes  # its checksum finds every other change
