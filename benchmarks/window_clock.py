"""How long steps in a window take, and the memory after them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LONGEST_S = 120


@dataclass
class Step:
    """What one step took each time, in milliseconds; and the memory after it."""

    updated: list[float] = field(default_factory=list)
    drawn: list[float] = field(default_factory=list)
    still: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    memory_gb: float = 0.0


class Clock:
    """Times steps: until they are answered, and until that is drawn."""

    def __init__(self) -> None:
        self.steps: dict[str, Step] = {}

    def __call__(self, name: str, step: Callable[[], Any]) -> Any:
        """Time a step under a name, and return what it returns."""
        from qtpy.QtWidgets import QApplication

        QApplication.processEvents()
        start, worked = time.perf_counter(), time.thread_time()
        result = step()
        answered = time.perf_counter()
        QApplication.processEvents()
        self._add(name, start, answered, time.perf_counter())
        self.steps[name].busy.append(1000 * (time.thread_time() - worked))
        return result

    def wait(self, name: str, step: Callable[[], Any], until: Callable[[], bool]) -> None:
        """Time what a step begins, and the longest time that the window stands still in it."""
        from qtpy.QtWidgets import QApplication

        QApplication.processEvents()
        start = last = time.perf_counter()
        worked = time.thread_time()
        longest = hardest = 0.0
        step()
        while not until():
            assert last - start < LONGEST_S, f"{name!r} has no end"
            QApplication.processEvents()
            now, used = time.perf_counter(), time.thread_time()
            longest, last = max(longest, now - last), now
            hardest, worked = max(hardest, used - worked), used
            time.sleep(0.001)
        QApplication.processEvents()
        self._add(name, start, last, time.perf_counter())
        self.steps[name].still.append(1000 * max(longest, time.perf_counter() - last))
        self.steps[name].busy.append(1000 * max(hardest, time.thread_time() - worked))

    def _add(self, name: str, start: float, answered: float, drawn: float) -> None:
        step = self.steps.setdefault(name, Step())
        step.updated.append(1000 * (answered - start))
        step.drawn.append(1000 * (drawn - start))
        step.memory_gb = memory_gb()


def memory_gb() -> float:
    """Return the memory that this process holds, where Linux tells it; else nothing."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9
