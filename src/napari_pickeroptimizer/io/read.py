"""Read picks from a file, a folder, a glob, or a list of these."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import MAX_CLASS
from napari_pickeroptimizer.errors import LabelError, PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.coordinate_lists import CoordinateList, Folder, is_list, list_in
from napari_pickeroptimizer.io.filaments import why_filaments
from napari_pickeroptimizer.io.files import files_below, files_like, is_special
from napari_pickeroptimizer.io.pick_format import FilePicks
from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.io.registry import EXPECTED, SUFFIXES, format_of
from napari_pickeroptimizer.picks import Picks, make_table
from napari_pickeroptimizer.schema import COLUMNS, LABEL, MICROGRAPH, X, Y

if TYPE_CHECKING:
    from napari_pickeroptimizer.sources import FileList

# A file's beginning, by which it is known whether it is one of picks.
_HEAD_BYTES = 1 << 16
# What RELION puts into every job folder beside the results.
_BOOKKEEPING = ("job.star", "RELION_OUTPUT_NODES.star")

_Part = tuple[list[FilePicks], "FileList | None"]


def read_picks(
    where: str | Path | Sequence[str | Path],
    *,
    label: int | None = None,
    leave_out: Collection[Path] = (),
) -> Picks:
    r"""Read picks of any number of micrographs.

    Parameters
    ----------
    where : str, Path or sequence of them
        One or several of

        - a RELION STAR: particles, or the coordinates of one micrograph;
        - a list of coordinate files: ``autopick.star`` and its like (RELION 4, 5), or
          ``coords_suffix_autopick.star`` (RELION 3);
        - a pick file of another program: any of `registry.FORMATS`;
        - a folder: its list file, else its ``particles.star``, else all pick files in it
          and below, each named by its place in the folder;
        - a glob of such files.
    label : int, optional
        Class that all these picks get, 1 to 6; by default what the files say.
    leave_out : collection of Path
        Files, as `pick_files` spells them, that are not read: another program is writing them.

    Returns
    -------
    Picks
        In the order of the files and of their rows.

    Raises
    ------
    PicksNotFoundError
        Nothing is there, or a listed file is missing.
    PickFormatError
        A file is not what it should be; the message names file, row and line.
    LabelError
        `label` is no class id.

    Examples
    --------
    >>> import tempfile
    >>> box = Path(tempfile.mkdtemp()) / "a.box"
    >>> _ = box.write_text("10 20 8 8\n")
    >>> read_picks(box, label=1).table[["micrograph", "x", "y", "label"]]
      micrograph     x     y  label
    0          a  14.0  24.0      1
    """
    paths = [
        Path(p).expanduser() for p in ([where] if isinstance(where, str | Path) else where)
    ]
    if label is not None and label not in range(MAX_CLASS + 1):
        raise LabelError(f"label {label} is no class id: expected 1 to {MAX_CLASS}.")
    if not paths:
        raise PicksNotFoundError("no picks: the list of files is empty.")
    folders = _each_once(p for p in paths if p.is_dir())
    files = _each_once(f for p in paths if not p.is_dir() for f in _matches(p))
    root = common_folder(files) if len(files) > 1 else None
    parts = [_read_folder(f, leave_out) for f in folders]
    parts += [
        _read_file(f, _name_below(root, f), leave_out) for f in files if f not in leave_out
    ]
    if len(parts) > 1:
        parts = _not_read_before(parts)
    file_list = parts[0][1] if len(parts) == 1 else None
    return _joined([f for part, _ in parts for f in part], file_list, label)


def pick_files(where: Sequence[str | Path]) -> list[Path]:
    """Return the files that `read_picks` would read at some places, in its order.

    Where nothing is yet, there are none. A list of files stands for them, see `listed_files`.

    Raises
    ------
    PickFormatError
        A folder holds several lists.
    """
    places = [Path(p).expanduser() for p in where]
    files: list[Path] = []
    for folder in filter(Path.is_dir, places):
        list_file = list_in(folder)
        below = _files_in(folder) if list_file is None else [list_file]
        files += sorted(_each_once(sorted(filter(Path.is_file, below), key=Path.is_symlink)))
    for place in places:
        if not place.is_dir():
            found = [place] if place.exists() else files_like(str(place))
            files += filter(Path.is_file, found)
    return _each_once(files)


def listed_files(path: Path) -> list[Path]:
    """Return the pick files that a file lists, those that are not there too; none of others.

    Raises
    ------
    PickFormatError, PicksNotFoundError
        The list cannot be read, or lists a file twice.
    """
    parsed = _parse(path, None) if is_list(path) else None
    return [f.path for f in parsed.files] if isinstance(parsed, CoordinateList) else []


def check_picks_file(path: Path) -> None:
    """Read one pick file, or a list of such files without those that it lists.

    Raises
    ------
    PickFormatError, PicksNotFoundError
        It cannot be read.
    """
    _parse(path, None)


def check_one_format(folder: Path, files: Iterable[Path]) -> None:
    """Refuse files of several formats in one folder: perhaps they hold the same picks.

    Raises
    ------
    PickFormatError
        There are several.
    """
    counts = Counter(f.suffix.lower() for f in files)
    if len(counts) > 1:  # crYOLO, for one, writes the same picks in several formats
        listed = ", ".join(f"{n} {suffix}" for suffix, n in sorted(counts.items()))
        raise PickFormatError(
            f"{folder} holds pick files of several formats ({listed}), perhaps the same picks "
            f"twice. Pass those of one: {folder}/**/*{min(counts)}"
        )


def _files_in(folder: Path) -> list[Path]:
    return [f for f in files_below(folder, SUFFIXES) if not _is_aside(f.name)]


def _each_once(paths: Iterable[Path]) -> list[Path]:
    """Return the paths without those that lead to one of the others."""
    first: dict[str, Path] = {}
    for path in paths:
        first.setdefault(os.path.realpath(path), path)
    return list(first.values())


def _not_read_before(parts: list[_Part]) -> list[_Part]:
    """Return the parts without the files of earlier ones, and without those left empty."""
    known: set[str] = set()
    kept = []
    for files, file_list in parts:
        real = [os.path.realpath(file.source.path) for file in files]
        new = [file for file, path in zip(files, real, strict=True) if path not in known]
        if new or not files:
            kept.append((new, file_list))
        known.update(real)
    return kept


def _joined(
    files: Sequence[FilePicks], file_list: FileList | None, label: int | None
) -> Picks:
    """Join the picks of files into one table, in order; `label` replaces their labels."""
    counts = [len(file) for file in files]
    columns: dict[str, NDArray[Any]] = {}
    for column in COLUMNS:
        parts = [file.columns.get(column.name) for file in files]
        if column in (X, Y, MICROGRAPH) or any(part is not None for part in parts):
            filled = [
                column.all_missing(n) if part is None else part
                for part, n in zip(parts, counts, strict=True)
            ]
            columns[column.name] = np.concatenate([column.all_missing(0), *filled])
    if label is not None:
        columns[LABEL.name] = np.full(sum(counts), label, dtype=np.int8)
    source = np.repeat(np.arange(len(files)), counts)
    source_row = np.concatenate([np.empty(0, np.int64), *(np.arange(n) for n in counts)])
    sources = tuple(file.source for file in files)
    return Picks(make_table(columns, source, source_row), sources, file_list)


def _matches(path: Path) -> list[Path]:
    if path.exists():
        return [path]
    files = [f for f in _no_special(files_like(str(path))) if f.is_file()]
    if not files:
        raise PicksNotFoundError(f"no picks at {path}: nothing is there.")
    return files


def _name_below(root: Path | None, file: Path) -> str | None:
    """Name a micrograph by its pick file's place: equal names in two folders differ."""
    if root is None:
        return None
    return absolute(file).relative_to(root).with_suffix("").as_posix()


