from __future__ import annotations

import pytest
import torch

from napari_pickeroptimizer.device import choose_device, moved
from napari_pickeroptimizer.errors import SettingsError


def test_the_cpu_is_always_there() -> None:
    assert choose_device("cpu") == torch.device("cpu")


def test_auto_takes_cuda_then_mps_then_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in [
        (True, True, "cuda"),
        (False, True, "mps"),
        (False, False, "cpu"),
    ]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=cuda: there)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda there=mps: there)
        assert choose_device("auto").type == expected


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="not available here: use --device auto"):
        choose_device("cuda")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(SettingsError, match="'tpu' is unknown"):
        choose_device("tpu")


class PinnedStandIn:
    """What `moved` sees of a tensor; notes what is done with it."""

    is_cuda = False

    def __init__(self) -> None:
        self.done: list[object] = []

    def pin_memory(self) -> PinnedStandIn:
        self.done.append("pinned")
        return self

    def to(self, device: torch.device, *, non_blocking: bool = False) -> PinnedStandIn:
        self.done.append((device.type, non_blocking))
        return self


@pytest.mark.parametrize(
    ("name", "done"), [("cuda", ["pinned", ("cuda", True)]), ("mps", [("mps", False)])]
)
def test_only_copies_to_cuda_are_pinned_and_not_waited_for(
    name: str, done: list[object]
) -> None:
    boxes = PinnedStandIn()
    moved(boxes, torch.device(name))  # type: ignore[arg-type]
    assert boxes.done == done


def test_on_the_cpu_nothing_is_copied() -> None:
    boxes = torch.zeros(2, 1, 4, 4)
    assert moved(boxes, torch.device("cpu")) is boxes


@pytest.mark.gpu
def test_what_is_moved_to_a_gpu_is_the_same_there() -> None:
    boxes = torch.arange(1024.0).reshape(4, 1, 16, 16)
    there = moved(boxes, choose_device("auto"))
    assert there.device.type != "cpu"
    assert torch.equal(there.cpu(), boxes)
