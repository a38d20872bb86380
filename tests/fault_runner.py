"""Runs the program in processes of their own that can be killed, without importing it each time.

A server process imports the program once and forks one process for each command.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(
    [
        "fault_runner",
        "napari_pickeroptimizer.cli.app",
        "napari_pickeroptimizer.fewshot.finetune",
        "napari_pickeroptimizer.pretrain.train",
        "napari_pickeroptimizer.prune.run",
        "napari_pickeroptimizer.report.prune_report",
    ]
)
LONGEST_SECONDS = 500


def _program(arguments: list[str], log: str, largest_file: int, ready: Connection) -> None:
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    # a compiled module that is cut off would spoil the environment for all later programs
    sys.dont_write_bytecode = True
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    import torch

    from napari_pickeroptimizer.cli import main

    torch.set_num_threads(1)
    ready.send(True)
    try:
        main(arguments)
    except SystemExit as end:
        sys.stdout.flush()
        os._exit(int(end.code or 0))  # at once, as the program itself ends


class Program:
    """A command that has been started; what it says goes to a file."""

    def __init__(self, arguments: list[object], log: Path, largest_file: int = -1) -> None:
        self.log = log
        self.seconds = 0.0
        words = [str(a) for a in arguments]
        begun, ready = SERVER.Pipe(duplex=False)
        self._process: ForkServerProcess = SERVER.Process(
            target=_program, args=(words, str(log), largest_file, ready)
        )
        self._process.start()
        begun.recv()
        self.started = time.monotonic()

    def send(self, number: int, after_seconds: float) -> None:
        """Send a signal a time after the start, if it still runs then."""
        self._process.join(max(0.0, self.started + after_seconds - time.monotonic()))
        if self._process.is_alive() and self._process.pid is not None:
            os.kill(self._process.pid, number)

    def end(self) -> int:
        """Wait for the end and return the exit code; nothing may have crashed."""
        self._process.join(LONGEST_SECONDS)
        self.seconds = time.monotonic() - self.started
        assert self._process.exitcode is not None, "it does not end"
        assert "Traceback" not in self.said()
        return self._process.exitcode

    def said(self) -> str:
        return " ".join(self.log.read_text().split()) if self.log.exists() else ""


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too, but for the journal of scores."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".log"
    }
