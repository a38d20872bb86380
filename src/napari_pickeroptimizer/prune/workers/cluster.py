"""Workers of dask.distributed: of a running scheduler, or jobs of SLURM, PBS, SGE and so on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dask_jobqueue
import yaml
from distributed import Client, KilledWorker
from distributed.diagnostics.plugin import WorkerPlugin

from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.prune.workers.parts import (
    Job,
    Part,
    PartScored,
    prepare,
    release,
    score_part,
)
from napari_pickeroptimizer.prune.workers.scheduler import QUEUES

# Seconds in which a running scheduler has to answer.
PATIENCE_S = 30


class _Told(WorkerPlugin):  # type: ignore[misc] # distributed is optional, so has no types here
    """Tells each worker of the job, those that come later or start again too."""

    def __init__(self, job: Job) -> None:
        self.name = f"pickeroptimizer-{job.key}"
        self._job = job

    def setup(self, worker: Any) -> None:
        prepare(self._job)

    def teardown(self, worker: Any) -> None:
        release(self._job.key)


class DaskWorkers:
    """Workers of a Dask client that score parts.

    Parameters
    ----------
    client : distributed.Client
        Connected, its workers told of the job.
    least : int
        How many are expected at least; fewer may be there at first.
    """

    lost: type[Exception] = KilledWorker

    def __init__(self, client: Client, least: int = 1) -> None:
        self._client, self._least = client, least
        self._executor = client.get_executor(pure=False)

    @property
    def n_busy(self) -> int:
        """How many parts can be scored at a time, now."""
        n_there: int = sum(self._client.nthreads().values())
        return max(self._least, n_there)

    @property
    def have_gone(self) -> bool:
        """Whether the scheduler does not answer any more."""
        return bool(self._client.status != "running")

    def submit(self, part: Part) -> Future[PartScored]:
        """Score a part anywhere; if its worker is lost, elsewhere."""
        future: Future[PartScored] = self._executor.submit(score_part, part)
        return future


@contextmanager
def running_scheduler(address: str, job: Job) -> Iterator[DaskWorkers]:
    """Use the workers of a running scheduler, such as ``tcp://node1:8786``.

    Raises
    ------
    SettingsError
        It does not answer, or a worker cannot import this package.
    """
    try:
        client = Client(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"no Dask scheduler answers at {address}: start one (`dask scheduler`) and its "
            "workers, or correct the address."
        ) from error
    with client, _told(client, job):
        yield DaskWorkers(client)


@contextmanager
def queue_jobs(kind: str, file: Path, job: Job) -> Iterator[DaskWorkers]:
    """Use workers that are jobs of a queueing system, and end them with the block.

    Parameters
    ----------
    kind : str
        One of `scheduler.QUEUES`.
    file : Path
        Arguments of the class of dask-jobqueue, see `queue_settings`.
    job : Job
        What the workers are told first.

    Raises
    ------
    SettingsError
        The file makes no sense, or jobs cannot be submitted here.
    """
    n_jobs, arguments = queue_settings(file)
    with _cluster(kind, file, arguments) as cluster:
        cluster.scale(jobs=n_jobs)
        with Client(cluster, set_as_default=False) as client, _told(client, job):
            yield DaskWorkers(client, n_jobs * int(arguments.get("processes") or 1))


def job_script(kind: str, file: Path) -> str:
    """Return the script of a worker's job, with a stand-in for the scheduler's address."""
    with _cluster(kind, file, queue_settings(file)[1], is_submitting=False) as cluster:
        return str(cluster.job_script())


def queue_settings(file: Path) -> tuple[int, dict[str, Any]]:
    """Return how many jobs to submit, and the arguments of dask-jobqueue, of a YAML or JSON file.

    Raises
    ------
    SettingsError
        It cannot be read, or is not a table with ``jobs``, a number.
    """
    try:
        text = file.read_text(encoding="utf-8")
        values = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(f"{file} cannot be read as YAML or JSON: {error}.") from error
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SettingsError(
            f"{file} holds no settings: expected lines such as `jobs: 8`, `cores: 4`, "
            "`memory: 16GB` and `walltime: '02:00:00'`."
        )
    n_jobs = values.pop("jobs", None)
    if not isinstance(n_jobs, int) or isinstance(n_jobs, bool) or n_jobs < 1:
        raise SettingsError(f"{file}: jobs must be the number of jobs, got {n_jobs!r}.")
    return n_jobs, values


@contextmanager
def _cluster(
    kind: str, file: Path, arguments: dict[str, Any], is_submitting: bool = True
) -> Iterator[Any]:
    cluster_class = getattr(dask_jobqueue, QUEUES[kind])
    command = cluster_class.job_cls.submit_command.split()[0]
    if is_submitting and shutil.which(command) is None:
        raise SettingsError(
            f"{command} is not on the path, so no job can be submitted: run this on a node where "
            "jobs are submitted, or take another --scheduler."
        )
    try:
        cluster = cluster_class(**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise SettingsError(f"{file}: dask-jobqueue does not take it: {reason}") from error
    with cluster:
        yield cluster


@contextmanager
def _told(client: Client, job: Job) -> Iterator[None]:
    """Tell all workers of a job, those to come too, until the block ends."""
    told = _Told(job)
    try:
        client.register_plugin(told)
    except ImportError as error:
        raise SettingsError(
            f"a worker cannot import what it needs ({error}): start the workers in the "
            "environment of this command."
        ) from error
    try:
        yield
    finally:
        if client.status == "running":  # else the scheduler has gone, and asking it takes long
            with suppress(OSError):
                client.unregister_worker_plugin(told.name)
