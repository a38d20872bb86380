"""The files by which RELION follows and stops a job: how it ended, and whether to abort it.

Their names, and when RELION looks for them, are those of ``src/pipeline_control.h`` of RELION
3.1 to 5.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.cli import EXIT_INTERRUPTED
from napari_pickeroptimizer.cli.show import err

VERB, JOB_FOLDER = "relion", "--o"
SUCCESS, FAILURE, ABORTED = ENDINGS = (
    "RELION_JOB_EXIT_SUCCESS",
    "RELION_JOB_EXIT_FAILURE",
    "RELION_JOB_EXIT_ABORTED",
)
ABORT_NOW = "RELION_JOB_ABORT_NOW"


@contextmanager
def ending_told(arguments: Sequence[str]) -> Iterator[None]:
    """Tell RELION of a job that does not end well, for whatever reason.

    The arguments are looked at before they are parsed, as they may be the reason.

    Parameters
    ----------
    arguments : sequence of str
        The command line; that of another command has no job.
    """
    folder = _job_folder(arguments)
    if folder is None:
        yield
        return
    for name in ENDINGS:  # of the run that this one continues
        with suppress(OSError):
            (folder / name).unlink()
    try:
        yield
    finally:
        if not any((folder / name).exists() for name in (SUCCESS, ABORTED)):
            with suppress(OSError):  # a folder that cannot be written has been told of already
                tell(folder, FAILURE)


def tell(folder: Path, ending: str) -> None:
    """Write the empty file that tells how the job ended."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ending).touch()


def until_aborted(events: Iterator[Any], folder: Path) -> Iterator[Any]:
    """Pass events on; leave the program before the next one when RELION says so.

    A request that is there already counts: the program takes seconds to start. It is removed,
    so that the job can be continued.
    """
    while not (folder / ABORT_NOW).exists():
        try:
            yield next(events)
        except StopIteration:
            return
    close = getattr(events, "close", None)
    if close is not None:
        close()
    tell(folder, ABORTED)
    (folder / ABORT_NOW).unlink(missing_ok=True)
    err.print(
        "Aborted in RELION: no results are written; the scores so far are kept, and used when "
        "the job is continued."
    )
    sys.exit(EXIT_INTERRUPTED)


def _job_folder(arguments: Sequence[str]) -> Path | None:
    """Return the folder of the job that a command line runs, None if it runs none."""
    if list(arguments[:1]) != [VERB]:
        return None
    folder = None
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == JOB_FOLDER and following:
            folder = following
        elif argument.startswith(f"{JOB_FOLDER}="):
            folder = argument.removeprefix(f"{JOB_FOLDER}=")
    return Path(folder) if folder else None
