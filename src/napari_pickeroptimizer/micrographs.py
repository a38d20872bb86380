"""`Micrographs`: image files by name, opened on demand."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    MicrographReadError,
)
from napari_pickeroptimizer.io.images import (
    IMAGE_SUFFIXES,
    image_shape_px,
    mrcs_sections,
    open_image,
    open_pixel_size_ang,
)
from napari_pickeroptimizer.io.micrographs_star import read_micrographs_star
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.io.registry import KNOWN_SUFFIXES

# cryoSPARC puts the exposure's 21-digit uid in front of every file name it writes.
CRYOSPARC_UID = re.compile(r"^\d{21}_")
# What pickers append to a micrograph's stem in their per-micrograph files.
PICK_FILE_SUFFIX = re.compile(
    r"_(autopick|manualpick|automatch|rejected|picks|pick|particles)$"
)


@dataclass(frozen=True)
class Micrograph:
    """One 2-D image on disk, not yet read.

    Parameters
    ----------
    name : str
        How the micrograph is called in tables (``rlnMicrographName``).
    path : Path
        The image file.
    pixel_size_ang : float or None
        Pixel size in Å; None where neither the user, a STAR nor the header tells.
    section : int
        Section of an ``.mrcs`` stack, 0-based.
    flip_y : bool
        Reverse the rows on reading (see `Micrographs.find`).
    """

    name: str
    path: Path
    pixel_size_ang: float | None = None
    section: int = 0
    flip_y: bool = False

    def read(self) -> NDArray[np.float32]:
        """Return the image as (ny, nx) float32, row 0 the first row of the file.

        Raises
        ------
        MicrographNotFoundError
            The file does not exist.
        MicrographReadError
            The file is truncated or damaged, too large, of an unsupported MRC mode, or not a
            2-D image.
        """
        image = open_image(self.path, self.section)
        image = image[::-1] if self.flip_y else image
        return np.ascontiguousarray(image, dtype=np.float32)

    def shape_px(self) -> tuple[int, int]:
        """Return (ny, nx) from the file's header, without reading the pixels."""
        return image_shape_px(self.path, self.section)


@dataclass(frozen=True)
class SearchPaths:
    """What to pass to `Micrographs.find` to find the same micrographs again.

    Parameters
    ----------
    paths : tuple of str
        Directories, globs, STAR or image files, absolute.
    pixel_size_ang : float or None
        As it was given.
    flip_y : bool
        As it was given.
    """

    paths: tuple[str, ...]
    pixel_size_ang: float | None = None
    flip_y: bool = False


