"""The report of a pruning run: what was done, what it is worth, what to look at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CLASS_NAMES, PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.prune.output import write_record
from napari_pickeroptimizer.prune.threshold import NO_EVIDENCE
from napari_pickeroptimizer.report import facts
from napari_pickeroptimizer.report.choose import (
    boxes_by_micrograph,
    choose_micrographs,
    galleries,
    shares,
)
from napari_pickeroptimizer.report.micrograph_section import marks, micrograph_part
from napari_pickeroptimizer.report.page import base_name, count, percent, write_page
from napari_pickeroptimizer.report.pictures import MicrographShown, Pictures, reading_pictures
from napari_pickeroptimizer.report.score_section import score_part
from napari_pickeroptimizer.report.sections import gallery, reading_note, unique
from napari_pickeroptimizer.report.words import forecast_part
from napari_pickeroptimizer.schema import BY_DISTANCE, BY_EDGE, BY_LABEL, BY_SCORE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.checkpoint import Classifier, ModelCard
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.finish import Pruned
    from napari_pickeroptimizer.trust import PerformanceForecast

REPORT = "report.html"
SECTIONS = [
    ("scores", "Scores"),
    ("micrographs", "Micrographs"),
    ("boxes", "Boxes"),
    ("how", "How it was made"),
]
PLACE_WORDS = {BY_DISTANCE: "too near to a better pick", BY_EDGE: "too near to the edge"}


def write_prune_report(
    path: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    classifier: Classifier,
    *,
    command: str | None = None,
) -> Path:
    """Write the report of a pruning run, one HTML file that needs nothing from elsewhere.

    `reporting` is the same as a generator, which tells how far it is.

    Parameters
    ----------
    path : str or Path
        The file, replaced in one step.
    result : Pruned
        The last event of `prune_picks`.
    micrographs : Micrographs
        Where the picks lie.
    classifier : Classifier
        The model that scored them.
    command : str, optional
        The command line as typed.

    Returns
    -------
    Path
        The file.
    """
    written = Path(path)
    for event in reporting(path, result, micrographs, classifier, command=command):
        if isinstance(event, ReportWritten):
            written = event.path
    return written


@dataclass(frozen=True)
class ReportWritten:
    """The last event: the report is there."""

    path: Path
    progress: float = 1.0


def reporting_run(
    output: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    classifier: Classifier,
    *,
    command: str | None = None,
) -> Iterator[MicrographShown | ReportWritten]:
    """Write ``report.html`` into the folder of a run, as one of the files of its record."""
    output = Path(output)
    for event in reporting(output / REPORT, result, micrographs, classifier, command=command):
        if isinstance(event, ReportWritten):
            *files, _ = result.files  # the record is the last
            write_record(output, result.record, [*files, event.path])
        yield event


def reporting(
    path: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    classifier: Classifier,
    *,
    command: str | None = None,
) -> Iterator[MicrographShown | ReportWritten]:
    """Write the report of a pruning run; closing the generator leaves what was there.

    Micrographs are read again only for what is shown of them, one at a time; one that cannot
    be read is named in the report.

    Parameters
    ----------
    path : str or Path
        The file, replaced in one step.
    result : Pruned
        The last event of `prune_picks`.
    micrographs : Micrographs
        Where the picks lie.
    classifier : Classifier
        The model that scored them.
    command : str, optional
        The command line as typed.

    Yields
    ------
    MicrographShown
        As micrographs are read.
    ReportWritten
        Last.
    """
    record, decided = result.record, result.picks
    card = classifier.card
    threshold = threshold_of(record)
    counted = shares(decided, micrographs)
    unusual, typical = choose_micrographs(counted.deviation)
    links = {i: str(k) for k, i in enumerate([*unusual, *typical], start=1)}
    chosen = galleries(decided, threshold, names=card.names)
    by_name = dict(zip(counted.names, counted.rows, strict=True))
    pictures = yield from reading_pictures(
        micrographs,
        decided,
        card.boxes,
        thumbnails={counted.names[i]: marks(decided, counted.rows[i]) for i in links},
        boxes=boxes_by_micrograph(chosen, by_name),
    )
    predicted = decided.table["predicted"].to_numpy()
    boxes = [gallery(c, decided, predicted == PARTICLE, pictures) for c in chosen]
    forecast = result.forecast
    values = {
        **head(record, decided),
        "sections": SECTIONS,
        "forecast": forecast_part(
            forecast, card, threshold, record["counts"], by_other_rules(decided)
        ),
        "tiles": _tiles(record["counts"], forecast, threshold),
        "bar": _bar(decided, card.names),
        "n_picks": len(decided),
        "warnings": _warnings(record, pictures),
        **score_part(decided, card, forecast, threshold),
        "micrographs": micrograph_part(counted, record, unusual, typical, links, pictures),
        "galleries": [b for b in boxes if b.boxes],
        "boxes_words": (
            "Every box is cut as the model sees it, but finer; its grey levels are relative to "
            "its micrograph. The figure is P(particle)."
            if any(b.boxes for b in boxes)
            else "None of the micrographs could be read again."
        ),
        "command": command,
        "facts": _facts(record, card),
    }
    yield ReportWritten(write_page(path, "prune.html", values))


def threshold_of(record: Mapping[str, Any]) -> float:
    """Return the threshold of a run."""
    told = record.get("threshold")
    return float(record["settings"]["threshold"] if told is None else told)


def head(record: Mapping[str, Any], picks: Picks) -> dict[str, Any]:
    """Return title and what stands around the page."""
    given = record.get("inputs", {}).get("picks") or []
    title = "Picks of " + ", ".join(facts.words(g) for g in given[:3]) if given else "Picks"
    n = len(picks.rows_by_micrograph())
    return {
        "kind": "Pruning report",
        "title": title + (f" and {len(given) - 3} more" if len(given) > 3 else ""),
        "subtitle": f"{count(len(picks))} picks on {count(n)} micrographs",
        "version": record.get("versions", {}).get("napari-pickeroptimizer", ""),
        "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _tiles(
    counts: Mapping[str, Any], forecast: PerformanceForecast | None, threshold: float
) -> list[tuple[str, str, str, str]]:
    n = max(counts["picks"], 1)
    tiles = [
        ("kept", "Kept", count(counts["kept"]), percent(counts["kept"] / n)),
        ("rejected", "Rejected", count(counts["rejected"]), percent(counts["rejected"] / n)),
    ]
    if counts["unscored"]:
        share = percent(counts["unscored"] / n)
        tiles.append(("unscored", "Unscored", count(counts["unscored"]), share))
    if forecast is not None:
        expected = forecast.at(threshold)
        for name, value in (("precision", expected.precision), ("recall", expected.recall)):
            between = f"{value.low:.2f} to {value.high:.2f}"
            tiles.append(("", f"Expected {name}", f"{value.mean:.2f}", between))
    return tiles


def _bar(decided: Picks, names: Mapping[int, str]) -> list[tuple[str, str, int]]:
    """Return what became of the picks: kept, rejected by class or place, unscored."""
    predicted = decided.table["predicted"].to_numpy()
    by = _decided_by(decided)
    parts = [("kept", "kept", int((predicted == PARTICLE).sum()))]
    by_place = np.isin(by, (BY_DISTANCE, BY_EDGE))
    for c in CLASS_NAMES:
        n = int(((predicted == c) & ~by_place).sum())
        if c != PARTICLE and n:
            parts.append((f"c{c}", f"rejected as {class_name(c, names)}", n))
    for rule, words in PLACE_WORDS.items():
        n = int(((predicted > PARTICLE) & (by == rule)).sum())
        if n:
            parts.append(("place", f"rejected, {words}", n))
    n_unscored = int((predicted == UNLABELLED).sum())
    return [*parts, ("unscored", "unscored", n_unscored)] if n_unscored else parts


def _decided_by(decided: Picks) -> NDArray[np.object_]:
    """Return (n,) what decided on each pick."""
    if "decided_by" not in decided.table:
        return np.full(len(decided), BY_SCORE, dtype=object)
    return decided.table["decided_by"].to_numpy(dtype=object)


def by_other_rules(decided: Picks) -> str:
    """Return what was decided by labels and places, whatever the score; nothing for none."""
    by = _decided_by(decided)
    told = []
    n_labelled = int((by == BY_LABEL).sum())
    if n_labelled:
        told.append(f"{n_labelled:,} picks have the class that you gave them")
    for rule, words in PLACE_WORDS.items():
        n = int((by == rule).sum())
        if n:
            told.append(f"{n:,} are rejected because they are {words}")
    return f"Whatever their score, {'; '.join(told)}." if told else ""


def _warnings(record: Mapping[str, Any], pictures: Pictures) -> list[str]:
    # without a promise its section says why
    told = [text for text in record.get("warnings", []) if text != NO_EVIDENCE]
    unreadable = record.get("unreadable", {})
    for name, reason in list(unreadable.items())[:5]:
        told.append(f"{base_name(name)} could not be scored: {reason}")
    if len(unreadable) > 5:
        told.append(
            f"{len(unreadable) - 5:,} more micrographs could not be scored (run.json)."
        )
    known = {n: r for n, r in pictures.failures.items() if n not in unreadable}
    return unique([*told, reading_note(Pictures(failures=known))])


def _facts(record: Mapping[str, Any], card: ModelCard) -> list[tuple[str, facts.Facts]]:
    groups = [
        ("Inputs", facts.named(record.get("inputs", {}))),
        ("Settings", [*facts.named(record["settings"]), *facts.run_facts(record)]),
        ("Model", facts.model_facts(card)),
        ("Files", facts.file_facts([*record.get("files", []), "run.json"])),
        ("Versions", [(k, str(v)) for k, v in record.get("versions", {}).items()]),
    ]
    return [(title, found) for title, found in groups if found]
