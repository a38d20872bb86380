"""Atomic writing: files are written under a temporary name, then renamed."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from napari_pickeroptimizer.errors import OutputError, PickerOptimizerError

# A temporary file: the start of the target's name, machine, process, a random part, the suffix.
_TEMPORARY = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{12}(\.[^.]*)?")
# Without a change for so long, a file of a process elsewhere counts as left behind.
DEAD_AFTER_SECONDS = 24 * 3600


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Raise an `OutputError` instead of an `OSError`, as of a full or read-only disk.

    Raises
    ------
    OutputError
        A file could not be written.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error, PickerOptimizerError) or error.errno is None:
            raise
        what = error.strerror or type(error).__name__
        raise OutputError(
            f"{place} cannot be written: {what}. Make room or choose another place, and run again."
        ) from error


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    Parent folders are created. When the block raises, the temporary file is removed and
    whatever was at `path` before stays. Temporary files that killed processes left in the
    folder are removed first.

    Raises
    ------
    OutputError
        The file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    target = Path(path)
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _clean_once(target.parent)
        # the target's suffix stays last: writers that go by it (np.savez, matplotlib) keep working
        writer = f"{_machine()}-{os.getpid()}-{uuid4().hex[:12]}"
        temporary = target.with_name(f".{target.stem[:40]}.{writer}{target.suffix}")
        try:
            yield temporary
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomic(path: str | Path, text: str, *, encoding: str = "utf-8") -> Path:
    """Write `text` to `path` in one step, line endings unchanged; return the path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode(encoding))
    return Path(path)


def remove_dead_files(folder: Path) -> list[Path]:
    """Remove the temporary files in a folder whose process has ended, and return them.

    Of a process on another machine nothing is known but when it last wrote.
    """
    dead = [
        path
        for path in folder.iterdir()
        if (writer := _TEMPORARY.fullmatch(path.name)) and _is_dead(path, writer)
    ]
    for path in dead:
        with suppress(OSError):  # another process has removed it, or it may not be removed
            path.unlink()
    return dead


# once a process: a tree of many files is written into few folders
_clean_once = cache(remove_dead_files)


def _is_dead(path: Path, writer: re.Match[str]) -> bool:
    machine, process = writer[1], int(writer[2])
    if machine == _machine() and sys.platform != "win32":  # there, signal 0 ends a process
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):  # it is there, and somebody else's
            return False
        return False
    try:
        return time.time() - path.stat().st_mtime > DEAD_AFTER_SECONDS
    except OSError:  # gone
        return False


@cache
def _machine() -> str:
    """Return eight digits that stand for this machine."""
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"
