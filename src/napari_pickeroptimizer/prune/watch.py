"""Scoring on the fly: micrographs and picks are scored as they come, as in a live session."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_pickeroptimizer.errors import (
    MicrographNotFoundError,
    MicrographReadError,
    PickFormatError,
)
from napari_pickeroptimizer.io import read_picks
from napari_pickeroptimizer.io.atomic import write_text_atomic
from napari_pickeroptimizer.io.read import pick_files
from napari_pickeroptimizer.prune.arrivals import Arrivals, why_no_image, why_no_picks
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.journal import group_key
from napari_pickeroptimizer.prune.score import score_picks
from napari_pickeroptimizer.prune.score_folder import FOLDER
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.settings import check_ranges, setting

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.prune.settings import PruneSettings
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler
    from napari_pickeroptimizer.reading import MicrographRows

# Among the inputs in the journal: the picks come still, those of `TAKEN` are there.
WATCHED = "watched"
TAKEN = "watched_picks.json"


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
        Files, folders and globs of pick files.
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
        A place of picks holds a list of pick files.
    CheckpointError, SettingsError, OutputError, AmbiguousMicrographError
        As `score_picks` does.
    """
    watch, output = watch or WatchSettings(), Path(output)
    image_files = Arrivals(why_no_image, watch.settle_s, watch.give_up_s)
    picks_files = Arrivals(why_no_picks, watch.settle_s, watch.give_up_s)
    done: dict[tuple[str, ...], str] = {}  # keys of what was scored, by micrograph
    n_picks = 0
    before: object = None
    started: float | None = None
    for now in times:
        started = now if started is None else started
        found, listed = _found(find), pick_files(picks)
        images, broken = image_files.look([m.path for m in found or ()], now)
        whole, also_broken = picks_files.look(listed, now)
        for path, reason in {**broken, **also_broken}.items():
            yield FileGivenUp(path, reason)
        state = images, whole, image_files.last_change, picks_files.last_change
        if found is not None and whole and state != before:
            before = state
            table = read_picks(list(picks), leave_out={*listed} - whole)
            coords_yx_px = table.coords_yx_px()
            groups = group_by_micrograph(found, table)
            there = [
                g for g in groups if g.micrograph is not None and g.micrograph.path in images
            ]
            new = []
            for group in there:
                key = group_key(group, coords_yx_px)
                if done.get(_place(group)) != key:
                    done[_place(group)] = key
                    new.append(group)
            if new:
                _note_taken(output, whole)
                for event in score_picks(
                    found, table, classifier, output, settings,
                    inputs={**(inputs or {}), WATCHED: True}, groups=new, scheduler=scheduler,
                ):  # fmt: skip
                    if not isinstance(event, PicksScored):
                        yield event
                n_picks = sum(len(group.rows) for group in there)
                yield Watched(len(there), n_picks, len(groups) - len(there))
        last = max(started, image_files.last_change, picks_files.last_change)
        if watch.idle_s is not None and now - last >= watch.idle_s:
            return


def _found(find: Callable[[], Micrographs]) -> Micrographs | None:
    """Return the micrographs that are there; None while there are none, or their STAR is cut."""
    try:
        return find()
    except (MicrographNotFoundError, MicrographReadError, PickFormatError):
        return None


def _place(group: MicrographRows) -> tuple[str, ...]:
    assert group.micrograph is not None
    return str(group.micrograph.path), str(group.micrograph.section)


def _note_taken(output: Path, whole: Iterable[Path]) -> None:
    """Write which pick files are whole: others may be half written when `decide` reads them."""
    folder = output / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    names = sorted(str(path.absolute()) for path in whole)
    write_text_atomic(folder / TAKEN, json.dumps(names, indent=0) + "\n")


def watched_picks(folder: Path, picks: list[str]) -> set[Path]:
    """Return the pick files at some places that a watch has not taken yet.

    Parameters
    ----------
    folder : Path
        The folder ``scores``.
    picks : list of str
        The places.
    """
    taken = set(json.loads((folder / TAKEN).read_text(encoding="utf-8")))
    return {path for path in pick_files(picks) if str(path.absolute()) not in taken}
