"""The RELION project folder, to which the paths in STAR files are relative."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.errors import AmbiguousMicrographError
from napari_pickeroptimizer.io.files import is_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ProjectPaths:
    """Resolve the paths in one file, such as a STAR.

    A relative path is looked up in the folder of the file and in those above it, the nearest
    first: the project that the file lies in. The working directory counts where that project
    holds none of the listed files. Where it holds another file of the same path, it is not
    known which one is meant.

    Parameters
    ----------
    star : Path
        The file that lists the paths.
    listed : iterable of str
        The paths; by them the project is known before the first is resolved.
    upward : bool
        Whether the folders above that of the file are looked in too.
    """

    def __init__(
        self, star: str | Path, listed: Iterable[str] = (), *, upward: bool = True
    ) -> None:
        self._star = absolute(star)
        self._folders = self._star.parents if upward else (self._star.parent,)
        self._here = Path.cwd()
        self.root: Path | None = None
        """The project folder, once a listed file has been found in it."""
        projects = (folder for path in listed if (folder := self._upward(path)))
        self.root = next(projects, None)

    def resolve(self, listed: str) -> Path:
        """Return the file that `listed` means; below the project folder if there is none.

        Raises
        ------
        AmbiguousMicrographError
            The project and the working directory hold different files of that path.
        """
        return self.find(listed) or (self.root or self._here) / Path(listed)

    def find(self, listed: str) -> Path | None:
        """Return the file that `listed` means, None if there is none.

        Raises
        ------
        AmbiguousMicrographError
            The project and the working directory hold different files of that path.
        """
        path = expanded(listed)
        if path.is_absolute():
            return path if is_file(path) else None
        candidates = [self._upward(listed), self.root, self._here]
        folders = [f for f in dict.fromkeys(candidates) if f and is_file(f / path)]
        if len(folders) > 1 and len({os.path.realpath(f / path) for f in folders}) > 1:
            raise AmbiguousMicrographError(
                f"{listed!r} in {self._star} fits {len(folders)} files: "
                f"{' and '.join(str(folder / path) for folder in folders)}. Run in the project "
                f"folder of {self._star.name}, where only one of them is there, or list full "
                "paths."
            )
        if not folders or (folders == [self._here] and self.root not in (None, self._here)):
            return None  # a file of another project than the others'
        self.root = self.root or folders[0]
        return folders[0] / path

    def _upward(self, listed: str) -> Path | None:
        """Return the nearest folder, of that of the list and those above, below which it is."""
        path = expanded(listed)
        if path.is_absolute():
            return None
        return next((f for f in self._folders if is_file(f / path)), None)

    def relative(self, path: Path) -> str:
        """Return `path` for a STAR file: relative inside the project, else absolute."""
        return in_project(path, self.root)


def in_project(path: Path, project: Path | None) -> str:
    """Return `path` as a STAR has it: relative inside the project folder, else absolute."""
    full = absolute(path)
    if project is not None and full.is_relative_to(project):
        return full.relative_to(project).as_posix()
    return full.as_posix()


def common_folder(files: Sequence[Path]) -> Path:
    """Return the deepest folder that holds all `files`, absolute, links not followed."""
    return Path(os.path.commonpath([absolute(f).parent for f in files]))


def absolute(path: str | Path) -> Path:
    """Return the absolute path without ``..``; links stay, unlike in ``Path.resolve``."""
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.absolute keeps the ..)


def expanded(path: str) -> Path:
    """Return a path with ``~`` as the home folder, and as it is where that means nobody."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 (Path.expanduser raises)
