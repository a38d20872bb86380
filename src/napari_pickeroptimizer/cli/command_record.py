"""The command line that is running, for records and reports."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

PROGRAM = "pickeroptimizer"

_command: ContextVar[str | None] = ContextVar("command", default=None)


def running_command() -> str | None:
    """Return the command line of this run; None if it was started from Python."""
    command = _command.get()
    if command is not None:
        return command
    if Path(sys.argv[0]).stem != PROGRAM:
        return None
    return shlex.join([PROGRAM, *sys.argv[1:]])


@contextmanager
def running_as(command: str) -> Iterator[None]:
    """Record `command` as the command line: `demo` runs other commands."""
    token = _command.set(command)
    try:
        yield
    finally:
        _command.reset(token)
