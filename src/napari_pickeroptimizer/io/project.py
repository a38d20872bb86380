"""Paths in RELION's STAR files are relative to the project folder: find it."""

from __future__ import annotations

import os
from pathlib import Path


class ProjectPaths:
    """Resolve the paths that one STAR file lists.

    The project folder is the first of the working directory and the parents of the STAR
    file below which the first listed file exists; the next ones are looked for there first.

    Parameters
    ----------
    star : Path
        The file that lists the paths.
    """

    def __init__(self, star: str | Path) -> None:
        folder = Path(os.path.abspath(star)).parent
        self._candidates = [Path.cwd(), folder, *folder.parents]
        self.root: Path | None = None
        """The project folder, once a listed file has been found in it."""

    def resolve(self, listed: str) -> Path:
        """Return the file that `listed` means; below the project folder if there is none."""
        path = Path(listed).expanduser()
        if path.is_absolute():
            return path
        if self.root is not None and (self.root / path).is_file():
            return self.root / path
        for candidate in self._candidates:
            if (candidate / path).is_file():
                self.root = self.root or candidate
                return candidate / path
        return (self.root or self._candidates[0]) / path

    def relative(self, path: Path) -> str:
        """Return `path` as RELION shall see it: relative inside the project, else absolute."""
        absolute = Path(os.path.abspath(path))
        if self.root is not None and absolute.is_relative_to(self.root):
            return absolute.relative_to(self.root).as_posix()
        return absolute.as_posix()
