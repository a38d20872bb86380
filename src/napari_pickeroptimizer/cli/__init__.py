"""The command line: one module for each command, without logic of its own."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130


@contextmanager
def handled_by(
    handler: Callable[[int, FrameType | None], object], number: signal.Signals
) -> Iterator[None]:
    """Handle a signal while a block runs, in the main thread; others receive none."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    # by default the thousands of classes and functions that imports make are searched for garbage
    # again and again, which takes as long as to score two micrographs
    gc.set_threshold(20_000)
    # until all is imported there is nothing to tidy up, and a traceback tells nobody anything
    with handled_by(lambda *_: os._exit(EXIT_INTERRUPTED), signal.SIGINT):
        from napari_pickeroptimizer.cli.app import main as run
    run(arguments)
