"""What the tests do in a worker: hold it or end it, at a moment that they choose."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_pickeroptimizer.micrographs import Micrograph, Micrographs

HERE = os.getpid()  # of the tests; a worker imports this module anew, and gets its own


@dataclass(frozen=True)
class HoldsFirstWorker(Micrograph):
    """The first worker that reads it writes its process id to `note`, and waits for ever."""

    note: Path = Path()
    of: int = HERE

    def read(self, into: np.ndarray | None = None) -> np.ndarray:
        if os.getpid() != self.of:
            try:
                written = os.open(self.note, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                return super().read(into)
            os.write(written, f"{os.getpid()}\n".encode())
            threading.Event().wait()
        return super().read(into)


@dataclass(frozen=True)
class EndsWorkers(Micrograph):
    """Each worker that reads it is gone, as by the killer of the kernel when memory is short."""

    of: int = HERE

    def read(self, into: np.ndarray | None = None) -> np.ndarray:
        if os.getpid() != self.of:
            os._exit(9)
        return super().read(into)


def compute_with_one_thread() -> None:
    """Let a worker compute as the tests do."""
    import torch

    torch.set_num_threads(1)


def with_one(
    found: Micrographs, i: int, kind: type[Micrograph], **more: object
) -> Micrographs:
    """Return micrographs of which the one at `i` is of another kind."""
    items = list(found.items)
    plain = items[i]
    items[i] = kind(plain.name, plain.path, plain.told_pixel_size_ang, **more)
    return Micrographs(tuple(items))


def kill_when(
    note: Path, kill: Callable[[int], None], given_up: threading.Event
) -> threading.Thread:
    """Start a thread that kills the process whose id appears in `note`."""

    def watch() -> None:
        while not given_up.wait(0.02):
            text = note.read_text() if note.exists() else ""
            if text.endswith("\n"):
                kill(int(text))
                return

    thread = threading.Thread(target=watch)
    thread.start()
    return thread
