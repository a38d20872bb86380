"""The command line: one module for each command, without logic of its own."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code."""
    if threading.current_thread() is threading.main_thread():
        # until all is imported there is nothing to tidy up, and a traceback tells nobody anything
        before = signal.signal(signal.SIGINT, lambda *_: os._exit(EXIT_INTERRUPTED))
        try:
            import napari_pickeroptimizer.cli.app  # noqa: F401
        finally:
            signal.signal(signal.SIGINT, before)
    from napari_pickeroptimizer.cli.app import main as run

    run(arguments)
