"""Read a pick file as text, or say plainly why it is none."""

from __future__ import annotations

from pathlib import Path

from napari_pickeroptimizer.errors import PickFormatError, PicksNotFoundError

_LFS_POINTER = b"version https://git-lfs"


def read_text(path: str | Path) -> tuple[str, str]:
    """Return the text of a file, line endings untouched, and the encoding that restores it.

    UTF-8, or Latin-1 where a byte is no UTF-8 (every byte has a Latin-1 character, so
    writing gives the same bytes back).

    Raises
    ------
    PicksNotFoundError
        Nothing is at `path`.
    PickFormatError
        `path` is a directory, or the file is binary or only a git-lfs pointer.
    """
    path = Path(path)
    if path.is_dir():
        raise PickFormatError(f"{path} is a directory where a file was expected.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise PicksNotFoundError(f"{path} does not exist.") from error
    if data.startswith(_LFS_POINTER):
        raise PickFormatError(
            f"{path} is only a git-lfs pointer, not the file itself: run `git lfs pull` first."
        )
    if b"\0" in data[:65536]:
        raise PickFormatError(
            f"{path} is a binary file: expected text. Pass a .star, .box or .csv file of picks."
        )
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
