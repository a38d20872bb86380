"""Read picks from whatever the user points at: a file, a folder, a glob, a list of them."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.classes import MAX_CLASS
from napari_pickeroptimizer.errors import LabelError, PickFormatError, PicksNotFoundError
from napari_pickeroptimizer.io.assemble import FilePicks, assemble
from napari_pickeroptimizer.io.csv_table import read_csv
from napari_pickeroptimizer.io.eman import read_box
from napari_pickeroptimizer.io.listing import (
    Entry,
    Folder,
    read_list_file,
    read_suffix_file,
    suffix_of,
)
from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.io.relion import COORDINATE_FILE, picks_of_document, read_star
from napari_pickeroptimizer.io.star import StarDocument

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import PickListing, Picks

PICK_SUFFIXES = (".star", ".box", ".csv")
_LATER = {
    ".cbox": "a crYOLO .cbox file, which is not read yet: pass crYOLO's EMAN/*.box or "
    "STAR/*.star files",
    ".cs": "a cryoSPARC file, which is not read yet: convert it to .star with csparc2star.py",
    ".csg": "a cryoSPARC group, which is not read yet: convert its .cs to .star with "
    "csparc2star.py",
}
# What RELION puts into every job folder beside the results.
_BOOKKEEPING = ("job.star", "RELION_OUTPUT_NODES.star")


def read_picks(where: str | Path | Sequence[str | Path], *, label: int | None = None) -> Picks:
    r"""Read picks of any number of micrographs.

    Parameters
    ----------
    where : str, Path or sequence of them
        One or several of

        - a RELION STAR: particles, or the coordinates of one micrograph;
        - a list of coordinate files: ``autopick.star`` and its like (RELION 4, 5), or
          ``coords_suffix_autopick.star`` (RELION 3);
        - an EMAN ``.box`` or a CSV (see `read_box`, `read_csv`);
        - a folder: its list file, else its ``particles.star``, else all pick files in it
          and below, each named by its place in the folder;
        - a glob of such files.
    label : int, optional
        Class that all these picks get, 1 to 6; by default what the files say.

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
    places = [
        Path(p).expanduser() for p in ([where] if isinstance(where, str | Path) else where)
    ]
    if label is not None and label not in range(MAX_CLASS + 1):
        raise LabelError(f"label {label} is no class id: expected 1 to {MAX_CLASS}.")
    if not places:
        raise PicksNotFoundError("no picks: the list of files is empty.")
    folders = [p for p in places if p.is_dir()]
    files = _unique([f for p in places if not p.is_dir() for f in _matches(p)])
    root = common_folder(files) if len(files) > 1 else None
    parts = [_read_folder(f) for f in folders]
    parts += [_read_file(f, _name_below(root, f)) for f in files]
    listing = parts[0][1] if len(parts) == 1 else None
    return assemble([f for part, _ in parts for f in part], listing, label)


_Part = tuple[list[FilePicks], "PickListing | None"]


def _matches(place: Path) -> list[Path]:
    if place.exists():
        return [place]
    found = [Path(f) for f in sorted(glob.glob(str(place), recursive=True))]
    found = [f for f in found if f.is_file()]
    if not found:
        raise PicksNotFoundError(f"no picks at {place}: nothing is there.")
    return found


def _unique(files: list[Path]) -> list[Path]:
    return list({os.path.realpath(f): f for f in files}.values())


def _name_below(root: Path | None, file: Path) -> str | None:
    """Name a micrograph by its pick file's place: equal names in two folders differ."""
    if root is None:
        return None
    return absolute(file).relative_to(root).with_suffix("").as_posix()


def _read_file(path: Path, micrograph: str | None = None) -> _Part:
    if path.suffix.lower() != ".star":
        return [_reader(path)(path, micrograph=micrograph)], None
    if suffix_of(path) is not None:
        suffix_file = read_suffix_file(path)
        return _read_entries(suffix_file.entries), suffix_file
    if micrograph is not None and path.stat().st_size == 0:
        return [read_star(path, micrograph=micrograph)], None
    document = StarDocument.read(path)
    lists = document.blocks_with(COORDINATE_FILE)
    if lists:
        listing = read_list_file(document, lists[0])
        return _read_entries(listing.entries), listing
    return [picks_of_document(document, micrograph)], None


def _read_entries(entries: Sequence[Entry]) -> list[FilePicks]:
    return [
        read_star(e.path, micrograph=e.micrograph, listed=True)
        if e.path.suffix.lower() == ".star"
        else _reader(e.path)(e.path, micrograph=e.micrograph)
        for e in entries
    ]


def _reader(path: Path) -> Callable[..., FilePicks]:
    suffix = path.suffix.lower()
    readers: dict[str, Callable[..., FilePicks]] = {
        ".star": read_star,
        ".box": read_box,
        ".csv": read_csv,
    }
    if suffix in readers:
        return readers[suffix]
    what = _LATER.get(suffix, f"no pick file: expected {', '.join(PICK_SUFFIXES)}")
    raise PickFormatError(f"{path} is {what}.")


def _read_folder(folder: Path) -> _Part:
    index = _index_of(folder)
    if index is not None:
        return _read_file(index)
    files = [
        Path(parent) / name
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if Path(name).suffix.lower() in PICK_SUFFIXES and not _is_aside(name)
    ]
    if not files:
        raise PicksNotFoundError(
            f"no picks in {folder}: expected {', '.join(PICK_SUFFIXES)} files in it or below."
        )
    kinds = Counter(f.suffix.lower() for f in files)
    if len(kinds) > 1:  # crYOLO, for one, writes the same picks in several formats
        found = ", ".join(f"{n} {suffix}" for suffix, n in sorted(kinds.items()))
        raise PickFormatError(
            f"{folder} holds pick files of several formats ({found}), perhaps the same picks "
            f"twice. Pass those of one: {folder}/**/*{min(kinds)}"
        )
    read, root = _reader(files[0]), absolute(folder)
    parts = [read(f, micrograph=_name_below(root, f)) for f in sorted(files)]
    return parts, Folder(folder, folder)


def _is_aside(name: str) -> bool:
    return name.startswith(".") or name in _BOOKKEEPING or name.endswith("_pipeline.star")


def _index_of(folder: Path) -> Path | None:
    """Return the list file, suffix file or particles STAR that speaks for a folder."""
    stars = sorted(
        f for f in folder.glob("*.star") if f.is_file() and not f.name.startswith(".")
    )
    lists = []
    for star in stars:
        with star.open("rb") as file:
            if COORDINATE_FILE.encode() in file.read(4096):
                lists.append(star)
    lists = lists or [f for f in stars if suffix_of(f) is not None]
    lists = lists or [f for f in stars if f.name == "particles.star"]
    if len(lists) > 1:
        raise PickFormatError(
            f"{folder} holds several lists of picks ({', '.join(f.name for f in lists)}): "
            "pass one of these files."
        )
    return lists[0] if lists else None
