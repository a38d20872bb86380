"""Generators that run beside each other in threads; their events come as one stream."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

T = TypeVar("T")


def side_by_side(trainings: Sequence[Generator[T, None, None]], n_threads: int) -> Iterator[T]:
    """Yield the events of all trainings as they come; those of one are in their order.

    Trainings begin in their order. Each runs in one thread, and PyTorch in one too: small
    batches gain little from more of them, threads that wait for each other slow down a busy
    machine, and so the result does not depend on the number of cores.

    Closing this generator stops all trainings after their next event. An error of one stops
    the others and is raised here.

    Parameters
    ----------
    trainings : sequence of generators
        What to run.
    n_threads : int
        Most trainings at a time.
    """
    events: SimpleQueue[T | _End] = SimpleQueue()
    stopped = Event()

    def run(training: Generator[T, None, None]) -> None:
        torch.set_num_threads(1)
        try:
            for event in training:
                if stopped.is_set():
                    training.close()
                    return
                events.put(event)
        except BaseException as error:  # noqa: BLE001 (raised where the events are taken)
            events.put(_End(error))
        else:
            events.put(_End(None))

    threads_before = torch.get_num_threads()
    pool = ThreadPoolExecutor(max(1, min(n_threads, len(trainings))))
    try:
        for training in trainings:
            pool.submit(run, training)
        n_running = len(trainings)
        while n_running:
            event = events.get()
            if not isinstance(event, _End):
                yield event
            elif event.error is not None:
                raise event.error
            else:
                n_running -= 1
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads_before)


class _End:
    """A training is over, perhaps by an error."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
