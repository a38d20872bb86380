"""Run the GUI tests with another Qt binding, and judge by the reports that pytest writes.

    python tools/gui_tests_with.py pyside6 [TEST FILES AND PYTEST OPTIONS]

PySide6 may abort the process, mostly while Python ends and all tests have passed (on Python
3.11 it gives back one None too many, once in a while, until none is left). So each file of
tests has a process of its own, it is the report that counts and not the exit code, and a file
that left no report is tried once more. One failure, one error, or a file without a report
twice, and this ends with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
N_TRIES = 2
KINDS = ("tests", "failures", "errors", "skipped")


def main(binding: str, *arguments: str) -> int:
    files = [a for a in arguments if a.partition("::")[0].endswith(".py")]
    options = [a for a in arguments if a not in files]
    files = files or sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests" / "gui").glob("test_*.py")
    )
    totals: Counter[str] = Counter()
    lost = []
    for file in files:
        found = next(
            filter(None, (tried(binding, file, options) for _ in range(N_TRIES))), None
        )
        if found is None:
            lost.append(file)
        else:
            totals += found
    n_bad = totals["failures"] + totals["errors"]
    n_passed = totals["tests"] - n_bad - totals["skipped"]
    print(
        f"{binding}: {n_passed} passed, {totals['failures']} failed, {totals['errors']} errors, "
        f"{totals['skipped']} skipped"
        + (f"; aborted before their end: {', '.join(lost)}" if lost else "")
    )
    return int(n_bad > 0 or bool(lost) or n_passed == 0)


def tried(binding: str, file: str, options: list[str]) -> Counter[str] | None:
    """Return the counts of one file's tests, None where it left no report."""
    report = ROOT / "build" / f"gui-tests-{binding}" / f"{Path(file).stem}.xml"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    environment = {**os.environ, "QT_API": binding, "PYTEST_QT_API": binding}
    command = [sys.executable, "-m", "pytest", file, *options, "--junitxml", str(report)]
    command += ["--override-ini", f"qt_api={binding}"]
    print(f"{binding}: {file}", flush=True)
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603 (ours)
    if not report.is_file():
        print(f"{binding}: {file} left no report, it ended with {run.returncode}")
        return None
    counts: Counter[str] = Counter()
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 (pytest's own)
        counts.update({kind: int(suite.get(kind, 0)) for kind in KINDS})
    return counts


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
