"""Picks whose files come one by one: each is read once it is whole, and again if it changes."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.errors import PickerOptimizerError, StandInWarning
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.read import check_one_format, listed_files, pick_files
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.prune.arrivals import Arrivals, size_and_time_of, why_no_picks

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrograph import Micrograph
    from napari_pickeroptimizer.micrographs import Micrographs

Version = tuple[int, int]


class LivePicks:
    """Picks at some places, as far as their files are whole; polled.

    Parameters
    ----------
    places : list of str
        Files, folders and globs of pick files. A list of files (``autopick.star``) is followed:
        what it lists is read once it is there, and whole.
    settle_s, give_up_s : float
        As in `Arrivals`.
    """

    def __init__(self, places: list[str], settle_s: float, give_up_s: float) -> None:
        self._places = places
        self._arrivals = Arrivals(why_no_picks, settle_s, give_up_s)
        # by list, as it was read last
        self._listed: dict[Path, tuple[Version, list[Path]]] = {}
        self._picks: dict[Path, Picks] = {}
        self._names: dict[Path, list[str]] = {}  # of micrographs
        self._versions: dict[Path, Version] = {}
        self.files: list[Path] = []
        """Those that are whole and were read, in the order of `read_picks`."""

    @property
    def taken(self) -> list[Path]:
        """The files that were read, and the lists that they are in."""
        return [*self.files, *(top for top, (_, listed) in self._listed.items() if listed)]

    @property
    def last_change(self) -> float:
        """When a file came or changed last."""
        return self._arrivals.last_change

    def version(self, file: Path) -> Version:
        """Return size and time of a file when it was read."""
        return self._versions[file]

    def look(self, now: float) -> dict[Path, str]:
        """Read what is new and whole; return the files newly given up, with the reason."""
        given = pick_files(self._places)
        whole, broken = self._arrivals.look(given, now)
        for file in sorted(whole):
            version = self._arrivals.version(file)
            if self._listed.get(file, (None,))[0] != version:
                try:
                    self._listed[file] = version, listed_files(file)
                except PickerOptimizerError:
                    if not self._is_changing([file]):
                        raise
                    whole.remove(file)
        list_of = {f: top for top in given for f in self._listed.get(top, ((), []))[1]}
        listed_whole, listed_broken = self._arrivals.look(list_of, now)
        # while a list is being written, what is in it cannot be read by its names
        whole |= {f for f in listed_whole if list_of[f] in whole}
        new = whole - self._read_of(whole) - {*list_of.values()}
        if new:
            self._read(new, {list_of[f] for f in new if f in list_of}, [*given, *list_of])
        is_read = self._read_of(whole) & self._picks.keys()
        in_order = dict.fromkeys(
            file for top in given for file in (top, *self._listed.get(top, ((), []))[1])
        )
        self.files = [file for file in in_order if file in is_read]
        return {**broken, **listed_broken}

    def _read_of(self, files: set[Path]) -> set[Path]:
        """Return those of the files that were read as they are now."""
        return {f for f in files if self._versions.get(f) == self._arrivals.version(f)}

    def _is_changing(self, files: Iterable[Path]) -> bool:
        """Return whether a file was written since it was looked at; the next look sees that."""
        return any(size_and_time_of(file) != self._arrivals.version(file) for file in files)

    def _read(self, new: set[Path], lists: set[Path], there: Iterable[Path]) -> None:
        versions = {file: self._arrivals.version(file) for file in new}
        try:
            table = read_picks(self._places, leave_out={*there} - new - lists)
        except PickerOptimizerError:
            if not self._is_changing(new | lists):
                raise
            return
        self._versions |= versions
        source_of_row = table.table["source"].to_numpy()
        for i, source in enumerate(table.sources):
            picks = table.select(source_of_row == i)
            self._picks[source.path] = picks
            self._names[source.path] = list(picks.rows_by_micrograph())
        for place in (Path(p).expanduser() for p in self._places):
            if place.is_dir() and not lists:
                check_one_format(place, (f for f in self._picks if f.is_relative_to(place)))

    def by_micrograph(self, found: Micrographs) -> tuple[dict[Micrograph, list[Path]], int]:
        """Return the files that have picks of each micrograph, and how many names have none.

        Raises
        ------
        AmbiguousMicrographError
            A name fits several micrographs, or names of different folders fit only one.
        """
        names = dict.fromkeys(name for file in self.files for name in self._names[file])
        with warnings.catch_warnings():  # told where the picks are grouped, once
            warnings.simplefilter("ignore", StandInWarning)
            resolved, missing = found.resolve_all(names)
        files_of: dict[Micrograph, dict[Path, None]] = {}
        for file in self.files:
            for name in self._names[file]:
                if name in resolved:
                    files_of.setdefault(resolved[name], {})[file] = None
        return {m: list(files) for m, files in files_of.items()}, len(missing)

    def of_files(self, files: Iterable[Path]) -> Picks:
        """Return the picks of some of the files, in the order of all."""
        wanted = {*files}
        parts = [self._picks[f] for f in self.files if f in wanted]
        return concatenate(parts) if parts else Picks.from_arrays([], x=[], y=[])


def not_taken(places: list[str], taken: Iterable[str]) -> set[Path]:
    """Return the pick files at some places, and in lists there, that are none of the taken.

    Parameters
    ----------
    places : list of str
        As `LivePicks` has them.
    taken : iterable of str
        Absolute paths.
    """
    known = {*taken}
    given = pick_files(places)
    tops = [file for file in given if str(file.absolute()) in known]
    listed = [file for top in tops for file in listed_files(top)]
    return {file for file in [*given, *listed] if str(file.absolute()) not in known}
