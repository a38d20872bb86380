"""A state goes on only where it fits; signals wait for the end of a step."""

from __future__ import annotations

import pickle
import signal
from pathlib import Path

import pytest
import torch

from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.pretrain.resume import ResumeFile, interrupts_deferred


def beside(folder: Path, **fingerprint: object) -> ResumeFile:
    return ResumeFile.beside(folder / "model.safetensors", dict(fingerprint))


def test_a_state_comes_back_and_can_be_removed(tmp_path: Path) -> None:
    resume = beside(tmp_path, settings={"seed": 0, "weights": (1.0, 2.0)})
    assert resume.load() is None
    resume.save({"step": 3, "network": {"a": torch.arange(3.0)}})
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors.resume"]
    state = resume.load()
    assert state["step"] == 3
    assert torch.equal(state["network"]["a"], torch.arange(3.0))
    resume.remove()
    resume.remove()
    assert list(tmp_path.iterdir()) == []


def test_other_settings_are_named(tmp_path: Path) -> None:
    beside(tmp_path, settings={"seed": 0, "n_steps": 5}, boxes={"a": 1}).save({"step": 1})
    other = beside(tmp_path, settings={"seed": 1, "n_steps": 5}, boxes={"a": 1, "b": 2})
    with pytest.raises(CheckpointError) as raised:
        other.load()
    message = str(raised.value)
    assert "boxes.b: absent before, 2 now; settings.seed: 0 before, 1 now" in message
    assert "n_steps" not in message
    assert "model.safetensors.resume to start from the beginning" in message


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"step": 1})])
def test_another_file_is_refused_and_runs_nothing(content: bytes, tmp_path: Path) -> None:
    resume = beside(tmp_path)
    resume.path.write_bytes(content)
    with pytest.raises(CheckpointError, match="resume"):
        resume.load()


def test_a_pickle_with_code_is_refused(tmp_path: Path) -> None:
    resume = beside(tmp_path)
    torch.save({"format": "x", "fingerprint": print}, resume.path)
    with pytest.raises(CheckpointError, match="not a readable state"):
        resume.load()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_step_is_done(number: signal.Signals) -> None:
    done = []

    def step_with_signal() -> None:
        with interrupts_deferred():
            signal.raise_signal(number)
            done.append("step")

    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            step_with_signal()
        assert done == ["step"]
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
