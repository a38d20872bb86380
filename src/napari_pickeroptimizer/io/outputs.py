"""Where picks are written: outputs that may not be, names of files, text in its encoding."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.atomic import atomic_path, write_text_atomic
from napari_pickeroptimizer.io.image_names import image_suffix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks

# "MotionCorr/job002/Movies/a.mrc" is "Movies/a.mrc" in every later job
JOB_FOLDER = re.compile(r"^.*?/job\d{3}[^/]*/")


def write_content(output: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    """Write a whole file in one step, and return its path.

    Raises
    ------
    PickFormatError
        A character of the text is not in the encoding.
    """
    if isinstance(content, bytes):
        with atomic_path(output) as temporary:
            temporary.write_bytes(content)
        return output
    try:
        return write_text_atomic(output, content, encoding=encoding)
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise PickFormatError(
            f"cannot write {output}: there is no {character!a} in its encoding, {encoding}. "
            "Rename the file or folder that has it in its name."
        ) from None


def check_output_file(picks: Picks, output: Path) -> None:
    """Refuse an output that is a folder, or one of the files that picks were read from."""
    if output.is_dir():
        raise PickFormatError(f"{output} is a folder: give the name of the file to write.")
    refuse_inputs(picks, [output])


def refuse_inputs(picks: Picks, outputs: Iterable[Path]) -> None:
    """Refuse outputs that are among the files that picks were read from."""
    inputs = {os.path.realpath(path) for source in picks.sources for path in source.files}
    if picks.file_list is not None:
        inputs.add(os.path.realpath(picks.file_list.path))
    for output in outputs:
        if os.path.realpath(output) in inputs:
            raise PickFormatError(
                f"{output} is one of the files these picks were read from: write elsewhere."
            )


def write_each_micrograph(
    picks: Picks,
    output: Path,
    suffix: str,
    text_of: Callable[[Picks], str],
    *,
    ending: str = "",
) -> list[Path]:
    """Write one file a micrograph; return the files.

    Parameters
    ----------
    picks : Picks
        Of any number of micrographs.
    output : Path
        The file, if its name ends in `suffix`; else a folder, in which each file has the name
        of its micrograph, in the same subfolders.
    suffix : str
        Of the files, with the dot.
    text_of : callable
        Makes the text of the picks of one micrograph.
    ending : str
        What stands between the micrograph's name and `suffix` in a folder.

    Raises
    ------
    PickFormatError
        `output` is a file, and there are several micrographs; or the names of two lead to one
        file; or a pick tells no micrograph. Nothing is written.
    """
    if output.name.lower().endswith(suffix):
        places = {_only_place(picks, output, suffix): picks}
    else:
        if output.is_file():
            raise PickFormatError(f"{output} is a file where a folder was expected.")
        found = places_of_micrographs(picks, output, ending + suffix)
        places = {place: picks.select(rows) for place, (_, rows) in found.items()}
    refuse_inputs(picks, places)
    texts = {place: text_of(part) for place, part in places.items()}
    return [write_content(place, text) for place, text in texts.items()]


def _only_place(picks: Picks, output: Path, suffix: str) -> Path:
    n = picks.table["micrograph"].nunique()
    if n > 1:
        raise PickFormatError(
            f"these picks are of {n} micrographs, and a {suffix} file holds those of one: "
            f"{output} must be a folder, without {suffix} at the end of its name."
        )
    return output


def places_of_micrographs(
    picks: Picks, folder: Path, ending: str
) -> dict[Path, tuple[str, NDArray[np.intp]]]:
    """Return name and rows of each micrograph by the file that its picks go to.

    Raises
    ------
    PickFormatError
        The names of two lead to one file; or a pick tells no micrograph.
    """
    places: dict[Path, tuple[str, NDArray[np.intp]]] = {}
    for name, rows in picks.rows_by_micrograph().items():
        place = folder / f"{place_of(name)}{ending}"
        if place in places:
            raise PickFormatError(
                f"the picks of {places[place][0]!r} and {name!r} would both go to "
                f"{place.relative_to(folder)}: rename one of these micrographs, or write one file "
                "for all."
            )
        places[place] = name, rows
    return places


def place_of(micrograph: str) -> str:
    """Return the path of a micrograph's own file in a new folder, without a suffix.

    That is its path without the job folder of RELION, and without the suffix of an image.

    Raises
    ------
    PickFormatError
        The name is none of a file.

    Examples
    --------
    >>> place_of("MotionCorr/job002/Movies/a.mrc")
    'Movies/a'
    >>> place_of("grid1/a.b_0.1")
    'grid1/a.b_0.1'
    """
    path = PurePosixPath(JOB_FOLDER.sub("", micrograph))
    parts = [part for part in path.parts if part not in ("/", "..")]
    if not parts:
        raise PickFormatError(
            f"the micrograph name {micrograph!r} is no name for a file of its picks: write a "
            "format of one file for all micrographs, or name the micrograph."
        )
    stem = parts[-1][: -len(image_suffix(parts[-1])) or None]
    parts[-1] = stem or parts[-1]
    return "/".join(parts)
