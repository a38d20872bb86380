"""``pickeroptimizer score --watch``: what comes is scored, line by line on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_pickeroptimizer.cli.files import find_micrographs
from napari_pickeroptimizer.cli.options import ScoringOptions
from napari_pickeroptimizer.cli.pruning import model_of, record_of_inputs
from napari_pickeroptimizer.cli.show import err, out, print_json, warn
from napari_pickeroptimizer.errors import SettingsError

if TYPE_CHECKING:
    from napari_pickeroptimizer.prune.settings import PruneSettings
    from napari_pickeroptimizer.prune.watch import Watched
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler


def score_on_the_fly(
    scoring: ScoringOptions,
    output: Path,
    every_s: float,
    idle_min: float | None,
    settings: PruneSettings,
    scheduler: Scheduler,
    as_json: bool,
) -> None:
    """Score what comes, until Ctrl-C or until nothing has come for a while."""
    from napari_pickeroptimizer.image_frame.events import OtherFrameFits
    from napari_pickeroptimizer.prune.watch import (
        FileGivenUp,
        Watched,
        WatchSettings,
        polls,
        watch_scores,
    )
    from napari_pickeroptimizer.prune.workers.scheduler import QUEUES
    from napari_pickeroptimizer.reading import MicrographFailed

    if scheduler.kind in QUEUES:
        raise SettingsError(
            f"--watch would submit jobs for each micrograph: start a Dask scheduler with its "
            f"workers, and pass its address in place of {scheduler.kind}:{scheduler.place}."
        )
    idle_s = None if idle_min is None else 60 * idle_min
    watch = WatchSettings(settle_s=min(10.0, every_s), idle_s=idle_s)
    events = watch_scores(
        lambda: find_micrographs(scoring.micrographs, scoring.pixel_size, scoring.flip_y),
        scoring.picks,
        model_of(scoring),
        output,
        settings,
        watch,
        times=polls(every_s),
        inputs=record_of_inputs(scoring),
        scheduler=scheduler,
    )
    err.print(f"Watching, into {output}: Ctrl-C ends it.", markup=False)
    last, told = Watched(0, 0, 0), set[str]()
    try:
        for event in events:
            if isinstance(event, FileGivenUp):
                warn(f"{event.reason} It is passed over until it changes.")
            elif isinstance(event, MicrographFailed):
                warn(f"{event.reason} Its {len(event.group.rows)} picks stay unscored.")
            elif isinstance(event, OtherFrameFits) and event.advice not in told:
                warn(event.sentence)
                told.add(event.advice)
            elif isinstance(event, Watched):
                last = event
                err.print(_sentence(event), markup=False)
    except KeyboardInterrupt:
        err.print("Ended. The same command goes on.", markup=False)
    if as_json:
        print_json({"micrographs": last.n_micrographs, "picks": last.n_picks,
                    "waiting": last.n_waiting})  # fmt: skip
    else:
        out.print(_sentence(last), markup=False)
        out.print(f"Next: pickeroptimizer decide -o {output}", markup=False)


def _sentence(event: Watched) -> str:
    waiting = f"; {event.n_waiting:,} wait for their image" if event.n_waiting else ""
    return f"Scored {event.n_picks:,} picks on {event.n_micrographs:,} micrographs{waiting}."
