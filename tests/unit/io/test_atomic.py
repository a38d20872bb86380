"""A file is there whole or not at all, and nothing temporary stays for long."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_pickeroptimizer.errors import OutputError
from napari_pickeroptimizer.io.atomic import (
    DEAD_AFTER_SECONDS,
    atomic_path,
    remove_dead_files,
    write_text_atomic,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_behind(folder: Path) -> Path:
    """The temporary file of a process that ended without tidying up."""
    program = (
        "import os, sys; from napari_pickeroptimizer.io.atomic import atomic_path\n"
        "with atomic_path(sys.argv[1]) as path: path.write_text('half'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", program, folder / "new.txt"], check=False)
    (path,) = folder.iterdir()
    return path


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = write_text_atomic(tmp_path / "a.txt", "old")

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_an_error_of_the_disk_names_the_file_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"a\.txt cannot be written: .* run again"):
        write_text_atomic(tmp_path / "file" / "a.txt", "new")


def test_a_file_that_a_killed_process_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    dead = left_behind(tmp_path)
    assert dead.read_text() == "half"
    write_text_atomic(tmp_path / "b.txt", "whole")
    assert names(tmp_path) == ["b.txt"]


def test_a_file_that_is_being_written_stays(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        assert remove_dead_files(tmp_path) == []
    assert names(tmp_path) == ["a.txt"]


def test_a_file_of_another_machine_stays_for_a_day(tmp_path: Path) -> None:
    old, new = (tmp_path / f".m.0000000{i}-1-0123456789ab.star" for i in (1, 2))
    for path in (old, new):
        path.write_text("half")
    long_ago = time.time() - DEAD_AFTER_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    assert remove_dead_files(tmp_path) == [old]
    assert names(tmp_path) == [new.name]


@pytest.mark.parametrize(
    "name", [".m.star", ".git", "m.0123456789ab.star", ".m.0123456789ab.star"]
)
def test_files_of_the_user_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    assert remove_dead_files(tmp_path) == []


def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = write_text_atomic(tmp_path / ("粒" * 83 + ".star"), "whole")
    assert path.read_text() == "whole"
