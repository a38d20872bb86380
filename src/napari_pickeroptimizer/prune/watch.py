"""Scoring on the fly: micrographs and picks are scored as they come, as in a live session."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    MicrographReadError,
    PickFormatError,
)
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.prune.arrivals import Arrivals, why_no_image
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.journal import group_key
from napari_pickeroptimizer.prune.live_picks import LivePicks, not_taken
from napari_pickeroptimizer.prune.score import OpenScores, open_scores, score_picks
from napari_pickeroptimizer.prune.score_folder import FOLDER
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrograph import Micrograph
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler
    from napari_pickeroptimizer.reading import MicrographRows

# Among the inputs in the journal: the picks come still, those of `TAKEN` are there.
WATCHED = "watched"
TAKEN = "watched_picks.json"
_Place = tuple[str, int]  # of an image: path and section


@dataclass(frozen=True)
class WatchSettings:
    """How long files are waited for.

    Parameters
    ----------
    settle_s : float
        Seconds that a file has not changed for, before it is looked at.
    give_up_s : float
        Seconds after which a file that stays broken is told of; it is scored if it changes.
    idle_s : float or None
        Seconds without any new or changed file that end the watch; None for never.

    Raises
    ------
    SettingsError
        A value is out of its range.
    """

    settle_s: float = setting(10.0, least=0)
    give_up_s: float = setting(300.0, above=0)
    idle_s: float | None = setting(None, above=0)

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True)
class FileGivenUp:
    """A file has stayed broken; it is passed over until it changes.

    Parameters
    ----------
    path : Path
        The file.
    reason : str
        A sentence for the user.
    """

    path: Path
    reason: str
    progress: float = 0.0


@dataclass(frozen=True)
class Watched:
    """All that was there is scored.

    Parameters
    ----------
    n_micrographs, n_picks : int
        Scored by this watch and before it, or found unreadable.
    n_waiting : int
        Micrographs with picks whose image is not there, or not whole, yet.
    """

    n_micrographs: int
    n_picks: int
    n_waiting: int
    progress: float = 0.0


def polls(every_s: float) -> Iterator[float]:
    """Yield the time in seconds, at once and then after each pause."""
    while True:
        yield time.monotonic()
        time.sleep(every_s)


def watch_scores(
    find: Callable[[], Micrographs],
    picks: list[str],
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    watch: WatchSettings | None = None,
    *,
    times: Iterable[float],
    inputs: Mapping[str, Any] | None = None,
    scheduler: Scheduler | None = None,
) -> Iterator[Any]:
    """Score micrographs and picks as they come, into a journal that `decide_picks` reads any time.

    Closing the generator, a kill, or the end of `times` ends the watch; another one goes on.

    Parameters
    ----------
    find : callable
        Finds the micrographs that are there now.
    picks : list of str
        Files, folders and globs of pick files, or lists of such files that grow.
    classifier : Classifier
        The fine-tuned model.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        As in `score_picks`.
    watch : WatchSettings, optional
        How long files are waited for.
    times : iterable of float
        The time of each poll, in seconds; it waits between them, see `polls`.
    inputs, scheduler : optional
        As in `score_picks`.

    Yields
    ------
    FileGivenUp
        Once for each file that stays broken.
    object
        The events of `score_picks`, but for the last one.
    Watched
        After each poll that brought something to score.

    Raises
    ------
    PickFormatError
        A folder of picks holds files of several formats, or several lists.
    CheckpointError, SettingsError, OutputError, AmbiguousMicrographError
        As `score_picks` does.
    """
    watch, output = watch or WatchSettings(), Path(output)
    settings = settings or PruneSettings()
    image_files = Arrivals(why_no_image, watch.settle_s, watch.give_up_s)
    live = LivePicks(picks, watch.settle_s, watch.give_up_s)
    taken = _Taken(image_files, live)
    scores: OpenScores | None = None
    before: object = None
    started: float | None = None
    with ExitStack() as stack:
        for now in times:
            started = now if started is None else started
            found = _found(find)
            images, broken = image_files.look([m.path for m in found or ()], now)
            for path, reason in {**broken, **live.look(now)}.items():
                yield FileGivenUp(path, reason)
            state = images, live.files, image_files.last_change, live.last_change
            if found is not None and live.files and state != before:
                before = state
                table, new, told = taken.look(found, images)
                if new:
                    _note_taken(output, live.taken)
                    if scores is None:
                        scores = stack.enter_context(open_scores(classifier, output, settings))
                    for event in score_picks(
                        found, table, classifier, output, settings, groups=new,
                        inputs={**(inputs or {}), WATCHED: True}, scheduler=scheduler,
                        scores=scores,
                    ):  # fmt: skip
                        if not isinstance(event, PicksScored):
                            yield event
                    yield told
            last = max(started, image_files.last_change, live.last_change)
            if watch.idle_s is not None and now - last >= watch.idle_s:
                return


class _Taken:
    """What was scored; the picks of a micrograph are looked at if one of its files changes."""

    def __init__(self, image_files: Arrivals, live: LivePicks) -> None:
        self._image_files, self._live = image_files, live
        self._files: dict[_Place, object] = {}  # with sizes and times, of each micrograph
        self._keys: dict[_Place, str] = {}
        self._n_picks: dict[_Place, int] = {}

    def look(
        self, found: Micrographs, images: set[Path]
    ) -> tuple[Picks, list[MicrographRows], Watched]:
        """Return picks, those of them that are to be scored, and what is told after that."""
        files_of, n_missing = self._live.by_micrograph(found)
        there = {_place(m): files for m, files in files_of.items() if m.path in images}
        changed: dict[Path, None] = {}
        for place, files in there.items():
            image = Path(place[0])
            now = (
                self._image_files.version(image),
                *((f, self._live.version(f)) for f in files),
            )
            if self._files.get(place) != now:
                self._files[place] = now
                changed |= dict.fromkeys(files)
        table = self._live.of_files(changed)
        coords_yx_px = table.coords_yx_px()
        new = []
        for group in group_by_micrograph(found, table):
            place = _place(group.micrograph)
            # of a micrograph that another file has picks of, too, these are not all
            if place in there and changed.keys() >= {*there[place]}:
                key = group_key(group, coords_yx_px)
                self._n_picks[place] = len(group.rows)
                if self._keys.get(place) != key:
                    self._keys[place] = key
                    new.append(group)
        n_picks = sum(self._n_picks[place] for place in there)
        n_waiting = len(files_of) - len(there) + n_missing
        return table, new, Watched(len(there), n_picks, n_waiting)


def _found(find: Callable[[], Micrographs]) -> Micrographs | None:
    """Return the micrographs that are there; None while there are none, or their STAR is cut."""
    try:
        return find()
    except (MicrographNotFoundError, MicrographReadError, PickFormatError):
        return None


def _place(micrograph: Micrograph | None) -> _Place:
    return ("", 0) if micrograph is None else (str(micrograph.path), micrograph.section)


def _note_taken(output: Path, whole: Iterable[Path]) -> None:
    """Write which pick files are whole: others may be half written when `decide` reads them."""
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(str(path.absolute()) for path in whole)
    write_text_atomic(folder / TAKEN, json.dumps(names, indent=0) + "\n")


def watched_picks(folder: Path, picks: list[str]) -> set[Path]:
    """Return the pick files at some places, and in lists there, that a watch has not taken yet.

    Parameters
    ----------
    folder : Path
        The folder ``scores``.
    picks : list of str
        The places.
    """
    return not_taken(picks, json.loads((folder / TAKEN).read_text(encoding="utf-8")))
