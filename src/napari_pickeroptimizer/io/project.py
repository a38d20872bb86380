"""The RELION project folder, to which the paths in STAR files are relative."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProjectPaths:
    """Resolve the paths in one STAR file.

    The project folder is the first of the working directory and the parents of the STAR
    file below which the first listed file exists; the next ones are looked for there first.

    Parameters
    ----------
    star : Path
        The file that lists the paths.
    """

    def __init__(self, star: str | Path) -> None:
        folder = absolute(star).parent
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
        """Return `path` for a STAR file: relative inside the project, else absolute."""
        full = absolute(path)
        if self.root is not None and full.is_relative_to(self.root):
            return full.relative_to(self.root).as_posix()
        return full.as_posix()


def common_folder(files: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all `files`, absolute, links not followed."""
    return Path(os.path.commonpath([absolute(f).parent for f in files]))


def absolute(path: str | Path) -> Path:
    """Return the absolute path without ``..``; links stay, unlike in ``Path.resolve``."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps the ..)
