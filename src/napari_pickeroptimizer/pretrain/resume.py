"""The state of an interrupted pretraining, in a file beside its output; plain values only."""

from __future__ import annotations

import io
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.io.atomic import atomic_path

FORMAT = "napari-pickeroptimizer pretraining state 1"


@dataclass(frozen=True)
class ResumeFile:
    """The file of the state, and the job that it belongs to.

    Parameters
    ----------
    path : Path
        The file.
    fingerprint : dict
        Everything that the result depends on, as JSON values.
    """

    path: Path
    fingerprint: dict[str, Any]

    @classmethod
    def beside(cls, output: Path, fingerprint: dict[str, Any]) -> ResumeFile:
        """Return the resume file of a model to be written to `output`."""
        # through JSON, since that is how it is kept: tuples become lists
        plain = json.loads(json.dumps(fingerprint))
        return cls(output.with_name(f"{output.name}.resume"), plain)

    def save(self, state: dict[str, Any]) -> None:
        """Replace the file by a new state."""
        data = io.BytesIO()  # torch's own writing tells of a full disk in no words
        torch.save(
            {"format": FORMAT, "fingerprint": json.dumps(self.fingerprint), **state}, data
        )
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(data.getbuffer())

    def load(self) -> dict[str, Any] | None:
        """Return the saved state, None where there is none.

        Raises
        ------
        CheckpointError
            The file is damaged, of another program, or was saved with other settings or data.
        """
        if not self.path.exists():
            return None
        again = f"delete {self.path} to start from the beginning."
        try:
            # weights_only refuses everything that could run code on loading
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            saved = json.loads(state["fingerprint"]) if state["format"] == FORMAT else None
        except Exception as error:  # the loader raises whatever it stumbles upon
            raise CheckpointError(
                f"{self.path} is not a readable state of a pretraining ({error}): {again}"
            ) from error
        if saved is None:
            raise CheckpointError(f"{self.path} is of another version: {again}")
        different = _differences(saved, self.fingerprint)
        if different:
            raise CheckpointError(
                f"{self.path} was saved by a pretraining with other settings or boxes "
                f"({'; '.join(different)}): use the same to resume, another --output, or "
                + again
            )
        return dict(state)

    def remove(self) -> None:
        """Delete the file."""
        self.path.unlink(missing_ok=True)


def _differences(saved: dict[str, Any], wanted: dict[str, Any], prefix: str = "") -> list[str]:
    differences = []
    for key in sorted(saved.keys() | wanted.keys()):
        a, b = saved.get(key, "absent"), wanted.get(key, "absent")
        if isinstance(a, dict) and isinstance(b, dict):
            differences += _differences(a, b, f"{prefix}{key}.")
        elif a != b:
            differences.append(f"{prefix}{key}: {a} before, {b} now")
    return differences


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the block is done: half a step cannot be saved.

    Only Python's main thread gets signals; elsewhere this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {s: signal.signal(s, remember) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for deferred, handler in before.items():
            # None: a handler that Python did not install and cannot put back
            signal.signal(deferred, signal.SIG_DFL if handler is None else handler)
    for number in came[:1]:
        signal.raise_signal(number)
