"""Lists of coordinate files, one a micrograph: RELION's list and suffix files, folders."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.files import is_file
from napari_pickeroptimizer.io.micrographs_star import read_micrographs_star
from napari_pickeroptimizer.io.outputs import JOB_FOLDER
from napari_pickeroptimizer.io.project import ProjectPaths, common_folder
from napari_pickeroptimizer.io.star import new_star
from napari_pickeroptimizer.io.text import read_text
from napari_pickeroptimizer.quoting import quoted
from napari_pickeroptimizer.schema import MICROGRAPH
from napari_pickeroptimizer.sources import FileList

if TYPE_CHECKING:
    from collections.abc import Mapping

    from napari_pickeroptimizer.io.star import StarBlock, StarDocument

COORDINATE_FILE = "rlnMicrographCoordinates"
_SUFFIX_FILE = re.compile(r"coords_suffix_(.+)\.star")
_EXTENSION = re.compile(r"\.[^./]*$")


@dataclass(frozen=True)
class ListedFile:
    """One coordinate file of a tree and the micrograph that it belongs to.

    Parameters
    ----------
    micrograph : str
        Its name in the list.
    path : Path
        The file.
    why_missing : str
        What is told whoever needs the file, if it is not there; else empty.
    """

    micrograph: str
    path: Path
    why_missing: str = ""


@dataclass(frozen=True, eq=False)
class CoordinateList(FileList):
    """A file that lists coordinate files, or names their location.

    Parameters
    ----------
    files : tuple of ListedFile
        In order.
    """

    files: tuple[ListedFile, ...]


@dataclass(frozen=True, eq=False)
class ListFile(CoordinateList):
    """``autopick.star`` and similar lists (RELION 4 and 5): block ``coordinate_files``."""

    document: StarDocument
    block: StarBlock
    paths: ProjectPaths

    def render(self, written: Mapping[Path, Path]) -> dict[str, str]:
        """Return the list with the new paths, without the rows of files not written."""
        rows = [i for i, file in enumerate(self.files) if file.path in written]
        new = [self.paths.relative(written[self.files[i].path]) for i in rows]
        columns = {COORDINATE_FILE: [quoted(f) for f in new]}
        text = self.document.render(self.block, rows, columns)
        return {self.path.name: text}


@dataclass(frozen=True, eq=False)
class SuffixFile(CoordinateList):
    """``coords_suffix_autopick.star`` (RELION 3): a text file naming the micrographs STAR.

    The coordinate files are beside it, at the micrographs' paths without their job folder.
    """

    text: str
    paths: ProjectPaths

    def render(self, written: Mapping[Path, Path]) -> dict[str, str]:
        """Return the suffix file as it was, and a list file for RELION 4 and later."""
        files = [file for file in self.files if file.path in written]
        places = [self.paths.relative(written[file.path]) for file in files]
        columns = {
            MICROGRAPH.star: np.array([file.micrograph for file in files], dtype=object),
            COORDINATE_FILE: np.array(places, dtype=object),
        }
        listing = "\n# version 30001\n" + new_star("coordinate_files", columns)
        return {self.path.name: self.text, f"{suffix_of(self.path)}.star": listing}


@dataclass(frozen=True, eq=False)
class Folder(FileList):
    """A folder of per-micrograph files without a list; none is written either."""

    def render(self, written: Mapping[Path, Path]) -> dict[str, str]:
        """Return nothing: without a list the micrographs' full names are not known."""
        return {}


def suffix_of(path: Path) -> str | None:
    """Return ``autopick`` of ``coords_suffix_autopick.star``, None for any other file."""
    match = _SUFFIX_FILE.fullmatch(path.name)
    return match[1] if match else None


