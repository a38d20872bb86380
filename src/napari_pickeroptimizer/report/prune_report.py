"""The report of a pruning run: expected precision, scores, micrographs, boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_pickeroptimizer.classes import CLASS_NAMES, PARTICLE, UNLABELLED, class_name
from napari_pickeroptimizer.prune.output import write_record
from napari_pickeroptimizer.reading import (
    MicrographFailed,
    MicrographRead,
    group_by_micrograph,
)
from napari_pickeroptimizer.report import provenance
from napari_pickeroptimizer.report.formatting import base_name, percent
from napari_pickeroptimizer.report.highlights import PickSelection, choose_picks
from napari_pickeroptimizer.report.micrograph_section import MicrographsOfRun
from napari_pickeroptimizer.report.page import (
    GallerySection,
    Page,
    Summary,
    Tile,
    write_page,
)
from napari_pickeroptimizer.report.pictures import Pictures
from napari_pickeroptimizer.report.score_figures import score_section
from napari_pickeroptimizer.schema import BY_DISTANCE, BY_EDGE, BY_LABEL
from napari_pickeroptimizer.staging import REPORT
from napari_pickeroptimizer.trust.forecast import no_forecast_reason

if TYPE_CHECKING:
    import numpy as np

    from napari_pickeroptimizer.micrographs import Micrographs
    from napari_pickeroptimizer.model.card import ModelCard
    from napari_pickeroptimizer.picks import Picks
    from napari_pickeroptimizer.prune.run import Pruned
    from napari_pickeroptimizer.report.embedded_images import Marks
    from napari_pickeroptimizer.trust import PerformanceForecast

PLACE_REASONS = {BY_DISTANCE: "too near to a better pick", BY_EDGE: "too near to the edge"}
N_WARNINGS = 5


@dataclass(frozen=True)
class ReportWritten:
    """The last event: the report is written."""

    path: Path
    progress: float = 1.0


ReportEvent = MicrographRead | MicrographFailed | ReportWritten


def write_prune_report(
    path: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    card: ModelCard,
    *,
    command: str | None = None,
) -> Path:
    """Write the report of a pruning run, one HTML file that loads nothing else.

    `prune_report_events` does the same as a generator of events.

    Parameters
    ----------
    path : str or Path
        The file, replaced in one step.
    result : Pruned
        The last event of `prune_picks`.
    micrographs : Micrographs
        Where the picks lie.
    card : ModelCard
        Of the model that scored them.
    command : str, optional
        The command line.

    Returns
    -------
    Path
        The file.
    """
    for _ in prune_report_events(path, result, micrographs, card, command=command):
        pass
    return Path(path)


def run_report_events(
    output: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    card: ModelCard,
    *,
    command: str | None = None,
    with_pictures: bool = True,
) -> Iterator[ReportEvent]:
    """Write ``report.html`` into the folder of a run, and into the files of its record."""
    output = Path(output)
    yield from prune_report_events(
        output / REPORT,
        result,
        micrographs,
        card,
        command=command,
        with_pictures=with_pictures,
    )
    *files, _ = result.files  # the record is the last
    write_record(output, result.record, [*files, output / REPORT])


def prune_report_events(
    path: str | Path,
    result: Pruned,
    micrographs: Micrographs,
    card: ModelCard,
    *,
    command: str | None = None,
    with_pictures: bool = True,
) -> Iterator[ReportEvent]:
    """Write the report of a pruning run; closing the generator leaves an earlier report as it is.

    Only the micrographs that are shown are read again, one at a time; one that cannot be read
    is named in the report. Parameters are those of `write_prune_report`; without pictures no
    micrograph is read.

    Yields
    ------
    MicrographRead, MicrographFailed
        As micrographs are read.
    ReportWritten
        Last.
    """
    record, decided = result.record, result.picks
    threshold = float(record["threshold"])
    groups = group_by_micrograph(micrographs, decided)
    of_run = MicrographsOfRun(record)
    pictures = Pictures()
    selections: list[PickSelection] = []
    if with_pictures:
        shown = {of_run.names[i] for i in (*of_run.unusual, *of_run.typical)}
        marks = {g.name: _marks(decided, g.rows) for g in groups if g.name in shown}
        selections = choose_picks(decided, threshold, card.names)
        yield from pictures.read(groups, decided, card.boxes, marks, selections)
    is_kept = decided.table["predicted"].to_numpy() == PARTICLE
    galleries = pictures.galleries(selections, decided, is_kept)
    boxes_intro = (
        "Boxes are cut as the network gets them, but at a higher resolution; grey levels are "
        "relative to the micrograph. The figure is P(particle)."
        if galleries
        else "None of the micrographs could be read again."
        if with_pictures
        else "The report was made without reading the micrographs: decide --pictures shows them."
    )
    page = Page(
        kind="Pruning report",
        title=_title(record),
        subtitle=f"{len(decided):,} picks on {len(groups):,} micrographs",
        summary=_summary(result, card, threshold),
        tiles=_tiles(record["counts"], result.forecast, threshold),
        bar=_bar(record["counts"], card.names),
        warnings=_warnings(record, card, pictures),
        sections=[score_section(decided, card, result.forecast, threshold)],
        micrographs=of_run.section(pictures),
        boxes=GallerySection("Boxes", boxes_intro, galleries),
        provenance=_provenance(record, card),
        command=command,
    )
    yield ReportWritten(write_page(path, page))


def _title(record: Mapping[str, Any]) -> str:
    files = record.get("inputs", {}).get("picks") or []
    if not files:
        return "Picks"
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    return f"Picks of {', '.join(map(str, files[:3]))}{more}"


def _summary(result: Pruned, card: ModelCard, threshold: float) -> Summary:
    """Return what the threshold is expected to give, or why that is not known."""
    by_other_rules = other_rules_sentence(result.record["counts"])
    forecast, held_out = result.forecast, card.held_out_scores
    if forecast is None or held_out is None:
        n, n_kept = result.record["counts"]["picks"], result.record["counts"]["kept"]
        kept = f"{n_kept:,} of {n:,} picks ({percent(n_kept / max(n, 1))})"
        return Summary(
            f"At {threshold:.2f} you keep {kept}; no expected precision.",
            [no_forecast_reason(card), *filter(None, [by_other_rules])],
            "none",
        )
    lines = [
        f"The brackets hold 90 % intervals. They come from your labels, "
        f"{held_out.n_particles} particles and {held_out.n_others} others, each scored by a "
        "model that was not trained on it.",
        f"About {percent(forecast.share.mean)} of all picks ({percent(forecast.share.low)} to "
        f"{percent(forecast.share.high)}) should be particles. Recall is the share of these that "
        "is kept; particles that were never picked do not count.",
        by_other_rules,
    ]
    if not forecast.reliable:
        lines.insert(0, "These figures are a rough estimate only: see the warnings.")
    state = "good" if forecast.reliable else "weak"
    return Summary(forecast.at(threshold).sentence(), list(filter(None, lines)), state)


def _tiles(
    counts: Mapping[str, Any], forecast: PerformanceForecast | None, threshold: float
) -> list[Tile]:
    n = max(counts["picks"], 1)
    tiles = [
        Tile(name.capitalize(), f"{counts[name]:,}", percent(counts[name] / n), name)
        for name in ("kept", "rejected", "unscored")
        if counts[name] or name != "unscored"
    ]
    if forecast is not None:
        expected = forecast.at(threshold)
        for name, value in (("precision", expected.precision), ("recall", expected.recall)):
            interval = f"{value.low:.2f} to {value.high:.2f}"
            tiles.append(Tile(f"Expected {name}", f"{value.mean:.2f}", interval))
    return tiles


def _bar(counts: Mapping[str, Any], names: Mapping[int, str]) -> list[tuple[str, str, int]]:
    """Return the numbers of picks that are kept, rejected by class or place, and unscored."""
    ids = {class_name(c, names): c for c in CLASS_NAMES}
    bar = [("kept", "kept", counts["kept"])]
    bar += [
        (f"c{ids[name]}", f"rejected as {name}", n)
        for name, n in counts["rejected_by_class"].items()
    ]
    bar += [
        ("place", f"rejected, {words}", counts["rejected_by_reason"].get(rule, 0))
        for rule, words in PLACE_REASONS.items()
    ]
    bar.append(("unscored", "unscored", counts["unscored"]))
    return [(kind, name, n) for kind, name, n in bar if n or kind == "kept"]


def other_rules_sentence(counts: Mapping[str, Any]) -> str:
    """Return how many picks labels and distances decided on; empty if none."""
    rejected = counts["rejected_by_reason"]
    parts = []
    n_labelled = counts["kept_by_label"] + rejected.get(BY_LABEL, 0)
    if n_labelled:
        parts.append(f"{n_labelled:,} picks have the class of your labels")
    parts += [
        f"{rejected[rule]:,} are rejected because they are {words}"
        for rule, words in PLACE_REASONS.items()
        if rule in rejected
    ]
    return f"Whatever their score, {'; '.join(parts)}." if parts else ""


def _warnings(record: Mapping[str, Any], card: ModelCard, pictures: Pictures) -> list[str]:
    unreadable = record.get("unreadable", {})
    # without a forecast the summary says why
    known = {no_forecast_reason(card)}
    warnings = [text for text in record.get("warnings", []) if text not in known]
    for name, reason in list(unreadable.items())[:N_WARNINGS]:
        warnings.append(f"{base_name(name)} could not be scored: {reason}")
    if len(unreadable) > N_WARNINGS:
        n = len(unreadable) - N_WARNINGS
        warnings.append(f"{n:,} more micrographs could not be scored (see run.json).")
    return [*warnings, pictures.warning(except_for=unreadable)]


def _marks(decided: Picks, rows: NDArray[np.intp]) -> Marks:
    """Return the picks at `rows` of one micrograph by their decision."""
    predicted = decided.table["predicted"].to_numpy()[rows]
    coords_yx_px = decided.coords_yx_px()[rows]
    return {
        "unscored": coords_yx_px[predicted == UNLABELLED],
        "rejected": coords_yx_px[predicted > PARTICLE],
        "kept": coords_yx_px[predicted == PARTICLE],
    }


def _provenance(
    record: Mapping[str, Any], card: ModelCard
) -> list[tuple[str, provenance.Entries]]:
    groups = [
        ("Inputs", provenance.setting_entries(record.get("inputs", {}))),
        (
            "Settings",
            [*provenance.setting_entries(record["settings"]), *provenance.run_entries(record)],
        ),
        ("Model", provenance.model_entries(card)),
        ("Files", provenance.file_entries([*record.get("files", []), "run.json"])),
        ("Versions", [(k, str(v)) for k, v in record.get("versions", {}).items()]),
    ]
    return [(title, entries) for title, entries in groups if entries]
