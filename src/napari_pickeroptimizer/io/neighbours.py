"""Files that a pick file names by their place beside it: linked where its picks are written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from napari_pickeroptimizer.errors import OutputError, PickFormatError


def link_neighbours(names: Iterable[str], source: Path, output: Path, final: Path) -> None:
    """Link files beside one pick file to the same places beside another.

    What is not there is left out, and so is what is there already: where `final` is `source`,
    nothing is done. Names that lead out of the folder are not followed.

    Parameters
    ----------
    names : iterable of str
        Paths of the files, relative to the folder of the pick file.
    source, output : Path
        The folders of the pick file that was read, and of the one that is written.
    final : Path
        Where `output` will be moved to. The links are relative to there, so that a project can
        be moved as a whole.

    Raises
    ------
    PickFormatError
        Another file is at such a place in `final`.
    OutputError
        A link cannot be made.
    """
    real_source, real_final = Path(os.path.realpath(source)), Path(os.path.realpath(final))
    for name in sorted(names):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            continue
        there, place, link = real_source / path, real_final / path, output / path
        # os.path: of names that no file system takes, it says that nothing is there
        if not os.path.exists(there):  # noqa: PTH110
            continue
        if os.path.exists(place) and place.samefile(there):  # noqa: PTH110
            continue
        if os.path.lexists(place) and not place.is_symlink():
            raise PickFormatError(
                f"{place} is in the way: the picks name {there} by its place beside them. Choose "
                "another folder, or that of the picks."
            )
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(os.path.relpath(there, place.parent))
        except OSError as error:
            raise OutputError(
                f"{place} cannot be made, a link to {there} ({error.strerror}), which the picks "
                "name by its place beside them. Choose the folder of the picks as the output."
            ) from error
