"""Staging of a run: the output folder holds a complete run or none.

A run is written to a hidden folder *inside* the output, so that both are on the same disk
whatever the output is (a mount point, the working directory, the folder of a running RELION
job). The complete folder is renamed, which commits the run: files of the earlier run are
removed, those of the new one moved in, its record last. If that is interrupted, the next run
in the folder completes it first.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from napari_pickeroptimizer.errors import OutputError, SettingsError
from napari_pickeroptimizer.io.atomic import writing

RUN_RECORD, SIMULATION_RECORD = RECORDS = "run.json", "simulation.json"
REPORT = "report.html"
PARTS = ("scored", "kept", "rejected", "unscored", "report")
LOCK = ".pickeroptimizer.lock"
_IN_PROGRESS, _COMPLETE = ".run_in_progress", ".run_complete"
# In a complete run: the files of the earlier one to remove; deleted once they are removed.
_REPLACES = ".replaces.json"
MEGABYTE = 1e6
_LOCKED = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def earlier_files(
    output: Path, overwrite: bool, *, record: str = RUN_RECORD, parts: Collection[str] = PARTS
) -> list[Path]:
    """Return the files of the run that a folder holds, its record first, if they may go.

    Nothing is written. Leftovers of an interrupted run do not count, see `repair`.

    Parameters
    ----------
    output : Path
        The folder.
    overwrite : bool
        Whether they may.
    record : str
        Name of the file that lists those of a run.
    parts : collection of str
        What a run writes, by the part of the name before the first dot, without ``_added``.

    Raises
    ------
    SettingsError
        It holds a run and may not be overwritten, or files that look like those of a run and
        are in no record.
    """
    files: list[Path] = []
    if (output / record).is_file():
        files = [output / record, *_recorded(output, record)]
        if not overwrite:
            raise SettingsError(
                f"{output} already holds a run ({record}): choose another folder, or "
                "replace that run with --overwrite."
            )
    recorded = {path.relative_to(output).parts[0] for path in files}
    entries = sorted(path.name for path in output.iterdir()) if output.is_dir() else []
    strange = [
        name
        for name in entries
        if name not in recorded and name.partition(".")[0].removesuffix("_added") in parts
    ]
    if strange:
        raise SettingsError(
            f"{output} holds {', '.join(strange)}, and no {record} that lists "
            "them: move them away, or choose another folder."
        )
    return files


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, or made; nothing is left in it.

    Raises
    ------
    OutputError
        It is a file, lies below one, or may not be written to.
    """
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            if not os.access(place, os.W_OK | os.X_OK):
                raise OutputError(f"{folder} cannot be written: {place} is read-only.")
            with writing(folder), TemporaryFile(dir=place):  # permissions may lie, as on NFS
                return
        if place.exists():
            raise OutputError(f"{folder} cannot be a folder: {place} is a file.")


def check_output(output: Path, overwrite: bool) -> list[Path]:
    """Check that a run may be written into a folder; return the files that it replaces.

    A swap that was interrupted is finished first.

    Raises
    ------
    SettingsError
        As `earlier_files`.
    OutputError
        As `check_writable`.
    """
    check_writable(output)
    repair_if_needed(output)
    return earlier_files(output, overwrite)


