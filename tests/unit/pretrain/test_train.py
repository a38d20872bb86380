"""Pretraining learns categories, goes on exactly where it was stopped, and says what it did."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_pickeroptimizer.boxes import render
from napari_pickeroptimizer.errors import CheckpointError, SettingsError
from napari_pickeroptimizer.fewshot.settings import Augmentation
from napari_pickeroptimizer.model.checkpoint import Classifier
from napari_pickeroptimizer.model.weights import initial_network
from napari_pickeroptimizer.pretrain import events, train
from napari_pickeroptimizer.pretrain.categories import CategorySet, read_categories
from napari_pickeroptimizer.pretrain.settings import PretrainSettings
from napari_pickeroptimizer.pretrain.train import pretrain

# stochastic depth: a step's randomness is more than its views
SMALL = PretrainSettings(
    backbone="efficientnet_b0", n_steps=4, batch_size=6, validation_share=0.1,
    report_every=2, save_every=100, half=False, device="cpu",
)  # fmt: skip


@pytest.fixture(scope="module")
def categories(disc_set: Path) -> CategorySet:
    return read_categories(disc_set)


@pytest.fixture(scope="module")
def whole_run(
    categories: CategorySet, tmp_path_factory: pytest.TempPathFactory
) -> list[events.PretrainEvent]:
    return list(
        pretrain(categories, SMALL, tmp_path_factory.mktemp("whole") / "m.safetensors")
    )


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return Classifier.load(path).network.state_dict()


def assert_same_weights(a: Path, b: Path) -> None:
    first, second = weights_of(a), weights_of(b)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_a_few_steps_tell_discs_from_noise(categories: CategorySet, tmp_path: Path) -> None:
    settings = dataclasses.replace(SMALL, backbone="resnet18", n_steps=15, batch_size=18)
    last = list(pretrain(categories, settings, tmp_path / "m.safetensors"))[-1]
    assert isinstance(last, events.Pretrained)
    assert last.validation is not None
    assert last.validation.n_boxes == 18
    assert last.validation.accuracy > 0.9
    assert last.validation.particle_accuracy > 0.9


def test_events_tell_progress_losses_speed_and_held_out_accuracy(
    whole_run: list[events.PretrainEvent],
) -> None:
    kinds = [type(e).__name__ for e in whole_run]
    assert kinds == ["StepDone", "StepDone", "Validated"] * 2 + ["Pretrained"]
    progress = [e.progress for e in whole_run]
    assert progress == sorted(progress)
    assert progress[-1] == 1
    first = whole_run[0]
    assert isinstance(first, events.StepDone)
    assert (first.step, first.n_steps, len(first.losses)) == (1, 4, 2)
    assert first.boxes_per_second > 0


def test_the_model_keeps_all_categories_and_its_record(
    whole_run: list[events.PretrainEvent],
) -> None:
    last = whole_run[-1]
    assert isinstance(last, events.Pretrained)
    card = Classifier.load(last.path).card
    assert card.class_ids == (1, 2, 3)
    assert card.class_names == ("carbon_noise", "contaminant_bright", "particle_dark")
    training = card.training
    assert training["kind"] == "pretraining"
    assert training["categories"]["particle_dark"] == "particle"
    assert training["counts"] == dict.fromkeys(card.class_names, 60)
    assert training["entries"] == ["first", "second-1", "second-2"]
    assert training["leave_out"] == []
    assert training["n_trained"] == 180 - 18
    assert training["settings"]["noise_sigma"] == SMALL.noise_sigma
    assert training["validation"] == last.validation.summary()
    assert not last.path.with_name("m.safetensors.resume").exists()


def test_fine_tuning_can_start_from_it(whole_run: list[events.PretrainEvent]) -> None:
    last = whole_run[-1]
    assert isinstance(last, events.Pretrained)
    network = initial_network(last.path, SMALL.backbone, n_classes=2)
    wanted = weights_of(last.path)
    assert all(torch.equal(v, wanted[f"features.{k}"]) for k, v in
               network.features.state_dict().items())  # fmt: skip
    assert network.linear.out_features == 2


def test_closed_and_started_again_it_gives_the_same_weights(
    categories: CategorySet, whole_run: list[events.PretrainEvent], tmp_path: Path
) -> None:
    output = tmp_path / "m.safetensors"
    run = pretrain(categories, SMALL, output)
    for event in run:
        if isinstance(event, events.StepDone) and event.step == 2:
            break
    run.close()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors.resume"]
    first, *others = pretrain(categories, SMALL, output)
    assert isinstance(first, events.Resumed)
    assert (first.step, first.progress) == (2, 0.5)
    assert [e.step for e in others if isinstance(e, events.StepDone)] == [3, 4]
    assert_same_weights(output, whole_run[-1].path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.fixture
def ctrl_c_interrupts() -> Iterator[None]:
    """A shell starts its background jobs with SIGINT ignored, and so perhaps these tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c_interrupts")