def _read_file(
    path: Path, micrograph: str | None = None, leave_out: Collection[Path] = ()
) -> tuple[list[FilePicks], FileList | None]:
    parsed = _parse(path, micrograph)
    if isinstance(parsed, FilePicks):
        return [parsed], None
    wanted = [listed for listed in parsed.files if listed.path not in leave_out]
    why_missing = next((listed.why_missing for listed in wanted if listed.why_missing), "")
    if why_missing:
        raise PicksNotFoundError(why_missing)
    files = []
    for listed in wanted:  # the list's name of a micrograph goes before the file's own
        file = _picks_in(listed.path, listed.micrograph)
        name = np.full(len(file), listed.micrograph, dtype=object)
        files.append(replace(file, columns={**file.columns, MICROGRAPH.name: name}))
    return files, parsed


def _picks_in(path: Path, micrograph: str | None) -> FilePicks:
    """Read a file that is one of many, and therefore no list of others."""
    parsed = _parse(path, micrograph)
    if isinstance(parsed, FilePicks):
        return parsed
    raise PickFormatError(
        f"{path} is a list of pick files in a folder of pick files: pass the list itself."
    )


def _parse(path: Path, micrograph: str | None) -> FilePicks | CoordinateList:
    pick_format = format_of(path)
    if pick_format is None:
        raise PickFormatError(f"{path} is no pick file: expected {EXPECTED}.")
    if pick_format.read is None:
        raise PickFormatError(f"{path} is {pick_format.instead}.")
    why = why_filaments(path)
    if why is not None:
        raise PickFormatError(
            f"{path} holds ends or segments of filaments, {why}. This package prunes picks of "
            "single particles."
        )
    return pick_format.read(path, micrograph)


def _read_folder(
    folder: Path, leave_out: Collection[Path] = ()
) -> tuple[list[FilePicks], FileList | None]:
    list_file = list_in(folder)
    if list_file is not None:
        return ([], None) if list_file in leave_out else _read_file(list_file, None, leave_out)
    there = _files_in(folder)
    below = [f for f in there if f not in leave_out]
    if len(below) < len(there) and not below:
        return [], None
    # a file before the links to it
    found = _each_once(sorted(_no_special(below), key=Path.is_symlink))
    files = [f for f in found if not _is_of_another_kind(f)]
    if not files:
        raise PicksNotFoundError(
            f"no picks in {folder}: expected {EXPECTED} files in it or below."
        )
    check_one_format(folder, files)
    root = absolute(folder)
    parts = [_picks_in(f, _name_below(root, f)) for f in sorted(files)]
    return parts, Folder(folder, folder)


def _no_special(files: Iterable[Path]) -> list[Path]:
    """Return the files without those that cannot be read as one, and say which."""
    regular = []
    for file in files:
        if is_special(file):
            warnings.warn(f"{file} is passed over: a FIFO, socket or device.", stacklevel=2)
        else:
            regular.append(file)
    return regular


def _is_of_another_kind(file: Path) -> bool:
    """Whether a file of a common suffix, as .txt, is none of picks by its beginning."""
    pick_format = format_of(file)
    if pick_format is None or not pick_format.is_common_suffix:
        return False
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", "replace")
    except OSError:
        return False  # reading it says why
    return not pick_format.holds_picks(head)


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name in _BOOKKEEPING or name.endswith("_pipeline.star")
