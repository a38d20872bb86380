"""The interface of a format of pick files: how it is recognised, read and described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_pickeroptimizer.io.coordinate_lists import CoordinateList
    from napari_pickeroptimizer.io.file_picks import FilePicks


@dataclass(frozen=True)
class PickFormat:
    """A format of pick files; the sources that `read` returns write it again.

    Parameters
    ----------
    name : str
        For dialogs: ``BOX``.
    title : str
        For documents: who writes it, and what it holds.
    suffixes : tuple of str
        In small letters, with the dot.
    holds_picks : callable
        Whether a file may hold picks, given the text at its head.
    read : callable or None
        Reads a file: ``read(path, micrograph=None, listed=False)``. `micrograph` is its name
        where the file is one of many, and is `listed` where a list of files says so. A file
        that lists others is returned as a `CoordinateList`.
    cannot_hold : str
        What is lost in this format, for documents; empty if nothing.
    instead : str
        For formats that are recognised but not read: what the file is and what to pass instead.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    holds_picks: Callable[[str], bool]
    read: Callable[..., FilePicks | CoordinateList] | None = None
    cannot_hold: str = ""
    instead: str = ""
