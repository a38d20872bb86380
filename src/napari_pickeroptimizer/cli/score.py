"""``pickeroptimizer score``: picks in, scores out, for ``decide``."""

from __future__ import annotations

from typing import Annotated

import typer

from napari_pickeroptimizer.cli.options import JsonOption, OutputOption, ScoringOptions
from napari_pickeroptimizer.cli.show import out, print_json, warn
from napari_pickeroptimizer.errors import SettingsError


def score(
    scoring: ScoringOptions,
    output: OutputOption,
    shard: Annotated[
        str,
        typer.Option(
            help="Score one part of the micrographs only, such as 2/8, the second of eight: for "
            "the jobs of a cluster array. `decide` puts the parts together."
        ),
    ] = "1/1",
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on with micrographs and picks as they come, until Ctrl-C: for a live "
            "session. `decide` may be run meanwhile.",
        ),
    ] = False,
    watch_until_idle: Annotated[
        float | None,
        typer.Option(
            help="As --watch, until no file has come or changed for so many minutes.",
            show_default=False,
        ),
    ] = None,
    watch_every: Annotated[
        float, typer.Option(help="Seconds between two looks at the folders.", min=0.01)
    ] = 15.0,
    as_json: JsonOption = False,
) -> None:
    """Score every pick and store the scores; a killed run resumes where it stopped."""
    from napari_pickeroptimizer.cli.pruning import (
        model_of,
        prune_settings,
        read_inputs,
        record_of_inputs,
        scheduler_of,
        show_scoring,
    )
    from napari_pickeroptimizer.staging import check_writable

    settings = prune_settings(scoring)
    check_writable(output)
    if watch or watch_until_idle is not None:
        from napari_pickeroptimizer.cli.watching import score_on_the_fly
        from napari_pickeroptimizer.prune.journal import Shard

        if Shard.parse(shard).count > 1:
            raise SettingsError("--watch scores all that comes: it takes no --shard.")
        score_on_the_fly(
            scoring,
            output,
            watch_every,
            watch_until_idle,
            settings,
            scheduler_of(scoring, settings),
            as_json,
        )
        return
    given = read_inputs(scoring)
    # torch, which files that cannot be read do not wait for
    import numpy as np

    from napari_pickeroptimizer.prune.events import PicksScored
    from napari_pickeroptimizer.prune.journal import Shard
    from napari_pickeroptimizer.prune.score import score_picks
    from napari_pickeroptimizer.trust.forecast import no_forecast_reason

    part = Shard.parse(shard)
    classifier = model_of(scoring)
    events = score_picks(
        given.micrographs,
        given.picks,
        classifier,
        output,
        settings,
        shard=part,
        inputs=record_of_inputs(scoring),
        scheduler=scheduler_of(scoring, settings),
    )
    result = show_scoring(events, "Scoring", set())
    if classifier.card.is_before_labels:
        warn(no_forecast_reason(classifier.card))
    assert isinstance(result, PicksScored)  # the generator's last event
    n_scored = int(np.isfinite(result.picks.particle_probability).sum())
    if as_json:
        print_json(
            {
                "shard": str(part),
                "picks": len(result.picks),
                "scored": n_scored,
                "outside": result.outside,
                "unreadable": result.failures,
            }
        )
    else:
        of_shard = "" if part.count == 1 else f" (shard {part})"
        out.print(
            f"Scored {n_scored:,} of {len(result.picks):,} picks{of_shard}.", markup=False
        )
        out.print(f"Next: pickeroptimizer decide -o {output}", markup=False)
    if result.failures:
        raise typer.Exit(code=1)
