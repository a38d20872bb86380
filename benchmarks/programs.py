"""What a program takes from start to end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

OURS = [sys.executable, "-c", "from napari_pickeroptimizer.cli import main; main()"]


def run_program(
    arguments: list[str], environment: Mapping[str, str] | None = None
) -> dict[str, float]:
    """Run a program; return seconds, CPU seconds and peak memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 (programs of these benchmarks)
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{arguments[:4]} failed with {process.returncode}")
    return {
        "seconds": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
    }
