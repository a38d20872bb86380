"""Filaments whose files look like picks of particles: known by the folder that they lie in."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from napari_pickeroptimizer.io.files import is_file
from napari_pickeroptimizer.io.project import absolute

# crYOLO's folders of filaments: start and end alternate, which the files do not tell.
_CRYOLO_FOLDERS = ("STAR_START_END", "EMAN_START_END", "EMAN_HELIX_SEGMENTED")
_JOB = re.compile(r"job\d{3,}")
# RELION's manual picking has an option for starts and ends; its files have the columns of any
# picks. RELION 3.1 and later keep the options of a job in job.star, 3.0 in run.job.
_OPTION_FILES = ("job.star", "run.job")
_STARTS_AND_ENDS = re.compile(
    r"^\s*(do_startend\s+|Pick start-end coordinates helices\? == )(Yes|True)\s*$",
    re.MULTILINE | re.IGNORECASE,
)
_MOST_CHARACTERS = 1 << 16


def why_filaments(path: Path) -> str | None:
    """Return by what a pick file is known to be of filaments; None if nothing tells that.

    Ends of filaments that were copied out of their folder cannot be told from picks.
    """
    folders = absolute(path).parents
    if folders[0].name in _CRYOLO_FOLDERS:
        return "by crYOLO's name of its folder"
    job = next((folder for folder in folders if _JOB.fullmatch(folder.name)), None)
    if path.suffix.lower() != ".star" or job is None:
        return None
    for options in (job / name for name in _OPTION_FILES):
        if is_file(options) and _tells_starts_and_ends(options, options.stat().st_mtime_ns):
            return f"by the options of RELION's job (start-end coordinates, in {options})"
    return None


@lru_cache(maxsize=8)
def _tells_starts_and_ends(options: Path, changed_ns: int) -> bool:
    """Read a file of options: once, and not for each of a thousand pick files of the job."""
    try:
        with options.open(encoding="utf-8", errors="replace") as file:
            return bool(_STARTS_AND_ENDS.search(file.read(_MOST_CHARACTERS)))
    except OSError:
        return False
