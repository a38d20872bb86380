"""`CategorySet`: a folder of categories of boxes, read row by row from memory-mapped stacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from napari_pickeroptimizer.boxes import Windows
from napari_pickeroptimizer.classes import CARBON, CONTAMINANT, PARTICLE, class_name
from napari_pickeroptimizer.errors import BoxSetError, LabelError
from napari_pickeroptimizer.io.image_names import PLAIN_SUFFIXES
from napari_pickeroptimizer.pretrain.stacks import StoredWindows, read_windows

CLASSES = {class_name(c): c for c in (PARTICLE, CONTAMINANT, CARBON)}


@dataclass(frozen=True)
class Stack:
    """The boxes of one category from one entry.

    Parameters
    ----------
    path : Path
        The file.
    category : int
        Position of its category in `CategorySet.names`.
    pixels : (n, side, side) float16
        Standardised windows, memory-mapped where the file is ours.
    """

    path: Path
    category: int
    pixels: NDArray[np.float16] | StoredWindows

    @property
    def entry(self) -> str:
        """The file's stem: where its boxes come from."""
        return self.path.stem


@dataclass(frozen=True)
class CategorySet:
    """Categories of boxes; rows are numbered through all stacks.

    Parameters
    ----------
    names : tuple of str
        The categories, sorted: names of the folders.
    stacks : tuple of Stack
        Their files, by category.
    left_out : tuple of str
        Entries that are in the folder but not in here.
    """

    names: tuple[str, ...]
    stacks: tuple[Stack, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def targets(self) -> NDArray[np.intp]:
        """(n,) category of each row."""
        lengths = [len(s.pixels) for s in self.stacks]
        return np.repeat([s.category for s in self.stacks], lengths).astype(np.intp)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return np.cumsum([0, *(len(s.pixels) for s in self.stacks[:-1])], dtype=np.intp)

    @property
    def side(self) -> int:
        """Side of the windows in pixels."""
        return int(self.stacks[0].pixels.shape[-1])

    @property
    def class_ids(self) -> tuple[int, ...]:
        """Class of each category by its name's prefix (``particle_...``), 0 for none."""
        return tuple(CLASSES.get(name.partition("_")[0], 0) for name in self.names)

    @property
    def classes(self) -> dict[str, str | None]:
        """Name of the class of each category, None for none."""
        return {
            name: class_name(c) if c else None
            for name, c in zip(self.names, self.class_ids, strict=True)
        }

    @property
    def counts(self) -> dict[str, int]:
        """Number of boxes of each category."""
        n = np.bincount(self.targets, minlength=len(self.names))
        return {name: int(k) for name, k in zip(self.names, n, strict=True)}

    @property
    def entries(self) -> tuple[str, ...]:
        """Names of the data sets, sorted."""
        return tuple(sorted({s.entry for s in self.stacks}))

    def draw(self, rows: NDArray[np.intp]) -> Windows:
        """Return the float32 windows of `rows`, in their order.

        Raises
        ------
        BoxSetError
            A window holds a value that is no number, or its file has become shorter.
        """
        pixels = np.empty((len(rows), self.side, self.side), dtype=np.float32)
        of_stack = np.searchsorted(self._starts, rows, side="right") - 1
        for i in np.unique(of_stack):
            wanted = of_stack == i
            pixels[wanted] = self.stacks[i].pixels[rows[wanted] - self._starts[i]]
        finite = np.isfinite(pixels).all(axis=(1, 2))
        if not finite.all():
            k = int(np.flatnonzero(~finite)[0])
            i = of_stack[k]
            raise BoxSetError(
                f"{self.stacks[i].path}: window {rows[k] - self._starts[i] + 1} holds values "
                "that are no numbers (NaN or infinite): the file is damaged, make it again."
            )
        return Windows(torch.from_numpy(pixels)[:, None], torch.zeros(len(rows), 2))


def read_categories(folder: str | Path, leave_out: Sequence[str] = ()) -> CategorySet:
    """Read a folder with one folder a category, and in it one stack or image an entry.

    Parameters
    ----------
    folder : str or Path
        ``FOLDER/<category>/<entry>.mrcs``; beside MRC, TIFF, PNG and JPEG are read.
    leave_out : sequence of str
        Entries not to use: a file's stem, or what stands before a ``-`` in it.

    Raises
    ------
    BoxSetError
        There are no categories, one has no readable stack, a stack is not of square boxes,
        holds values that are no numbers, or an entry to leave out is not there.
    LabelError
        There are fewer than two categories.
    """
    folder = Path(folder)
    files = _files_by_category(folder)
    entries = sorted({f.stem for found in files.values() for f in found})
    unknown = [e for e in leave_out if not any(_is_of_entry(stem, e) for stem in entries)]
    if unknown:
        raise BoxSetError(
            f"--leave-out {unknown[0]}: no such entry in {folder}; its entries are "
            f"{', '.join(entries)}."
        )
    left_out = tuple(s for s in entries if any(_is_of_entry(s, e) for e in leave_out))
    kept = {
        name: [f for f in found if f.stem not in left_out] for name, found in files.items()
    }
    names = tuple(name for name, found in kept.items() if found)
    if len(names) < 2:
        left = f" once {', '.join(left_out)} is left out" if left_out else ""
        raise LabelError(
            f"{folder} holds {len(names)} categories of boxes{left} "
            f"({', '.join(names) or 'none'}): at least two are needed."
        )
    stacks = tuple(
        Stack(path, i, read_windows(path))
        for i, name in enumerate(names)
        for path in kept[name]
    )
    for stack in stacks:
        if stack.pixels.shape[-1] != stacks[0].pixels.shape[-1]:
            raise BoxSetError(
                f"{stack.path} has windows of {stack.pixels.shape[-1]} px, {stacks[0].path} of "
                f"{stacks[0].pixels.shape[-1]} px: make them again with one version."
            )
    return CategorySet(names, stacks, left_out)


def _files_by_category(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each subfolder, both sorted."""
    if not folder.is_dir():
        raise BoxSetError(
            f"{folder} is not a folder: expected one with a folder for each category of boxes."
        )
    subfolders = sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not subfolders:
        raise BoxSetError(
            f"{folder} holds no categories: expected a folder for each, such as "
            "particle_NAME/ENTRY.mrcs. Make one with `pickeroptimizer pretrain-set`."
        )
    files = {
        sub.name: sorted(
            f
            for f in sub.iterdir()
            if f.suffix.lower() in PLAIN_SUFFIXES and f.name[0] != "." and f.is_file()
        )
        for sub in subfolders
    }
    empty = [name for name, found in files.items() if not found]
    if empty:
        raise BoxSetError(
            f"{folder / empty[0]} holds no stack of boxes: expected "
            f"{', '.join(PLAIN_SUFFIXES)} files. Fill or remove the folder."
        )
    return files


def _is_of_entry(stem: str, entry: str) -> bool:
    return stem == entry or stem.startswith(f"{entry}-")