def check_inputs_stay(replaced: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse a run that would replace one of its own inputs.

    Parameters
    ----------
    replaced : iterable of Path
        Files that are there now and will be removed or overwritten.
    inputs : iterable of Path
        Files that are read.

    Raises
    ------
    SettingsError
        A file is both, by whatever name or link.
    """
    real = {path.resolve() for path in replaced}
    for path in inputs:
        if path.expanduser().resolve() in real:
            raise SettingsError(
                f"{path} is an input of this run, which would replace it: choose another output."
            )


def check_space(folder: Path, n_bytes: float) -> None:
    """Refuse a folder on a disk that is too full.

    Raises
    ------
    OutputError
        Fewer bytes are free.
    """
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < n_bytes:
        raise OutputError(
            f"the disk of {folder} is too full: about {max(n_bytes / MEGABYTE, 0.1):,.1f} MB "
            f"are needed, {free / MEGABYTE:,.1f} MB are free."
        )


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Lock a folder, created if needed, against other runs; remove it at the end if empty.

    Raises
    ------
    SettingsError
        Another run has locked it.
    OutputError
        It cannot be made.
    """
    with _held(output / LOCK, output):
        with writing(output):
            repair(output)
        yield


@contextmanager
def locked_file(path: Path) -> Iterator[None]:
    """Lock a file that is going to be written, such as a model, against other runs.

    Its folder is created if needed, and removed at the end if empty.

    Raises
    ------
    SettingsError
        Another run has locked it.
    OutputError
        The folder cannot be made, or not be written to.
    """
    # two names may begin alike, and a name with an addition may be too long
    lock = f".{path.name[:40]}.{zlib.crc32(os.fsencode(path.name)):08x}.lock"
    with _held(path.with_name(lock), path):
        yield


@contextmanager
def _held(lock: Path, output: Path) -> Iterator[None]:
    made = [p for p in lock.parents if not p.exists()]
    with writing(output):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = _open_lock(lock, output)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        file.close()
        for folder in made:
            with suppress(OSError):  # not empty
                folder.rmdir()


@contextmanager
def staged(output: Path, earlier: Iterable[Path]) -> Iterator[Path]:
    """Yield an empty folder to write a run to; swap it in when the block succeeds.

    Parameters
    ----------
    output : Path
        The folder of the run, `locked`.
    earlier : iterable of Path
        Files in it that the new run replaces; they are removed once it is complete.

    Raises
    ------
    OutputError
        The disk is full or read-only; the earlier run is unchanged, and the message says so.
    """
    folder = output / _IN_PROGRESS
    complete = output / _COMPLETE
    names = [path.relative_to(output).as_posix() for path in earlier]
    try:
        with writing(output):
            folder.mkdir()
            yield folder
            (folder / _REPLACES).write_text(json.dumps(names), encoding="utf-8")
            folder.rename(complete)
    except OutputError as error:
        if not names:
            raise
        raise OutputError(f"{error} The earlier run in {output} is unchanged.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with writing(output):
            try:
                _swap_in(output)
            except BaseException:  # such as a signal: a complete run is still swapped in
                _swap_in(output)
                raise


def repair(output: Path) -> None:
    """Finish the swap of a complete run, and remove what an incomplete one left."""
    shutil.rmtree(output / _IN_PROGRESS, ignore_errors=True)
    if (output / _COMPLETE).is_dir():
        _swap_in(output)


def repair_if_needed(output: Path) -> None:
    """Call `repair` if a swap was interrupted; otherwise write nothing."""
    if (output / _COMPLETE).is_dir():
        with locked(output):
            pass


def _swap_in(output: Path) -> None:
    """Move a complete run to its place, if there is one."""
    complete = output / _COMPLETE
    replaces = complete / _REPLACES
    if replaces.is_file():  # none of the new files has been moved yet
        names: list[str] = json.loads(replaces.read_text(encoding="utf-8"))
        for name in names:
            (output / name).unlink(missing_ok=True)
        folders = {parent for name in names for parent in Path(name).parents}
        for parent in sorted(folders, key=lambda p: -len(p.parts)):
            if parent.parts:
                with suppress(OSError):  # something else is in it
                    (output / parent).rmdir()
        replaces.unlink()
    if not complete.is_dir():
        return
    files = [path for path in complete.rglob("*") if not path.is_dir()]
    records = [complete / name for name in RECORDS]
    files.sort(key=lambda path: path in records)  # last
    for path in files:
        target = output / path.relative_to(complete)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
    shutil.rmtree(complete, ignore_errors=True)


def _recorded(output: Path, record: str) -> list[Path]:
    """Return the files listed in a run's record."""
    try:
        names = json.loads((output / record).read_text(encoding="utf-8"))["files"]
        files = [output / str(name) for name in names]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    # only what lies in the folder: the record is a text file that anyone may have edited
    home = output.resolve()
    return [f for f in files if f.resolve().is_relative_to(home)]


def _open_lock(path: Path, output: Path) -> IO[bytes]:
    """Return the file at `path`, locked until it is closed."""
    while True:
        file = path.open("ab")
        try:
            lock_file(file)
        except OSError as error:
            file.close()
            if error.errno in _LOCKED:
                raise SettingsError(
                    f"another run is writing {output}: wait until it has ended, or choose another "
                    "output."
                ) from error
            raise
        # the previous holder removes the file: this may no longer be the one at `path`
        with suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()


def lock_file(file: IO[bytes]) -> None:
    """Lock an open file for this process, without waiting; it ends with the process.

    On a file system that has no locks, nothing is done.

    Raises
    ------
    OSError
        Another process holds it (``EACCES``, ``EAGAIN`` or ``EDEADLK``).
    """
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