@dataclass(frozen=True)
class Micrographs:
    """A set of micrographs by name; images are read on demand.

    Parameters
    ----------
    items : tuple of Micrograph
        The micrographs.
    search_paths : SearchPaths or None
        Where `find` found them; None for sets made in another way.
    """

    items: tuple[Micrograph, ...] = field(default=())
    search_paths: SearchPaths | None = field(default=None, compare=False, repr=False)

    @classmethod
    def find(
        cls,
        where: str | Path | Sequence[str | Path],
        *,
        pixel_size_ang: float | None = None,
        flip_y: bool = False,
    ) -> Micrographs:
        """Find micrographs in a directory, by a glob, in a micrographs STAR, or as files.

        Parameters
        ----------
        where : str, Path or sequence of them
            A directory (searched with its subfolders), a glob, a STAR file with
            ``rlnMicrographName``, an image file, or several of these.
        pixel_size_ang : float, optional
            Pixel size in Å of all micrographs; by default the STAR's, else the header's.
        flip_y : bool, optional
            Reverse the rows of every image. RELION and EMAN2 read **TIFF** files that way,
            so picks made there on TIFF micrographs need it. By default False.

        Raises
        ------
        MicrographNotFoundError
            Nothing is there, or no image is among what is there.
        """
        paths = [where] if isinstance(where, str | Path) else list(where)
        micrographs = [micrograph for path in paths for micrograph in _find_one(path)]
        if not micrographs:
            raise MicrographNotFoundError(
                f"no micrographs in {where}: expected {', '.join(IMAGE_SUFFIXES)} files."
            )
        absolute_paths = (str(absolute(Path(p).expanduser())) for p in paths)
        return cls(
            tuple(
                replace(m, pixel_size_ang=pixel_size_ang or m.pixel_size_ang, flip_y=flip_y)
                for m in micrographs
            ),
            SearchPaths(tuple(absolute_paths), pixel_size_ang, flip_y),
        )

    @classmethod
    def named(cls, names: Iterable[str]) -> Micrographs:
        """Return micrographs without files, to match other spellings of their names against."""
        return cls(tuple(Micrograph(name, Path(name)) for name in names))

    @classmethod
    def distinct(cls, names: Iterable[str]) -> Micrographs:
        """Return micrographs without files, one for all names that mean the same.

        Of ``a``, ``a.mrc`` and ``Micrographs/a.mrc`` the longest stays; in the order of `names`.
        """
        order = {name: i for i, name in enumerate(names)}
        same_base: dict[str, list[str]] = {}
        for name in order:
            same_base.setdefault(min(_name_keys(name)[-1], key=len), []).append(name)
        kept: list[str] = []
        for group in same_base.values():
            longer: list[str] = []
            for name in sorted(group, key=len, reverse=True):
                # a name that could mean two of them is one of its own
                if sum(_folders_agree(name, other) for other in longer) != 1:
                    longer.append(name)
            kept += longer
        return cls.named(sorted(kept, key=order.__getitem__))

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Micrograph]:
        return iter(self.items)

    def __getitem__(self, name: str) -> Micrograph:
        return self.resolve(name)

    @property
    def names(self) -> list[str]:
        """Names of all micrographs, in order."""
        return [m.name for m in self.items]

    def resolve(self, name: str) -> Micrograph:
        """Return the micrograph that a pick's `name` means.

        Tried in order: the full name, one name being a path suffix of the other, the base
        name, the base name without cryoSPARC's 21-digit prefix. A name without an image
        extension (as in Topaz tables, or of a file of picks) is compared without it, and
        without endings such as ``_autopick``.

        Raises
        ------
        MicrographNotFoundError
            No micrograph fits.
        AmbiguousMicrographError
            Several fit equally well; the message lists them.
        """
        for index, keys in zip(self._indices, _name_keys(name), strict=True):
            matches = {(m.path, m.section): m for key in keys for m in index.get(key, ())}
            candidates = list(matches.values())
            if len(candidates) == 1:
                return candidates[0]
            if candidates:
                close = _longest_common_suffix(candidates, name)
                if len(close) == 1:
                    return close[0]
                listed = "\n  ".join(str(m.path) for m in close)
                raise AmbiguousMicrographError(
                    f"micrograph {name!r} fits {len(close)} micrographs:\n  {listed}\n"
                    "Give the picks full micrograph names, or pass only one of these folders."
                )
        shown = ", ".join(self.names[:3]) + (", ..." if len(self) > 3 else "")
        raise MicrographNotFoundError(
            f"micrograph {name!r} is not among the {len(self)} micrographs given ({shown}). "
            "Pass the folder or micrographs STAR that holds it."
        )

    def resolve_all(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Micrograph], dict[str, str]]:
        """Resolve every name; return the found ones and, for the others, the reason.

        Ambiguity is raised, never returned: guessing a micrograph would be worse.
        """
        found: dict[str, Micrograph] = {}
        missing: dict[str, str] = {}
        for name in names:
            try:
                found[name] = self.resolve(name)
            except MicrographNotFoundError as error:
                missing[name] = str(error)
        return found, missing

    def first_of_file(self, micrograph: Micrograph) -> Micrograph:
        """Return the representative of a file that was found in two ways."""
        return self._first_of_file[micrograph.path, micrograph.section]

    @cached_property
    def _first_of_file(self) -> dict[tuple[Path, int], Micrograph]:
        """One micrograph for each section of a file, even if found twice."""
        return {(m.path, m.section): m for m in reversed(self.items)}

    @cached_property
    def _indices(self) -> tuple[dict[str, list[Micrograph]], ...]:
        indices: tuple[dict[str, list[Micrograph]], ...] = ({}, {}, {})
        for micrograph in self.items:
            for index, keys in zip(indices, _name_keys(micrograph.name), strict=True):
                for key in keys:
                    index.setdefault(key, []).append(micrograph)
        return indices


