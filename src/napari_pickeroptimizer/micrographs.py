"""`Micrographs`: image files by name, opened on demand."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    MicrographReadError,
    PickerOptimizerError,
    StandInWarning,
)
from napari_pickeroptimizer.io.files import RealPaths, is_file
from napari_pickeroptimizer.io.image_names import IMAGE_SUFFIXES
from napari_pickeroptimizer.io.images import image_shape_px
from napari_pickeroptimizer.io.micrograph_files import find_micrograph_files
from napari_pickeroptimizer.io.micrographs_star import MicrographRow, split_slice
from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.micrograph import Micrograph, SearchPaths
from napari_pickeroptimizer.names import (
    NameIndex,
    Spelling,
    folders_agree,
    is_image_name,
    longest_of_each,
)

__all__ = ["Micrograph", "Micrographs", "SearchPaths"]

SHOWN = 5  # files that a message lists


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
            Pixel size in Å of all micrographs; by default the STAR's, else the header's, which
            is read when it is asked for.
        flip_y : bool, optional
            Reverse the rows of every image. RELION and EMAN2 read **TIFF** files that way,
            so picks made there on TIFF micrographs need it. By default False.

        Raises
        ------
        MicrographNotFoundError
            Nothing is there, or no image is among what is there.
        AmbiguousMicrographError
            A STAR lists files that are in its project and others in the working directory.
        """
        paths = [where] if isinstance(where, str | Path) else list(where)
        rows = [row for path in paths for row in find_micrograph_files(path)]
        if not rows:
            raise MicrographNotFoundError(
                f"no micrographs in {where}: expected {', '.join(IMAGE_SUFFIXES)} files."
            )
        absolute_paths = (str(absolute(Path(p).expanduser())) for p in paths)
        return cls(
            tuple(
                replace(
                    m,
                    told_pixel_size_ang=pixel_size_ang or m.told_pixel_size_ang,
                    flip_y=flip_y,
                )
                for m in _each_file_once(rows)
            ),
            SearchPaths(tuple(absolute_paths), pixel_size_ang, flip_y),
        )

    @classmethod
    def named(cls, names: Iterable[str]) -> Micrographs:
        """Return micrographs without files, to match other spellings of their names against."""
        parts = [(name, *split_slice(name)) for name in names]
        return cls(
            tuple(
                Micrograph(name, Path(file), section=(number or 1) - 1)
                for name, number, file in parts
            )
        )

    @classmethod
    def distinct(cls, names: Iterable[str]) -> Micrographs:
        """Return micrographs without files, one for all names that mean the same.

        Of ``a``, ``a.mrc`` and ``Micrographs/a.mrc`` the longest stays; in the order of `names`.
        """
        return cls.named(longest_of_each(names))

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

        Tried in order: the name is the end of a file's path; a file of that name is there
        (seen from the working directory, or from a folder that holds all micrographs), by
        whatever links; a micrograph's own name is the end of the name. A file of the same
        name in other folders does not fit, unless its folder was given itself, is called
        otherwise, and the image is as large as the one that is named: a folder of copies.
        A name without an image extension (as in Topaz tables, or of a file of picks) is
        compared without it, without endings such as ``_autopick`` and, if nothing else fits,
        without its folders; one with cryoSPARC's 21-digit prefix fits one without.

        Raises
        ------
        MicrographNotFoundError
            No micrograph fits.
        AmbiguousMicrographError
            Several fit equally well; the message lists them.
        """
        return self.items[self._fit(name).number]

    def resolve_all(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Micrograph], dict[str, str]]:
        """Resolve every name; return the found ones and, for the others, the reason.

        Ambiguity is raised, never returned: guessing a micrograph would be worse.

        Raises
        ------
        AmbiguousMicrographError
            A name fits several micrographs, or names of different folders fit only one.
        """
        found, errors = self.resolve_each(names)
        for error in errors.values():
            if isinstance(error, AmbiguousMicrographError):
                raise error
        return found, {name: str(error) for name, error in errors.items()}

    def resolve_each(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Micrograph], dict[str, PickerOptimizerError]]:
        """Resolve every name; return the found ones and, for the others, the error.

        Names of different folders never mean one file: where the folders of one of them are
        the file's, the others are not found; where none are, all of them are ambiguous. The
        folders of pick files are compared among themselves.

        Warns
        -----
        StandInWarning
            Files of other folders stand in for the ones that are named.
        """
        numbers: dict[str, int] = {}
        stand_ins: list[_Fit] = []
        errors: dict[str, PickerOptimizerError] = {}
        # names of images, and of others; they fit by all of the name, or by its end
        names_of: dict[tuple[int, bool], tuple[list[str], list[str]]] = {}
        for name in names:
            try:
                fit = self._fit(name)
            except (MicrographNotFoundError, AmbiguousMicrographError) as error:
                errors[name] = error
            else:
                numbers[name] = fit.number
                kind = fit.number, is_image_name(name)
                names_of.setdefault(kind, ([], []))[not fit.is_exact].append(name)
                if fit.instead_of:
                    stand_ins.append(fit)
        for (i, _), (exact, others) in names_of.items():
            errors |= _of_other_folders(self.items[i], exact, others)
        if stand_ins:
            first = stand_ins[0]
            warnings.warn(
                f"{len(stand_ins)} of {len(numbers)} micrographs are taken by their file name: "
                f"{self.items[first.number].path} for {first.instead_of}, and so on.",
                StandInWarning,
                stacklevel=3,
            )
        found = {n: self.items[i] for n, i in numbers.items() if n not in errors}
        return found, errors

    def _fit(self, name: str) -> _Fit:
        """Return the micrograph that a name means."""
        spelling = Spelling.of_name(name)
        spellings = [spelling]
        if spelling.slice is not None:  # a file may be called so as a whole
            spellings.append(Spelling.of(name))
        if spelling.slice == 1:
            spellings.append(replace(spelling, slice=None))
        exact = {i: None for s in spellings for i in self._index.exact(s)}
        if len(exact) > 1:
            exact = self._of_that_name(spellings, exact)
        elsewhere = None
        if not exact and spelling.folder and spelling.is_image:
            exact, elsewhere = self._pointed_at(name)
        fits = exact or {i: None for s in spellings for i in self._index.ending(s)}
        if elsewhere is not None and not any(self._is_copy(i, elsewhere) for i in fits):
            raise self._not_found(name, f"It is {elsewhere}, which was not given. ")
        if len(fits) == 1:
            return _Fit(next(iter(fits)), bool(exact), elsewhere)
        if fits:
            shown = "\n  ".join(str(self.items[i].path) for i in list(fits)[:SHOWN])
            more = f"\n  and {len(fits) - SHOWN} more" if len(fits) > SHOWN else ""
            raise AmbiguousMicrographError(
                f"micrograph {name!r} fits {len(fits)} micrographs:\n  {shown}{more}\n"
                "Give the picks full micrograph names, or pass only one of these folders."
            )
        alike = self._index.alike(spelling)
        raise self._not_found(
            name, "" if alike is None else f"{self.items[alike].path} is of another folder. "
        )

    def _of_that_name(
        self, spellings: Sequence[Spelling], fits: dict[int, None]
    ) -> dict[int, None]:
        """Return the one whose whole name it is, if all lie in one of the places given."""
        named = {i: None for s in spellings for i in self._index.named(s)}
        is_one_place = len({self.items[i].place for i in fits}) == 1
        return named if len(named) == 1 and is_one_place else fits

    def _pointed_at(self, name: str) -> tuple[dict[int, None], str | None]:
        """Return the micrograph of the file that a name leads to, or that file if not given."""
        number, file = split_slice(name)
        real = [
            self._real_paths.of(folder / file)
            for folder in self._seen_from
            if is_file(folder / file)
        ]
        fits = {
            i: None
            for path in real
            if (i := self._by_file.get((path, (number or 1) - 1))) is not None
        }
        return fits, None if fits or not real else real[0]

    def _is_copy(self, i: int, path: str) -> bool:
        """Return whether a micrograph may stand in for another file of its name.

        Its folder was given, not one above it, and under another name: of two jobs'
        ``Micrographs`` neither replaces the other. And the same pixels are meant.
        """
        item, folder = self.items[i], Path(path).parent.name
        if item.spelling.folder or item.path.absolute().parent.name == folder:
            return False
        try:
            return item.shape_px() == image_shape_px(Path(path), item.section)
        except (MicrographNotFoundError, MicrographReadError):
            return False

    def _not_found(self, name: str, why: str) -> MicrographNotFoundError:
        shown = ", ".join(m.name for m in self.items[:3]) + (", ..." if len(self) > 3 else "")
        return MicrographNotFoundError(
            f"micrograph {name!r} is not among the {len(self)} micrographs given ({shown}). "
            f"{why}Pass the folder or micrographs STAR that holds it."
        )

    @cached_property
    def _real_paths(self) -> RealPaths:
        return RealPaths()

    @cached_property
    def _numbers(self) -> list[int]:
        """For each of the items the first one of the same section of the same file."""
        first: dict[tuple[str, int], int] = {}
        files = ((self._real_paths.of(m.path), m.section) for m in self.items)
        return [first.setdefault(file, i) for i, file in enumerate(files)]

    @cached_property
    def _by_file(self) -> dict[tuple[str, int], int]:
        """Number of a micrograph by its real path and section."""
        return {
            (self._real_paths.of(self.items[i].path), self.items[i].section): i
            for i in dict.fromkeys(self._numbers)
        }

    @cached_property
    def _seen_from(self) -> list[Path]:
        """Folders from which names may be seen: none if these micrographs are only names."""
        if self.search_paths is None:
            return []
        common = common_folder([m.path for m in self.items])
        return list(dict.fromkeys([Path.cwd(), common, *common.parents]))

    @cached_property
    def _index(self) -> NameIndex:
        names = [(i, m.spelling) for i, m in zip(self._numbers, self.items, strict=True)]
        paths = []
        for i, m in zip(self._numbers, self.items, strict=True):
            spelt = {str(absolute(m.path)), self._real_paths.of(m.path), *m.other_names}
            paths += [(i, Spelling.of(path, m.spelling.slice)) for path in spelt]
        return NameIndex(names, paths)


class _Fit(NamedTuple):
    """What a name means: the place in `items`, whether its folders say so, what it replaces."""

    number: int
    is_exact: bool
    instead_of: str | None


def _each_file_once(rows: Iterable[MicrographRow]) -> list[Micrograph]:
    """Return one micrograph a section of a file, by whatever ways it was found."""
    real_paths = RealPaths()
    first: dict[tuple[str, int], MicrographRow] = {}
    others: dict[tuple[str, int], dict[str, None]] = {}
    for row in rows:
        file = real_paths.of(row.path), row.section or 0
        if first.setdefault(file, row) != row:
            also = {split_slice(row.name)[1]: None, str(absolute(row.path)): None}
            others.setdefault(file, {}).update(also)
    return [
        Micrograph(
            row.name,
            row.path,
            row.pixel_size_ang,
            row.section or 0,
            other_names=tuple(others.get(file, ())),
        )
        for file, row in first.items()
    ]


def _of_other_folders(
    micrograph: Micrograph, exact: list[str], others: list[str]
) -> dict[str, PickerOptimizerError]:
    """Return the errors of names that fit a file by their end, but are of another folder.

    Parameters
    ----------
    micrograph : Micrograph
        The file that all these names fit.
    exact : list of str
        Names that fit it with all their folders.
    others : list of str
        Names that fit it because nothing else does.
    """
    folder_of = {name: Spelling.of_name(name).folder for name in [*exact, *others]}
    owners = [name for name in exact if folder_of[name]]
    if owners or not others:
        return {
            name: MicrographNotFoundError(
                f"micrograph {name!r} is not among those given: {micrograph.path} is "
                f"{owners[0]!r}, of another folder."
            )
            for name in others
            if not any(folders_agree(folder_of[name], folder_of[owner]) for owner in owners)
        }
    longest = max(others, key=lambda name: len(folder_of[name]))
    for name in others:
        if not folders_agree(folder_of[name], folder_of[longest]):
            error = AmbiguousMicrographError(
                f"{name!r} and {longest!r} are of different folders, but only "
                f"{micrograph.path} has their name. Pass the micrographs of both folders, by "
                "a folder above them or a micrographs STAR."
            )
            return dict.fromkeys(others, error)
    return {}
