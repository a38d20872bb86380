"""Run the GUI tests with another Qt binding, and judge by what each test came to.

    python tools/gui_tests_with.py pyside6 [TEST FILES AND PYTEST OPTIONS]

PySide6 aborts the process now and then, though nothing is wrong with a test: on Python 3.11 it
gives back one None too many, once in a while, until none is left. The exit code says nothing
then, and pytest's own report may be missing. So each file of tests has a process of its own,
every outcome is written down at once (`outcomes_log`), and what an abort left over is run by
the next process. A failure, or a test that never comes to its end, and this ends with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Line = tuple[str, str, str]  # outcome, phase, test


def main(binding: str, *arguments: str) -> int:
    files = [a for a in arguments if a.partition("::")[0].endswith(".py")]
    options = [a for a in arguments if a not in files]
    files = files or sorted(
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tests" / "gui").glob("test_*.py")
    )
    bad: list[str] = []
    n_run = n_skipped = 0
    for file in files:
        lines, left = run_to_the_end(binding, file, options)
        wrong = {name for outcome, _, name in lines if outcome == "failed"}
        n_run += len(over(lines))
        n_skipped += sum(outcome == "skipped" for outcome, _, _ in lines)
        bad += sorted(wrong) + [f"{name}: never came to its end" for name in left]
        if not lines:
            bad.append(f"{file}: no test was found")
    print(
        f"{binding}: {n_run} tests run, {n_skipped} skipped, {len(bad)} wrong", *bad, sep="\n"
    )
    return int(bool(bad) or n_run == 0)


def over(lines: list[Line]) -> set[str]:
    """Return the tests that are over: with their teardown, however it went."""
    return {name for _, phase, name in lines if phase == "teardown"}


def run_to_the_end(
    binding: str, file: str, options: list[str]
) -> tuple[list[Line], list[str]]:
    """Run a file's tests in as many processes as it takes; return outcomes, and what is left."""
    print(f"{binding}: {file}", flush=True)
    lines, left, tries = run(binding, file, [file, *options]), [], 0
    while True:
        collected = dict.fromkeys(n for outcome, _, n in lines if outcome == "collected")
        before, left = len(left), [name for name in collected if name not in over(lines)]
        tries = tries + 1 if len(left) == before else 0
        if not left or tries > 1:
            return lines, left
        print(f"{binding}: {len(left)} of {file} are left over", flush=True)
        lines += run(binding, file, [*left, *options])


def run(binding: str, file: str, arguments: list[str]) -> list[Line]:
    """Run pytest once; return what was written down, up to its end or its abort."""
    log = ROOT / "build" / f"gui-tests-{binding}" / f"{Path(file.partition('::')[0]).stem}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    tools = os.pathsep.join([str(ROOT / "tools"), *filter(None, [os.getenv("PYTHONPATH")])])
    environment = {
        **os.environ,
        "QT_API": binding,
        "PYTEST_QT_API": binding,
        "OUTCOMES_LOG": str(log),
        "PYTHONPATH": tools,
    }
    command = [sys.executable, "-m", "pytest", *arguments, "-p", "outcomes_log"]
    command += ["--override-ini", f"qt_api={binding}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603 (ours)
    if done.returncode:
        print(f"\n{binding}: {file} ended with {done.returncode}", flush=True)
    text = log.read_text(encoding="utf-8") if log.is_file() else ""
    words = [line.split(" ", 2) for line in text.splitlines()]
    return [(w[0], w[1], w[2]) for w in words if len(w) == 3]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
