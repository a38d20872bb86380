"""Which micrograph a name means: names are compared by the files that they point to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from napari_pickeroptimizer.io.cryosparc import CRYOSPARC_UID
from napari_pickeroptimizer.io.image_names import image_suffix
from napari_pickeroptimizer.io.micrographs_star import split_slice
from napari_pickeroptimizer.io.registry import KNOWN_SUFFIXES

# What pickers append to a micrograph's stem in their per-micrograph files.
PICK_FILE_SUFFIX = re.compile(
    r"_(autopick|manualpick|automatch|rejected|picks|pick|particles)$"
)

# How freely a file name is compared: as it is, without its image suffix, without what pickers
# append, without a uid that only one of the two has.
AS_IT_IS, WITHOUT_SUFFIX, WITHOUT_PICKER, WITHOUT_UID = FREEDOMS = range(4)

_Key = tuple[int | None, str, bool]  # slice, file name, whether a uid was taken off
_Items = dict[int, None]  # numbers of micrographs, in order


@dataclass(frozen=True)
class Spelling:
    """One way to call a micrograph.

    Parameters
    ----------
    folder : str
        Its folders, ``/`` between them; empty where none is told.
    file : str
        Its last part.
    slice : int or None
        Number of a slice of a stack, from 1.
    """

    folder: str
    file: str
    slice: int | None = None

    @classmethod
    def of(cls, path: str, slice_: int | None = None) -> Spelling:
        """Return the spelling of a path, whose leading ``..`` tell nothing."""
        normal = posixpath.normpath(path.replace("\\", "/"))
        while normal.startswith("../"):
            normal = normal[3:]
        folder, file = posixpath.split(normal)
        return cls(folder, file, slice_)

    @classmethod
    def of_name(cls, name: str) -> Spelling:
        """Return the spelling of a name in a table, where ``12@stack.mrcs`` is a slice."""
        number, file = split_slice(name)
        return cls.of(file, number)

    @property
    def depth(self) -> int:
        """Number of folders."""
        return self.folder.count("/") + 1 if self.folder else 0

    @property
    def is_image(self) -> bool:
        """Whether it is the name of an image file.

        Other names are those of pick files or of Topaz: their folders are none of a micrograph.
        """
        return bool(image_suffix(self.file))

    def keys(self, freedom: int, *, of_other: bool = False) -> set[_Key]:
        """Return what the file name may be compared by; `of_other`: by the other of the two."""
        files = {self.file}
        stem, suffix = posixpath.splitext(self.file)
        image = image_suffix(self.file)
        if freedom >= WITHOUT_SUFFIX and image:
            files.add(self.file[: -len(image)])
        elif freedom >= WITHOUT_PICKER:
            stem = stem if suffix in KNOWN_SUFFIXES else self.file
            files |= {stem, PICK_FILE_SUFFIX.sub("", stem)}
        if freedom < WITHOUT_UID:
            return {(self.slice, file, False) for file in files}
        has_uid = CRYOSPARC_UID.match(self.file) is not None
        return {
            (self.slice, CRYOSPARC_UID.sub("", file), has_uid is not of_other)
            for file in files
        }


def is_image_name(name: str) -> bool:
    """Return whether a name in a table is that of an image file, see `Spelling.is_image`."""
    return Spelling.of_name(name).is_image


def folders_agree(folder: str, other: str) -> bool:
    """Return whether one folder is the end of the other; none agrees with any."""
    longer, shorter = sorted((folder, other), key=len, reverse=True)
    return not shorter or longer == shorter or longer.endswith("/" + shorter)


def endings(folder: str) -> Iterator[str]:
    """Yield a folder, its end without the first part, and so on; not the empty one."""
    while folder:
        yield folder
        folder = folder[1:] if folder.startswith("/") else folder.partition("/")[2]


def longest_of_each(names: Iterable[str]) -> list[str]:
    """Return the longest of the names that mean the same micrograph, in the order of `names`.

    A name that could mean two others is one of its own.
    """
    order = {name: i for i, name in enumerate(names)}
    spelling = {name: Spelling.of_name(name) for name in order}
    n_ending: dict[tuple[_Key, str], int] = {}
    kept = []
    for name in sorted(order, key=lambda n: (-spelling[n].depth, -len(n))):
        spelt = spelling[name]
        key = min(spelt.keys(WITHOUT_PICKER), key=lambda k: len(k[1]))
        key = (key[0], CRYOSPARC_UID.sub("", key[1]), False)
        if n_ending.get((key, spelt.folder), 0) != 1:
            kept.append(name)
            for ending in (*endings(spelt.folder), ""):
                n_ending[key, ending] = n_ending.get((key, ending), 0) + 1
    return sorted(kept, key=order.__getitem__)


class NameIndex:
    """Micrographs by all their spellings.

    The time to look up a name does not grow with the number of micrographs called alike.

    Parameters
    ----------
    names : sequence of (int, Spelling)
        Number and name of each micrograph.
    paths : sequence of (int, Spelling)
        Number of a micrograph and whole path of its file; there may be several of one.
    """

    def __init__(
        self, names: Sequence[tuple[int, Spelling]], paths: Sequence[tuple[int, Spelling]]
    ) -> None:
        self._names = [*names]
        self._all = [*names, *paths]
        self._by_freedom: dict[int, _Tables] = {}

    def exact(self, spelling: Spelling) -> _Items:
        """Return the micrographs whose path ends with all of a name."""
        for tables in self._tables():
            found: _Items = {}
            for key in spelling.keys(tables.freedom, of_other=True):
                if not spelling.folder:
                    found = _union(found, tables.anywhere.get(key, {}))
                    continue
                there = tables.files.get(key, {})
                ending = self._folders_ending.get(spelling.folder, {})
                few: Iterable[str] = there if len(there) < len(ending) else ending
                for folder in few:
                    if folder in there and folder in ending:
                        found = _union(found, there[folder])
            if found:
                return found
        return {}

    def named(self, spelling: Spelling) -> _Items:
        """Return the micrographs whose name is this one, all of it."""
        for tables in self._tables():
            found: _Items = {}
            for key in spelling.keys(tables.freedom, of_other=True):
                found = _union(found, tables.names.get(key, {}).get(spelling.folder, {}))
            if found:
                return found
        return {}

    def ending(self, spelling: Spelling) -> _Items:
        """Return the micrographs whose whole name a name ends with, as far as they tell.

        A micrograph that tells no folder fits by its file name. One of other folders does not,
        unless the folders are not those of a micrograph: of a pick file, or of a program that
        renames the files.
        """
        for tables in self._tables():
            keys = spelling.keys(tables.freedom, of_other=True)
            for folder in (*endings(spelling.folder), ""):
                found: _Items = {}
                for key in keys:
                    found = _union(found, tables.names.get(key, {}).get(folder, {}))
                if found:
                    return found
            is_free = not spelling.is_image or tables.freedom == WITHOUT_UID
            anywhere = tables.anywhere if is_free else tables.of_pick_files
            for key in keys:
                found = _union(found, anywhere.get(key, {}))
            if found:
                return found
        return {}

    def alike(self, spelling: Spelling) -> int | None:
        """Return a micrograph with the file name of a name, in whatever folder."""
        for tables in self._tables():
            for key in spelling.keys(tables.freedom, of_other=True):
                for i in tables.anywhere.get(key, {}):
                    return i
        return None

    def _tables(self) -> Iterator[_Tables]:
        """Yield the tables for each freedom, made when a name needs them."""
        for freedom in FREEDOMS:
            if freedom not in self._by_freedom:
                self._by_freedom[freedom] = _Tables(freedom, self._names, self._all)
            yield self._by_freedom[freedom]

    @cached_property
    def _folders_ending(self) -> dict[str, dict[str, None]]:
        """Folders of files by each of their endings."""
        found: dict[str, dict[str, None]] = {}
        for folder in {spelling.folder for _, spelling in self._all}:
            for ending in endings(folder):
                found.setdefault(ending, {})[folder] = None
        return found


class _Tables:
    """Micrographs by file name, compared with one freedom."""

    def __init__(
        self,
        freedom: int,
        names: list[tuple[int, Spelling]],
        paths: list[tuple[int, Spelling]],
    ) -> None:
        self.freedom = freedom
        self.files: dict[_Key, dict[str, _Items]] = {}
        self.names: dict[_Key, dict[str, _Items]] = {}
        self.anywhere: dict[_Key, _Items] = {}
        self.of_pick_files: dict[_Key, _Items] = {}
        for table, spellings in ((self.files, paths), (self.names, names)):
            for i, spelling in spellings:
                for key in spelling.keys(freedom):
                    table.setdefault(key, {}).setdefault(spelling.folder, {})[i] = None
        for i, spelling in paths:
            for key in spelling.keys(freedom):
                self.anywhere.setdefault(key, {})[i] = None
        for i, spelling in names:
            if not spelling.is_image:
                for key in spelling.keys(freedom):
                    self.of_pick_files.setdefault(key, {})[i] = None


def _union(one: _Items, other: _Items) -> _Items:
    """Return the items of both; without copying where one is empty."""
    return one | other if one and other else one or other
