"""napari readers: micrographs as a lazy stack, picks as points; `get_*` are cheap."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_pickeroptimizer.io import eman, relion
from napari_pickeroptimizer.io.image_names import (
    MRC_SUFFIXES,
    PACKED_SUFFIXES,
    PACKERS,
    TIFF_SUFFIXES,
    image_suffix,
)
from napari_pickeroptimizer.io.registry import KNOWN_SUFFIXES, format_of
from napari_pickeroptimizer.io.unpacking import read_at

LayerData = tuple[Any, ...]
Reader = Callable[[str | Sequence[str]], list[LayerData]]
PathOrPaths = str | Sequence[str]

IMAGE_SUFFIXES = (
    MRC_SUFFIXES + TIFF_SUFFIXES + PACKED_SUFFIXES
)  # other image files are left to napari
# MRC files that are micrographs if they have one section, not maps
ONE_SECTION = (".mrc", *(".mrc" + packer for packer in PACKERS))
# A STAR names its columns before its rows; optics tables before them are short.
SNIFFED_BYTES = 64 * 1024
MRC_HEADER_BYTES = 256
MAX_SNIFFED = 20  # files of a glob
# what napari takes for "read, and nothing to add"
HANDLED: list[LayerData] = [(None,)]


def get_micrographs_reader(path: PathOrPaths) -> Reader | None:
    """Return the reader of micrographs, None if there are none at `path`.

    Takes MRC files with one section, ``.mrcs`` stacks, directories that hold images, STAR
    files that name micrographs but no coordinates, globs, and lists of these.
    """
    places = _first_files(path)
    return read_micrographs if places and all(map(_holds_micrographs, places)) else None


def get_picks_reader(path: PathOrPaths) -> Reader | None:
    """Return the reader of picks, None if there are none at `path`.

    Takes STAR files with coordinates or with a list of coordinate files, ``.box`` files,
    tables with x and y, directories with such files and no images, globs, and lists of these.
    """
    places = _first_files(path)
    return read_picks_layer if places and all(map(_holds_picks, places)) else None


def read_micrographs(path: PathOrPaths) -> list[LayerData]:
    """Return one image layer with all micrographs of `path`, read when shown.

    napari asks for many dropped files one by one. Each joins the open stack of its folder,
    so that they become one layer, not hundreds; so does the folder itself, which may have
    been opened in part along with picks. ``.box`` files among the micrographs of a folder
    are opened with them.

    Raises
    ------
    MicrographNotFoundError
        There is no micrograph.
    """
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.plugin.invitation import invite, keep_picks_selected
    from napari_pickeroptimizer.plugin.layer_state import LayerState
    from napari_pickeroptimizer.plugin.opening import (
        join_open_stack,
        points_on,
        prepared_stack,
    )
    from napari_pickeroptimizer.plugin.session import asking_viewer

    places = _as_paths(path)
    micrographs = Micrographs.find([str(p) for p in places])
    viewer = asking_viewer()
    boxes = [] if viewer is None else _boxes_beside(places)
    one_folder = _is_file(places) or (len(places) == 1 and places[0].is_dir())
    may_join = viewer is not None and one_folder and not boxes
    if may_join and join_open_stack(viewer, micrographs):
        return HANDLED
    stack = prepared_stack(viewer, micrographs, _layer_name(places))
    if not boxes:
        keep_picks_selected(viewer)
        return [stack]
    state = LayerState.of_picks(read_picks(boxes))
    invite(viewer)
    return [stack, points_on(state, stack, f"{_layer_name(places)} boxes")]


def read_picks_layer(path: PathOrPaths) -> list[LayerData]:
    """Return one points layer with all picks of `path`, and their micrographs.

    The picks lie on the slices of the open micrographs. Where none of theirs are open, they
    are searched for near the pick file and in its RELION project, and opened with the picks.

    Raises
    ------
    PickFormatError, PicksNotFoundError
        The picks cannot be understood.
    """
    from napari_pickeroptimizer.io import read_picks
    from napari_pickeroptimizer.plugin.invitation import invite
    from napari_pickeroptimizer.plugin.opening import picks_with_micrographs
    from napari_pickeroptimizer.plugin.session import asking_viewer

    places = _as_paths(path)
    picks = read_picks(places[0] if len(places) == 1 else places)
    viewer = asking_viewer()
    layers = picks_with_micrographs(viewer, picks, _layer_name(places, "picks"))
    invite(viewer)
    return layers


def _as_paths(path: PathOrPaths) -> list[Path]:
    return [Path(p) for p in ([path] if isinstance(path, str | os.PathLike) else path)]


def _layer_name(places: list[Path], fallback: str = "micrographs") -> str:
    place = places[0]
    if len(places) > 1 or _is_glob(place):
        return place.parent.name or fallback
    return place.stem or fallback


def _is_file(places: list[Path]) -> bool:
    return all(p.is_file() and image_suffix(p) in IMAGE_SUFFIXES for p in places)


def _is_glob(place: Path) -> bool:
    return glob.has_magic(str(place)) and not place.exists()


def _boxes_beside(places: list[Path]) -> list[Path]:
    """Return the ``.box`` files in a folder of micrographs."""
    if len(places) != 1 or not places[0].is_dir():
        return []
    (suffix,) = eman.FORMAT.suffixes
    return sorted(p for p in places[0].glob(f"*{suffix}") if p.is_file())


def _first_files(path: PathOrPaths) -> list[Path]:
    """Return the paths of `path`, with a glob replaced by its first files."""
    files_found: list[Path] = []
    for place in _as_paths(path):
        if _is_glob(place):
            files = glob.iglob(str(place), recursive=True)
            files_found += [Path(f) for f in itertools.islice(files, MAX_SNIFFED)]
        else:
            files_found.append(place)
    return files_found


def _holds_micrographs(path: Path) -> bool:
    if path.is_dir():
        return _has_files(path, IMAGE_SUFFIXES)
    if path.suffix.lower() == ".star":
        head = _head(path)
        return "_rlnMicrographName" in head and not relion.FORMAT.holds_picks(head)
    suffix = image_suffix(path)
    if suffix in ONE_SECTION:
        return _mrc_sections(path) == 1
    return suffix in IMAGE_SUFFIXES


def _holds_picks(path: Path) -> bool:
    if path.is_dir():
        return not _has_files(path, IMAGE_SUFFIXES) and _has_files(path, KNOWN_SUFFIXES)
    pick_format = format_of(path)
    return pick_format is not None and pick_format.holds_picks(_head(path))


def _has_files(folder: Path, suffixes: tuple[str, ...], depth: int = 2) -> bool:
    """Whether a folder, or one at most `depth` below, holds a file with such a suffix."""
    try:
        entries = list(os.scandir(folder))
        if any(e.name.lower().endswith(suffixes) and e.is_file() for e in entries):
            return True
        return depth > 0 and any(
            _has_files(Path(e.path), suffixes, depth - 1) for e in entries if e.is_dir()
        )
    except OSError:
        return False


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(SNIFFED_BYTES).decode("latin-1")
    except OSError:
        return ""


def _mrc_sections(path: Path) -> int:
    """Return the number of sections of an MRC header in either byte order; 0 without a header."""
    try:
        header = read_at(path, 0, MRC_HEADER_BYTES)
    except OSError:
        return 0
    if len(header) < MRC_HEADER_BYTES:
        return 0
    mode = int.from_bytes(header[12:16], "little")
    order: Any = "little" if mode < 1 << 16 else "big"
    return int.from_bytes(header[8:12], order)
