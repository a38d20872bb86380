"""The command line as it was typed, for records and reports."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

PROGRAM = "pickeroptimizer"

_said: ContextVar[str | None] = ContextVar("said", default=None)


def command_as_typed() -> str | None:
    """Return the command to type again, None where Python called and nobody typed."""
    said = _said.get()
    if said is not None:
        return said
    if Path(sys.argv[0]).stem != PROGRAM:
        return None
    return shlex.join([PROGRAM, *sys.argv[1:]])


@contextmanager
def as_if_typed(command: str) -> Iterator[None]:
    """Have `command` taken for what was typed: one command may run others."""
    token = _said.set(command)
    try:
        yield
    finally:
        _said.reset(token)
