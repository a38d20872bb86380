"""Who scores the micrographs of a run: this process, others on this machine, or a cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import PickerOptimizerError, SettingsError
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.prune.events import BatchScored, MicrographScored, WorkersAsked
from napari_pickeroptimizer.prune.score_groups import score_groups
from napari_pickeroptimizer.prune.workers.parts import Job, Part, PartScored, parts_of
from napari_pickeroptimizer.prune.workers.processes import processes
from napari_pickeroptimizer.reading import MicrographFailed, MicrographRows

if TYPE_CHECKING:
    import numpy as np

    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.settings import PruneSettings

# Parts that wait at each worker for it to be free, the one in work included.
WAITING = 2
# Micrographs a worker that may be finished before their turn: they are lost with this process.
BEFORE_TURN = 16
# Queueing systems, and the classes of dask-jobqueue.
QUEUES = {
    "slurm": "SLURMCluster",
    "sge": "SGECluster",
    "pbs": "PBSCluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
PACKAGES = ("distributed", "dask_jobqueue", "yaml")
EXPECTED = (
    "local, processes:N, tcp://HOST:PORT, or slurm:FILE (or " + ", ".join([*QUEUES][1:]) + ")"
)


class Workers(Protocol):
    """Processes that score parts."""

    lost: type[Exception]
    """What a part raises whose workers were lost again and again."""

    @property
    def n_busy(self) -> int:
        """How many parts can be scored at a time."""
        ...

    @property
    def have_gone(self) -> bool:
        """Whether there is nobody any more who hands out parts."""
        ...

    def submit(self, part: Part) -> Future[PartScored]:
        """Score a part as soon as a worker is free."""
        ...


@dataclass(frozen=True)
class Scheduler:
    """Who scores.

    Parameters
    ----------
    kind : str
        ``local``, ``processes``, ``tcp``, ``tls`` or a queueing system (``slurm``, ...).
    place : str
        The number of processes, the address of a scheduler, or the file of a queue.
    n_threads : int or None
        Of each worker. None divides those of this process among workers of this machine, and
        leaves the others those of their environment.
    """

    kind: str = "local"
    place: str = ""
    n_threads: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the scheduler of a text such as ``local`` or ``processes:4``.

        Raises
        ------
        SettingsError
            It is none of those.

        Examples
        --------
        >>> Scheduler.parse("processes:4")
        Scheduler(kind='processes', place='4', n_threads=None)
        >>> Scheduler.parse("slurm:queue.yaml")
        Scheduler(kind='slurm', place='queue.yaml', n_threads=None)
        """
        if text == "local":
            return cls()
        kind, _, place = text.partition(":")
        if kind == "processes" and re.fullmatch(r"[1-9]\d*", place):
            return cls(kind, place)
        if kind in ("tcp", "tls") and re.fullmatch(r"//.+:\d+", place):
            return cls(kind, text)
        if kind in QUEUES and place:
            return cls(kind, place)
        raise SettingsError(f"--scheduler {text!r}: expected {EXPECTED}.")

    def __str__(self) -> str:
        if self.kind == "local":
            return "this process"
        if self.kind == "processes":
            return f"{self.place} processes"
        return self.place if self.kind in ("tcp", "tls") else f"jobs of {self.place}"

    def check(self, device: str) -> None:
        """Refuse what cannot work, before anything is written.

        Parameters
        ----------
        device : str
            The device of the scoring; that of a cluster may be another one than there is here.

        Raises
        ------
        SettingsError
            There is no such device here, a file of settings makes no sense, or Dask is missing.
        """
        if self.kind in ("local", "processes"):
            choose_device(device)
            return
        if missing := [name for name in PACKAGES if find_spec(name) is None]:
            raise SettingsError(
                f"--scheduler {self.kind} needs packages that are not installed "
                f"({', '.join(missing)}): pip install 'napari-pickeroptimizer[cluster]'."
            )
        if self.kind in QUEUES:
            from napari_pickeroptimizer.prune.workers.cluster import queue_settings

            queue_settings(Path(self.place))

    def workers(self, job: Job) -> AbstractContextManager[Workers]:
        """Start the workers, or connect to them; they are let go at the end of the block."""
        job = replace(job, n_threads=self.n_threads)
        if self.kind == "processes":
            n = int(self.place)
            if job.n_threads is None:
                # as many as there would be without workers, but no fewer than one each
                job = replace(job, n_threads=max(1, torch.get_num_threads() // n))
            return processes(job, n)
        from napari_pickeroptimizer.prune.workers.cluster import queue_jobs, running_scheduler

        if self.kind in QUEUES:
            return queue_jobs(self.kind, Path(self.place).expanduser(), job)
        return running_scheduler(self.place, job)


def score_with(
    scheduler: Scheduler,
    key: str,
    groups: Sequence[MicrographRows],
    coords_yx_px: NDArray[np.float64],
    classifier: Classifier,
    settings: PruneSettings,
) -> Iterator[WorkersAsked | BatchScored | MicrographScored | MicrographFailed]:
    """Score some micrographs; the events of micrographs are in their order, whoever scores.

    Parameters
    ----------
    scheduler : Scheduler
        Who scores.
    key : str
        Tells this scoring from others, such as the model's digest.
    groups : sequence of MicrographRows
        The micrographs, in the order of scoring.
    coords_yx_px : (n, 2) float64
        Centres of all picks, (row, column); the groups hold positions in it.
    classifier : Classifier
        The model.
    settings : PruneSettings
        ``device``, ``batch_size`` and ``n_views`` are used.

    Raises
    ------
    SettingsError
        The workers cannot be reached, differ from this process, or do not see the files.
    """
    if not groups:
        return
    if scheduler.kind == "local":
        fast = classifier.for_inference(choose_device(settings.device))
        yield from score_groups(
            groups, coords_yx_px, fast, settings.batch_size, settings.n_views
        )
        return
    job = Job.of(key, classifier, settings)
    yield WorkersAsked(str(scheduler), len(groups))
    with scheduler.workers(job) as workers:
        try:
            yield from _in_order(workers, key, groups, coords_yx_px)
        except Exception as error:
            # as it goes, Dask may take a result for an error, and raise another one over that
            has_gone = isinstance(error, CancelledError | OSError) or workers.have_gone
            if (
                scheduler.kind == "processes"
                or isinstance(error, PickerOptimizerError)
                or not has_gone
            ):
                raise
            raise SettingsError(
                f"the scheduler {scheduler} has gone. What was scored is kept: the same command "
                "goes on from there."
            ) from error


def _in_order(  # noqa: C901 (one loop: hand out, collect, pass on)
    workers: Workers,
    key: str,
    groups: Sequence[MicrographRows],
    coords_yx_px: NDArray[np.float64],
) -> Iterator[MicrographScored | MicrographFailed]:
    ahead = parts_of(key, groups, coords_yx_px, workers.n_busy)
    asked: dict[Future[PartScored], Part] = {}
    finished: dict[int, MicrographScored | MicrographFailed] = {}  # by position
    # lost parts, micrograph by micrograph: tried once more, each alone, as the neighbours of one
    # that ends its worker are lost with it
    doubtful: list[Part] = []
    turn = n_asked = 0
    try:
        while turn < len(groups):
            is_alone = bool(doubtful) and not asked
            if is_alone:
                part = doubtful.pop(0)
                asked[workers.submit(part)] = part
            n_busy = 0 if is_alone or doubtful else workers.n_busy
            while len(asked) < WAITING * n_busy and n_asked < turn + BEFORE_TURN * n_busy:
                ready = next(ahead, None)
                if ready is None:
                    break
                n_asked += len(ready.groups)
                asked[workers.submit(ready)] = ready
            for future in wait(asked, return_when=FIRST_COMPLETED).done:
                part = asked.pop(future)
                try:
                    result = future.result()
                except workers.lost:
                    if not is_alone:
                        doubtful += part.single()
                        continue
                    result = _lost(part)
                _check_seen(result)
                for i, event in enumerate(result.events):
                    finished[part.first + i] = event
            while turn in finished:
                yield _as_here(finished.pop(turn), groups[turn], turn + 1, len(groups))
                turn += 1
    finally:
        for future in asked:
            future.cancel()


def _lost(part: Part) -> PartScored:
    name = part.groups[0].name
    reason = f"the worker that scored {name} was lost each time: it may need more memory."
    return PartScored([MicrographFailed(part.groups[0], reason, 1, 1)], [])


def _check_seen(result: PartScored) -> None:
    """Refuse workers that do not see files which are there."""
    hidden = [path for path in result.not_seen if Path(path).is_file()]
    if hidden:
        raise SettingsError(
            f"{hidden[0]} is there, but a worker does not see it: workers need the same files "
            "under the same names as this machine, as on a shared disk."
        )


def _as_here(
    event: MicrographScored | MicrographFailed,
    group: MicrographRows,
    n_done: int,
    n_total: int,
) -> MicrographScored | MicrographFailed:
    """Return a worker's event with the rows, the paths and the counts of this process."""
    event = replace(event, group=group, n_done=n_done, n_total=n_total)
    if isinstance(event, MicrographFailed) and group.micrograph is not None:
        path = group.micrograph.path
        event = replace(event, reason=event.reason.replace(str(absolute(path)), str(path)))
    return event
