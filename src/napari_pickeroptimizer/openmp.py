"""How OpenMP, which computes for PyTorch, uses the processors: it reads that when it is loaded."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # of the container that this process is in
SLURM_LIMIT = "SLURM_CPUS_PER_TASK"
THREADS = "OMP_NUM_THREADS"
# Resampling and cutting, a fifth of a micrograph's scoring, are one thread's work: by that, eight
# threads are 3.4 times as fast as one, and sixty-four 4.9 times. More cores are for more processes.
MOST_USEFUL = 8
# Whether the user has chosen; this module is imported before `settle` changes anything.
IS_CHOSEN = THREADS in os.environ


def cores() -> int:
    """Return how many processors this process may run on: on a shared machine not all of them."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def processors(environ: Mapping[str, str] | None = None, limit_file: Path = CPU_LIMIT) -> int:
    """Return how many processors a container or a SLURM job leaves to this process.

    Parameters
    ----------
    environ : mapping, optional
        The environment; by default that of this process.
    limit_file : Path
        Microseconds of processor time in a period, or ``max``, and the period.
    """
    limits = [cores()]
    try:
        given, period = limit_file.read_text().split()
        limits.append(math.ceil(int(given) / int(period)))
    except (OSError, ValueError):  # no Linux, no container, or no limit
        pass
    of_task = (os.environ if environ is None else environ).get(SLURM_LIMIT, "")
    if of_task.isdecimal():
        limits.append(int(of_task))
    return max(1, min(limits))


def settle(environ: MutableMapping[str, str], limit_file: Path = CPU_LIMIT) -> None:
    """Let threads that wait sleep, and use no more of them than there are processors for us.

    What the user has set stays. By default threads that wait spin: on cores that others use too,
    they take the time of those that they wait for, and two threads scored ten times as slowly.
    The limit of a container OpenMP does not know: it would start a thread a core of the machine.
    And Intel's library adds up the products of matrices in another order with another number of
    threads unless it is told not to: scores would differ in the last digit.

    Parameters
    ----------
    environ : mutable mapping
        The environment.
    limit_file : Path
        As in `processors`.
    """
    environ.setdefault("OMP_WAIT_POLICY", "passive")
    environ.setdefault("MKL_CBWR", "AUTO,STRICT")
    n = processors(environ, limit_file)
    if n < cores():
        environ.setdefault(THREADS, str(n))


def use_threads(n: int | None, environ: MutableMapping[str, str]) -> None:
    """Compute with `n` threads in this process, a command's.

    Parameters
    ----------
    n : int or None
        None for those that the user has chosen otherwise, or else for as many as there are
        processors for us, `MOST_USEFUL` at most.
    environ : mutable mapping
        The environment.
    """
    torch = sys.modules.get("torch")
    if n is None:
        if not IS_CHOSEN and torch is None:
            environ[THREADS] = str(min(MOST_USEFUL, processors(environ)))
        return
    environ[THREADS] = str(n)
    if torch is not None:  # which has read the environment already
        torch.set_num_threads(n)


def threads_of_each(n_processes: int) -> int | None:
    """Return how many threads each of several processes of a command has.

    None if the user has chosen those of all together by ``OMP_NUM_THREADS``.
    """
    if IS_CHOSEN:
        return None
    return max(1, min(MOST_USEFUL, processors() // n_processes))
