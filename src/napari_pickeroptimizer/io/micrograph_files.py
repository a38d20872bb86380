"""Finding micrographs: in folders, by globs, in STAR files, or as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from napari_pickeroptimizer.errors import MicrographNotFoundError, MicrographReadError
from napari_pickeroptimizer.io.files import files_below, files_like, is_file
from napari_pickeroptimizer.io.image_names import (
    IMAGE_SUFFIXES,
    image_suffix,
    no_micrograph,
    without_thumbnails,
)
from napari_pickeroptimizer.io.images import mrcs_sections
from napari_pickeroptimizer.io.micrographs_star import MicrographRow, read_micrographs_star


def find_micrograph_files(where: str | Path) -> list[MicrographRow]:
    """Return the micrographs at one place: a directory, a glob, a STAR, or an image file.

    No file is opened but a STAR, and stacks for the number of their sections: each of these
    is a micrograph, ``000001@stack.mrcs``.

    Raises
    ------
    MicrographNotFoundError
        Nothing is there.
    MicrographReadError
        The file is no image.
    AmbiguousMicrographError, PickFormatError
        As for `read_micrographs_star`.
    """
    path = Path(where).expanduser()
    if path.is_dir():
        return _find_below(path)
    if path.suffix.lower() == ".star":
        return [found for row in read_micrographs_star(path) for found in _sections(row)]
    if path.is_file():
        if not image_suffix(path):
            why_not = no_micrograph(path)
            if why_not is not None:
                raise MicrographReadError(f"{path} {why_not}")
            raise MicrographReadError(
                f"{path} is no micrograph: expected one of {', '.join(IMAGE_SUFFIXES)}, "
                "a directory, a glob or a micrographs STAR."
            )
        return _sections(MicrographRow(str(where), path))
    files = files_like(str(path))
    if not files:
        raise MicrographNotFoundError(f"no micrographs at {where}: nothing is there.")
    return [
        found
        for file in files
        if image_suffix(file)
        for found in _sections(MicrographRow(str(file), file))
    ]


def _find_below(folder: Path) -> list[MicrographRow]:
    files = [f for f in files_below(folder, IMAGE_SUFFIXES) if not f.name.startswith(".")]
    return [
        found
        for file in sorted(without_thumbnails(files))
        for found in _sections(MicrographRow(file.relative_to(folder).as_posix(), file))
    ]


def _sections(row: MicrographRow) -> list[MicrographRow]:
    """Return the sections of a stack that is named as a whole; else the row itself."""
    if (
        row.section is not None
        or not image_suffix(row.path).startswith(".mrcs")
        or not is_file(row.path)
    ):
        return [row]
    n = mrcs_sections(row.path)
    if n <= 1:
        return [row]
    return [replace(row, name=f"{i + 1:06d}@{row.name}", section=i) for i in range(n)]
