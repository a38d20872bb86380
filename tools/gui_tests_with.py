"""Run the GUI tests with another Qt binding, and judge by the report that pytest writes.

    python tools/gui_tests_with.py pyside6 [PYTEST ARGUMENTS]

PySide6 may abort while Python ends, after all tests have passed. So it is the report that
counts, not the exit code: one failure, one error, or a report that is missing or without
tests, and this ends with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(binding: str, *arguments: str) -> int:
    report = ROOT / "build" / f"gui-tests-{binding}.xml"
    report.parent.mkdir(exist_ok=True)
    report.unlink(missing_ok=True)
    environment = {**os.environ, "QT_API": binding, "PYTEST_QT_API": binding}
    command = [sys.executable, "-m", "pytest", *(arguments or ("tests/gui",))]
    command += ["--junitxml", str(report), "--override-ini", f"qt_api={binding}"]
    run = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603 (ours)
    if not report.is_file():
        print(f"{binding}: no report was written, the run ended with {run.returncode}")
        return 1
    totals = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 (pytest's own)
        for name in totals:
            totals[name] += int(suite.get(name, 0))
    n_passed = totals["tests"] - totals["failures"] - totals["errors"] - totals["skipped"]
    print(
        f"{binding}: {n_passed} passed, {totals['failures']} failed, {totals['errors']} errors, "
        f"{totals['skipped']} skipped; pytest ended with {run.returncode}"
    )
    return int(totals["failures"] + totals["errors"] > 0 or n_passed == 0)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
