"""Which paths to pass to open the same picks and micrographs again. No Qt."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from napari_pickeroptimizer.io.images import IMAGE_SUFFIXES, open_pixel_size_ang
from napari_pickeroptimizer.io.project import absolute
from napari_pickeroptimizer.micrographs import Micrographs, Places
from napari_pickeroptimizer.picks import Picks


def picks_places(picks: Picks) -> tuple[str, ...]:
    """Return what to pass to `read_picks` for the same picks; none for picks of no file.

    A tree of files is its list or its folder, files that a glob finds are that glob.
    """
    if picks.file_list is not None:
        return (str(absolute(picks.file_list.path)),)
    files = [absolute(source.path) for source in picks.sources]
    return _as_glob(files) or tuple(str(f) for f in files)


def micrograph_places(micrographs: Micrographs) -> Places:
    """Return what to pass to `Micrographs.find` for the same micrographs."""
    if micrographs.places is not None:
        return micrographs.places
    files = list(dict.fromkeys(absolute(m.path) for m in micrographs))
    where: list[str] = []
    for folder in dict.fromkeys(f.parent for f in files):
        where += _whole_folder(folder, [f for f in files if f.parent == folder])
    sizes = {m.pixel_size_ang for m in micrographs}
    size = sizes.pop() if len(sizes) == 1 else None
    first = next(iter(micrographs), None)
    told = first is not None and first.path.is_file() and open_pixel_size_ang(first.path)
    return Places(
        tuple(where), None if size == told else size, any(m.flip_y for m in micrographs)
    )


def _whole_folder(folder: Path, files: Sequence[Path]) -> list[str]:
    """Return a folder if it holds just these images, a glob, or the files one by one."""
    try:
        entries = [e for e in os.scandir(folder) if not e.name.startswith(".")]
    except OSError:
        return [str(f) for f in files]
    images = {e.name for e in entries if Path(e.name).suffix.lower() in IMAGE_SUFFIXES}
    if images == {f.name for f in files} and not any(e.is_dir() for e in entries):
        return [str(folder)]
    return list(_as_glob(sorted(files)) or (str(f) for f in files))


def _as_glob(files: Sequence[Path]) -> tuple[str, ...] | None:
    """Return the glob that finds just these files in this order, None where there is none."""
    if len(files) < 2 or len({(f.parent, f.suffix) for f in files}) > 1:
        return None
    pattern = f"{glob.escape(str(files[0].parent))}/*{files[0].suffix}"
    found = [p for p in sorted(glob.glob(pattern)) if not Path(p).name.startswith(".")]
    return (pattern,) if found == [str(f) for f in files] else None
