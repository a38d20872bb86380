"""Files that other programs are writing: which are whole by now, and which stay broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_pickeroptimizer.errors import PickerOptimizerError
from napari_pickeroptimizer.io.image_names import image_suffix
from napari_pickeroptimizer.io.images import image_shape_px, open_image
from napari_pickeroptimizer.io.read import check_picks_file

# Why a file is not whole yet; None if it is. The second argument: whether patience is at its end.
Check = Callable[[Path, bool], str | None]


@dataclass
class _Seen:
    """A file as it was seen last."""

    size_and_time: tuple[int, int]
    since: float
    is_whole: bool = False
    is_told: bool = False


class Arrivals:
    """Files as they come; polled, as network file systems tell of no changes.

    A file is whole once it has not changed for a while, and its content says so. Times are those
    of the polls: the clocks of file servers go wrong.

    Parameters
    ----------
    check : callable
        Why the content of a file is not whole.
    settle_s : float
        Seconds without a change.
    give_up_s : float
        Seconds after which a file that does not change, and is not whole, is told of.
    """

    def __init__(self, check: Check, settle_s: float, give_up_s: float) -> None:
        self._check, self._settle_s, self._give_up_s = check, settle_s, give_up_s
        self._seen: dict[Path, _Seen] = {}
        self.last_change = float("-inf")
        """When a file came or changed last."""

    def version(self, path: Path) -> tuple[int, int]:
        """Return size and time of a file as it was seen last."""
        return self._seen[path].size_and_time

    def look(self, paths: Iterable[Path], now: float) -> tuple[set[Path], dict[Path, str]]:
        """Return the files that are whole, and those newly given up, with the reason."""
        whole: set[Path] = set()
        broken: dict[Path, str] = {}
        for path in paths:
            size_and_time = size_and_time_of(path)
            if size_and_time is None:
                continue  # gone again, or a link to nothing
            seen = self._seen.get(path)
            if seen is None or seen.size_and_time != size_and_time:
                seen = self._seen[path] = _Seen(size_and_time, now)
                self.last_change = now
            if not seen.is_whole and now - seen.since >= self._settle_s:
                is_late = now - seen.since >= self._give_up_s
                reason = self._check(path, is_late)
                seen.is_whole = reason is None
                if reason is not None and is_late and not seen.is_told:
                    seen.is_told = True
                    broken[path] = reason
            if seen.is_whole:
                whole.add(path)
        return whole, broken


def size_and_time_of(path: Path) -> tuple[int, int] | None:
    """Return size and time of a file by which a change is seen; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def why_no_image(path: Path, is_late: bool) -> str | None:
    """Return why an image is not whole; of an MRC the header tells how long it is to be."""
    try:
        if image_suffix(path) in (".mrc", ".mrcs"):
            image_shape_px(path, 0)
        else:
            open_image(path, 0)
    except (PickerOptimizerError, OSError, ValueError) as error:
        return str(error)
    return None


def why_no_picks(path: Path, is_late: bool) -> str | None:
    """Return why a file of picks is not whole: its last line must have an end, or be old.

    Of a list of such files only the list counts.
    """
    try:
        if not is_late and not _ends_a_line(path):
            return f"{path} ends within a line."
        check_picks_file(path)
    except (PickerOptimizerError, OSError, ValueError) as error:
        return str(error)
    return None


def _ends_a_line(path: Path) -> bool:
    """Return whether a file of text ends with a line break; others end as they do."""
    data = path.read_bytes()
    return b"\0" in data or data.endswith((b"\n", b"\r")) or path.suffix == ".json"
