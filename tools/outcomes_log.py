"""A pytest plugin: each test's outcome goes to a file at once, whatever becomes of the process.

The file is named by the variable OUTCOMES_LOG; a line has outcome, phase and name of a test.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_log = Path(os.environ["OUTCOMES_LOG"])


def _write(line: str) -> None:
    with _log.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")


def pytest_collection_finish(session: Any) -> None:
    for item in session.items:
        _write(f"collected - {item.nodeid}")


def pytest_runtest_logreport(report: Any) -> None:
    # a test is over with its teardown; before, only what went wrong or was skipped counts
    if report.outcome != "passed" or report.when == "teardown":
        _write(f"{report.outcome} {report.when} {report.nodeid}")
