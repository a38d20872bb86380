"""Jobs in the background: what they import first, how they fail, how long they take. No Qt.

Opening a panel must not wait for torch, which takes seconds to import: a job that needs it has it
imported first, in a thread, by `load_events`.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any  # Any: events of any job

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.openmp import MOST_USEFUL, cores

# What the jobs import; all else that is heavy comes with these.
PACKAGE = "napari_pickeroptimizer"
HEAVY = (
    "torch",  # takes as long as all the others
    f"{PACKAGE}.model.before_labels",
    f"{PACKAGE}.fewshot.finetune",
    f"{PACKAGE}.fewshot.suggest",
    f"{PACKAGE}.prune.run",
)
TORCH_STEPS = 4
# Reading, training and scoring differ in speed: only recent progress counts.
WINDOW_S = 20.0
LEAST_S, LEAST_PROGRESS = 1.0, 0.01


@dataclass(frozen=True)
class Loading:
    """One more of the heavy modules is there, the last one with a `progress` of 1."""

    progress: float
    text: str = "Loading PyTorch, once for this session"


def is_loaded() -> bool:
    """Whether the heavy modules are there."""
    return all(name in sys.modules for name in HEAVY)


def load_events() -> Iterator[Loading]:
    """Import the heavy modules, one after the other."""
    yield Loading(0.0)
    for i, name in enumerate(HEAVY, 1):
        import_module(name)
        yield Loading((i + TORCH_STEPS) / (len(HEAVY) + TORCH_STEPS))


@dataclass(frozen=True)
class JobFailed:
    """The last event of a job that raised."""

    error: Exception

    @property
    def text(self) -> str:
        """The message of the error; with its type for unexpected ones, for bug reports."""
        if isinstance(self.error, PickerOptimizerError):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error}"


def leave_a_core_free() -> None:
    """Leave one core to the window: torch uses the others, as far as they are of use."""
    torch = sys.modules.get("torch")
    if torch is None:
        return  # a job that needs none
    n = min(torch.get_num_threads(), cores() - 1, MOST_USEFUL)
    torch.set_num_threads(max(1, n))


def guarded(events: Iterator[Any]) -> Iterator[Any]:
    """Yield the events of a job; an error becomes the last event instead of being raised.

    The worker of superqt takes every RuntimeError for its own deletion and drops it, but
    RuntimeError is what torch raises when a GPU is full.
    """
    try:
        yield from events
    except Exception as error:  # noqa: BLE001 (any error is shown to the user)
        yield JobFailed(error)


class Remaining:
    """Estimates the remaining time of one job from its progress."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def seconds(self, progress: float, now: float) -> float | None:
        """Return the remaining seconds, None while they are unknown.

        Parameters
        ----------
        progress : float
            Part of the job that is done, 0..1.
        now : float
            The clock, in seconds; call it with ever later times.
        """
        self._seen.append((now, progress))
        while now - self._seen[1 if len(self._seen) > 1 else 0][0] > WINDOW_S:
            self._seen.popleft()
        start, before = self._seen[0]
        done, took = progress - before, now - start
        if took < LEAST_S or done < LEAST_PROGRESS * min(1.0, took / WINDOW_S) or done <= 0:
            return None
        return max(0.0, (1 - progress) * took / done)


def in_words(seconds: float | None) -> str:
    """Return a remaining time as text; empty for None.

    Examples
    --------
    >>> in_words(7.0), in_words(48.0), in_words(200.0), in_words(9000.0)
    ('about 7 s left', 'about 50 s left', 'about 3 min left', 'about 2.5 h left')
    """
    if seconds is None:
        return ""
    if seconds < 10:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {seconds / 3600:.1f} h left"