def read_list_file(document: StarDocument, block: StarBlock) -> ListFile:
    """Read a list file whose `block` has ``rlnMicrographCoordinates``.

    Raises
    ------
    PickFormatError
        There is no column ``rlnMicrographName``, or a micrograph or file is listed twice.
    """
    path = document.path
    if MICROGRAPH.star not in block.columns:
        raise PickFormatError(f"{path}: {block.title} has no column {MICROGRAPH.star}.")
    values = document.strings(block, [MICROGRAPH.star, COORDINATE_FILE])
    paths = ProjectPaths(path, values[COORDINATE_FILE].tolist())
    where = document.where(block)
    files = [paths.resolve(f) for f in values[COORDINATE_FILE].tolist()]
    why_missing = [
        ""
        if is_file(file)
        else f"{where(row)}: coordinate file {values[COORDINATE_FILE][row]} does not exist "
        f"(looked in the working directory and above {path}). Run in the RELION project "
        "folder, or remove the row."
        for row, file in enumerate(files)
    ]
    for column, listed in (
        (MICROGRAPH.star, values[MICROGRAPH.star]),
        (COORDINATE_FILE, list(map(os.path.realpath, files))),
    ):
        first: dict[object, int] = {}
        for row, value in enumerate(listed):
            if first.setdefault(value, row) != row:
                raise PickFormatError(
                    f"{where(row)}: {column} {value} is listed twice, first "
                    f"in row {first[value] + 1}."
                )
    names = values[MICROGRAPH.star].tolist()
    listed_files = tuple(map(ListedFile, names, files, why_missing))
    return ListFile(path, _root(path, files), listed_files, document, block, paths)


def read_suffix_file(path: Path) -> SuffixFile:
    """Read a ``coords_suffix_*.star``; micrographs without a coordinate file have no picks.

    Raises
    ------
    PicksNotFoundError
        The micrographs STAR does not exist, or no coordinate file does.
    """
    text, _ = read_text(path)
    listed = text.strip()
    paths = ProjectPaths(path)
    star = paths.resolve(listed.split("\n")[0].strip()) if listed else path
    if not listed or not is_file(star):
        raise PicksNotFoundError(
            f"{path} should hold the path of the micrographs STAR, but holds {listed[:80]!r}, "
            "which does not exist in the working directory or above. Run in the RELION "
            "project folder."
        )
    root = path.parent
    suffix = suffix_of(path)
    files = [
        ListedFile(
            row.name,
            root / f"{_EXTENSION.sub('', JOB_FOLDER.sub('', row.name))}_{suffix}.star",
        )
        for row in read_micrographs_star(star)
    ]
    existing = tuple(file for file in files if is_file(file.path))
    if not existing:
        raise PicksNotFoundError(
            f"{path}: none of the {len(files)} coordinate files exists, for example "
            f"{files[0].path}."
        )
    return SuffixFile(path, root, existing, text, paths)


def list_in(folder: Path) -> Path | None:
    """Return the list file, suffix file, particles STAR or group that has all picks of a folder.

    Raises
    ------
    PickFormatError
        There are several.
    """
    stars = sorted(
        f for f in folder.glob("*.star") if f.is_file() and not f.name.startswith(".")
    )
    lists = [star for star in stars if _has_list(star)]
    lists = lists or [f for f in stars if suffix_of(f) is not None]
    lists = lists or [f for f in stars if f.name == "particles.star"]
    lists = lists or sorted(f for f in folder.glob("[!.]*.csg") if f.is_file())
    if len(lists) > 1:
        raise PickFormatError(
            f"{folder} holds several lists of picks ({', '.join(f.name for f in lists)}): "
            "pass one of these files."
        )
    return lists[0] if lists else None


def is_list(path: Path) -> bool:
    """Return whether a file lists coordinate files, by its name and its beginning."""
    if suffix_of(path) is not None:
        return True
    return path.suffix == ".star" and path.is_file() and _has_list(path)


def _has_list(star: Path) -> bool:
    status = star.stat()
    return _has_list_as_of(str(star), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1 << 16)  # a live session looks at its folders again and again
def _has_list_as_of(star: str, size: int, mtime_ns: int) -> bool:
    with Path(star).open("rb") as file:
        return COORDINATE_FILE.encode() in file.read(4096)


def _root(path: Path, files: list[Path]) -> Path:
    folder = common_folder([path])
    if all(common_folder([f]).is_relative_to(folder) for f in files):
        return folder
    return common_folder(files)
