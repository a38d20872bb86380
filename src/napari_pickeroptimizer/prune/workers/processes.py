"""Workers on this machine: processes, each replaced by another one if it is lost."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, SpawnContext
from queue import SimpleQueue

from napari_pickeroptimizer.prune.workers.parts import (
    Job,
    Part,
    PartScored,
    prepare,
    score_part,
)

# So often is a part tried; of a micrograph that ends each worker (its memory is too small, as a
# rule) the others are not to suffer.
TRIES = 2


class WorkerLostError(Exception):
    """A part could not be scored because the worker was lost each time."""


class Processes:
    """Processes of this machine that score parts; see `processes`.

    Parameters
    ----------
    job : Job
        What they are told first.
    n : int
        How many.
    """

    lost: type[Exception] = WorkerLostError
    have_gone = False

    def __init__(self, job: Job, n: int) -> None:
        self.n_busy = n
        self._job = job
        self._is_closed = False
        self._all = [_Process(job) for _ in range(n)]
        self._idle: SimpleQueue[_Process] = SimpleQueue()
        for process in self._all:
            self._idle.put(process)
        # one thread a process: it waits for the answer, and starts another process if need be
        self._threads = ThreadPoolExecutor(n)

    def submit(self, part: Part) -> Future[PartScored]:
        """Score a part in the next idle process."""
        return self._threads.submit(self._score, part)

    def close(self) -> None:
        """End the processes; what they were doing is lost."""
        self._is_closed = True
        for process in self._all:
            process.end()
        self._threads.shutdown(cancel_futures=True)

    def _score(self, part: Part) -> PartScored:
        process = self._idle.get()
        try:
            for _ in range(TRIES):
                try:
                    answer = process.ask(part)
                except (EOFError, OSError):  # it ended: nothing else closes the connection
                    if self._is_closed:
                        raise
                    process.restart()
                    continue
                if isinstance(answer, _Raised):
                    raise answer.error
                return answer
            raise WorkerLostError
        finally:
            self._idle.put(process)


@contextmanager
def processes(job: Job, n: int) -> Iterator[Processes]:
    """Start processes and end them with the block."""
    workers = Processes(job, n)
    try:
        yield workers
    finally:
        workers.close()


class _Process:
    """One process, and the connection to it."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.restart()

    def restart(self) -> None:
        """Start a process, after another one or as the first."""
        context = start_context()
        self._connection, theirs = context.Pipe()
        # a daemon ends with this process
        self._process = context.Process(target=_serve, args=(theirs, self._job), daemon=True)
        self._process.start()
        theirs.close()  # else its end would not close the connection

    def ask(self, part: Part) -> PartScored | _Raised:
        """Return what the process makes of a part.

        Raises
        ------
        EOFError, OSError
            The process has ended.
        """
        self._connection.send(part)
        answer: PartScored | _Raised = self._connection.recv()
        return answer

    def end(self) -> None:
        """End the process at once."""
        self._process.terminate()
        self._process.join()


@cache
def start_context() -> SpawnContext | ForkServerContext:
    """Return how processes are started.

    Never as copies of this one, which would have its locks but not the threads that hold them. On
    Linux a server imports PyTorch once and forks each worker; elsewhere a fork of a process that
    has loaded the system's libraries is not safe.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "napari_pickeroptimizer.model.checkpoint"])
    return context


class _Raised:
    """An exception in a worker, told apart from the loss of the worker."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _serve(connection: Connection, job: Job) -> None:
    """Answer parts until the connection closes."""
    # Ctrl-C goes to every process of a terminal; ours are ended by the one that hands out parts
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare(job)
    while True:
        try:
            part = connection.recv()
        except EOFError:
            return
        try:
            connection.send(score_part(part))
        except Exception as error:  # noqa: BLE001 (raised again, where it is told)
            connection.send(_Raised(error))
