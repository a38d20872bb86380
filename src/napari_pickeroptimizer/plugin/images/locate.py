"""Finding the micrographs of picks on disk. No Qt, no napari."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd

from napari_pickeroptimizer.errors import AmbiguousMicrographError
from napari_pickeroptimizer.io.files import RealPaths, is_file
from napari_pickeroptimizer.io.image_names import image_suffix, without_thumbnails
from napari_pickeroptimizer.io.micrographs_star import (
    file_and_slice,
    split_slice,
)
from napari_pickeroptimizer.io.project import ProjectPaths, absolute
from napari_pickeroptimizer.io.relion import StarSource
from napari_pickeroptimizer.micrographs import Micrograph, Micrographs, SearchPaths
from napari_pickeroptimizer.names import Spelling, folders_agree
from napari_pickeroptimizer.picks import NO_SOURCE, Picks

# Folders that are listed in search of a micrograph; a project may hold very many.
MAX_FOLDERS = 200


@dataclass(frozen=True)
class Located:
    """The micrographs of picks that were found.

    Parameters
    ----------
    micrographs : Micrographs
        Those found, named as the picks name them, in the order of their first pick.
    missing : dict
        Reason by name of the others.
    """

    micrographs: Micrographs
    missing: dict[str, str] = field(default_factory=dict)


def locate_micrographs(picks: Picks) -> Located:
    """Find the micrographs of picks without a given folder.

    A name is a path relative to the working directory, to the folder of the pick file, or to
    one above it (RELION's names are relative to the project folder); else the base name of an
    image beside the pick file, in the folder above, or in a folder in one of these. Picks of no
    file have the working directory in its place, and nothing above. No image is read.

    Returns
    -------
    Located
        Names that fit several images are missing: it is not guessed.
    """
    located: dict[str, tuple[Path, int]] = {}
    missing: list[str] = []
    unclear: dict[str, str] = {}
    places = _places(picks)
    names_in: dict[Path, list[str]] = {}
    place_in: dict[Path, Path] = {}
    for name, place in places.items():
        names_in.setdefault(place.parent, []).append(_listed(name))
        place_in.setdefault(place.parent, place)
    paths = {
        folder: ProjectPaths(place, names_in[folder], upward=place != _nowhere())
        for folder, place in place_in.items()
    }
    for name, place in places.items():
        try:
            found = _direct(name, paths[place.parent])
        except AmbiguousMicrographError as error:
            unclear[name] = str(error)
            continue
        if found is None:
            missing.append(name)
        else:
            located[name] = found
    nearby, reasons = _nearby(missing, places)
    located |= _of_no_other_folder(nearby, located, reasons)
    size = _pixel_size_ang(picks)
    items = [
        Micrograph(name, located[name][0], size, section=located[name][1])
        for name in places
        if name in located
    ]
    return Located(Micrographs(tuple(items), folders_of(items, size)), unclear | reasons)


def folders_of(
    items: Iterable[Micrograph], pixel_size_ang: float | None = None
) -> SearchPaths:
    """Return the folders of micrographs as search paths."""
    folders = {str(absolute(m.path).parent): None for m in items}
    return SearchPaths(tuple(folders), pixel_size_ang)


def _places(picks: Picks) -> dict[str, Path]:
    """Return the pick file of each micrograph name, in order of first appearance."""
    codes, names = pd.factorize(picks.table["micrograph"], sort=False)
    _, first = np.unique(codes, return_index=True)
    sources = picks.table["source"].to_numpy()[first]
    nowhere = _nowhere()
    places = {}
    for name, source in zip(names, sources, strict=True):
        known = source != NO_SOURCE and source < len(picks.sources)
        places[str(name)] = absolute(picks.sources[source].path) if known else nowhere
    if picks.file_list is not None:  # its names are relative to the project it lies in
        listing = absolute(picks.file_list.path)
        if listing.is_file():
            places = dict.fromkeys(places, listing)
    return places


def _nowhere() -> Path:
    """Return the place of picks of no file."""
    return Path.cwd() / "picks of no file"


def _direct(name: str, paths: ProjectPaths) -> tuple[Path, int] | None:
    """Return the file that a name means as a path, and the section."""
    if not image_suffix(_listed(name)):
        return None
    file, number = file_and_slice(name.replace("\\", "/"), paths)
    return (file, (number or 1) - 1) if is_file(file) else None


def _nearby(
    names: Iterable[str], places: Mapping[str, Path]
) -> tuple[dict[str, tuple[Path, int]], dict[str, str]]:
    """Find names by base name around their pick files, the nearest first; reasons of others."""
    located: dict[str, tuple[Path, int]] = {}
    reasons: dict[str, str] = {}
    remaining = list(names)
    nowhere = _nowhere()
    folders = {places[name].parent for name in remaining}
    above = {places[name].parent.parent for name in remaining if places[name] != nowhere}
    for ring in chain(_rings(folders), _rings(above)):
        if not remaining:
            break
        found, errors = _images_in(ring).resolve_each(map(_listed, remaining))
        for name in remaining:
            listed = _listed(name)
            if listed in found:
                located[name] = found[listed].path, (split_slice(name)[0] or 1) - 1
            elif isinstance(errors[listed], AmbiguousMicrographError):
                reasons[name] = str(errors[listed])  # others are further away, perhaps
        remaining = [name for name in remaining if name not in located and name not in reasons]
    for name in remaining:
        reasons[name] = (
            f"no such file below {places[name].parent}, in the folders above it, or in the "
            "working directory."
        )
    return located, reasons


def _of_no_other_folder(
    nearby: Mapping[str, tuple[Path, int]],
    located: Mapping[str, tuple[Path, int]],
    reasons: dict[str, str],
) -> dict[str, tuple[Path, int]]:
    """Return those nearby whose file is not the one of a name with other folders."""
    real_paths = RealPaths()
    name_of = {(real_paths.of(path), i): name for name, (path, i) in located.items()}
    kept = {}
    for name, (path, i) in nearby.items():
        other = name_of.get((real_paths.of(path), i), "")
        if folders_agree(Spelling.of_name(name).folder, Spelling.of_name(other).folder):
            kept[name] = path, i
        else:
            reasons[name] = f"{path} is {other!r}, of another folder."
    return kept


def _rings(folders: set[Path]) -> Iterator[list[Path]]:
    """Yield the folders, and those in them."""
    bases = sorted(folders)
    yield bases[:MAX_FOLDERS]
    inner: list[Path] = []
    for base in bases:
        if len(inner) >= MAX_FOLDERS:
            break
        with suppress(OSError):
            inner += sorted(Path(e.path) for e in os.scandir(base) if e.is_dir())
    yield inner[:MAX_FOLDERS]


def _images_in(folders: Iterable[Path]) -> Micrographs:
    """Return the images in folders without reading headers; thumbnails are left out."""
    found: list[Path] = []
    for folder in folders:
        try:
            files = [Path(e.path) for e in os.scandir(folder) if e.is_file()]
        except OSError:
            continue
        found += without_thumbnails(f for f in files if image_suffix(f))
    return Micrographs(tuple(Micrograph(f.name, f) for f in found))


def _pixel_size_ang(picks: Picks) -> float | None:
    """Return the pixel size of the micrographs in the pick file, if there is only one file."""
    if len(picks.sources) != 1 or not isinstance(picks.sources[0], StarSource):
        return None
    return picks.sources[0].pixel_size_ang


def _listed(name: str) -> str:
    """Return the path in a name."""
    return split_slice(name)[1].replace("\\", "/")