def _name_keys(name: str) -> tuple[set[str], set[str], set[str]]:
    """Keys of a name at the three steps: full name, base name, base name without uid."""
    posix = PurePosixPath(str(name).replace("\\", "/"))
    full = {str(posix)}
    base = {posix.name}
    if posix.suffix.lower() in IMAGE_SUFFIXES:
        full.add(str(posix.with_suffix("")))
        base.add(posix.stem)
    else:
        stem = posix.stem if posix.suffix in KNOWN_SUFFIXES else posix.name
        base |= {stem, PICK_FILE_SUFFIX.sub("", stem)}
    return full, base, {CRYOSPARC_UID.sub("", b) for b in base}


def _longest_common_suffix(candidates: list[Micrograph], name: str) -> list[Micrograph]:
    """Of candidates with one base name, those whose folders agree with `name` entirely."""
    wanted = _folders(name)
    named = [m for m in candidates if wanted and _folders(m.name)]
    return [m for m in named if _folders_agree(m.name, name)] or candidates


def _folders(name: str) -> tuple[str, ...]:
    return PurePosixPath(str(name).replace("\\", "/")).parent.parts


def _folders_agree(name: str, other: str) -> bool:
    """Whether one name's folders are the end of the other's; no folder agrees with any."""
    parts, others = _folders(name), _folders(other)
    n = min(len(parts), len(others))
    return n == 0 or parts[-n:] == others[-n:]


def _find_one(where: str | Path) -> list[Micrograph]:
    path = Path(where).expanduser()
    if path.is_dir():
        return _find_below(path)
    if path.suffix.lower() == ".star":
        return [
            Micrograph(
                row.name,
                row.path,
                row.pixel_size_ang or open_pixel_size_ang(row.path),
                row.section,
            )
            for row in read_micrographs_star(path)
        ]
    if path.is_file():
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise MicrographReadError(
                f"{path} is no micrograph: expected one of {', '.join(IMAGE_SUFFIXES)}, "
                "a directory, a glob or a micrographs STAR."
            )
        return _as_micrographs(path, str(where))
    files = [Path(m) for m in sorted(glob.glob(str(path), recursive=True))]
    if not files:
        raise MicrographNotFoundError(f"no micrographs at {where}: nothing is there.")
    return [
        micrograph
        for file in files
        if file.suffix.lower() in IMAGE_SUFFIXES
        for micrograph in _as_micrographs(file, str(file))
    ]


def _find_below(folder: Path) -> list[Micrograph]:
    files = [
        Path(parent) / name
        for parent, _, names in os.walk(folder, followlinks=True)
        for name in names
        if Path(name).suffix.lower() in IMAGE_SUFFIXES and not name.startswith(".")
    ]
    best: dict[Path, Path] = {}  # a.mrc wins over its thumbnail a.png
    for file in sorted(files, key=lambda f: IMAGE_SUFFIXES.index(f.suffix.lower())):
        best.setdefault(file.with_suffix(""), file)
    return [
        micrograph
        for file in sorted(best.values())
        for micrograph in _as_micrographs(file, file.relative_to(folder).as_posix())
    ]


def _as_micrographs(path: Path, name: str) -> list[Micrograph]:
    """One micrograph a file; one a section (``000001@stack.mrcs``) for .mrcs stacks."""
    pixel_size = open_pixel_size_ang(path)
    n = mrcs_sections(path) if path.suffix.lower() == ".mrcs" else 1
    if n <= 1:
        return [Micrograph(name, path, pixel_size)]
    return [Micrograph(f"{i + 1:06d}@{name}", path, pixel_size, section=i) for i in range(n)]
