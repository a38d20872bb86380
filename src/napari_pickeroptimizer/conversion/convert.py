"""Converting pick files: planned, told, and written whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_pickeroptimizer.conversion.losses import carrying, losses, rounding, source_format
from napari_pickeroptimizer.conversion.moves import Moves, moved
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.io import write_as, write_picks
from napari_pickeroptimizer.io.outputs import places_of_micrographs
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.registry import FORMATS, format_of
from napari_pickeroptimizer.schema import Column, X, Y
from napari_pickeroptimizer.staging import check_inputs_stay, locked, staged

if TYPE_CHECKING:
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.sources import PickSource

WRITABLE = tuple(f for f in FORMATS if f.write is not None)


@dataclass(frozen=True)
class Conversion:
    """Picks in the frame of the output, and how they will be written.

    Parameters
    ----------
    picks : Picks
        Moved already.
    output : Path
        File or folder to write.
    pick_format : PickFormat
        Of the new files.
    given : Given
        What the format needs and picks do not tell.
    is_copy : bool
        Whether the files are copied with other places: same format, nothing lost.
    moved_columns : tuple of Column
        x and y, where they are others than in the files.
    lost : tuple of str
        What the new files do not hold, one phrase each.
    """

    picks: Picks
    output: Path
    pick_format: PickFormat
    given: Given = field(default_factory=Given)
    is_copy: bool = False
    moved_columns: tuple[Column, ...] = ()
    lost: tuple[str, ...] = ()

    def write(self, *, overwrite: bool = False) -> list[Path]:
        """Write all files, or none; return them.

        Raises
        ------
        SettingsError
            A file is there and may not be overwritten, or is one of those that were read; or
            another run is writing there.
        PickFormatError
            A value has no place in the format, or two micrographs lead to one file.
        OutputError
            They cannot be written.
        """
        is_file = is_file_of(self.output, self.pick_format)
        folder = self.output.parent if is_file else self.output
        if is_file:
            self._check([self.output], overwrite)
        with locked(folder), staged(folder, []) as stage:
            target = stage / self.output.name if is_file else stage
            written = self._write(target)
            names = [path.relative_to(stage) for path in written]
            self._check([folder / name for name in names], overwrite)
        return [folder / name for name in names]

    def _write(self, target: Path) -> list[Path]:
        if self.is_copy:
            places = {column.star: self.picks.values(column) for column in self.moved_columns}
            if self.pick_format.room.whole_pixels:
                places = {name: np.rint(v).astype(np.int64) for name, v in places.items()}
            return write_picks(self.picks, target, columns=places, final=self.output)
        room = self.pick_format.room
        picks = carrying(self.picks) if room.other_columns else self.picks
        if room.one_file_a_micrograph or is_file_of(target, self.pick_format):
            return write_as(picks, target, self.pick_format, self.given)
        if self.pick_format.write_folder is not None:
            return self.pick_format.write_folder(picks, target, self.output)
        parts = places_of_micrographs(picks, target, self.pick_format.suffixes[0])
        return [
            path
            for place, (_, rows) in parts.items()
            for path in write_as(picks.select(rows), place, self.pick_format, self.given)
        ]

    def _check(self, targets: list[Path], overwrite: bool) -> None:
        """Refuse targets that are there, or that are inputs."""
        there = [path for path in targets if path.exists()]
        inputs = [path for source in self.picks.sources for path in source.files]
        if self.picks.file_list is not None:
            inputs.append(self.picks.file_list.path)
        check_inputs_stay(there, inputs)
        if there and not overwrite:
            raise SettingsError(
                f"{there[0]} exists: choose another output, or --overwrite."
                if len(there) == 1
                else f"{there[0]} and {len(there) - 1} more files exist: choose another output, "
                "or --overwrite."
            )


def planned(
    picks: Picks,
    output: Path,
    pick_format: PickFormat,
    moves: Moves | None = None,
    *,
    given: Given | None = None,
    n_rows: Mapping[str, int] | None = None,
) -> Conversion:
    """Return how picks will be converted, with what is lost; nothing is written.

    Files of the same format and in the same form are copied with other places, and lose nothing.

    Parameters
    ----------
    picks : Picks
        As they were read.
    output : Path
        A file, or a folder for one file a micrograph.
    pick_format : PickFormat
        Of the new files.
    moves : Moves, optional
        What is done to the places.
    given : Given, optional
        For the new files: the side of the boxes, and the shapes of the micrographs.
    n_rows : mapping of str to int, optional
        Height of each micrograph that `picks` are of; for reversing the rows.

    Raises
    ------
    SettingsError
        Something that is needed is not given, or no file of the format can be written.
    """
    moves, given = moves or Moves(), given or Given()
    changed = moved(picks, moves, n_rows or {})
    same = source_format(picks) is pick_format and picks.is_tree != is_file_of(
        output, pick_format
    )
    if same and all(_takes(source, moves) for source in picks.sources):
        columns = tuple(c for c in (X, Y) if (changed.values(c) != picks.values(c)).any())
        rounded = tuple(rounding(changed, pick_format.room)) if columns else ()
        return Conversion(changed, output, pick_format, given, True, columns, rounded)
    if pick_format.write is None:
        raise SettingsError(
            f"{pick_format.name} files are not written from others; written are "
            f"{', '.join(f.name for f in WRITABLE)}."
        )
    for need, option in (("box_px", "--box-size"), ("shapes_yx_px", "--micrographs")):
        if need in pick_format.room.needs and not getattr(given, need):
            raise SettingsError(
                f"{pick_format.name} ({pick_format.title}) needs {option}, which the input does "
                "not tell."
            )
    lost = tuple(losses(changed, pick_format, given.box_px))
    return Conversion(changed, output, pick_format, given, lost=lost)


def _takes(source: PickSource, moves: Moves) -> bool:
    """Whether a file can be copied with places that were moved so."""
    if not moves:
        return True
    return source.takes_places and (moves.scale == 1 or not source.places_are_fractions)


def is_file_of(output: Path, pick_format: PickFormat) -> bool:
    """Whether an output is a file of the format by its name; else it is a folder."""
    return output.name.lower().endswith(pick_format.suffixes)


def target_format(output: Path, name: str | None, picks: Picks) -> PickFormat:
    """Return the format to write: the one named, or that of the output's name, or the input's.

    Raises
    ------
    SettingsError
        There is none of that name, or it is not clear which is meant.
    """
    names = ", ".join(f.name for f in WRITABLE)
    by_suffix = format_of(output)
    if name is not None:
        found = next((f for f in FORMATS if f.name.lower() == name.lower()), None)
        if found is None:
            raise SettingsError(f"--to {name}: there is no such format; give one of {names}.")
        if by_suffix not in (None, found):
            raise SettingsError(
                f"--to {name} and {output.name} are of two formats: give a name ending in "
                f"{' or '.join(found.suffixes)}, or a folder."
            )
        return found
    found = by_suffix or (
        None if output.suffix and not output.is_dir() else source_format(picks)
    )
    if found is None:
        raise SettingsError(
            f"{output} does not tell which format to write: give a name that ends in "
            f"{', '.join(s for f in WRITABLE for s in f.suffixes)}, or a folder and --to with one "
            f"of {names}."
        )
    return found
