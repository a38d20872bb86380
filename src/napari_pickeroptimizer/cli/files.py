"""The files that commands read and write; imported when a command runs.

Nothing heavier than numpy is imported before a file is known to be there and right: what is wrong
with one is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_pickeroptimizer.classes import CONTAMINANT, PARTICLE, UNLABELLED
from napari_pickeroptimizer.cli.show import warn
from napari_pickeroptimizer.errors import LabelError, SettingsError
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.micrographs import Micrographs
from napari_pickeroptimizer.picks import Picks, concatenate
from napari_pickeroptimizer.staging import check_inputs_stay, check_writable, locked_file


def find_micrographs(
    places: list[str], pixel_size_ang: float | None, flip_y: bool
) -> Micrographs:
    """Return the micrographs of ``--micrographs``, ``--pixel-size`` and ``--flip-y``."""
    if pixel_size_ang is not None and not pixel_size_ang > 0:
        raise SettingsError(f"--pixel-size must be positive, got {pixel_size_ang}.")
    return Micrographs.find(list(places), pixel_size_ang=pixel_size_ang, flip_y=flip_y)


def checked_output_file(path: Path, overwrite: bool) -> Path:
    """Return `path` if a file may be written there."""
    if path.is_dir():
        raise SettingsError(f"--output {path} is a folder: give a file name.")
    if path.exists() and not overwrite:
        raise SettingsError(f"--output {path} exists: choose another name, or --overwrite.")
    check_writable(path.parent)
    return path


@contextmanager
def output_file(path: Path, overwrite: bool) -> Iterator[None]:
    """Keep a file for this run: another one that would write it is refused meanwhile.

    Raises
    ------
    SettingsError
        It is there and may not be overwritten, or another run is writing it.
    OutputError
        It cannot be written.
    """
    checked_output_file(path, overwrite)
    with locked_file(path):
        checked_output_file(path, overwrite)  # another run may just have ended
        yield


def check_output_is_no_input(
    output: Path, files: Iterable[str | Path | None] = (), picks: Iterable[Picks | None] = ()
) -> None:
    """Refuse an output that is one of the files that are read."""
    sources = [source.path for part in picks if part is not None for source in part.sources]
    check_inputs_stay([output], [*(Path(f) for f in files if f is not None), *sources])


def picks_without_labels(files: list[str]) -> Picks:
    """Return the picks of ``--picks`` without the classes in their files, which are no labels."""
    picks = read_picks(files)
    n = int((picks.labels != UNLABELLED).sum())
    if not n:
        return picks
    warn(
        f"{n:,} picks have a class already, which is ignored: pass the file that you "
        "labelled as --labels to have its labels win over the scores."
    )
    return picks.with_labels(UNLABELLED)


def read_labels(
    labels: list[str] | None, positive: list[str] | None, negative: list[str] | None
) -> Picks:
    """Join the labels of ``--labels``, ``--positive`` and ``--negative``.

    Raises
    ------
    LabelError
        None of the three was given.
    """
    given = ((labels, None), (positive, PARTICLE), (negative, CONTAMINANT))
    parts = [read_picks(files, label=label) for files, label in given if files]
    if not parts:
        raise LabelError(
            "no labels: give --labels (picks with rlnParticleSelectionType), or --positive and "
            "--negative (two sets of picks)."
        )
    return concatenate(parts)
