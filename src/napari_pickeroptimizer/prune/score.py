"""Scoring: a stream over micrographs, each read once; into a journal, a killed run resumes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_pickeroptimizer.boxes import (
    check_diameter,
)
from napari_pickeroptimizer.device import choose_device
from napari_pickeroptimizer.errors import CheckpointError
from napari_pickeroptimizer.image_frame.check import other_frame
from napari_pickeroptimizer.model.views import AUTO, Auto
from napari_pickeroptimizer.prune.events import (
    BatchScored,
    MicrographScored,
    PicksScored,
    ScoreEvent,
    ScoresReused,
    WorkersAsked,
)
from napari_pickeroptimizer.prune.journal import (
    Record,
    ScoreJournal,
    Shard,
    group_key,
    model_digest,
    read_scores,
    record_of,
)
from napari_pickeroptimizer.prune.score_folder import FOLDER
from napari_pickeroptimizer.prune.score_groups import score_groups, without_features
from napari_pickeroptimizer.prune.settings import PruneSettings
from napari_pickeroptimizer.prune.workers.scheduler import Scheduler, score_with
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRows,
    check_any_found,
    group_by_micrograph,
)
from napari_pickeroptimizer.staging import check_space, check_writable

if TYPE_CHECKING:
    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.trust.reference import MicrographFigures

# Among the inputs in the journal: the warning that `decide` repeats.
FRAME_DOUBT = "frame_doubt"
# Upper bound of the bytes of a micrograph's record, besides its picks.
BYTES_A_MICROGRAPH = 12_000


def checked_for_picks(classifier: Classifier) -> Classifier:
    """Return the classifier if its outputs are classes of picks.

    Raises
    ------
    CheckpointError
        It is a pretrained model, whose outputs are categories of many data sets.
    """
    card = classifier.card
    if card.is_pretrained:
        raise CheckpointError(
            f"this model is a pretrained one: it distinguishes {len(card.class_names)} "
            "categories of boxes. It is a base to start from: fine-tune it on labelled picks "
            "(`pickeroptimizer finetune --base FILE`) and use the resulting model. Before any "
            "label, `model_before_labels` makes one that tells particles from the rest."
        )
    return classifier


def score(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    *,
    device: str = "auto",
    batch_size: int = 256,
    n_views: int | Auto = AUTO,
    first: Sequence[str] = (),
) -> Iterator[ScoreEvent]:
    """Give every pick its class probabilities; closing the generator cancels.

    First comes an `OtherFrameFits` if the picks seem to be flipped, swapped, scaled or shifted.
    Between the batches of a micrograph there is a `BatchScored`, so that it can be closed then.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of any number of micrographs.
    classifier : Classifier
        The trained model.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    batch_size : int
        Boxes per forward pass; affects memory and speed, not the result.
    n_views : int or "auto"
        Test-time augmentation views of each box (rotated, flipped) that are averaged, 1 to 8.
        A single view is that many times faster, and a little less accurate. ``auto`` takes one,
        and three more where P(particle) is from 0.01 to 0.99.
    first : sequence of str
        Micrographs, as the picks spell them, to be scored before the others, in this order;
        names that no pick has are ignored. The results do not depend on it.

    Raises
    ------
    AmbiguousMicrographError
        A pick's micrograph name fits several micrographs.
    CheckpointError
        The model is a pretrained one.
    SettingsError
        The model's diameter is in Å and the pixel size of all micrographs is unknown; or it is
        far too small or too large for them.
    MicrographNotFoundError
        None of the picks' micrographs is among the given ones.
    """
    classifier = checked_for_picks(classifier).for_inference(choose_device(device))
    groups = group_by_micrograph(micrographs, picks, first=first)
    check_any_found(groups)
    check_diameter(groups, classifier.card.boxes)
    coords_yx_px = picks.coords_yx_px()
    doubt = other_frame(groups, coords_yx_px, classifier.card.boxes)
    if doubt is not None:
        yield doubt
    events: list[MicrographScored | MicrographFailed] = []
    for event in score_groups(groups, coords_yx_px, classifier, batch_size, n_views):
        if not isinstance(event, BatchScored):
            events.append(without_features(event))
        yield event
    yield picks_scored(picks, classifier.card.class_ids, events)


def score_picks(
    micrographs: Micrographs,
    picks: Picks,
    classifier: Classifier,
    output: str | Path,
    settings: PruneSettings | None = None,
    *,
    shard: Shard | None = None,
    inputs: Mapping[str, Any] | None = None,
    groups: Sequence[MicrographRows] | None = None,
    scheduler: Scheduler | None = None,
    scores: OpenScores | None = None,
) -> Iterator[ScoreEvent | ScoresReused | WorkersAsked]:
    """Score picks, and write the scores into ``scores/`` as they come, a micrograph at a time.

    Micrographs that were scored before, with this model, these picks and as many views, are
    not scored again: a killed run resumes where it stopped. Those that could not be read
    are tried again.

    Parameters
    ----------
    micrographs : Micrographs
        Micrographs of the picks.
    picks : Picks
        Picks of a picker.
    classifier : Classifier
        The fine-tuned model.
    output : str or Path
        Folder of the results.
    settings : PruneSettings, optional
        ``device``, ``batch_size`` and ``n_views`` are used.
    shard : Shard, optional
        Score only this part of the micrographs; `decide_picks` puts the parts together.
    inputs : mapping, optional
        The user's inputs, for `decide_picks`: ``picks`` are paths or patterns.
    groups : sequence of MicrographRows, optional
        The picks by micrograph, if they are grouped already.
    scheduler : Scheduler, optional
        Who scores; by default this process. Only this process writes the journal, in the
        order of the micrographs, so files do not depend on it.
    scores : OpenScores, optional
        The scores in `output`, of this model, if they are open already.

    Yields
    ------
    OtherFrameFits
        First, if the picks seem to be flipped, swapped, scaled or shifted.
    ScoresReused
        Then, if there are any.
    WorkersAsked
        Then, if other processes score.
    BatchScored, MicrographScored, MicrographFailed, PicksScored
        As `score` does.

    Raises
    ------
    CheckpointError, SettingsError, MicrographNotFoundError
        As `score` does; or another process scores the same shard, or workers are missing.
    OutputError
        The scores cannot be written.
    """
    checked_for_picks(classifier)
    output, settings, shard = Path(output), settings or PruneSettings(), shard or Shard()
    if groups is None:
        groups = group_by_micrograph(micrographs, picks)
    check_any_found(groups)
    check_diameter(groups, classifier.card.boxes)
    scheduler = scheduler or Scheduler()
    scheduler.check(settings.device)
    check_writable(output)
    shard_groups = shard.of(groups)
    class_ids = classifier.card.class_ids
    header = _header(classifier, settings)
    coords_yx_px = picks.coords_yx_px()
    records = _known_records(output / FOLDER, header) if scores is None else scores.records
    events_done: list[MicrographScored | MicrographFailed] = []
    to_do: list[MicrographRows] = []
    for group in shard_groups:
        record = records.get(group_key(group, coords_yx_px))
        if record is not None and record.is_scored:
            events_done.append(
                record.event(group, len(class_ids), (len(events_done) + 1, len(shard_groups)))
            )
        else:
            to_do.append(group)
    n_to_do = sum(len(group.rows) for group in to_do)
    doubt = other_frame(shard_groups, coords_yx_px, classifier.card.boxes)
    if doubt is not None:
        yield doubt
        inputs = {**(inputs or {}), FRAME_DOUBT: doubt.sentence}
    check_space(output, 6 * len(class_ids) * n_to_do + BYTES_A_MICROGRAPH * len(to_do))
    n_before = len(events_done)
    with (
        ScoreJournal(output / FOLDER, header, shard)
        if scores is None
        else nullcontext(scores.journal)
    ) as journal:
        journal.set_inputs(inputs or {})
        if events_done:
            n_picks = sum(len(event.group.rows) for event in events_done)
            yield ScoresReused(n_before, n_picks, n_before, len(shard_groups))
        key = header["model"]
        for event in score_with(scheduler, key, to_do, coords_yx_px, classifier, settings):
            event = replace(event, n_done=event.n_done + n_before, n_total=len(shard_groups))
            if not isinstance(event, BatchScored | WorkersAsked):
                values = record_of(event, picks, coords_yx_px)
                record = records.get(group_key(event.group, coords_yx_px))
                # the same failure is not recorded twice
                if record is None or dict(record.values) != values:
                    journal.append(values)
                events_done.append(without_features(event))
            yield event
    yield picks_scored(picks, class_ids, events_done)


@dataclass(frozen=True, eq=False)
class OpenScores:
    """Scores that stay open, for those who score again and again into one folder.

    Parameters
    ----------
    journal : ScoreJournal
        Where the scores go.
    records : dict
        What was scored before, by key.
    """

    journal: ScoreJournal
    records: dict[str, Record]


@contextmanager
def open_scores(
    classifier: Classifier, output: Path, settings: PruneSettings
) -> Iterator[OpenScores]:
    """Open the scores of a model, and read what is there, once for many `score_picks`."""
    header = _header(classifier, settings)
    records = _known_records(output / FOLDER, header)
    with ScoreJournal(output / FOLDER, header, Shard()) as journal:
        yield OpenScores(journal, records)


def _header(classifier: Classifier, settings: PruneSettings) -> dict[str, Any]:
    return {
        "model": model_digest(classifier),
        "card": classifier.card.to_json(),
        "n_views": settings.n_views,
    }


def _known_records(folder: Path, header: Mapping[str, Any]) -> dict[str, Record]:
    """Return the records of a model and number of views by key, scores before failures."""
    records = [
        record
        for scores in read_scores(folder)
        if all(scores.header[key] == header[key] for key in ("model", "n_views"))
        for record in scores.records
    ]
    return {record.key: record for record in sorted(records, key=lambda r: r.is_scored)}


def picks_scored(
    picks: Picks,
    class_ids: Sequence[int],
    events: Iterable[MicrographScored | MicrographFailed],
) -> PicksScored:
    """Return picks with the probabilities of scoring events, which may be in any order."""
    probabilities = np.full((len(picks), len(class_ids)), np.nan, np.float32)
    failures: dict[str, str] = {}
    n_outside: dict[str, int] = {}
    figures: dict[str, MicrographFigures] = {}
    for event in events:
        name = event.group.name
        if isinstance(event, MicrographFailed):
            failures[name] = event.reason
            continue
        probabilities[event.group.rows] = event.probabilities
        if event.n_outside:
            n_outside[name] = event.n_outside
        if event.figures is not None:
            figures[name] = event.figures
    scored = picks.with_probabilities(probabilities, class_ids)
    return PicksScored(scored, failures, n_outside, figures)
