"""Generators that run beside each other in threads; their events come as one stream."""

from __future__ import annotations

import atexit
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

T = TypeVar("T")


def side_by_side(trainings: Sequence[Generator[T, None, None]], n_threads: int) -> Iterator[T]:
    """Yield the events of all trainings as they come; those of one are in their order.

    Trainings begin in their order. Each runs in one thread, and PyTorch in one too: small
    batches gain little from more of them, threads that wait for each other slow down a busy
    machine, and so the result does not depend on the number of cores.

    Closing this generator stops all trainings after their next event, and so does the end of
    the program. An error of one stops the others and is raised here.

    Parameters
    ----------
    trainings : sequence of generators
        What to run.
    n_threads : int
        Most trainings at a time.
    """
    torch_threads_before = torch.get_num_threads()
    threads = _Threads(trainings)
    try:
        threads.start(max(1, min(n_threads, len(trainings))))
        yield from threads.events()
    finally:
        threads.stop()
        torch.set_num_threads(torch_threads_before)


class _Threads(Generic[T]):
    """Threads that each run one training, and then the next that nobody has begun."""

    def __init__(self, trainings: Sequence[Generator[T, None, None]]) -> None:
        self._n_running = len(trainings)
        self._waiting: SimpleQueue[Generator[T, None, None]] = SimpleQueue()
        for training in trainings:
            self._waiting.put(training)
        self._events: SimpleQueue[T | _End] = SimpleQueue()
        self._stopped = Event()
        self._threads: list[Thread] = []

    def start(self, n: int) -> None:
        """Start `n` threads.

        Python waits for threads before it ends, and would wait for the last step of a generator
        that somebody holds on to: so these are daemons, which the end of the program stops.
        """
        atexit.register(self.stop)
        for _ in range(n):
            thread = Thread(target=self._work, daemon=True)
            thread.start()
            self._threads.append(thread)

    def events(self) -> Iterator[T]:
        """Yield what the trainings yield, and raise what one of them raises."""
        while self._n_running:
            event = self._events.get()
            if not isinstance(event, _End):
                yield event
            elif event.error is not None:
                raise event.error
            else:
                self._n_running -= 1

    def stop(self) -> None:
        """Stop all after their next event, and wait for that."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        atexit.unregister(self.stop)

    def _work(self) -> None:
        torch.set_num_threads(1)
        with suppress(Empty):
            while not self._stopped.is_set():
                self._run(self._waiting.get_nowait())

    def _run(self, training: Generator[T, None, None]) -> None:
        try:
            for event in training:
                if self._stopped.is_set():
                    training.close()
                    return
                self._events.put(event)
        except BaseException as error:  # noqa: BLE001 (raised where the events are taken)
            self._events.put(_End(error))
        else:
            self._events.put(_End(None))


class _End:
    """A training is over, perhaps by an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