def test_an_interrupt_within_a_step_saves_the_finished_step(
    categories: CategorySet,
    whole_run: list[events.PretrainEvent],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output = tmp_path / "m.safetensors"
    multi_loss = train.multi_loss

    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return multi_loss(*arguments)

    monkeypatch.setattr(train, "multi_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(pretrain(categories, SMALL, output))
    monkeypatch.undo()
    first, *_ = pretrain(categories, SMALL, output)
    assert isinstance(first, events.Resumed)
    assert first.step == 1
    assert_same_weights(output, whole_run[-1].path)


def test_the_state_is_saved_on_the_way_too(
    categories: CategorySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "m.safetensors"
    settings = dataclasses.replace(SMALL, save_every=1)
    steps = (e for e in pretrain(categories, settings, output))
    next(steps)
    next(steps)  # the state after step 1 is on disk before step 2 begins
    state = torch.load(f"{output}.resume", weights_only=True)
    assert state["step"] == 1


def test_other_settings_do_not_go_on_from_a_state(
    categories: CategorySet, tmp_path: Path
) -> None:
    output = tmp_path / "m.safetensors"
    run = pretrain(categories, SMALL, output)
    next(run)
    run.close()
    with pytest.raises(CheckpointError, match=r"settings\.batch_size: 6 before, 7 now"):
        next(pretrain(categories, dataclasses.replace(SMALL, batch_size=7), output))
    # how often and in which form it is saved changes nothing of what is learned
    again = pretrain(categories, dataclasses.replace(SMALL, save_every=3, half=True), output)
    assert isinstance(next(again), events.Resumed)


def test_half_weights_are_the_default_and_half_as_large(
    categories: CategorySet, whole_run: list[events.PretrainEvent], tmp_path: Path
) -> None:
    assert PretrainSettings().half
    output = tmp_path / "m.safetensors"
    list(pretrain(categories, dataclasses.replace(SMALL, half=True), output))
    size, full = (p.stat().st_size for p in (output, whole_run[-1].path))
    assert size < 0.6 * full


def test_windows_too_small_for_the_views_are_refused(
    categories: CategorySet, tmp_path: Path
) -> None:
    far = dataclasses.replace(SMALL, augmentation=Augmentation(shift=0.3))
    with pytest.raises(SettingsError, match="need windows of"):
        next(pretrain(categories, far, tmp_path / "m.safetensors"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
def test_a_gpu_learns_the_same_and_goes_on_too(
    categories: CategorySet, tmp_path: Path
) -> None:
    output = tmp_path / "m.safetensors"
    settings = dataclasses.replace(
        SMALL, backbone="resnet18", device="auto", amp=True, n_steps=30, batch_size=18
    )
    run = pretrain(categories, settings, output)
    for _ in range(5):
        next(run)
    run.close()
    *_, last = pretrain(categories, settings, output)
    assert isinstance(last, events.Pretrained)
    assert last.validation is not None
    assert last.validation.accuracy > 0.9


def test_boxes_of_named_categories_go_into_the_model(
    categories: CategorySet, whole_run: list[events.PretrainEvent], tmp_path: Path
) -> None:
    output = tmp_path / "m.safetensors"
    settings = dataclasses.replace(
        SMALL, known_false_categories=("carbon_noise",), n_known_false=7
    )
    list(pretrain(categories, settings, output))
    stored = Classifier.load(output).known_false
    assert stored is not None
    boxes = stored.boxes()
    rows = np.flatnonzero(categories.targets == 0)
    there = render(categories.draw(rows), settings.boxes.box_px)
    nearest = torch.cdist(boxes.flatten(1), there.flatten(1)).argmin(dim=1)
    assert len(set(nearest.tolist())) == 7
    torch.testing.assert_close(boxes, there[nearest], atol=0.1, rtol=0)
    assert_same_weights(output, whole_run[-1].path)  # they change nothing that is learned


@pytest.mark.parametrize("name", ["carbon_film", "particle_dark"])
def test_only_false_picks_that_are_there_can_be_known(
    name: str, categories: CategorySet, tmp_path: Path
) -> None:
    settings = dataclasses.replace(SMALL, known_false_categories=(name,))
    with pytest.raises(SettingsError, match=f"{name} cannot be a known .*carbon_noise"):
        list(pretrain(categories, settings, tmp_path / "m.safetensors"))
    assert not list(tmp_path.iterdir())
