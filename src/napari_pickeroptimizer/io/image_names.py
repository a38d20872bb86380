"""Names of image files: their endings, and names of what is no micrograph."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

MRC_SUFFIXES = (".mrc", ".mrcs")
TIFF_SUFFIXES = (".tif", ".tiff")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
PLAIN_SUFFIXES = MRC_SUFFIXES + TIFF_SUFFIXES + PICTURE_SUFFIXES
PACKERS = (".gz", ".bz2")
PACKED_SUFFIXES = tuple(
    image + packer for image in MRC_SUFFIXES + TIFF_SUFFIXES for packer in PACKERS
)
# Where a folder holds several files of one name, the first of these counts.
IMAGE_SUFFIXES = MRC_SUFFIXES + TIFF_SUFFIXES + PACKED_SUFFIXES + PICTURE_SUFFIXES

# As the detectors' programs call gain references: CountRef_a.dm4, SuperRef_a.mrc, x_gain.tif.
# A name that only holds the word (a_gain_corrected.mrc) is that of a micrograph.
_GAIN = re.compile(
    r"(count|super)ref([_\-. ].*)?"
    r"|(.*[_\-. ])?gain([_\- ]?ref(erence)?)?([_\- ](rot\w*|flip\w*|inv\w*|x\d+(\.m\d)?))?",
    re.IGNORECASE,
)
# A stack with one of these words at the end of its name is a movie, whatever its suffix.
_MOVIE = re.compile(r"(.*[_\-. ])?(movies?|frames?|fractions?)", re.IGNORECASE)
# A box of so many sections that is nearly a cube is a map; movies are wider.
_LEAST_MAP = 16
_AVERAGE = "Pass the motion-corrected average, one two-dimensional image."
# Endings of what people pass as micrographs and what it is instead.
_OTHERS = {
    ".eer": f"is an EER movie. {_AVERAGE}",
    ".gain": f"is a gain reference of a detector. {_AVERAGE}",
    ".dm3": "is a DigitalMicrograph file, which is not read: convert it, e.g. with dm2mrc or "
    "e2proc2d.py.",
    ".dm4": "is a DigitalMicrograph file, which is not read: convert it, e.g. with dm2mrc or "
    "e2proc2d.py.",
    ".hdf": "is an EMAN2 HDF file, which is not read: convert it, with e2proc2d.py.",
    ".map": "has the name of a three-dimensional map. If it is a micrograph, call it .mrc.",
    ".st": "has the name of a tilt series, which this package does not prune.",
    ".rec": "has the name of a tomogram, which this package does not prune.",
}
_OTHERS[".hdf5"] = _OTHERS[".h5"] = _OTHERS[".hdf"]
_OTHERS[".ali"] = _OTHERS[".st"]


def image_suffix(name: str | Path) -> str:
    """Return the ending of an image file's name in small letters; empty if it is none.

    Examples
    --------
    >>> image_suffix("a.MRC.gz"), image_suffix("a.mrc"), image_suffix("a.gz")
    ('.mrc.gz', '.mrc', '')
    """
    lower = str(name).lower()
    return next((suffix for suffix in IMAGE_SUFFIXES if lower.endswith(suffix)), "")


def without_image_suffix(path: Path) -> Path:
    """Return the path without the ending of an image file.

    Examples
    --------
    >>> without_image_suffix(Path("in/a.b.mrc.gz")).as_posix()
    'in/a.b'
    """
    suffix = image_suffix(path)
    return path.with_name(path.name[: -len(suffix)]) if suffix else path.with_suffix("")


def without_thumbnails(files: Iterable[Path]) -> list[Path]:
    """Return image files of which one counts for each name: a.mrc, not its thumbnail a.png."""
    best: dict[Path, Path] = {}
    for file in sorted(files, key=lambda f: (IMAGE_SUFFIXES.index(image_suffix(f)), f)):
        best.setdefault(without_image_suffix(file), file)
    return list(best.values())


def no_micrograph(path: Path) -> str | None:
    """Return what a file is, if its name says that it is no micrograph.

    Examples
    --------
    >>> no_micrograph(Path("a.eer"))[:15]
    'is an EER movie'
    >>> no_micrograph(Path("a_gain_corrected.mrc")) is None
    True
    """
    plain = without_packer(path)
    if plain.suffix.lower() in _OTHERS:
        return _OTHERS[plain.suffix.lower()]
    if _GAIN.fullmatch(plain.stem):
        return (
            f"has the name of a gain reference, which is no micrograph. {_AVERAGE} If it is "
            "one, rename it."
        )
    return None


def why_not_2d(path: Path, shape: tuple[int, int, int]) -> str:
    """Return what a file of (sections, rows, columns) seems to be, and what to do."""
    nz, ny, nx = shape
    size = f"{nz} sections of {nx} x {ny} pixels"
    if is_movie_name(path):
        return f"is a movie by its name and its {size}. {_AVERAGE}"
    if nx in (3, 4) and image_suffix(path) not in MRC_SUFFIXES:
        return (
            f"is a picture in colour ({ny} x {nz} pixels of {nx} values), not a micrograph: "
            "expected one 2-D image of grey values."
        )
    if nz >= _LEAST_MAP and 4 * nz >= max(nx, ny):
        return f"is not a micrograph: {size} are a three-dimensional map."
    return (
        f"is not a micrograph: expected one 2-D image, got {size}, a movie or a stack. Of a movie "
        "pass the motion-corrected average; if each section is a micrograph, call the file .mrcs."
    )


def is_movie_name(path: Path) -> bool:
    """Whether a stack of this name is a movie: a_fractions.tiff, a.frames.mrcs.

    Examples
    --------
    >>> is_movie_name(Path("a_fractions.mrc.bz2")), is_movie_name(Path("a.mrc"))
    (True, False)
    """
    return _MOVIE.fullmatch(without_packer(path).stem) is not None


def without_packer(path: Path) -> Path:
    """Return the path without .gz or .bz2."""
    return path.with_suffix("") if path.suffix.lower() in PACKERS else path
