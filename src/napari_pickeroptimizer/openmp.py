"""How OpenMP, which computes for PyTorch, uses the processors: it reads that when it is loaded."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")  # of the container that this process is in


def settle(environ: MutableMapping[str, str], limit_file: Path = CPU_LIMIT) -> None:
    """Let threads that wait sleep, and use no more threads than a container has processors.

    What the user has set stays. By default threads that wait spin: on cores that others use too,
    they take the time of those that they wait for, and two threads scored ten times as slowly.
    The limit of a container OpenMP does not know: it would start a thread a core of the machine.

    Parameters
    ----------
    environ : mutable mapping
        The environment.
    limit_file : Path
        Microseconds of processor time in a period, or ``max``, and the period.
    """
    environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        given, period = limit_file.read_text().split()
        n_threads = math.ceil(int(given) / int(period))
    except (OSError, ValueError):  # no Linux, no container, or no limit
        return
    if n_threads < (os.cpu_count() or 1):
        environ.setdefault("OMP_NUM_THREADS", str(max(1, n_threads)))
