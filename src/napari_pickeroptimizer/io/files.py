"""Finding files below a folder or by a pattern: each folder once, whatever links lead to it."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path


def files_below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Return what lies in and below a folder and has one of the suffixes, sorted.

    Links are followed. A folder that several links lead to is visited once, by its own name
    where it has one below `folder`. Folders are left out; other things that are no regular
    files (see `is_special`) are not, and nothing is opened.
    """
    return sorted(
        Path(entry.path)
        for _, entries in _walk(str(folder))
        for entry in entries
        if entry.name.lower().endswith(suffixes) and not _is_folder(entry)
    )


def files_like(pattern: str) -> list[Path]:
    """Return what a glob pattern matches, sorted; ``**`` visits each folder once."""
    parts = re.sub(r"(?<![^/])\*\*(/\*\*)+(?![^/])", "**", pattern).split("/")
    if "**" not in parts:
        return [Path(match) for match in sorted(glob.glob(pattern))]
    i = parts.index("**")
    before, after = "/".join(parts[:i]), "/".join(parts[i + 1 :]) or "*"
    bases = sorted(glob.glob(before + "/")) if i else [""]
    matches = {
        match
        for base in bases
        for place, _ in _walk(base or ".", hidden=False)
        for match in files_like(f"{glob.escape(_inside(place, base))}{after}")
    }
    return sorted(matches)


def is_file(path: str | Path) -> bool:
    """Return whether a regular file is there; False for what can be no path, too."""
    return os.path.isfile(path)


def is_special(path: str | Path) -> bool:
    """Return whether a FIFO, socket or device is there, by itself or by a link."""
    return os.path.exists(path) and not is_file(path) and not os.path.isdir(path)


class RealPaths:
    """The real path of each of many files, links followed: what a file is known by."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def of(self, path: str | Path) -> str:
        """Return the path without links, absolute; of a file that is not there, likewise."""
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)
        return os.path.realpath(real) if os.path.islink(real) else real


def _walk(folder: str, *, hidden: bool = True) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Yield each folder once, and what is in it; those that links lead to come last."""
    visited: set[str] = set()
    places, linked = [folder], list[str]()
    while places or linked:
        place = places.pop() if places else linked.pop(0)
        real = os.path.realpath(place)
        if real in visited:
            continue
        visited.add(real)
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue  # a folder of others, such as lost+found
        for entry in entries:
            if _is_folder(entry) and (hidden or not entry.name.startswith(".")):
                (linked if entry.is_symlink() else places).append(entry.path)
        yield place, entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _inside(place: str, base: str) -> str:
    """Return a folder of `_walk` as the beginning of a path, as the pattern spells it."""
    place = place.rstrip("/") + "/"
    return place if base else place.removeprefix("./")
