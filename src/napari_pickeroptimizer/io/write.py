"""Write picks: the source text with rows removed and columns added."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_pickeroptimizer.errors import PickFormatError
from napari_pickeroptimizer.io.neighbours import link_neighbours
from napari_pickeroptimizer.io.outputs import (
    check_output_file,
    refuse_inputs,
    write_content,
)
from napari_pickeroptimizer.io.pick_format import Given, PickFormat
from napari_pickeroptimizer.io.project import absolute, common_folder
from napari_pickeroptimizer.io.registry import format_of
from napari_pickeroptimizer.io.relion import new_star_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.sources import PickSource


def write_picks(
    picks: Picks,
    output: str | Path,
    *,
    columns: Mapping[str, NDArray[Any]] | None = None,
    final: str | Path | None = None,
    replace_added: bool = False,
) -> list[Path]:
    """Write picks in the format of their source: lines unchanged, rows removed, columns added.

    Parameters
    ----------
    picks : Picks
        Picks of one file, of a tree of files, or of none.
    output : str or Path
        For the picks of one file, a **file** of the same format (or ``.star``: a new STAR).
        For a tree, a **folder**: the same tree, with a new ``autopick.star`` and whatever
        else listed the files; a file that lost all its picks is neither written nor listed
        (RELION does not write empty tables), and removed where an earlier run wrote it.
        Picks of no file (clicked by the user) go to a new STAR: `output` if there are no
        others, else one beside it, ``kept_added.star`` for ``kept.star`` or ``kept/``.
    columns : mapping of str to (n,) array, optional
        Columns to add or replace, by STAR label, one value a pick; floats are written with
        six decimals. By default `Picks.star_columns`. Formats without columns leave them out.
    final : str or Path, optional
        Where `output` will be moved to: list files name the coordinate files there.
    replace_added : bool
        Replace an existing file where picks of no file would go: a file that nobody named.

    Returns
    -------
    list of Path
        The files written, index files last.

    Raises
    ------
    PickFormatError
        `output` is one of the files read, a folder where a file is needed or the reverse, or
        of another format; or the file beside it exists. Nothing is written.
    """
    output = Path(output).expanduser()
    final = output if final is None else Path(final).expanduser()
    columns = picks.star_columns() if columns is None else columns
    is_new = picks.table["source"].to_numpy() < 0
    if not picks.is_tree and (not picks.sources or (is_new.all() and len(picks))):
        refuse_inputs(picks, [final])
        return [write_new_star(picks, output, columns=columns)]
    write = _write_tree if picks.is_tree else _write_file
    if not is_new.any():
        return write(picks, output, columns, final)
    old, new = (
        (picks.select(rows), {c: np.asarray(v)[rows] for c, v in columns.items()})
        for rows in (~is_new, is_new)
    )
    added = added_beside(output, is_folder=picks.is_tree)
    if added.exists() and not replace_added:
        raise PickFormatError(
            f"{added} exists, where the picks that are in none of the files read would go: "
            "choose another output, or allow to replace it."
        )
    return [
        *write(old[0], output, old[1], final),
        write_new_star(new[0], added, columns=new[1]),
    ]


def added_beside(output: Path, *, is_folder: bool = False) -> Path:
    """Return where picks go that are in none of the files read: ``labels_added.star``."""
    return output.with_name(f"{output.name if is_folder else output.stem}_added.star")


def write_new_star(
    picks: Picks, output: str | Path, *, columns: Mapping[str, NDArray[Any]] | None = None
) -> Path:
    """Write picks to one new STAR table, whatever their source; return its path.

    The table has micrograph, x, y, the picker's score where known, and `columns` (by
    default `Picks.star_columns`); nothing else of the files they came from.

    Raises
    ------
    PickFormatError
        `output` does not end in .star, or is a folder or one of the files read.
    """
    output = Path(output).expanduser()
    check_output_file(picks, output)
    if output.suffix.lower() != ".star":
        raise PickFormatError(
            f"cannot write these picks to {output}: give a name ending in .star."
        )
    return write_content(output, new_star_of(picks, columns))


def write_as(
    picks: Picks,
    output: str | Path,
    pick_format: PickFormat,
    given: Given | None = None,
) -> list[Path]:
    """Write picks of any origin as new files of a format; return the files.

    The files have what `pick_format.room` tells, and nothing else of those that the picks came
    from. Those of the same format lose nothing in `write_picks`.

    Parameters
    ----------
    picks : Picks
        From anywhere.
    output : str or Path
        The file to write; of a format of one file a micrograph a folder, or the file of the
        only micrograph.
    pick_format : PickFormat
        The format, for instance ``registry.format_of(output)``.
    given : Given, optional
        What the format needs and picks do not tell.

    Raises
    ------
    PickFormatError
        New files of the format are not written, something that it needs is not given, a value
        has no place in it, or `output` is one of the files read, or a folder where a file is
        needed or the reverse. Nothing is written.
    """
    output, given = Path(output).expanduser(), Given() if given is None else given
    if pick_format.write is None:
        raise PickFormatError(
            f"cannot write {output}: picks of other formats are not written as "
            f"{pick_format.name}."
        )
    has_suffix = output.name.lower().endswith(pick_format.suffixes)
    if has_suffix or not pick_format.room.one_file_a_micrograph:
        check_output_file(picks, output)
        if not has_suffix:
            raise PickFormatError(
                f"cannot write {pick_format.name} to {output}: give a name ending in "
                f"{' or '.join(pick_format.suffixes)}."
            )
    return pick_format.write(picks, output, given)


def _write_file(
    picks: Picks, output: Path, columns: Mapping[str, NDArray[Any]], final: Path
) -> list[Path]:
    check_output_file(picks, output)
    refuse_inputs(picks, [final])
    (source,) = picks.sources
    suffix = source.path.suffix
    if output.suffix.lower() != suffix.lower():
        if output.suffix.lower() == ".star":
            return [write_new_star(picks, output, columns=columns)]
        raise PickFormatError(
            f"cannot write picks of {source.path.name} to {output}: give a name ending in "
            f"{suffix}" + ("." if suffix == ".star" else " or .star.")
        )
    (part,) = _parts(picks)
    contents = _contents(source, part, columns, output)
    refuse_inputs(picks, [final.parent / path.name for path in contents])
    return _written(source, part, contents, final.parent)


def _write_tree(
    picks: Picks, output: Path, columns: Mapping[str, NDArray[Any]], final: Path
) -> list[Path]:
    if output.is_file() or format_of(output) is not None:
        raise PickFormatError(
            f"these picks come from {len(picks.sources)} files: {output} must be a folder."
        )
    file_list = picks.file_list
    root = (
        common_folder([s.path for s in picks.sources]) if file_list is None else file_list.root
    )
    root = absolute(root)
    place_of = {s.path: absolute(s.path).relative_to(root) for s in picks.sources}
    refuse_inputs(picks, [final / place for place in place_of.values()])
    parts = [
        (source, part)
        for source, part in zip(picks.sources, _parts(picks), strict=True)
        if len(part.rows)
    ]
    listed = {source.path: final / place_of[source.path] for source, _ in parts}
    if len(listed) < len(parts):  # the second would be written over the first
        raise PickFormatError(
            "some pick files were read twice, and these picks come from both: read all files "
            "in one call of read_picks."
        )
    lists = {} if file_list is None else file_list.render(listed)
    refuse_inputs(picks, [final / name for name in lists])
    written: list[Path] = []
    for source, part in parts:
        contents = _contents(source, part, columns, output / place_of[source.path])
        twice = contents.keys() & set(written)
        if twice:
            raise PickFormatError(
                f"two of these inputs would be written to {min(twice)}: pass them one by one."
            )
        written += _written(source, part, contents, (final / place_of[source.path]).parent)
    for path in place_of.keys() - listed.keys():
        (output / place_of[path]).unlink(missing_ok=True)
    list_files = [write_content(output / name, text) for name, text in lists.items()]
    return [*written, *list_files]


class _Part(NamedTuple):
    """The picks of one source: its rows, ascending, and their positions in the table."""

    rows: NDArray[np.int64]
    positions: NDArray[np.intp]


def _parts(picks: Picks) -> list[_Part]:
    """Return the part of each source, in their order."""
    source = picks.table["source"].to_numpy()
    row = picks.table["source_row"].to_numpy(dtype=np.int64)
    order = np.lexsort((row, source))
    if (np.diff(source[order]) == 0)[np.diff(row[order]) == 0].any():
        raise PickFormatError("some rows of a pick file are in these picks twice.")
    starts = np.searchsorted(source[order], range(1, len(picks.sources)))
    parts = [_Part(row[positions], positions) for positions in np.split(order, starts)]
    return parts[: len(picks.sources)]  # none of an empty list


def _written(
    source: PickSource, part: _Part, contents: Mapping[Path, str | bytes], final: Path
) -> list[Path]:
    """Write files, and link what they name by its place beside them; return the files."""
    *_, output = contents
    names = source.neighbours(part.rows) - {path.name for path in contents}
    link_neighbours(names, source.path.parent, output.parent, final)
    return [write_content(path, c, source.encoding) for path, c in contents.items()]


def _contents(
    source: PickSource, part: _Part, columns: Mapping[str, NDArray[Any]], output: Path
) -> dict[Path, str | bytes]:
    """Return the content of the output, and of files beside it: by path."""
    of_part = {label: np.asarray(values)[part.positions] for label, values in columns.items()}
    contents = source.contents(part.rows, of_part, output.name)
    return {output.with_name(name): content for name, content in contents.items()}
