"""The loop over micrographs: grouped picks, images read one ahead, failures as events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.errors import MicrographNotFoundError, MicrographReadError
from napari_pickeroptimizer.names import is_image_name

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrograph, Micrographs
    from napari_pickeroptimizer.picks import Picks

# At least this share of the pixels differs from the median of a micrograph.
LEAST_CONTRAST = 0.001
# Side, in pixels, of the sample that is looked at first.
CONTRAST_SIDE = 512


@dataclass(frozen=True, eq=False)
class MicrographRows:
    """The picks of one micrograph.

    Parameters
    ----------
    name : str
        The micrograph as the first of its picks spells it.
    micrograph : Micrograph or None
        The image; None where it is missing.
    rows : (n,) int
        Positions in the table of picks, ascending.
    reason : str
        Why the image is missing.
    """

    name: str
    micrograph: Micrograph | None
    rows: NDArray[np.intp]
    reason: str = ""


class OfMicrographs:
    """An event of a loop over micrographs: how many are finished, and how many there are."""

    n_done: int
    n_total: int

    @property
    def progress(self) -> float:
        """Finished part of the micrographs, 0..1."""
        return self.n_done / self.n_total


@dataclass(frozen=True, eq=False)
class MicrographRead(OfMicrographs):
    """An image is read.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its picks.
    image : (ny, nx) float32
        Its pixels, row 0 the first row of the file.
    n_done, n_total : int
        Micrographs so far, this one included, and in all.
    """

    group: MicrographRows
    image: NDArray[np.float32]
    n_done: int
    n_total: int


@dataclass(frozen=True, eq=False)
class MicrographFailed(OfMicrographs):
    """A micrograph is missing or cannot be read; the others are still read.

    Parameters
    ----------
    group : MicrographRows
        The micrograph and its picks.
    reason : str
        A sentence for the user.
    n_done, n_total : int
        As in `MicrographRead`.
    """

    group: MicrographRows
    reason: str
    n_done: int
    n_total: int


def group_by_micrograph(
    micrographs: Micrographs,
    picks: Picks,
    *,
    first: Sequence[str] = (),
    beside: Picks | None = None,
) -> list[MicrographRows]:
    """Return the picks of each micrograph, in the order of the micrographs' first picks.

    Names that mean one micrograph (``a``, ``a.mrc``, ``Micrographs/a.mrc``) are one group.

    Parameters
    ----------
    micrographs : Micrographs
        Where the picks lie.
    picks : Picks
        Picks of any number of micrographs.
    first : sequence of str
        Micrographs, as any of their picks spells them, that come before the others, in this
        order; names that no pick has are passed over.
    beside : Picks, optional
        Others whose images these are as well: names of different folders, of the two, do not
        share a file.

    Raises
    ------
    AmbiguousMicrographError
        A name fits several micrographs, or names of different folders fit only one.

    Examples
    --------
    >>> from napari_pickeroptimizer.micrographs import Micrographs
    >>> from napari_pickeroptimizer.picks import Picks
    >>> picks = Picks.from_arrays(["b", "a.mrc", "b.mrc"], x=[1, 2, 3], y=[1, 2, 3])
    >>> groups = group_by_micrograph(Micrographs.named(["a.mrc", "b.mrc"]), picks)
    >>> [(group.name, group.rows.tolist()) for group in groups]
    [('b', [0, 2]), ('a.mrc', [1])]
    """
    rows_of_name = picks.rows_by_micrograph()
    also = [] if beside is None else filter(is_image_name, beside.rows_by_micrograph())
    found, missing = micrographs.resolve_all(dict.fromkeys([*rows_of_name, *also]))
    names_of: dict[Micrograph, list[str]] = {}
    for name in rows_of_name:
        if name in found:
            names_of.setdefault(found[name], []).append(name)
    groups = []
    for micrograph, names in names_of.items():
        rows = np.sort(np.concatenate([rows_of_name[name] for name in names]))
        groups.append((names, MicrographRows(names[0], micrograph, rows)))
    groups += [
        ([name], MicrographRows(name, None, rows_of_name[name], missing[name]))
        for name in rows_of_name
        if name in missing
    ]
    turn = {name: i for i, name in reversed([*enumerate(first)])}

    def place(item: tuple[list[str], MicrographRows]) -> tuple[int, int]:
        names, group = item
        return min(turn.get(name, len(first)) for name in names), int(group.rows[0])

    return [group for _, group in sorted(groups, key=place)]


def check_any_found(groups: Iterable[MicrographRows]) -> None:
    """Refuse picks without any of their micrographs; no picks at all are fine.

    Raises
    ------
    MicrographNotFoundError
        All micrographs are missing.
    """
    reasons = [group.reason for group in groups if group.micrograph is None]
    if reasons and all(group.micrograph is None for group in groups):
        raise MicrographNotFoundError(reasons[0])


def read_micrographs(
    groups: Sequence[MicrographRows],
) -> Iterator[MicrographRead | MicrographFailed]:
    """Read the image of each group in order, the next one while the caller works on this one.

    One bad file never ends a run: it is an event. Closing the generator stops the reading.
    """
    for group, image, *done in made_ahead(groups, lambda _, image: image, keeps_image=True):
        if isinstance(image, str):
            yield MicrographFailed(group, image, *done)
        else:
            yield MicrographRead(group, image, *done)


Made = TypeVar("Made")


def made_ahead(
    groups: Sequence[MicrographRows],
    make: Callable[[Micrograph, NDArray[np.float32]], Made],
    *,
    keeps_image: bool = False,
) -> Iterator[tuple[MicrographRows, Made | str, int, int]]:
    """Read the image of each group in order, and make something of it, in a thread of its own.

    The thread is one ahead of the caller. Closing the generator stops it.

    Parameters
    ----------
    groups : sequence of MicrographRows
        The micrographs.
    make : callable
        Called with a micrograph and its (ny, nx) image; what it raises as a
        `MicrographReadError` makes this micrograph fail, and no other.
    keeps_image : bool
        Whether what is made holds the image; else the next one is read into its memory.

    Yields
    ------
    group : MicrographRows
        The micrograph and its picks.
    made : object or str
        What was made of it, or why it failed, as a sentence.
    n_done, n_total : int
        As in `MicrographRead`.
    """
    memory: list[NDArray[np.float32]] = []

    def read_and_make(group: MicrographRows) -> Made:
        if group.micrograph is None:
            raise MicrographNotFoundError(group.reason)
        image = _read(group.micrograph, memory.pop() if memory else None)
        made = make(group.micrograph, image)
        if not keeps_image and image.flags.carray:  # may be written
            memory.append(image.reshape(-1))
        return made

    if not groups:
        return
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(read_and_make, groups[0])
        for i, group in enumerate(groups):
            current = ahead
            if i + 1 < len(groups):
                ahead = reader.submit(read_and_make, groups[i + 1])
            made: Made | str
            try:
                made = current.result()
            except (MicrographReadError, MicrographNotFoundError) as error:
                made = str(error)
            except MemoryError:
                made = f"there is not enough memory to read micrograph {group.name}."
            yield group, made, i + 1, len(groups)


def _read(
    micrograph: Micrograph, into: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    image = micrograph.read(into)
    if not has_contrast(image):
        raise MicrographReadError(
            f"{micrograph.path} has no contrast: all its pixels have the same grey level, or are "
            "no numbers."
        )
    return image


def has_contrast(image: NDArray[np.float32]) -> bool:
    """Return whether more than a few single pixels differ from the others.

    Pixels that are no numbers count as the others do: they are filled.

    Examples
    --------
    >>> image = np.full((100, 100), 7.0, np.float32)
    >>> image[3, 4] = 1000.0  # a hot pixel
    >>> has_contrast(image), has_contrast(image + np.arange(100, dtype=np.float32))
    (False, True)
    """
    step = max(1, min(image.shape) // CONTRAST_SIDE)
    # where a part of the pixels has none, all are looked at
    return _varies(image[::step, ::step]) or (step > 1 and _varies(image))


def _varies(pixels: NDArray[np.float32]) -> bool:
    finite = pixels[np.isfinite(pixels)].astype(np.float64)
    if not len(finite):
        return False
    middle = np.median(finite)
    # float32 rounds at this share of the grey level
    rounding = 4 * np.finfo(np.float32).eps * abs(middle)
    n_other = np.count_nonzero(np.abs(finite - middle) > rounding)
    return bool(n_other > LEAST_CONTRAST * pixels.size)
