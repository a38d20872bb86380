"""Micrographs STAR files: names, files and pixel sizes, of RELION 3.0 to 5."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import (
    AmbiguousMicrographError,
    MicrographNotFoundError,
    PickFormatError,
)
from napari_pickeroptimizer.io.project import ProjectPaths
from napari_pickeroptimizer.io.star import StarBlock, StarDocument

NAME = "rlnMicrographName"
# A slice of a stack: "000012@stack.mrcs". "lab@host/m.mrc" is the name of a file.
_SLICE = re.compile(r"0*([1-9][0-9]{0,8})@(.+)", re.DOTALL)


@dataclass(frozen=True)
class MicrographRow:
    """One micrograph in a STAR file.

    Parameters
    ----------
    name : str
        ``rlnMicrographName``, as it is spelt there.
    path : Path
        The image file, found below the RELION project folder.
    pixel_size_ang : float or None
        Pixel size in Å of the micrograph, where the STAR tells it.
    section : int or None
        Section of an ``.mrcs`` stack, 0-based (``000001@stack.mrcs`` is 0); None where the name
        tells none.
    """

    name: str
    path: Path
    pixel_size_ang: float | None = None
    section: int | None = None


def split_slice(name: str) -> tuple[int | None, str]:
    """Return the number of a slice, from 1, and the file of a name; None for a plain file.

    Examples
    --------
    >>> split_slice("000012@stack.mrcs")
    (12, 'stack.mrcs')
    >>> split_slice("lab@host/m.mrc")
    (None, 'lab@host/m.mrc')
    """
    match = _SLICE.fullmatch(name)
    return (int(match[1]), match[2]) if match else (None, name)


def file_and_slice(name: str, paths: ProjectPaths) -> tuple[Path, int | None]:
    """Return the file that a name in a table means, and the number of its slice, from 1.

    Raises
    ------
    AmbiguousMicrographError
        There is a file that is called so as a whole, and one of which it would be a slice; or
        as for `ProjectPaths.find`.
    """
    number, file = split_slice(name)
    whole = None if number is None else paths.find(name)
    if whole is None:
        return paths.resolve(file), number
    stack = paths.find(file)
    if stack is not None:
        raise AmbiguousMicrographError(
            f"{name!r} may be the file {whole}, or slice {number} of {stack}: rename one of them."
        )
    return whole, None


def read_micrographs_star(path: str | Path) -> list[MicrographRow]:
    """Read the micrographs of a STAR file, each once.

    Any table with ``rlnMicrographName`` serves: a micrographs STAR, an ``autopick.star``
    list, or a particles STAR.

    The pixel size is ``rlnMicrographPixelSize`` of the optics group, else of the row; else
    ``rlnMicrographOriginalPixelSize`` of a micrographs table; else, in RELION 3.0 files,
    10000 ``rlnDetectorPixelSize`` / ``rlnMagnification``.

    Raises
    ------
    MicrographNotFoundError
        The file does not exist or lists no micrograph.
    PickFormatError
        The file is no STAR, or has no column ``rlnMicrographName``.
    """
    path = Path(path)
    if not path.exists():
        raise MicrographNotFoundError(f"micrographs STAR {path} does not exist.")
    document = StarDocument.read(path)
    block = _micrographs_block(document)
    names = document.strings(block, [NAME])[NAME]
    if not len(names):
        raise MicrographNotFoundError(
            f"{path} lists no micrograph: {block.title} has no rows."
        )
    sizes = _pixel_sizes_ang(document, block)
    listed = names.tolist()
    paths = ProjectPaths(path, (split_slice(name)[1] for name in listed))
    found: dict[str, MicrographRow] = {}
    for name, size in zip(listed, sizes.tolist(), strict=True):
        if name not in found:
            file, number = file_and_slice(name, paths)
            found[name] = MicrographRow(
                name=name,
                path=file,
                pixel_size_ang=size if 0 < size < np.inf else None,  # never of NaN
                section=None if number is None else number - 1,
            )
    return list(found.values())


def common_pixel_size_ang(document: StarDocument) -> float | None:
    """Return the common pixel size in Å of all micrographs, None if there is none.

    Cheap where the optics groups agree, however many rows there are.
    """
    label = "rlnMicrographPixelSize"
    for optics in document.blocks_with("rlnOpticsGroup", label):
        sizes = np.unique(document.numbers(optics, [label])[label])
        if len(sizes) == 1 and 0 < sizes[0] < np.inf:
            return float(sizes[0])
    blocks = document.blocks_with(NAME)
    if len(blocks) != 1 or not len(blocks[0]):
        return None
    sizes = np.unique(_pixel_sizes_ang(document, blocks[0]))
    return float(sizes[0]) if len(sizes) == 1 and 0 < sizes[0] < np.inf else None


def _micrographs_block(document: StarDocument) -> StarBlock:
    candidates = document.blocks_with(NAME)
    if not candidates:
        if document.blocks_with("rlnMicrographMovieName"):
            raise PickFormatError(
                f"{document.path} lists movies (rlnMicrographMovieName): pass the micrographs "
                "STAR of the motion correction job."
            )
        found = [c for b in document.blocks for c in b.columns][:5]
        raise PickFormatError(
            f"{document.path} is no micrographs STAR: no table has the column {NAME}; found "
            f"{', '.join(found) or 'no columns'}."
        )
    named = [b for b in candidates if b.name == "micrographs"]
    return (named or candidates)[0]


def _pixel_sizes_ang(document: StarDocument, block: StarBlock) -> NDArray[np.float64]:
    """Return the (n,) pixel sizes in Å of the rows of `block`, NaN where unknown."""
    unknown = np.full(len(block), np.nan)
    is_particles = "rlnCoordinateX" in block.columns
    labels = ["rlnMicrographPixelSize"]
    if not is_particles:  # of particles it may be that of super-resolution movies
        labels.append("rlnMicrographOriginalPixelSize")
    for label in labels:
        if label in block.columns:
            return document.numbers(block, [label])[label]
        for optics in document.blocks_with("rlnOpticsGroup", label):
            if "rlnOpticsGroup" in block.columns:
                table = document.numbers(optics, ["rlnOpticsGroup", label])
                sizes = dict(zip(table["rlnOpticsGroup"], table[label], strict=True))
                groups = document.numbers(block, ["rlnOpticsGroup"])["rlnOpticsGroup"]
                return np.array([sizes.get(g, np.nan) for g in groups.tolist()])
    old = ["rlnDetectorPixelSize", "rlnMagnification"]
    if set(old) <= set(block.columns) and not is_particles:
        values = document.numbers(block, old)
        with np.errstate(divide="ignore", invalid="ignore"):
            sizes_ang: NDArray[np.float64] = 1e4 * values[old[0]] / values[old[1]]
        return sizes_ang
    return unknown
