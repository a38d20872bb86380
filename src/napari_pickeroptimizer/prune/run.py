"""A run from picks to files: `prune_picks` is `prepare`, the scoring, and `finish`.

Where there are scores already, `prepare` and `finish` write the same files without the scoring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.classes import UNLABELLED
from napari_pickeroptimizer.errors import SettingsError
from napari_pickeroptimizer.image_frame.events import OtherFrameFits
from napari_pickeroptimizer.label_places import label_places
from napari_pickeroptimizer.prune.decision import Decision
from napari_pickeroptimizer.prune.events import PicksScored
from napari_pickeroptimizer.prune.label_matching import LabelMatch, match_labels
from napari_pickeroptimizer.prune.output import write_outputs, write_record
from napari_pickeroptimizer.prune.place_rules import Frame, frames_of
from napari_pickeroptimizer.prune.run_record import run_record
from napari_pickeroptimizer.prune.score import checked_for_picks, score_picks
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.threshold import (
    check_finds_particles,
    check_rule,
    forecast_for,
)
from napari_pickeroptimizer.reading import group_by_micrograph
from napari_pickeroptimizer.staging import (
    check_inputs_stay,
    check_output,
    check_space,
    earlier_files,
    locked,
    staged,
)

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.workers.scheduler import Scheduler
    from napari_pickeroptimizer.reading import MicrographRows
    from napari_pickeroptimizer.trust import PerformanceForecast

# Bytes that a pick adds to each file it is written to: class, probability, reason.
BYTES_A_PICK = 60


@dataclass(frozen=True)
class Pruned:
    """The last event: the decided picks, the files written and the record of the run.

    Parameters
    ----------
    picks : Picks
        All picks with their probabilities, ``predicted`` and ``decided_by``.
    files : list of Path
        The files written, the record last.
    record : dict
        Contents of ``run.json``.
    forecast : PerformanceForecast or None
        Expected precision and recall of all thresholds; None without cross-validation.
    groups : sequence of MicrographRows
        The picks by micrograph.
    """

    picks: Picks
    files: list[Path]
    record: dict[str, Any] = field(repr=False)
    forecast: PerformanceForecast | None = field(default=None, repr=False)
    groups: Sequence[MicrographRows] = field(default=(), repr=False)
    progress: float = 1.0


@dataclass(frozen=True)
class Plan:
    """A run whose inputs have passed all checks that are possible before scoring.

    Parameters
    ----------
    groups : list of MicrographRows
        The picks by micrograph.
    picks : Picks
        Picks to be scored, with their labels.
    card : ModelCard
        Of the model.
    output : Path
        Folder of the results.
    settings : PruneSettings
        Threshold, device, ...
    matched : LabelMatch or None
        How labels were matched to picks; None without labels.
    frames : list of Frame
        For distances.
    inputs : dict
        What the user passed, for the record.
    clash_note : str
        A sentence on own labels of the picks that are left out; empty if there are none.
    """

    groups: list[MicrographRows]
    picks: Picks
    card: ModelCard
    output: Path
    settings: PruneSettings
    matched: LabelMatch | None
    frames: list[Frame]
    inputs: dict[str, Any]
    clash_note: str = ""


# Writes more files into the folder of a run before the run is complete, and yields its events.
Further = Callable[[Path, Pruned], Iterator[Any]]


def prune_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    labels: Picks | None = None,
    inputs: Mapping[str, Any] | None = None,
    further: Further | None = None,
    scheduler: Scheduler | None = None,
) -> Iterator[Any]:
    """Score, decide and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    It is `score_picks` and `decide_picks` in a row: scores that the folder holds already are
    used, and stay if the decision is refused. A pick file gives ``kept.star`` and its like, a
    tree of per-micrograph files the folders ``kept/`` and so on, each the same tree with its
    ``autopick.star``. Picks of micrographs that cannot be read, and picks outside their
    micrograph, go to ``unscored``, unless they have a label.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of a picker. Their own labels take precedence over the scores, except where
        labels of two classes lie at one place.
    classifier : Classifier
        The fine-tuned model; one of its classes must be 1, particle.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        Threshold, device, ...
    labels : Picks, optional
        More labels, matched to picks by position (see `match_labels`).
    inputs : mapping, optional
        The user's inputs, for the record.
    further : callable, optional
        What writes more files, see `finish`.
    scheduler : Scheduler, optional
        Who scores, see `score_picks`.

    Yields
    ------
    object
        The events of `score_picks`.
    Pruned
        Last, once all files are in place.

    Raises
    ------
    CheckpointError
        The model is a pretrained one, a base for fine-tuning.
    SettingsError
        The folder holds an earlier run, another run is writing into it, the model has no
        particle class, or the requested precision or recall is out of reach.
    LabelError
        `labels` holds no label.
    OutputError
        The results cannot be written.
    """
    settings, output = settings or PruneSettings(), Path(output)
    plan = prepare(
        micrographs, picks, classifier, output, settings, labels=labels, inputs=inputs
    )
    started = datetime.now(UTC)
    notes: list[str] = []
    with locked(output):
        for event in score_picks(
            micrographs,
            plan.picks,
            classifier,
            output,
            settings,
            inputs=plan.inputs,
            groups=plan.groups,
            scheduler=scheduler,
        ):
            notes += [event.sentence] if isinstance(event, OtherFrameFits) else []
            yield event
        assert isinstance(event, PicksScored)  # the last event of scoring
        yield from finish(plan, event, started=started, further=further, notes=notes)


def prepare(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings,
    *,
    labels: Picks | LabelMatch | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Plan:
    """Check the inputs of a run; nothing is written yet.

    Parameters are those of `prune_picks`; labels may be matched already.

    Raises
    ------
    CheckpointError, SettingsError, LabelError, OutputError
        As `prune_picks` does.
    """
    output, card = Path(output), checked_for_picks(classifier).card
    given = labels.picks if isinstance(labels, LabelMatch) else labels
    check_run_is_possible(card, picks, output, settings, given, inputs)
    groups = group_by_micrograph(micrographs, picks)
    own = label_places(picks, [group.rows for group in groups])
    if own.clash_note:
        picks = picks.with_labels(np.where(own.clashing, UNLABELLED, picks.labels))
    if labels is not None and not isinstance(labels, LabelMatch):
        labels = match_labels(groups, picks, labels, micrographs, card.boxes)
    return Plan(
        groups,
        picks if labels is None else labels.picks,
        card,
        output,
        settings,
        labels,
        frames_of(groups, card.boxes, settings),
        dict(inputs or {}),
        own.clash_note,
    )


def check_run_is_possible(
    card: ModelCard,
    picks: Picks,
    output: Path,
    settings: PruneSettings,
    labels: Picks | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> None:
    """Check what does not depend on scores: the model, the threshold rule, the folder.

    Raises
    ------
    SettingsError
        The model has no particle class or no forecast for the rule, or the folder holds a run,
        or one that picks, labels or model are read from.
    OutputError
        The folder cannot be written to, or its disk is too full.
    """
    check_finds_particles(card)
    check_rule(settings, card)
    sources = [*picks.sources, *(labels.sources if labels is not None else ())]
    model = [Path(inputs["model"])] if inputs and inputs.get("model") else []
    files = [*model, *(file for source in sources for file in source.files)]
    check_inputs_stay(check_output(output, settings.overwrite), files)
    # every pick is written twice: with all scored ones, and with the kept or the rejected
    sizes = [f.stat().st_size for s in picks.sources for f in s.files if f.is_file()]
    check_space(output, 2 * (sum(sizes) + BYTES_A_PICK * len(picks)))


def finish(
    plan: Plan,
    scored: PicksScored,
    *,
    started: datetime | None = None,
    seconds_before: float = 0.0,
    further: Further | None = None,
    command: str = "prune",
    notes: Sequence[str] = (),
) -> Iterator[Any]:
    """Decide on scored picks and write ``scored``, ``kept``, ``rejected`` and ``run.json``.

    The run appears in its folder, and an earlier one is removed, once all files are written.

    Parameters
    ----------
    plan : Plan
        What `prepare` returned; its folder is `locked`.
    scored : PicksScored
        The picks of the plan with their probabilities.
    started : datetime, optional
        When the run began; by default now.
    seconds_before : float
        What the scoring took, where it was done before that.
    further : callable, optional
        Called with the staging folder and the coming `Pruned`; writes more files there (a
        report, the labels) and yields events. Files that it adds to the record are removed
        when the run is overwritten, others stay.
    command : str
        Name of the command, for the record.
    notes : sequence of str
        Warnings to begin with.

    Yields
    ------
    object
        What `further` yields.
    Pruned
        Last, once the run is in its place.

    Raises
    ------
    SettingsError
        The requested precision or recall is out of reach.
    OutputError
        The disk is full; an earlier run is unchanged.
    """
    settings, output, started = plan.settings, plan.output, started or datetime.now(UTC)
    forecast = forecast_for(plan.card, scored.picks.particle_probability)
    try:
        threshold = settings.choose(forecast)
    except SettingsError as error:
        raise SettingsError(
            f"{error} The scores are kept: `pickeroptimizer decide` applies another "
            "rule in seconds."
        ) from error
    decision = Decision.of_picks(
        scored.picks, plan.groups, frames=plan.frames, forecast=forecast
    )
    decided = decision.decided(scored.picks, threshold)
    record = run_record(plan, scored, decision, threshold, started, seconds_before)
    record |= {"command": command, "warnings": [*notes, *record["warnings"]]}
    with staged(output, earlier_files(output, settings.overwrite)) as folder:
        files = write_outputs(decided, folder, settings.write_fom, final=output)
        files.append(write_record(folder, record, files))
        pruned = Pruned(decided, files, record, forecast, plan.groups)
        if further is not None:
            yield from further(folder, pruned)
            new = {p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()}
            files[-1:] = [*sorted(new - set(files)), files[-1]]
    yield replace(pruned, files=[output / path.relative_to(folder) for path in files])
